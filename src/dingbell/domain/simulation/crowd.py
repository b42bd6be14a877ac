"""People as bits of one number, and counts of people as few such numbers.

A year of 500 schedules and 5,000 people is 900 million notices. Nobody is counted one by one: a set
of people is an integer with a bit for each, and a count of everybody is a list of integers, the
first of which holds the ones of all the counts, the second the twos, the third the fours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["Crowd", "Tally"]

Member = tuple[str, str]  # org, userid


class Crowd:
    """Gives everybody a bit."""

    def __init__(self) -> None:
        self._places: dict[Member, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def bits(self, org: str, userids: Iterable[str]) -> int:
        """A set of people of an org; whoever is new gets a bit."""
        places = self._places
        found = [places.setdefault((org, userid), len(places)) for userid in userids]
        marks = bytearray(len(places) // 8 + 1)
        for place in found:
            marks[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(marks, "little")

    def userids(self, org: str, who: int) -> list[str]:
        """The userids of a set, as far as they are of an org."""
        marks = f"{who:b}"[::-1]
        return [
            userid
            for (of, userid), mark in zip(self._places, marks, strict=False)
            if mark == "1" and of == org
        ]

    def members(self) -> list[Member]:
        """Everybody, in order of their bits."""
        return list(self._places)


class Tally:
    """How often everybody has been counted."""

    __slots__ = ("_planes",)

    def __init__(self, planes: Iterable[int] = ()) -> None:
        self._planes = list(planes)

    def add(self, who: int) -> None:
        """Count some people once more."""
        planes = self._planes
        for place, plane in enumerate(planes):
            planes[place] = plane ^ who
            who &= plane
            if not who:
                return
        if who:
            planes.append(who)

    def at_least(self, count: int) -> int:
        """Who has been counted so often or more; the count is 1 or more."""
        planes = self._planes
        if count >> len(planes):
            return 0
        more, same = 0, -1
        for place in range(len(planes) - 1, -1, -1):
            plane = planes[place]
            if count >> place & 1:
                same &= plane
            else:
                more |= same & plane
                same &= ~plane
        return more | same

    def joined(self, other: Tally) -> Tally:
        """Everybody's two counts added."""
        sums, carry = [], 0
        for one, two in _paired(self._planes, other._planes):
            sums.append(one ^ two ^ carry)
            carry = one & two | carry & (one ^ two)
        return Tally([*sums, carry] if carry else sums)

    def larger(self, other: Tally) -> Tally:
        """Everybody's larger count of two."""
        pairs = list(_paired(self._planes, other._planes))
        ours, same = 0, -1
        for one, two in reversed(pairs):
            ours |= same & one & ~two
            same &= ~(one ^ two)
        return Tally(one & ours | two & ~ours for one, two in pairs)

    def counts(self, people: int) -> list[int]:
        """How often each of so many people has been counted, in order of their bits."""
        found = [0] * people
        for place, plane in enumerate(self._planes):
            # Reading a number digit by digit as text is a hundred times faster than bit by bit.
            for at, digit in enumerate(reversed(f"{plane:b}")):
                if digit == "1":
                    found[at] += 1 << place
        return found

    def of(self, place: int) -> int:
        """How often the person of one bit has been counted."""
        return sum((plane >> place & 1) << weight for weight, plane in enumerate(self._planes))


def _paired(one: list[int], other: list[int]) -> Iterator[tuple[int, int]]:
    """The planes of two counts side by side, the missing ones empty."""
    for place in range(max(len(one), len(other))):
        yield (
            one[place] if place < len(one) else 0,
            other[place] if place < len(other) else 0,
        )
