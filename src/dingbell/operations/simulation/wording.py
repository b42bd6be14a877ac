"""Wording: what schedules say, rendered only as often as it takes to tell words apart.

Words without variables are rendered once; words with `due` once an occurrence; words that differ
from person to person for those people only who differ in what the template looks at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dingbell.clock import Clock
from dingbell.domain.batching import body_hash
from dingbell.domain.message import Message
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.simulation import Crowd, Words
from dingbell.domain.triggers import parse_zone
from dingbell.domain.variables import seen
from dingbell.errors import InputError
from dingbell.store import directory
from dingbell.store.connection import Connection

__all__ = ["Wording"]

# So many people show what a template looks at.
_SAMPLE = 40
_MISSING = object()
_KNOWN = {"person", "due", "schedule", "vars"}
# Groups up to this many are counted one by one.
_MOST_GROUPS = 300
# Words of so many of a sample are their own: then everybody's are.
_MOSTLY = 0.9
# A function's words are not known; two of its notices may differ.
_PER_CALL = 100


class Wording:
    """Finds out what schedules say; what several ask it reads once."""

    def __init__(self, clock: Clock, crowd: Crowd) -> None:
        self._clock = clock
        self._crowd = crowd
        self._people: dict[tuple[str, frozenset[str]], dict[str, dict[str, Any]]] = {}
        self._asked: dict[tuple[str, int, frozenset[str]], dict[str, dict[str, Any]]] = {}
        self._split: dict[tuple[str, int, tuple[str, ...]], dict[Any, list[str]]] = {}

    async def of(
        self,
        connection: Connection,
        name: str,
        org: str,
        spec: ScheduleSpec,
        who: int,
        *,
        most: int,
        on: datetime,
    ) -> Words:
        """The words of a schedule.

        Args:
            connection: to read people.
            name: of the schedule.
            org: its org.
            spec: the schedule.
            who: everybody it may go to.
            most: how many people a call may take at the pace.
            on: an instant for which words are tried out.
        """
        message = spec.message
        if message is None:
            return Words(per_call=min(_PER_CALL, most))
        per_call = min(message.people_per_call, most)
        said = _Said(message, name, spec)
        identity = said.identity(on)
        if not message.is_personal or not who:
            return Words(identity, per_call)
        if message.names - _KNOWN:
            # It looks at something else than the directory: everybody may have words of his own.
            return Words(identity, per_call, each=True)
        groups, broken = await self._groups(connection, org, who, said, on)
        return Words(identity, per_call, groups, each=True, broken=broken)

    async def _groups(
        self, connection: Connection, org: str, who: int, said: _Said, on: datetime
    ) -> tuple[Sequence[int], int]:
        """People who get the same words, and those for whom the message cannot be made."""
        people = await self._known(connection, org, who, said.also)
        sample = [*people.values()][:: max(len(people) // _SAMPLE, 1)]
        looked_at: set[str] = set()
        tried = {said.to(_Watched(person, looked_at), on) for person in sample}
        names = tuple(sorted(looked_at))
        alike = await asyncio.to_thread(self._alike, org, who, people, names)
        own = None not in tried and len(tried) >= _MOSTLY * len(sample)
        if len(alike) > _MOST_GROUPS and own:
            return (), 0
        return await self._rendered(org, people, alike, said, on)

    def _alike(
        self, org: str, who: int, people: Mapping[str, dict[str, Any]], names: tuple[str, ...]
    ) -> dict[Any, list[str]]:
        """People who do not differ in some attributes, together."""
        key = org, who, names
        if key not in self._split:
            found: dict[Any, list[str]] = {}
            for userid, person in people.items():
                values = tuple([_plain(person.get(name, _MISSING)) for name in names])
                found.setdefault(values, []).append(userid)
            self._split[key] = found
        return self._split[key]

    async def _rendered(
        self,
        org: str,
        people: Mapping[str, dict[str, Any]],
        alike: Mapping[Any, list[str]],
        said: _Said,
        on: datetime,
    ) -> tuple[Sequence[int], int]:
        """Render once for all who do not differ, and put those together who get the same."""
        found: dict[bytes | None, list[str]] = {}
        for place, userids in enumerate(alike.values()):
            if place % 20 == 0:
                await self._clock.sleep(0)
            found.setdefault(said.to(people[userids[0]], on), []).extend(userids)
        broken = self._crowd.bits(org, found.pop(None, []))
        if len(found) > _MOST_GROUPS:
            # Few of so many share their words with somebody.
            return (), broken
        return [self._crowd.bits(org, userids) for userids in found.values()], broken

    async def _known(
        self, connection: Connection, org: str, who: int, also: frozenset[str]
    ) -> dict[str, dict[str, Any]]:
        """What templates see of people, by userid; of strangers only that."""
        key = org, who, also
        if key in self._asked:
            return self._asked[key]
        wanted = self._crowd.userids(org, who)
        known = self._people.setdefault((org, also), {})
        missing = [userid for userid in wanted if userid not in known]
        if missing:
            found = await directory.people(connection, org, missing, also)
            known |= {userid: found.get(userid, {"userid": userid}) for userid in missing}
        self._asked[key] = {userid: known[userid] for userid in wanted}
        return self._asked[key]


class _Said:
    """What a schedule says to somebody at an instant.

    Attributes:
        also: what of people it looks at that is read from elsewhere.
    """

    def __init__(self, message: Message, name: str, spec: ScheduleSpec) -> None:
        self._message = message
        self._name = name
        content = repr(message.content).encode() if message.is_personal else b""
        self._written = body_hash(content)
        self._zone = parse_zone(spec.timezone)
        self._vars = spec.vars
        self.also = message.mentions(directory.RELATED)

    def to(self, person: Mapping[str, Any], at: datetime) -> bytes | None:
        """The words; None where they cannot be made."""
        variables = {**seen(at, self._zone, self._name, self._vars), "person": person}
        try:
            return body_hash(self._message.body(variables))
        except InputError:
            return None

    def identity(self, on: datetime) -> Callable[[datetime], bytes | None]:
        """What is equal for two notices that say the same to a person."""
        if "due" in self._message.names:
            return self._to_anybody
        always = self._to_anybody(on)
        return lambda _: always

    def _to_anybody(self, at: datetime) -> bytes | None:
        """What it says to somebody who is like everybody else.

        Two personal templates may say the same to him and not to real people: they are the same
        only where they are written alike.
        """
        words = self.to(_ANYBODY, at)
        return words and words + self._written


class _Anybody(dict[str, str]):
    """A person of whom every attribute is the same short word."""

    def __missing__(self, name: str) -> str:
        return "x"


_ANYBODY = _Anybody()


class _Watched(dict[str, Any]):
    """A person who notes which of his attributes a template looks at."""

    def __init__(self, person: Mapping[str, Any], seen: set[str]) -> None:
        super().__init__(person)
        self._seen = seen

    def __getitem__(self, name: str) -> Any:
        self._seen.add(name)
        return super().__getitem__(name)


def _plain(value: Any) -> Any:
    """A value that can be compared, whatever it holds."""
    return value if isinstance(value, str | int | float | None) else repr(value)
