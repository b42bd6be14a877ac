"""The capacity guide: what the figures mean for a service of a given size.

The last part is a simulation: ten thousand companies send one notice to everybody at the same
minute. Minute by minute each company sends as much as its pace allows, and all of them together as
much as addresses, nodes and PostgreSQL do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from options import Options
from table import Section

__all__ = ["write"]

_PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"

# DingTalk's limits; where they are written is said in `dingbell.dingtalk.limits`.
_PEOPLE_PER_CALL = 100
_PEOPLE_PER_MINUTE = 5_000
_ADDRESS_CALLS, _ADDRESS_SECONDS = 10_000, 20
_MONTHLY_CALLS = 5_000
# A batch is looked at for progress and result, and for readers at eight instants of its day.
_POLLS = 10
_WORKDAYS = 22

_COMPANIES = 10_000
# Of the PostgreSQL that is simulated.
_CORES = 8
_PEOPLE = 50_000_000
_MILESTONES = (0.5, 0.9, 0.99, 1.0)


class _MissingError(Exception):
    """A figure that the guide needs was not measured."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the guide is computed from; of one machine with two cores, which all share.

    Attributes:
        calls: send calls per second of one node, DingTalk answering after 80 ms.
        node: seconds of CPU of the node per call, over the whole path.
        database: seconds of CPU of PostgreSQL per call, likewise; to one person each.
        person: seconds of CPU of PostgreSQL per person, a hundred in a call.
        planned: people planned per second, one text for all.
        planned_apart: people planned per second, a text for each.
        row: bytes a person in a run takes, with indexes.
        idle_memory: MB of a node that has 100,000 schedules.
        idle_statements: statements per second of that node.
        due: milliseconds to find a hundred due ones among a million schedules.
        due_few: the same among a thousand.
    """

    calls: float
    node: float
    database: float
    person: float
    planned: float
    planned_apart: float
    row: float
    idle_memory: float
    idle_statements: float
    due: float
    due_few: float

    @classmethod
    def of(cls, sections: Sequence[Section]) -> _Measured:
        """Pick the figures out of what was measured."""
        found = {row.name: row.value.median for one in sections for row in one.rows}

        def figure(name: str) -> float:
            if name not in found:
                raise _MissingError(name)
            return found[name]

        return cls(
            calls=figure("10,000, 80 ms answers: calls/s"),
            node=figure("10,000: CPU of the node, s per 1,000 runs, whole path") / 1_000,
            database=figure("10,000: CPU of PostgreSQL, s per 1,000 runs, whole path") / 1_000,
            person=figure("100 people a call, no pace: CPU of PostgreSQL, s per 100,000 people")
            / 100_000,
            planned=100_000 / figure("100,000, one text: planned after (s)"),
            planned_apart=100_000 / figure("100,000, a text per person: planned after (s)"),
            row=figure("10,000,000 rows: bytes a person in a run, with indexes"),
            idle_memory=figure("100,000: RSS of the node (MB)"),
            idle_statements=figure("100,000: statements per second"),
            due=figure("1,000,000: take what is due, 100 (ms)"),
            due_few=figure("1,000: take what is due, 100 (ms)"),
        )


def write(sections: Sequence[Section], options: Options) -> None:
    """Write docs/capacity.md, if everything it needs was measured."""
    try:
        measured = _Measured.of(sections)
    except _MissingError as error:
        options.remarks.append(f"docs/capacity.md is left as it is: {error} was not measured")
        return
    parts = [_HEAD, *_node(measured), *_database(measured), *_simulation(measured)]
    _PAGE.write_text("\n".join(parts), encoding="utf-8")


_HEAD = """\
# Capacity

Computed by `make bench ARGS="--full --write"` from the figures of [benchmarks](benchmarks.md); do
not edit. They are of a machine with two cores on which the node, PostgreSQL and the pretend
DingTalk run together: read the order of magnitude, and which limit comes first.
"""


def _node(m: _Measured) -> Iterator[str]:
    address = _ADDRESS_CALLS / _ADDRESS_SECONDS
    minute = _PEOPLE_PER_MINUTE // _PEOPLE_PER_CALL
    yield f"""\
