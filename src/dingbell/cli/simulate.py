"""`dingbell simulate`: what schedules would do in the days, months or the year ahead."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.frame import Json, fail, run, table, tune_collector
from dingbell.cli.language import say, tr
from dingbell.display import visible

if TYPE_CHECKING:
    from dingbell.operations.context import Operations
    from dingbell.operations.simulation.proposal import Proposal
    from dingbell.operations.simulation.views import (
        SimulatedDay,
        SimulatedOccurrence,
        SimulationView,
    )

__all__ = ["add_to"]

# Longer lists are told day by day.
_MOST_ROWS = 2_000
_YEAR = timedelta(days=364)

_From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="DATE", help=tr("the first day; today if left out", "第一天; 省略为今天")
    ),
]
_To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="DATE",
        help=tr("the last day; a year from the first if left out", "最后一天; 省略为一年"),
    ),
]
_File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        help=tr(
            "the schedules of this file, which need not be applied; else those that are stored",
            "使用此文件中的日程 (不必先 apply); 省略则用已保存的日程",
        ),
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        help=tr(
            "what schedules would do between two days: people, calls, budget, and what would not "
            "be sent; nothing is sent or written",
            "模拟一段日期内的日程: 人数、调用、预算及不会发出的内容; 不发送, 不写入",
        )
    )(simulate)


def simulate(
    first: _From = None,
    last: _To = None,
    file: _File = None,
    as_json: Annotated[bool, Json] = False,
    as_ics: Annotated[
        bool,
        typer.Option(
            "--ics", help=tr("print a calendar (ICS) and nothing else", "只输出日历 (ICS)")
        ),
    ] = False,
) -> None:
    """Simulate."""
    if as_json and as_ics:
        fail(tr("write --json or --ics, not both", "--json 与 --ics 只能写一个"))
    days = _day("--from", first), _day("--to", last)
    found, now = run(_work(*days, file))
    if as_json:
        # Written in one go: a year may have hundreds of thousands of occurrences.
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    elif as_ics:
        run(_write_calendar(found, now))
    else:
        _show(found)


def _day(option: str, written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written.strip())
    except ValueError:
        shown = visible(written, one_line=True)
        fail(
            tr(
                f"{option}: {shown} is not a date: write 2026-12-01",
                f"{option}: {shown} 不是日期: 请写 2026-12-01",
            )
        )


async def _work(
    first: date | None, last: date | None, file: Path | None
) -> tuple[SimulationView, datetime]:
    from dingbell.bootstrap import open_desk
    from dingbell.clock import SHANGHAI
    from dingbell.settings import Settings

    tune_collector()
    settings = Settings.load()
    proposal = _proposal(file) if file is not None else None
    async with open_desk(settings) as desk:
        now = desk.clock.now()
        begin = first or now.astimezone(SHANGHAI).date()
        found = await _simulated(desk, begin, last or _a_year(begin), proposal)
        return found, now


def _a_year(first: date) -> date:
    """The last day of a year, as far as the calendar goes."""
    return first + min(_YEAR, date.max - first)


async def _simulated(
    desk: Operations, first: date, last: date, proposal: Proposal | None
) -> SimulationView:
    from dingbell.operations import simulation

    return await simulation.of(desk, first, last, proposal=proposal)


def _proposal(file: Path) -> Proposal:
    """What a file says, read as `plan` reads it."""
    import os

    from dingbell.config.schema import load_placed
    from dingbell.operations.simulation.proposal import Proposal
    from dingbell.settings import from_dotenv

    config, document = load_placed(file, {**from_dotenv(Path(".env")), **os.environ})
    if document.note is not None:
        typer.echo(f"{file}: {say(document.note)}", err=True)
    return Proposal(
        config.schedules,
        config.apps,
        config.orgs,
        config.audiences,
        config.rules(),
        config.calendars,
        config.templates,
    )


async def _write_calendar(found: SimulationView, now: datetime) -> None:
    from dingbell.operations.simulation.ics import calendar

    sys.stdout.buffer.write(calendar(found, now, say))


def _show(found: SimulationView) -> None:
    """Occurrences by day where they are few enough to be read, else days; months; people."""
    if not found.occurrences:
        typer.echo(tr("nothing falls due in these days", "这段日期内没有发送"))
        return
    rows = list(_rows(found.occurrences))
    if len(rows) <= _MOST_ROWS:
        table(_COLUMNS, rows)
    else:
        _show_days(found.days)
        typer.echo(
            tr(
                "each of them: --json, or fewer days",
                "逐条查看: --json, 或缩短日期范围",
            )
        )
    _show_months(found)
    _show_people(found)


_COLUMNS = (
    tr("day", "日期"),
    tr("schedule", "日程"),
    tr("at", "时间"),
    tr("people", "人数"),
    tr("calls", "调用"),
    tr("of the month", "占本月"),
    tr("minutes", "分钟"),
    tr("outcome", "结果"),
    tr("why", "原因"),
)


def _rows(occurrences: Iterable[SimulatedOccurrence]) -> Iterator[tuple[object, ...]]:
    """A row for each occurrence; those of one schedule and day of which the same is said share."""
    shown: date | None = None
    ordered = sorted(occurrences, key=lambda one: (one.due_at.date(), one.schedule, one.due_at))
    for (day, _, _), group in groupby(ordered, key=_alike):
        own = list(group)
        first = own[0]
        at = f"{first.due_at:%H:%M}"
        if len(own) > 1:
            at += f"–{own[-1].due_at:%H:%M} ×{len(own)}"
        yield (
            _named(day) if day != shown else "",
            first.schedule,
            at,
            first.people,
            sum(one.calls for one in own),
            _share([one.share for one in own]),
            f"{max(one.minutes for one in own):.1f}",
            _outcome(first.outcome),
            say(first.reason) if first.reason else "",
        )
        shown = day


def _alike(one: SimulatedOccurrence) -> tuple[date, str, tuple[object, ...]]:
    reason = str(one.reason) if one.reason else ""
    return one.due_at.date(), one.schedule, (one.outcome, one.people, reason)


_WEEKDAYS = (
    ("Mon", "周一"),
    ("Tue", "周二"),
    ("Wed", "周三"),
    ("Thu", "周四"),
    ("Fri", "周五"),
    ("Sat", "周六"),
    ("Sun", "周日"),
)
_OUTCOMES = {
    "sent": ("sent", "发送"),
    "held": ("held", "挂起"),
    "skipped": ("skipped", "略过"),
    "dropped": ("dropped", "丢弃"),
    "refused": ("refused", "拒绝"),
    "failed": ("failed", "失败"),
}


def _named(day: date) -> str:
    return f"{day} {tr(*_WEEKDAYS[day.weekday()])}"


def _outcome(outcome: str) -> str:
    return tr(*_OUTCOMES[outcome])


def _share(shares: list[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{sum(known):.1%}" if known else ""


def _show_days(days: Iterable[SimulatedDay]) -> None:
    table(
        (
            tr("day", "日期"),
            tr("occurrences", "次数"),
            tr("notices", "通知"),
            tr("calls", "调用"),
            tr("of the month", "占本月"),
            tr("minutes", "分钟"),
            tr("dropped", "丢弃"),
            tr("over the limit", "超限"),
        ),
        (
            (
                _named(one.day),
                one.occurrences,
                one.people,
                one.calls,
                _share([one.share]),
                f"{one.minutes:.1f}",
                one.dropped,
                one.over,
            )
            for one in days
            if one.occurrences or one.people
        ),
    )


def _show_months(found: SimulationView) -> None:
    several = len({one.org for one in found.budget}) > 1
    table(
        (
            tr("month", "月份"),
            *((tr("org", "组织"),) if several else ()),
            tr("calls, receipts included", "调用 (含回执)"),
            tr("limit", "上限"),
            tr("share", "占比"),
        ),
        (
            (
                one.month,
                *((one.org,) if several else ()),
                one.calls,
                one.limit if one.limit is not None else "–",
                _share([one.share]),
            )
            for one in found.budget
        ),
    )


def _show_people(found: SimulationView) -> None:
    if not found.people:
        return
    typer.echo(tr("who gets the most on one day:", "单日收到最多的人:"))
    table(
        (
            "userid",
            tr("most a day", "单日最多"),
            tr("on", "日期"),
            tr("altogether", "合计"),
        ),
        ((one.userid, one.most_a_day, _named(one.day), one.total) for one in found.people),
    )
