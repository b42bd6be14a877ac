"""What every operation needs at hand: the surroundings, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dingbell.clients import Clients
from dingbell.clock import Clock
from dingbell.domain.budget import Allowance
from dingbell.domain.slots import Pace
from dingbell.operations.actor import Actor, Operation, may
from dingbell.planning.sources import Sources
from dingbell.store.connection import Pool
from dingbell.store.vault import Vault

if TYPE_CHECKING:
    from dingbell.operations.apps import AppSpec

__all__ = ["Operations"]


@dataclass(frozen=True, slots=True)
class Operations:
    """The surroundings of operations, bound to an actor.

    Attributes:
        actor: who asks.
        pace: of apps and orgs that have none of their own.
        allowance: what DingTalk allows where an org does not say otherwise.
        default_app: the name of the app the environment gives, if it gives one.
        environment_app: that app. It is stored when something is done with it, not before.
        directory_stream: whether a node follows changes of directories as they happen.
        sources: the company's own addresses that say whom an audience means.
        oapi_url: where apps live that do not say so themselves.
        api_url: likewise for DingTalk's new API.
    """

    pool: Pool
    clock: Clock
    clients: Clients
    vault: Vault
    pace: Pace
    sources: Sources
    oapi_url: str
    api_url: str
    actor: Actor
    default_app: str | None = None
    environment_app: AppSpec | None = None
    allowance: Allowance = Allowance()
    directory_stream: bool = True

    def as_(self, actor: Actor) -> Operations:
        """The same surroundings for somebody else."""
        return replace(self, actor=actor)

    def may(self, operation: Operation) -> None:
        """Ask whether the actor may do something.

        Raises:
            PermissionDenied: it may not.
        """
        may(self.actor, operation)
