"""Notices a day: who of planned runs has had as many as `per_person_per_day` allows.

Asked when runs are planned, under the locks of their orgs: whoever plans next, on whatever node,
finds what was planned before. A forecast asks the same without a lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dingbell.clock import beijing_day
from dingbell.domain.batching import Draft, Groups
from dingbell.domain.day_limit import UNLIMITED, DayLimit, Limits, next_day
from dingbell.domain.forecast import Reason, prediction
from dingbell.store.connection import Connection
from dingbell.store.ledger import day_counts

__all__ = ["Planned", "keep_within"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that is about to be planned, or one that is only asked about.

    Attributes:
        schedule: whose own limit counts it; None for what follows a run, and for sends.
        at: when its first call would be made.
        own: what it says itself.
        exempt: whether it goes to everybody all the same: it is urgent, or a person let it go.
        may_wait: whether those who are over may have it on the next day.
        expires: when it is of no use any more.
    """

    org: str
    app_id: int
    schedule: str | None
    at: datetime
    own: DayLimit
    drafts: Sequence[Draft] = field(repr=False)
    exempt: bool = False
    may_wait: bool = True
    expires: datetime | None = None

    @property
    def day(self) -> datetime:
        """When the Beijing day begins on which it counts."""
        return beijing_day(self.at)

    @property
    def then(self) -> bool:
        """Whether it is of use on the next day."""
        return self.may_wait and (self.expires is None or next_day(self.at) <= self.expires)


async def keep_within(connection: Connection, planned: Sequence[Planned]) -> list[Sequence[Draft]]:
    """The drafts of each run, with those who are over a limit set aside.

    Args:
        connection: in the transaction that plans them; the orgs are locked.
        planned: in the order in which they go; earlier ones count for later ones.
    """
    everywhere, of_apps = await day_counts.limits(connection, [one.app_id for one in planned])
    limits = [
        UNLIMITED
        if one.exempt
        else Limits.of(everywhere, of_apps.get(one.app_id, _NOTHING), one.own)
        for one in planned
    ]
    had: dict[tuple[str, datetime], _Had] = {}
    for place, one in enumerate(planned):
        if limits[place] and (one.org, one.day) not in had:
            together = [other for other in planned if (other.org, other.day) == (one.org, one.day)]
            had[one.org, one.day] = await _had(connection, one, together)
    return [
        _within(one, limits[place], had[one.org, one.day])
        if (one.org, one.day) in had
        else one.drafts
        for place, one in enumerate(planned)
    ]


_NOTHING = DayLimit()


class _Had:
    """What people have of one day, those counted who are being planned."""

    def __init__(self, rows: Sequence[tuple[str, int, str | None, int]]) -> None:
        self._all: Counter[str] = Counter()
        self._apps: Counter[tuple[str, int]] = Counter()
        self._schedules: Counter[tuple[str, str]] = Counter()
        for userid, app_id, schedule, notices in rows:
            self.add(userid, app_id, schedule, notices)

    def add(self, userid: str, app_id: int, schedule: str | None, notices: int = 1) -> None:
        """Somebody has, or gets, so many notices."""
        self._all[userid] += notices
        self._apps[userid, app_id] += notices
        if schedule is not None:
            self._schedules[userid, schedule] += notices

    def reached(self, limits: Limits, userid: str, app_id: int, schedule: str | None) -> bool:
        """Whether somebody has had as many as is allowed."""
        of_schedule = 0 if schedule is None else self._schedules[userid, schedule]
        return limits.reached(self._all[userid], self._apps[userid, app_id], of_schedule)


async def _had(connection: Connection, one: Planned, together: Sequence[Planned]) -> _Had:
    userids = {
        userid
        for other in together
        for draft in other.drafts
        if draft.reason is None
        for userid in draft.userids
    }
    return _Had(await day_counts.counts(connection, one.org, one.day, sorted(userids)))


def _within(one: Planned, limits: Limits, had: _Had) -> Sequence[Draft]:
    """Set those aside who are over, and count the others."""
    over: list[str] = []
    for draft in one.drafts:
        for userid in draft.userids if draft.reason is None else ():
            if had.reached(limits, userid, one.app_id, one.schedule):
                over.append(userid)
            else:
                had.add(userid, one.app_id, one.schedule)
    if not over:
        return one.drafts
    held = limits.then == "hold" and one.then
    reason = Reason.DAY_HELD if held else Reason.DAY_LIMIT
    words = prediction(reason).reason
    aside = Draft(b"", tuple(sorted(over)), len(over), reason=reason, words=words)
    return [*_left(one.drafts, frozenset(over)), aside]


def _left(drafts: Sequence[Draft], over: frozenset[str]) -> list[Draft]:
    """The drafts without some people, cut anew so that calls are as full as they were."""
    others = [one for one in drafts if one.reason is not None or one.target is not None]
    sent = [one for one in drafts if one.reason is None and one.target is None]
    groups = Groups()
    for draft in sent:
        for userid in draft.userids:
            if userid not in over:
                groups.add(userid, draft.body)
    most = max(len(draft.userids) for draft in sent)
    return [*groups.cut(most), *others]
