"""What a schedule says: which notices are the same words, and how many calls they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

__all__ = ["Words"]


def _never(_: datetime) -> bytes | None:
    return None


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one schedule.

    Attributes:
        identity: what is equal for two notices that say the same to a person; None where that
            cannot be known beforehand.
        per_call: how many people with the same words one call takes.
        groups: people who get the same words, where those differ from person to person.
        each: whether everybody who is in none of the groups gets words of their own; else all of
            them get the same.
        broken: for whom the message cannot be made.
    """

    identity: Callable[[datetime], bytes | None] = field(default=_never, repr=False)
    per_call: int = 100
    groups: Sequence[int] = field(default=(), repr=False)
    each: bool = False
    broken: int = field(default=0, repr=False)

    def calls(self, who: int) -> int:
        """How many calls it takes to tell some people."""
        found = 0
        for group in self.groups:
            found += ceil((who & group).bit_count() / self.per_call)
            who &= ~group
        rest = who.bit_count()
        return found + (rest if self.each else ceil(rest / self.per_call))
