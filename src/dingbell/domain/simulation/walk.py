"""Walking through the days: every occurrence in order of time, through the gates and the limits.

1. Take what comes next: an occurrence, or one whose hold ends.
2. Ask the gates, as ticker, releaser and claim do.
3. Take out who is denied, or has had as many notices that day as the limits allow.
4. See whom DingTalk would drop it for.
5. Count calls, receipts, minutes, and what everybody gets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import count, islice, takewhile

from dingbell.clock import SHANGHAI
from dingbell.domain.budget import READ_POLLS, Usage, poll_plan
from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.day_limit import next_day
from dingbell.domain.duration import format_duration
from dingbell.domain.forecast import DELIVERED
from dingbell.domain.gates import Decision, Gated, Hold, Proceed, Refuse, Skip, decide
from dingbell.domain.lifecycle import Delivery
from dingbell.domain.misfire import latest_of
from dingbell.domain.priority import Rank, rank
from dingbell.domain.run import Kind
from dingbell.domain.simulation import reasons
from dingbell.domain.simulation.ledger import Sums, Today
from dingbell.domain.simulation.outcome import Expected, Month, Outcome, Simulated
from dingbell.domain.simulation.subject import Subject, World
from dingbell.domain.simulation.traffic import Lane, PeopleWindow
from dingbell.domain.slots import Pace
from dingbell.domain.triggers import Trigger
from dingbell.errors import InputError, Text

__all__ = ["MOST_OCCURRENCES", "simulate"]

# A rule of every second would have 31 million in a year.
MOST_OCCURRENCES = 500_000
# Progress and result once; the polls for reading come after.
_FIRST_POLLS = 2
_DAY = timedelta(days=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_UNLIMITED = Usage(0, None)
_URGENCY = {"urgent": 0, "normal": 1, "bulk": 2}


def simulate(
    world: World,
    subjects: Sequence[Subject],
    first: date,
    last: date,
    *,
    begin: datetime,
    most: int = MOST_OCCURRENCES,
) -> Simulated:
    """Say what schedules would do from one Beijing day to another, both included.

    Args:
        world: what holds beside the schedules.
        subjects: the schedules.
        first: the first day.
        last: the last day.
        begin: nothing before this instant is looked at: what is past has happened.
        most: how many occurrences are looked at.

    Raises:
        InputError: there are more occurrences than are looked at.
    """
    return _Walk(world, subjects, first, last).through(begin, most)


@dataclass(slots=True)
class _Run:
    """An occurrence on its way.

    Attributes:
        said: what becomes of it.
        held: why it waits, where it does.
        rest: those of its people who wait for the next day; None where it is about all of them.
    """

    subject: Subject
    due: datetime
    said: Expected
    held: Cause | None = None
    rest: int | None = None


@dataclass(slots=True)
class _Told:
    """Who of a run's people gets it, and who does not."""

    sent: int
    reached: int
    over: int
    denied: int = 0
    absent: int = 0
    broken: int = 0
    words: bytes | None = field(default=None, repr=False)

    @property
    def dropped(self) -> int:
        return (self.sent & ~self.reached).bit_count()

    def expected(self) -> dict[str, int]:
        """How many people are expected to end how."""
        found = {
            DELIVERED: self.reached.bit_count(),
            Delivery.DROPPED.value: self.dropped,
            Delivery.CANCELED.value: self.over.bit_count() + self.denied,
            Delivery.INVALID.value: self.absent,
            Delivery.FAILED.value: self.broken,
        }
        return {state: people for state, people in found.items() if people}


