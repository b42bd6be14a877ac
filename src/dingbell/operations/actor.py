"""Actors: who asks for something, by which way, and what each role may do.

Every operation asks `may` before anything else. The engine, the library and the local command line
are actors like the accounts are: nothing is done by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dingbell.errors import PermissionDenied, Text

__all__ = [
    "ENGINE",
    "LIBRARY",
    "LOCAL_CLI",
    "PERMISSIONS",
    "VIAS",
    "Actor",
    "Operation",
    "Role",
    "Via",
    "may",
]

Via = Literal["cli", "api", "library", "console", "engine"]
VIAS: tuple[Via, ...] = ("cli", "api", "library", "console", "engine")


class Role(StrEnum):
    """What an account is trusted with; the value is what the table of accounts keeps."""

    OWNER = "owner"
    AUTHOR = "author"
    SENDER = "sender"
    APPROVER = "approver"
    VIEWER = "viewer"


class Operation(StrEnum):
    """Everything that can be asked for."""

    RUNS_SEE = "runs.see"
    RUNS_SEND = "runs.send"
    RUNS_CANCEL = "runs.cancel"
    RUNS_RECALL = "runs.recall"
    RUNS_RESEND = "runs.resend"
    RUNS_RESOLVE = "runs.resolve"
    RUNS_STATUS_BAR = "runs.status_bar"
    RUNS_APPROVE = "runs.approve"
    SCHEDULES_SEE = "schedules.see"
    SCHEDULES_PUT = "schedules.put"
    SCHEDULES_PAUSE = "schedules.pause"
    SCHEDULES_DELETE = "schedules.delete"
    SCHEDULES_RUN = "schedules.run"
    SCHEDULES_APPROVE = "schedules.approve"
    FORECASTS_SEE = "forecasts.see"
    PEOPLE_SEE = "people.see"
    DIRECTORY_SEE = "directory.see"
    DIRECTORY_SYNC = "directory.sync"
    APPS_SEE = "apps.see"
    APPS_PUT = "apps.put"
    ORGS_SEE = "orgs.see"
    ORGS_PUT = "orgs.put"
    AUDIENCES_SEE = "audiences.see"
    AUDIENCES_PUT = "audiences.put"
    AUDIENCES_DELETE = "audiences.delete"
    CALENDARS_SEE = "calendars.see"
    CALENDARS_PUT = "calendars.put"
    CALENDARS_DELETE = "calendars.delete"
    TEMPLATES_SEE = "templates.see"
    TEMPLATES_PUT = "templates.put"
    TEMPLATES_DELETE = "templates.delete"
    DATASETS_SEE = "datasets.see"
    DATASETS_PUT = "datasets.put"
    DATASETS_DELETE = "datasets.delete"
    RULES_SEE = "rules.see"
    RULES_PUT = "rules.put"
    RULES_DELETE = "rules.delete"
    ACCOUNTS_SEE = "accounts.see"
    ACCOUNTS_CHANGE = "accounts.change"
    CONFIG_PLAN = "config.plan"
    CONFIG_APPLY = "config.apply"
    CONFIG_EXPORT = "config.export"
    ALERTS_SEE = "alerts.see"
    BUDGETS_SEE = "budgets.see"
    NODES_SEE = "nodes.see"
    DOCTOR = "doctor.examine"


_EVERYBODY = frozenset(Role)
_OWNER = frozenset({Role.OWNER})
_AUTHOR = frozenset({Role.OWNER, Role.AUTHOR})
_SENDER = frozenset({Role.OWNER, Role.SENDER})
_HANDS = frozenset({Role.OWNER, Role.AUTHOR, Role.SENDER})
_APPROVER = frozenset({Role.OWNER, Role.APPROVER})

# The one table of permissions: which roles may ask for what.
PERMISSIONS: Mapping[Operation, frozenset[Role]] = {
    Operation.RUNS_SEE: _EVERYBODY,
    Operation.RUNS_SEND: _SENDER,
    # Whoever sees that something goes wrong stops it.
    Operation.RUNS_CANCEL: frozenset({Role.OWNER, Role.AUTHOR, Role.SENDER, Role.APPROVER}),
    Operation.RUNS_RECALL: _HANDS,
    Operation.RUNS_RESEND: _SENDER,
    Operation.RUNS_RESOLVE: _SENDER,
    Operation.RUNS_STATUS_BAR: _SENDER,
    Operation.RUNS_APPROVE: _APPROVER,
    Operation.SCHEDULES_SEE: _EVERYBODY,
    Operation.SCHEDULES_PUT: _AUTHOR,
    Operation.SCHEDULES_PAUSE: _HANDS,
    Operation.SCHEDULES_DELETE: _AUTHOR,
    Operation.SCHEDULES_RUN: _HANDS,
    Operation.SCHEDULES_APPROVE: _APPROVER,
    Operation.FORECASTS_SEE: _EVERYBODY,
    Operation.PEOPLE_SEE: _EVERYBODY,
    Operation.DIRECTORY_SEE: _EVERYBODY,
    Operation.DIRECTORY_SYNC: _HANDS,
    Operation.APPS_SEE: _EVERYBODY,
    Operation.APPS_PUT: _OWNER,
    Operation.ORGS_SEE: _EVERYBODY,
    Operation.ORGS_PUT: _OWNER,
    Operation.AUDIENCES_SEE: _EVERYBODY,
    Operation.AUDIENCES_PUT: _AUTHOR,
    Operation.AUDIENCES_DELETE: _AUTHOR,
    Operation.CALENDARS_SEE: _EVERYBODY,
    Operation.CALENDARS_PUT: _AUTHOR,
    Operation.CALENDARS_DELETE: _AUTHOR,
    Operation.TEMPLATES_SEE: _EVERYBODY,
    Operation.TEMPLATES_PUT: _AUTHOR,
    Operation.TEMPLATES_DELETE: _AUTHOR,
    Operation.DATASETS_SEE: _EVERYBODY,
    Operation.DATASETS_PUT: _HANDS,
    Operation.DATASETS_DELETE: _AUTHOR,
    Operation.RULES_SEE: _EVERYBODY,
    Operation.RULES_PUT: _OWNER,
    Operation.RULES_DELETE: _OWNER,
    Operation.ACCOUNTS_SEE: _EVERYBODY,
    Operation.ACCOUNTS_CHANGE: _OWNER,
    Operation.CONFIG_PLAN: _EVERYBODY,
    # What the file changes is asked for kind by kind as well.
    Operation.CONFIG_APPLY: _AUTHOR,
    # Secrets are not in it.
    Operation.CONFIG_EXPORT: _EVERYBODY,
    Operation.ALERTS_SEE: _EVERYBODY,
    Operation.BUDGETS_SEE: _EVERYBODY,
    Operation.NODES_SEE: _EVERYBODY,
    Operation.DOCTOR: _EVERYBODY,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        account: the account; None where the way alone says who it is.
        roles: what the account is trusted with.
        scopes: the operations that a token is limited to; None limits nothing.
        via: which way it came.
    """

    account: str | None
    roles: frozenset[Role]
    via: Via
    scopes: frozenset[Operation] | None = None

    @classmethod
    def of(
        cls,
        account: str,
        roles: Collection[str],
        via: Via,
        scopes: Collection[str] | None = None,
    ) -> Actor:
        """The actor of an account."""
        return cls(
            account,
            frozenset(Role(role) for role in roles),
            via,
            None if scopes is None else frozenset(Operation(one) for one in scopes),
        )

    @property
    def name(self) -> str:
        """What the tables keep: the account, or the way."""
        return self.account or self.via


LOCAL_CLI = Actor(None, _EVERYBODY, "cli")
LIBRARY = Actor(None, _EVERYBODY, "library")
ENGINE = Actor(None, _EVERYBODY, "engine")


def may(actor: Actor, operation: Operation) -> None:
    """Ask whether an actor may do something.

    Raises:
        PermissionDenied: none of its roles may, or its token is not for this.
    """
    if not actor.roles & PERMISSIONS[operation]:
        raise PermissionDenied(
            Text(
                "{name} may not do this ({operation}): it takes the role {roles}",
                "{name} 无权执行此操作 ({operation}): 需要角色 {roles}",
            ).format(name=actor.name, operation=operation.value, roles=_roles(operation))
        )
    if actor.scopes is not None and operation not in actor.scopes:
        raise PermissionDenied(
            Text(
                "the token of {name} is not for this ({operation})",
                "{name} 的令牌不能用于此操作 ({operation})",
            ).format(name=actor.name, operation=operation.value)
        )


def _roles(operation: Operation) -> Text:
    names = sorted(role.value for role in PERMISSIONS[operation])
    return Text(" or ".join(names), " 或 ".join(names))