## One node

| what | measured | which means |
|---|---|---|
| schedules | finding 100 due ones takes {_ms(m.due)} ms among 1,000,000 and {_ms(m.due_few)} ms \
among 1,000; with 100,000 an idle node has {m.idle_memory:,.0f} MB and asks \
{m.idle_statements:.1f} statements a second | the number of schedules is no limit; how many come \
due together is |
| calls | {m.calls:,.0f} a second | {m.calls / address:.1f} × the {address:,.0f} a second that \
DingTalk allows one address ({_ADDRESS_CALLS:,} in {_ADDRESS_SECONDS} s): the address is the \
limit, not the node |
| apps | {minute} calls a minute reach the {_PEOPLE_PER_MINUTE:,} people that an app may reach | \
{address * 60 / minute:,.0f} apps can send at their full pace from one address; as many more as \
send at other times |
| people, one text | {m.planned:,.0f} planned a second | a company of 100,000 is planned in \
{100_000 / m.planned:.1f} s and takes {_pace_minutes(100_000):.0f} minutes to send, by \
DingTalk's pace |
| people, a text each | {m.planned_apart:,.0f} planned a second | one call a person: 20 a second \
and app, whatever the node does |

More nodes on the same address add safety, not calls: the limit of {_ADDRESS_CALLS:,} is DingTalk's.
Each process keeps below it by itself, so with several nodes behind one address give each its share
(`DINGBELL_CALLS_PER_ADDRESS`), or give each an address of its own.
"""


def _database(m: _Measured) -> Iterator[str]:
    core, address = 1 / m.database, _ADDRESS_CALLS / _ADDRESS_SECONDS
    day = _PEOPLE * m.row / 1e9
    yield f"""\
## When PostgreSQL becomes the limit

A schedule for one person costs {1e3 * m.node:.2f} ms of the node's CPU and
{1e3 * m.database:.2f} ms of PostgreSQL's, from its due instant to the receipt: one core of
PostgreSQL carries {core:,.0f} of them a second, {core / address:.1f} addresses at full speed. Sent
to by the hundred, a person costs PostgreSQL {1e3 * m.person:.3f} ms: {1 / m.person:,.0f} people a
second and core, {1 / m.person / address / _PEOPLE_PER_CALL:.2f} addresses at full speed. A person
in a run takes {m.row:,.0f} bytes with indexes; {_PEOPLE:,} of them a day are {day:,.1f} GB a
day, and {day * 180:,.0f} GB until `DINGBELL_KEEP_PEOPLE_DAYS` (180) has passed.

What to do then, in this order:

1. **A bigger server.** Claims and outcomes are short transactions of different orgs: they run side
   by side on as many cores as there are, and nodes may be elsewhere.
2. **Keep people for a shorter time.** Totals stay; the rows are most of the disk.
3. **One database per group of orgs.** Orgs share nothing but addresses, so a second service with a
   second database halves everything. An app belongs to one of them, or its pace is counted twice.

The ledger answers from {_LEDGER} rows as from a hundredth of them, so nothing is partitioned; a
table beyond some hundred million rows would be, by month, for the sake of deleting.
"""


_LEDGER = "10,000,000"


def _simulation(m: _Measured) -> Iterator[str]:
    sizes = _companies()
    calls = [math.ceil(size / _PEOPLE_PER_CALL) for size in sizes]
    milestones = " | ".join(f"{share:.0%} of the people after" for share in _MILESTONES)
    affordable = _MONTHLY_CALLS // (_WORKDAYS * (1 + _POLLS)) * _PEOPLE_PER_CALL
    yield f"""\
## Ten thousand companies, fifty million people

