"""What to do with occurrences that come late: run, skip, or run only the latest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dingbell.domain.causes import CauseKind
from dingbell.domain.duration import Duration
from dingbell.domain.triggers import Trigger
from dingbell.errors import Text
from dingbell.meaning import Meaning, meanings

__all__ = ["LATE", "Misfire", "Review", "Verdict", "judge", "latest_of", "review", "too_late"]

# An occurrence found later than this has been missed; less is the normal path.
LATE = timedelta(seconds=5)

# So many occurrences of one schedule are judged one by one; older ones are counted, so far.
_MOST_JUDGED = 5_000
# So many skipped ones get a verdict each; older ones share one.
_MOST_SKIPPED = 50
_FIRST_GLANCE = timedelta(minutes=1)


@meanings(
    grace=Meaning(Text("how late an occurrence may still be sent", "最多晚多久仍然发送"), "2h"),
    catch_up=Meaning(
        Text(
            "of several missed within the grace, send the `latest`, `all` or `none`",
            "宽限内错过多次时: 只发最近一次 (`latest`)、全部 (`all`) 或不发 (`none`)",
        ),
        "all",
    ),
)
class Misfire(BaseModel):
    """The policy of a schedule for occurrences that were missed.

    Attributes:
        grace: how late an occurrence may still be sent.
        catch_up: of several missed within the grace, send the `latest`, `all`, or `none`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    grace: Duration = timedelta(minutes=30)
    catch_up: Literal["latest", "all", "none"] = "latest"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One occurrence and, if it is to be skipped, why.

    Attributes:
        due: the occurrence, or the last of those that share the verdict.
        skip: the cause, None where it is to be sent.
        occurrences: how many share the verdict; counting ends at 5,000.
    """

    due: datetime
    skip: CauseKind | None = None
    occurrences: int = 1


@dataclass(frozen=True, slots=True)
class Review:
    """What becomes of the occurrences that have come, in order of time, and the one after them."""

    verdicts: list[Verdict]
    following: datetime | None


def too_late(due: datetime, now: datetime, grace: timedelta) -> bool:
    """Whether the grace of an occurrence has passed."""
    return now - due > max(grace, LATE)


def judge(occurrences: Sequence[datetime], now: datetime, policy: Misfire) -> list[Verdict]:
    """Decide for the occurrences of one schedule that are to be prepared, in order of time.

    Of those that have come, `latest` sends the last one; what lies ahead is not late.
    """
    latest = max((due for due in occurrences if due <= now), default=None)
    return [_verdict(due, now, policy, latest) for due in occurrences]


def _verdict(due: datetime, now: datetime, policy: Misfire, latest: datetime | None) -> Verdict:
    if now - due <= LATE:
        return Verdict(due)
    if too_late(due, now, policy.grace):
        return Verdict(due, CauseKind.MISFIRE_GRACE)
    return Verdict(due, latest_of(policy, newest=due == latest))


def latest_of(policy: Misfire, *, newest: bool) -> CauseKind | None:
    """Why one of several occurrences that come late together is left out; None where it is sent."""
    if policy.catch_up == "none":
        return CauseKind.MISFIRE_CATCH_UP
    if policy.catch_up == "latest" and not newest:
        return CauseKind.MISFIRE_LATEST
    return None


def review(
    trigger: Trigger, first: datetime, *, now: datetime, until: datetime, policy: Misfire
) -> Review:
    """Decide for the occurrences from `first` until an instant, however many an outage has left.

    1. Take the newest that have come, as many as are judged one by one.
    2. Add those that lie ahead.
    3. Judge each by the policy.
    4. Let all that came before the newest share one verdict, so that none is left out.
    5. Let the skipped ones share verdicts, except for the newest.

    Args:
        trigger: the rule.
        first: the occurrence that comes next.
        now: the present instant.
        until: the last instant of interest, after `now` where work is prepared ahead.
        policy: what becomes of missed ones.
    """
    missed = _newest(trigger, first, now)
    older = missed.popleft() if len(missed) > _MOST_JUDGED else None
    occurrences = [*missed, *_ahead(trigger, first, now, until)]
    if not occurrences:
        return Review([], first)
    verdicts = judge(occurrences, now, policy)
    if older is not None:
        cause = _verdict(older, now, policy, missed[-1]).skip or CauseKind.MISFIRE_MANY
        verdicts.insert(0, Verdict(older, cause, _count(trigger, first, older)))
    return Review(_shared(verdicts), trigger.next_after(occurrences[-1]))


def _ahead(trigger: Trigger, first: datetime, now: datetime, until: datetime) -> Iterator[datetime]:
    """The occurrences after now until an instant, no more than are judged."""
    coming = _from(trigger, first) if first > now else trigger.after(now)
    return islice(takewhile(lambda due: due <= until, coming), _MOST_JUDGED)


def _count(trigger: Trigger, first: datetime, last: datetime) -> int:
    """How many occurrences lie between two, both included; counting ends where judging does."""
    found = takewhile(lambda due: due <= last, _from(trigger, first))
    return sum(1 for _ in islice(found, _MOST_JUDGED))


def _from(trigger: Trigger, first: datetime) -> Iterator[datetime]:
    return chain([first], trigger.after(first))


def _newest(trigger: Trigger, first: datetime, until: datetime) -> deque[datetime]:
    """The last occurrences until an instant, one more than are judged.

    Looks back ever further, so that an outage of a year is not walked through from its beginning.
    """
    glance = _FIRST_GLANCE
    while True:
        start = max(first, until - min(glance, abs(until - first)))
        coming = _from(trigger, first) if start == first else trigger.after(start)
        found = deque(takewhile(lambda due: due <= until, coming), maxlen=_MOST_JUDGED + 1)
        if start == first or len(found) > _MOST_JUDGED:
            return found
        glance *= 4


def _shared(verdicts: list[Verdict]) -> list[Verdict]:
    """Let skipped occurrences share a verdict, except for the newest."""
    skipped = [verdict for verdict in verdicts if verdict.skip]
    if len(skipped) <= _MOST_SKIPPED:
        return verdicts
    border = skipped[-_MOST_SKIPPED].due
    shared: dict[CauseKind, Verdict] = {}
    for verdict in skipped[:-_MOST_SKIPPED]:
        kind = verdict.skip or CauseKind.MISFIRE_MANY
        count = shared[kind].occurrences if kind in shared else 0
        shared[kind] = replace(verdict, occurrences=count + verdict.occurrences)
    kept = [verdict for verdict in verdicts if verdict.skip is None or verdict.due >= border]
    return sorted([*shared.values(), *kept], key=lambda verdict: verdict.due)