class _Walk:
    def __init__(self, world: World, subjects: Sequence[Subject], first: date, last: date) -> None:
        self._world = world
        self._subjects = subjects
        self._first, self._last = first, last
        self._today = Today(first)
        self._sums = Sums(first, last, world.usage)
        self._lanes = _lanes(world, subjects)
        self._busy: dict[str, datetime] = {}
        self._waiting: dict[tuple[str, datetime], list[_Run]] = defaultdict(list)
        self._heap: list[tuple[datetime, int, str, int, _Run]] = []
        self._order = count()
        # Times of day at which a schedule passes every gate that looks at nothing else.
        self._clear: set[tuple[str, time]] = set()
        self._day_ends = _EARLIEST
        self._found: list[Expected] = []

    def through(self, begin: datetime, most: int) -> Simulated:
        """Walk from the first day to the last."""
        ends = _midnight(self._last + timedelta(days=1))
        begins = max(begin, _midnight(self._first))
        dues = _Dues(begins, ends, most)
        ahead = {one.name: iter(dues.of(one.trigger)) for one in self._subjects}
        for subject in self._subjects:
            self._next(subject, ahead[subject.name])
        while self._heap:
            at, _, _, _, run = heappop(self._heap)
            self._begin_day(at)
            if run.held is None and run.rest is None:
                self._next(run.subject, ahead[run.subject.name])
                self._come_due(run)
            self._pass(run, at)
        self._found.sort(key=lambda one: (one.due_at, one.schedule))
        return Simulated(
            self._found,
            self._sums.days(),
            self._sums.months(),
            self._sums.burdened(self._world.crowd),
        )

    def _next(self, subject: Subject, ahead: Iterator[datetime]) -> None:
        due = next(ahead, None)
        if due is not None:
            said = Expected(subject.name, due.astimezone(subject.spec.zone))
            self._push(due, _Run(subject, due, said))

    def _begin_day(self, at: datetime) -> None:
        """Begin the Beijing day of an instant, if it is another one; instants only grow."""
        if at >= self._day_ends:
            day = at.astimezone(SHANGHAI).date()
            self._day_ends = _midnight(day + _DAY).astimezone(UTC)
            self._today = Today(day)

    def _push(self, at: datetime, run: _Run) -> None:
        urgency = _URGENCY[run.subject.spec.priority]
        heappush(self._heap, (at, urgency, run.subject.name, next(self._order), run))

    def _come_due(self, run: _Run) -> None:
        self._found.append(run.said)
        self._sums.due(self._today.day)
        run.said.people = run.subject.people_on(run.said.due_at.date()).bit_count()

    def _pass(self, run: _Run, at: datetime) -> None:
        """Let a run through the gates, or say why not."""
        if run.subject.fault is not None:
            _end(run, Outcome.FAILED, run.subject.fault)
            return
        if run.said.people == 0:
            _end(run, Outcome.SKIPPED, reasons.NOBODY)
            return
        if run.held is not None and run.held.kind is CauseKind.QUIET_HOURS:
            self._supersede(run, at)
            if run.said.outcome is Outcome.SKIPPED:
                return
        decision = self._decided(run, at)
        if isinstance(decision, Hold):
            self._hold(run, decision)
        elif isinstance(decision, Skip | Refuse):
            outcome = Outcome.SKIPPED if isinstance(decision, Skip) else Outcome.REFUSED
            _end(run, outcome, decision.cause.text())
        else:
            self._send(run, at)

    def _decided(self, run: _Run, at: datetime) -> Decision:
        """Ask the gates; what the limits held has passed them, but for quiet hours."""
        spec, name = run.subject.spec, run.subject.name
        bulk = spec.priority == "bulk"
        busy = self._busy.get(name)
        of_day = (name, run.said.due_at.time())
        plain = not bulk and run.held is None and not (busy is not None and busy > at)
        if plain and of_day in self._clear:
            return Proceed()
        usage = self._usage(run.subject) if bulk else None
        gated = Gated(
            Kind.OCCURRENCE,
            spec,
            run.due,
            approved=run.subject.approved,
            held=run.held,
            rank=Rank.BULK if bulk else None,
            blocked=run.rest is None and busy is not None and busy > at,
            unpublished=run.subject.unpublished(run.due),
        )
        decision = decide(gated, at, self._world.rules, usage)
        if plain and isinstance(decision, Proceed):
            self._clear.add(of_day)
        if isinstance(decision, Hold) and decision.cause.kind is CauseKind.OVERLAP and busy:
            return Hold(decision.cause, busy)
        return decision

    def _month(self, subject: Subject) -> Month:
        return self._sums.month(self._today.month, subject.org, spent_in=self._world.spent_in)

    def _usage(self, subject: Subject) -> Usage:
        """What the org has spent of the month by now."""
        known = self._world.usage.get(subject.org, _UNLIMITED)
        month = self._month(subject)
        return Usage(month.calls, known.limit, known.hold_bulk_at)

    def _hold(self, run: _Run, decision: Hold) -> None:
        """It waits for an instant, or for a person, of whom nobody knows when he comes."""
        run.held = decision.cause
        if run.rest is None:
            run.said.outcome = Outcome.HELD
        if decision.cause.text() not in run.said.why:
            run.said.why += (decision.cause.text(),)
        if decision.until is None:
            return
        if decision.cause.kind is CauseKind.QUIET_HOURS and run.rest is None:
            self._waiting[run.subject.name, decision.until].append(run)
        self._push(decision.until, run)

    def _supersede(self, run: _Run, at: datetime) -> None:
        """Of several occurrences that quiet hours held, `catch_up` decides which are sent."""
        together = self._waiting.pop((run.subject.name, at), [])
        for one in together if len(together) > 1 else ():
            cause = latest_of(run.subject.spec.misfire, newest=one is together[-1])
            if cause is not None:
                _end(one, Outcome.SKIPPED, Cause(cause).text())

    def _send(self, run: _Run, at: datetime) -> None:
        """Send to everybody who may get it; the others wait for the next day, or are left out."""
        subject, said = run.subject, run.said
        who = subject.people_on(said.due_at.date()) if run.rest is None else run.rest
        told = self._sorted(subject, who, said.due_at)
        if expired := self._expired(run, at):
            _end(run, Outcome.SKIPPED, expired)
            return
        if told.over:
            self._put_off(run, told.over, at)
        part = self._counted(subject, told, at)
        refused = self._refused(run, told, part, at)
        if refused is not None:
            _end(run, Outcome.REFUSED, refused)
            return
        _add(said, part, at)
        if told.sent != who:
            said.why += tuple(_remarks(told))
        elif told.reached != who:
            said.why += (reasons.dropped(told.dropped),)
        if told.sent:
            self._busy[subject.name] = at + timedelta(minutes=part.minutes)
            own = subject.name if subject.limits.schedule is not None else None
            self._today.add(told.reached, subject.app, told.words, own)
            self._month(subject).calls += part.cost
        self._sums.sent(self._today, part)
        _conclude(run, told)

    def _sorted(self, subject: Subject, who: int, due: datetime) -> _Told:
        """Who gets it, and why others do not."""
        world = self._world
        reachable = who & ~world.unreachable
        able = reachable & ~world.denied
        wanted = able & ~subject.words.broken
        over = self._today.over(subject.limits, subject.app, subject.name) & wanted
        sent = wanted & ~over
        words = subject.words.identity(due) if sent else None
        reached = sent & ~self._today.heard(subject.app, words)
        reached &= ~self._today.at_cap(subject.app, world.daily_cap)
        return _Told(
            sent,
            reached,
            over,
            denied=(reachable & world.denied).bit_count(),
            absent=(who & world.unreachable).bit_count(),
            broken=(able & subject.words.broken).bit_count(),
            words=words,
        )

    def _counted(self, subject: Subject, told: _Told, at: datetime) -> Expected:
        """What it takes: calls, receipts, minutes, and its share of the month."""
        part = Expected(subject.name, at, at, reached=told.reached.bit_count())
        part.dropped, part.over = told.dropped, told.over.bit_count()
        people = told.sent.bit_count()
        if not people:
            return part
        part.calls = subject.whole or subject.words.calls(told.sent)
        limit = self._world.usage.get(subject.org, _UNLIMITED).limit
        plan = READ_POLLS if limit is None else poll_plan(self._usage(subject))
        part.cost = part.calls * (2 if subject.whole else 1 + _FIRST_POLLS + len(plan))
        part.share = part.cost / limit if limit else None
        lane = self._lanes[subject.app]
        place = rank(subject.spec.priority, people, lane.most_people)
        began = at.timestamp()
        ended = lane.last_call(began, people, part.calls, bulk=place is Rank.BULK)
        spread = subject.spec.spread
        seconds = max(ended - began, spread.total_seconds() if spread else 0.0)
        part.minutes = seconds / 60
        return part

    def _expired(self, run: _Run, at: datetime) -> Text | None:
        """Why it is of no use any more; only what was held comes later than it is due."""
        expires = run.subject.spec.expires_after
        if expires is None or at - run.due <= expires:
            return None
        return Cause(CauseKind.MISFIRE_GRACE).text()

    def _put_off(self, run: _Run, over: int, at: datetime) -> None:
        """Hold those who are over a limit until the next day, once; or leave them out."""
        later, limits, spec = next_day(at), run.subject.limits, run.subject.spec
        useless = spec.expires_after is not None and later - run.due > spec.expires_after
        if limits.then == "skip" or run.rest is not None or useless:
            run.said.why += (reasons.left_out(over.bit_count()),)
            return
        run.said.why += (reasons.put_off(over.bit_count(), later.astimezone(spec.zone)),)
        held = Cause(CauseKind.DAY_LIMIT)
        self._push(later, _Run(run.subject, run.due, run.said, held=held, rest=over))

    def _refused(self, run: _Run, told: _Told, part: Expected, at: datetime) -> Text | None:
        """Why its author would not have it sent."""
        spec = run.subject.spec
        ends = at + timedelta(minutes=part.minutes)
        late = ends - (run.due + spec.finish_by) if spec.finish_by is not None else None
        late = late if late is not None and late > timedelta(0) else None
        if spec.preflight == "warn":
            if late is not None:
                cause = Cause(CauseKind.FINISH_LATE, {"late": format_duration(late)})
                part.why = (cause.text(),)
            return None
        gated = Gated(
            Kind.OCCURRENCE,
            spec,
            run.due,
            released_by="simulation",
            expected=told.expected(),
            late_by=late,
        )
        decision = decide(gated, at, self._world.rules)
        return decision.cause.text() if isinstance(decision, Refuse) else None


