"""The calendars that a service knows: the statutory one, weekends alone, and the company's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from dingbell.domain.calendar import statutory
from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.calendar.company import CalendarSpec, composed
from dingbell.domain.calendar.notice import Notice
from dingbell.errors import InputError, NotFoundError, Text

__all__ = ["BUILT_IN", "CN", "NONE", "Calendars", "shipped"]

CN = "cn"
NONE = "none"
BUILT_IN = frozenset({CN, NONE})
_BARE = Calendar(NONE)


class Calendars:
    """Calendars by name."""

    def __init__(self, known: Mapping[str, Calendar]) -> None:
        self._known = dict(known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendars) and self._known == other._known

    __hash__ = None  # type: ignore[assignment]  # it holds mappings

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(sorted(self._known))

    def named(self, name: str) -> Calendar:
        """The calendar of a name.

        Raises:
            NotFoundError: there is none.
        """
        found = self._known.get(name)
        if found is None:
            raise NotFoundError(
                Text(
                    "there is no calendar {name!r}: there are {known}",
                    "没有日历 {name!r}: 现有 {known}",
                ).format(name=name, known=", ".join(self.names))
            )
        return found

    def over(self, specs: Mapping[str, CalendarSpec]) -> Calendars:
        """These calendars, and over them those of a file."""
        return Calendars(_built(self._known, specs, {}))

    @classmethod
    def of(
        cls,
        specs: Mapping[str, CalendarSpec],
        notices: Mapping[str, Iterable[Notice]],
        *,
        strict: bool = True,
    ) -> Calendars:
        """The shipped calendars, what was imported over them, and the company's own.

        Args:
            specs: the company's calendars by name.
            notices: what was imported, by the name of the calendar.
            strict: refuse what cannot be built; else leave it out.

        Raises:
            InputError: they are built in a circle, or upon one that is not there.
        """
        known = {NONE: _BARE, CN: _statutory(notices.get(CN, ()))}
        imported = {name: tuple(found) for name, found in notices.items() if name not in known}
        bare = dict.fromkeys(imported.keys() - specs.keys(), CalendarSpec())
        return cls(_built(known, {**specs, **bare}, imported, strict=strict))


def _statutory(imported: Iterable[Notice]) -> Calendar:
    """The statutory calendar; a notice of the same year that was imported stands in its place."""
    by_year = {notice.year: notice for notice in (*statutory.notices(), *imported)}
    empty = Calendar(CN, years=frozenset(), lawful=True)
    return composed(CN, empty, None, by_year.values())


def _built(
    known: Mapping[str, Calendar],
    specs: Mapping[str, CalendarSpec],
    imported: Mapping[str, tuple[Notice, ...]],
    *,
    strict: bool = True,
) -> dict[str, Calendar]:
    """Build calendars one upon another, whatever the order they are written in."""
    found = dict(known)
    for name in specs:
        found.pop(name, None) if name not in BUILT_IN else None
    waiting = dict(specs)
    while waiting:
        ready = [name for name, spec in waiting.items() if spec.base in found]
        if not ready and not strict:
            break
        if not ready:
            name, spec = next(iter(sorted(waiting.items())))
            raise InputError(_no_base(spec.base, waiting), where=f"calendars.{name}.base")
        for name in ready:
            spec = waiting.pop(name)
            found[name] = composed(name, found[spec.base], spec, imported.get(name, ()))
    return found


def _no_base(base: str, waiting: Mapping[str, CalendarSpec]) -> Text:
    if base in waiting:
        return Text(
            "calendars may be built upon one another, but not in a circle",
            "日历可以基于其他日历, 但不能互相循环",
        )
    return Text(
        "there is no calendar {base!r}: write cn, none, or one of this file",
        "没有日历 {base!r}: 请写 cn、none 或本文件中的日历",
    ).format(base=base)


@cache
def shipped() -> Calendars:
    """What the wheel knows: `cn` and `none`."""
    return Calendars.of({}, {})