{_COMPANIES:,} companies of {min(sizes):,} to {max(sizes):,} people (Zipf; the middle one has
{sizes[len(sizes) // 2]:,}), an app each, send one notice to everybody at the same minute:
{sum(calls):,} calls. What each limit alone would make of it:

| limit | the last one has it after |
|---|---|
| DingTalk's pace: {_PEOPLE_PER_MINUTE:,} people a minute and app; the largest company alone | \
{_minutes(_pace_minutes(max(sizes)))} |
| one address: {_ADDRESS_CALLS:,} calls in {_ADDRESS_SECONDS} s | \
{_minutes(sum(calls) * _ADDRESS_SECONDS / _ADDRESS_CALLS / 60)} |
| one address with all polls of that day, {_POLLS} for each call | \
{_minutes(sum(calls) * (1 + _POLLS) * _ADDRESS_SECONDS / _ADDRESS_CALLS / 60)} |
| one node's Python core | {_minutes(sum(calls) / m.calls / 60)} |
| planning, on one node | {_minutes(sum(sizes) / m.planned / 60)} |
| one core of PostgreSQL, until all receipts are there | {_minutes(sum(sizes) * m.person / 60)} |

Polls let sends pass, and {_POLLS - 2} of the {_POLLS} are spread over the day: they hold no notice
up, and the address has room for them. What they cost PostgreSQL was measured up to the receipt, not
for readers.

All together, minute by minute, with a node for each address and a PostgreSQL of {_CORES} cores:

| addresses | {milestones} | what holds it up |
|---|{"---|" * len(_MILESTONES)}---|
{chr(10).join(_told(calls, addresses, m) for addresses in (1, 2, 4, 8))}

**What is hit first.** For a company on DingTalk's standard edition the month's {_MONTHLY_CALLS:,}
calls: one notice to everybody each workday, with all its polls, fits up to {affordable:,} people
(polls become fewer as the month's calls do, see `dingbell budget`). For the service the address:
with one, everybody waits for it; from a few on, each company goes at its own pace and only the
largest are still on their way. PostgreSQL comes next, and nodes come last.
"""


def _companies() -> list[int]:
    """Sizes by Zipf's law, flattened at the head, that add up; the largest first."""
    weights = [1 / (rank + 50) for rank in range(_COMPANIES)]
    scale = _PEOPLE / sum(weights)
    return [max(10, round(weight * scale)) for weight in weights]


def _told(calls: Sequence[int], addresses: int, m: _Measured) -> str:
    """A line of the table: how the herd goes with so many addresses, and as many nodes."""
    everybody = sum(calls)
    pace = _PEOPLE_PER_MINUTE // _PEOPLE_PER_CALL
    limits = {
        "the addresses": addresses * _ADDRESS_CALLS * 60 / _ADDRESS_SECONDS,
        "the nodes": addresses * m.calls * 60,
        f"PostgreSQL's {_CORES} cores": _CORES * 60 / m.person / _PEOPLE_PER_CALL,
    }
    held_up_by, most = min(limits.items(), key=lambda limit: limit[1])
    left = [float(count) for count in calls]
    sent, minute, shared = 0.0, 0, 0
    reached: list[int] = []
    while len(reached) < len(_MILESTONES):
        minute += 1
        wanted = [min(pace, count) for count in left]
        share = min(1.0, most / sum(wanted))
        shared += share < 1.0
        left = [max(0.0, count - share * part) for count, part in zip(left, wanted, strict=True)]
        left = [0.0 if count < 1e-6 else count for count in left]
        sent = everybody - sum(left)
        while len(reached) < len(_MILESTONES) and sent >= _MILESTONES[len(reached)] * everybody:
            reached.append(minute)
    why = f"{held_up_by} for {_minutes(shared)}, " if shared else ""
    cells = " | ".join(_minutes(minutes) for minutes in reached)
    return f"| {addresses} | {cells} | {why}then each company's own pace |"


def _pace_minutes(people: int) -> float:
    """How long an app takes to reach so many at its full pace."""
    return (math.ceil(people / _PEOPLE_PER_MINUTE) - 1) + 2.5 / 60


def _minutes(minutes: float) -> str:
    return f"{minutes:,.0f} min" if minutes >= 1.5 else f"{minutes * 60:.0f} s"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.1f}"