class _Dues:
    """The instants of rules between two instants; a rule that several share is asked once."""

    def __init__(self, begins: datetime, ends: datetime, most: int) -> None:
        self._begins, self._ends = begins, ends
        self._most = self._left = most
        self._known: dict[int, list[datetime]] = {}

    def of(self, trigger: Trigger) -> list[datetime]:
        """Those of a rule.

        Raises:
            InputError: with those asked for before there are too many.
        """
        if id(trigger) not in self._known:
            # A trigger gives what comes after an instant.
            ahead = trigger.after(self._begins - timedelta(microseconds=1))
            coming = islice(takewhile(lambda due: due < self._ends, ahead), self._left + 1)
            self._known[id(trigger)] = [due.astimezone(UTC) for due in coming]
        found = self._known[id(trigger)]
        self._left -= len(found)
        if self._left < 0:
            raise InputError(
                Text(
                    "there are more than {most} occurrences: ask for fewer days",
                    "发送次数超过 {most} 次: 请缩短日期范围",
                ).format(most=f"{self._most:,}")
            )
        return found


def _lanes(world: World, subjects: Sequence[Subject]) -> dict[str, Lane]:
    orgs = {
        org: PeopleWindow(world.org_paces.get(org, Pace().people_per_minute))
        for org in {subject.org for subject in subjects}
    }
    lanes = {}
    for subject in subjects:
        pace = world.paces.get(subject.app, Pace())
        if subject.app not in lanes:
            own = PeopleWindow(pace.people_per_minute)
            lanes[subject.app] = Lane(pace, own, orgs[subject.org])
    return lanes


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def _end(run: _Run, outcome: Outcome, why: Text) -> None:
    """It is not sent; of a rest, only that is said."""
    if run.rest is None:
        run.said.outcome = outcome
    run.said.why += (why,)


