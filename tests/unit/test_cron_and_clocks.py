"""Cron where clocks change: in every zone the instants are those of a watched clock.

The oracle knows nothing of offsets: it looks at the clock of a zone once a minute (once a second
for six fields) and compares what it shows with the sets that each field stands for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.domain.triggers import Cron, Daily, Once, parse_zone

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
# Of all changes since 2005; clocks have jumped forward by a day, never back.
LONGEST_REPETITION = timedelta(hours=3)

# Half an hour; midnight skipped; midnight repeated; a day skipped; back over midnight; two hours;
# back in summer; a quarter; never.
ODD_ZONES = [
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Amman",
    "Atlantic/Azores",
    "America/Scoresbysund",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/St_Johns",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Asia/Pyongyang",
    "America/Caracas",
    "America/New_York",
    "Asia/Shanghai",
]


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The instants at which the clocks of a zone were or will be changed, 2005 to 2040."""
    zone = ZoneInfo(name)
    found = []
    seen, last = datetime(2005, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    while seen < last:
        low, high = seen, seen + DAY
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > SECOND:
                middle = low + (high - low) // SECOND // 2 * SECOND
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        seen += DAY
    return tuple(found)


@dataclass(frozen=True)
class Field:
    """What an author writes in a field, and the numbers it stands for."""

    written: str
    numbers: frozenset[int]

    @property
    def wild(self) -> bool:
        return "*" in self.written or "/" in self.written


def number(value: int) -> Field:
    return Field(str(value), frozenset({value}))


def field(low: int, high: int) -> st.SearchStrategy[Field]:
    """A number, a list, a range, a wildcard, or one of the three with a step."""
    span = range(low, high + 1)
    numbers = st.integers(low, high)
    bounds = st.tuples(numbers, numbers).map(sorted)
    steps = st.integers(1, high)
    return st.one_of(
        st.just(Field("*", frozenset(span))),
        steps.map(lambda step: Field(f"*/{step}", frozenset(span[::step]))),
        numbers.map(number),
        st.lists(numbers, min_size=2, max_size=4).map(
            lambda chosen: Field(",".join(map(str, chosen)), frozenset(chosen))
        ),
        bounds.map(lambda two: Field(f"{two[0]}-{two[1]}", frozenset(range(two[0], two[1] + 1)))),
        st.tuples(bounds.filter(lambda two: two[0] < two[1]), steps).map(
            lambda drawn: Field(
                f"{drawn[0][0]}-{drawn[0][1]}/{drawn[1]}",
                frozenset(range(drawn[0][0], drawn[0][1] + 1, drawn[1])),
            )
        ),
        st.tuples(numbers, steps).map(
            lambda two: Field(f"{two[0]}/{two[1]}", frozenset(range(two[0], high + 1, two[1])))
        ),
    )


@dataclass(frozen=True)
class Rule:
    """An expression with the meaning of each of its fields."""

    seconds: Field | None
    minutes: Field
    hours: Field
    days: Field
    months: Field
    weekdays: Field

    @property
    def written(self) -> str:
        fields = [self.minutes, self.hours, self.days, self.months, self.weekdays]
        return " ".join(one.written for one in ([self.seconds] if self.seconds else []) + fields)

    def shows(self, local: datetime) -> bool:
        """Whether a clock and a calendar that show this match."""
        seconds = self.seconds.numbers if self.seconds else {0}
        day = local.day in self.days.numbers
        weekday = bool({local.isoweekday(), local.isoweekday() % 7} & self.weekdays.numbers)
        either = not (self.days.written.startswith("*") or self.weekdays.written.startswith("*"))
        return (
            local.second in seconds
            and local.minute in self.minutes.numbers
            and local.hour in self.hours.numbers
            and local.month in self.months.numbers
            and ((day or weekday) if either else (day and weekday))
        )


ANY_DAY = Field("*", frozenset(range(1, 32)))
ANY_MONTH = Field("*", frozenset(range(1, 13)))
ANY_WEEKDAY = Field("*", frozenset(range(8)))
small_hours = st.sampled_from([0, 1, 2, 3, 23]).map(number)
hours = small_hours | field(0, 23)
dates = st.sampled_from(
    [(ANY_DAY, ANY_MONTH, ANY_WEEKDAY)] * 2
    + [
        (Field("*/2", frozenset(range(1, 32, 2))), ANY_MONTH, ANY_WEEKDAY),
        (ANY_DAY, ANY_MONTH, Field("0,5-6", frozenset({0, 5, 6}))),
        (Field("1-15", frozenset(range(1, 16))), ANY_MONTH, Field("7", frozenset({7}))),
        (ANY_DAY, Field("3-10", frozenset(range(3, 11))), ANY_WEEKDAY),
    ]
)


def rules(seconds: st.SearchStrategy[Field | None]) -> st.SearchStrategy[Rule]:
    return st.builds(
        lambda second, minute, hour, date: Rule(second, minute, hour, *date),
        seconds,
        field(0, 59),
        hours,
        dates,
    )


def watched(rule: Rule, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Look at the clock of a zone at every tick, and fire as the rule is documented.

    A wild rule fires whenever the clock shows a match. A fixed one fires when the clock shows a
    match or jumps over one, unless it has shown later times before.
    """
    tick = SECOND if rule.seconds else MINUTE
    fixed = not (rule.minutes.wild or rule.hours.wild)
    seen = begin - LONGEST_REPETITION
    latest = seen.astimezone(zone).replace(tzinfo=None)
    while seen < end:
        seen += tick
        local = seen.astimezone(zone).replace(tzinfo=None)
        reached = (latest + tick * step for step in range(1, (local - latest) // tick + 1))
        if seen > begin and (any(map(rule.shows, reached)) if fixed else rule.shows(local)):
            yield seen
        latest = max(latest, local)


@st.composite
def moments_near_changes(draw: st.DrawFn, names: st.SearchStrategy[str]) -> tuple[str, datetime]:
    """A zone and a full minute within some hours of a change of its clocks, where it has any."""
    name = draw(names)
    change = draw(st.sampled_from(changes(name) or (datetime(2026, 10, 3, 15, tzinfo=UTC),)))
    minutes = draw(st.integers(-300, 200))
    return name, change.replace(second=0) + minutes * MINUTE


def agree(rule: Rule, name: str, begin: datetime, end: datetime) -> None:
    zone = ZoneInfo(name)
    found = takewhile(lambda one: one <= end, Cron(rule.written, zone).after(begin))

    assert list(found) == list(watched(rule, zone, begin, end))


@given(moments_near_changes(st.sampled_from(ODD_ZONES)), rules(st.none()))
@settings(max_examples=150, deadline=None)
def test_five_fields_do_what_a_watched_clock_says(moment: tuple[str, datetime], rule: Rule) -> None:
    name, begin = moment
    agree(rule, name, begin, begin + 2 * DAY)


@given(moments_near_changes(st.sampled_from(ODD_ZONES)), rules(field(0, 59)))
@settings(max_examples=25, deadline=None)
def test_six_fields_do_what_a_watched_clock_says(moment: tuple[str, datetime], rule: Rule) -> None:
    name, begin = moment
    agree(rule, name, begin, begin + timedelta(hours=6))


@given(moments_near_changes(st.sampled_from(sorted(available_timezones()))), rules(st.none()))
@settings(max_examples=60, deadline=None)
def test_so_it_is_in_every_zone(moment: tuple[str, datetime], rule: Rule) -> None:
    name, begin = moment
    agree(rule, name, begin, begin + DAY)


def random_field(random: Random, low: int, high: int) -> Field:
    """A field as `field` draws it, without hypothesis: ten thousand are wanted."""
    first, last = sorted(random.choices(range(low, high + 1), k=2))
    step = random.randint(1, high)
    match random.randrange(6):
        case 0:
            return Field("*", frozenset(range(low, high + 1)))
        case 1:
            return Field(f"*/{step}", frozenset(range(low, high + 1, step)))
        case 2:
            return number(first)
        case 3:
            return Field(f"{first},{last}", frozenset({first, last}))
        case 4:
            return Field(f"{first}-{last}", frozenset(range(first, last + 1)))
        case _:
            return Field(f"{first}/{step}", frozenset(range(first, high + 1, step)))


DATES = [
    (ANY_DAY, ANY_MONTH, ANY_WEEKDAY),
    (ANY_DAY, ANY_MONTH, ANY_WEEKDAY),
    (Field("*/2", frozenset(range(1, 32, 2))), ANY_MONTH, ANY_WEEKDAY),
    (ANY_DAY, ANY_MONTH, Field("0,5-6", frozenset({0, 5, 6}))),
    (ANY_DAY, Field("3-10", frozenset(range(3, 11))), ANY_WEEKDAY),
]


def every_change(names: list[str]) -> list[tuple[str, datetime]]:
    """Every change of the clocks of some zones, 2020 to 2030, in an order of no meaning."""
    first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    found = [(name, change) for name in names for change in changes(name) if first <= change < last]
    Random(9).shuffle(found)
    return found


def test_random_expressions_do_so_around_every_change_of_clocks(
    request: pytest.FixtureRequest,
) -> None:
    wanted = request.config.getoption("--cron-expressions")
    random = Random(2026)
    names = sorted(available_timezones())
    # Looking for the changes of all zones takes half a minute: a small sample has twenty of them.
    some = every_change(names if wanted > len(names) else random.sample(names, 20))
    places = some or every_change(ODD_ZONES)
    rounds = -(-wanted // len(places))
    for name, change in islice(places * rounds, wanted):
        hour = number(random.choice([0, 1, 2, 3, 23])) if random.random() < 0.4 else None
        rule = Rule(
            None,
            random_field(random, 0, 59),
            hour or random_field(random, 0, 23),
            *random.choice(DATES),
        )
        begin = change.replace(second=0) - random.randint(0, 300) * MINUTE
        agree(rule, name, begin, begin + 12 * 60 * MINUTE)


@given(moments_near_changes(st.sampled_from(ODD_ZONES)), st.integers(0, 23), st.integers(0, 59))
@settings(max_examples=60, deadline=None)
def test_daily_does_what_a_watched_clock_says_in_odd_zones(
    moment: tuple[str, datetime], hour: int, minute: int
) -> None:
    name, begin = moment
    zone, end = ZoneInfo(name), begin + 2 * DAY
    rule = Rule(None, number(minute), number(hour), ANY_DAY, ANY_MONTH, ANY_WEEKDAY)
    found = takewhile(lambda one: one <= end, Daily((f"{hour:02}:{minute:02}",), zone).after(begin))

    assert list(found) == list(watched(rule, zone, begin, end))


@pytest.mark.parametrize(
    ("expression", "name", "begin", "expected"),
    [
        ("0 */3 * * *", "Australia/Lord_Howe", "2026-10-04T00:30", "03:00 06:00 09:00"),
        ("*/20 * * * *", "Australia/Lord_Howe", "2026-10-04T01:30", "01:40 02:40 03:00"),
        ("*/20 1 * * *", "Australia/Lord_Howe", "2026-04-05T01:10", "01:20 01:40 01:40"),
        ("0 */6 * * *", "Africa/Cairo", "2026-04-23T23:30", "06:00 12:00 18:00"),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T23:30", "01:00 00:00 00:00"),
        ("*/30 * * * *", "Asia/Beirut", "2026-03-28T23:10", "23:30 01:00 01:30"),
        ("0 */8 * * *", "America/Santiago", "2026-09-05T17:00", "08:00 16:00 00:00"),
        ("0 0-23/6 * * *", "America/Havana", "2026-03-07T20:00", "06:00 12:00 18:00"),
        ("0 * * * *", "Asia/Gaza", "2026-03-28T00:30", "01:00 03:00 04:00"),
        ("30 30 */1 * * *", "America/Havana", "2026-11-01T00:10", "00:30 00:30 01:30"),
    ],
)
def test_a_clock_change_loses_and_invents_no_occurrence(
    expression: str, name: str, begin: str, expected: str
) -> None:
    zone = parse_zone(name)
    found = Cron(expression, zone).after(datetime.fromisoformat(begin).replace(tzinfo=zone))

    assert [next(found).astimezone(zone).strftime("%H:%M") for _ in range(3)] == expected.split()


def test_a_single_instant_is_still_due_within_the_grace_and_what_recurs_is_not() -> None:
    now, grace = datetime(2026, 11, 23, 8, 0, tzinfo=UTC), timedelta(minutes=30)
    passed = Once(now - grace)

    assert passed.first_due(now, grace) == passed.at
    assert passed.first_due(now + SECOND, grace) is None
    assert Daily(("07:45",), ZoneInfo("UTC")).first_due(now, grace) == now + DAY - 15 * MINUTE
