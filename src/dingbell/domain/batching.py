"""Grouping: bodies rendered per person, people with identical bodies cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from dingbell.domain.forecast import Reason
from dingbell.errors import Text

__all__ = ["Draft", "Groups", "body_hash", "cut"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A batch before it has a slot.

    Attributes:
        body: the exact bytes that go out.
        userids: who receives them; empty for a coarse target.
        target: `{"departments": […]}` or `{"everyone": true}` for a coarse send.
        size: how many people the batch reaches.
        reason: why it is not sent; None where it is.
        words: what exactly is wrong with it, where the reason alone does not say.
    """

    body: bytes = field(repr=False)
    userids: tuple[str, ...]
    size: int
    target: dict[str, Any] | None = None
    reason: Reason | None = None
    words: Text | None = None


def body_hash(body: bytes) -> bytes:
    """Identify a body: equal bytes, equal hash."""
    return blake2b(body, digest_size=16).digest()


class Groups:
    """People by identical bytes, as they come.

    The order is that of each body's first person, and of people within a body: the same input
    always gives the same batches.
    """

    def __init__(self) -> None:
        self._userids: dict[bytes, list[str]] = {}

    def add(self, userid: str, body: bytes) -> None:
        """Put a person with those who get the same body."""
        self._userids.setdefault(body, []).append(userid)

    def cut(self, most: int) -> list[Draft]:
        """Batches of at most so many people; the groups are used up."""
        drafts = []
        for body in list(self._userids):
            userids = self._userids.pop(body)
            drafts += [Draft(body, tuple(part), len(part)) for part in _parts(userids, most)]
        return drafts


def cut(bodies: Iterable[tuple[str, bytes]], most: int) -> list[Draft]:
    """Group people by identical bytes, at most `most` a batch; see `Groups`."""
    groups = Groups()
    for userid, body in bodies:
        groups.add(userid, body)
    return groups.cut(most)


def _parts(userids: Sequence[str], most: int) -> Iterable[Sequence[str]]:
    return (userids[start : start + most] for start in range(0, len(userids), most))