def _add(said: Expected, part: Expected, at: datetime) -> None:
    """What a part of an occurrence takes, to what the others did."""
    said.sent_at = said.sent_at or at.astimezone(said.due_at.tzinfo)
    said.reached += part.reached
    said.calls += part.calls
    said.cost += part.cost
    said.minutes = max(said.minutes, part.minutes)
    said.dropped += part.dropped
    said.over += part.over
    said.why += part.why
    if part.share is not None:
        said.share = (said.share or 0.0) + part.share


def _remarks(told: _Told) -> Iterator[Text]:
    """What is to be said of those who do not get it."""
    if told.dropped:
        yield reasons.dropped(told.dropped)
    if told.denied:
        yield reasons.denied(told.denied)
    if told.absent:
        yield reasons.absent(told.absent)
    if told.broken:
        yield reasons.broken(told.broken)


def _conclude(run: _Run, told: _Told) -> None:
    """How the whole occurrence stands after a part of it."""
    said = run.said
    if run.rest is not None:
        return
    if not told.sent:
        said.outcome = Outcome.SKIPPED
        if told.over and run.subject.limits.then == "hold":
            said.outcome = Outcome.HELD
        elif told.broken:
            said.outcome = Outcome.FAILED
        said.sent_at = None
    elif not told.reached:
        said.outcome = Outcome.DROPPED
