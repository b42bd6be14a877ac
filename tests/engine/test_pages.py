"""Long lists are told in pages, and no page leaves anything out."""

from __future__ import annotations

import pytest

from dingbell.domain.alarms import Alarm, AlarmKind, Noun
from dingbell.errors import InputError
from dingbell.operations import alerts, schedules
from dingbell.operations.context import Operations
from dingbell.store.connection import transaction
from dingbell.store.ledger import alerts as alert_rows

from .given import spec


async def test_schedules_are_paged_by_name(desk: Operations) -> None:
    names = ["a", "b b", "Z", "早会", "晚会"]
    for name in names:
        await schedules.put(desk, name, spec({"daily": "04:00"}, name), source="yaml")
    pages, after = [], None
    while True:
        page = await schedules.page(desk, limit=2, after=after)
        pages.append([one.name for one in page.items])
        if (after := page.next) is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == [
        one.name for one in await schedules.listed(desk)
    ]
    assert sorted(name for page in pages for name in page) == sorted(names)
    assert (await schedules.page(desk, limit=5)).next is None
    with pytest.raises(InputError, match="is no cursor"):
        await schedules.page(desk, after="a\0")


async def test_alerts_are_paged_the_newest_first(desk: Operations) -> None:
    async with transaction(desk.pool) as connection:
        for app in ("1", "2", "3"):
            alarm = Alarm(AlarmKind.TOKEN_FAILING, Noun.APP, app, {"en": "x", "zh": "x"})
            await alert_rows.raise_(connection, alarm, desk.clock.now())
    first = await alerts.page(desk, limit=2)
    assert [one.subject for one in first.items] == ["3", "2"]
    second = await alerts.page(desk, limit=2, after=first.next)
    assert [one.subject for one in second.items] == ["1"]
    assert second.next is None
    with pytest.raises(InputError, match="is no cursor"):
        await alerts.page(desk, after="x")
