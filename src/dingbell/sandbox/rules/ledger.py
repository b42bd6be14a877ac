"""What has been counted so far against the limits."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from dingbell.sandbox import clock
from dingbell.sandbox.company.apps import App
from dingbell.sandbox.rules.limits import Limits
from dingbell.sandbox.rules.windows import SlidingWindow

APP_PACE, ORG_PACE = 143103, 143104
DAILY_CAP, DUPLICATE = 143105, 143106


@dataclass(slots=True)
class Day:
    """One calendar day in Beijing: what must not repeat, and what must not grow."""

    number: int = -1
    seen: dict[tuple[int, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    notices: dict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    to_all: Counter[int] = field(default_factory=Counter)


class Ledger:
    """Sliding windows, days and months; every question is answered without looking at history."""

    def __init__(self) -> None:
        self._app_people: dict[str, SlidingWindow] = defaultdict(SlidingWindow)
        self._org_people: dict[str, SlidingWindow] = defaultdict(SlidingWindow)
        self._calls: dict[tuple[str, str], SlidingWindow] = defaultdict(SlidingWindow)
        self._addresses: dict[str, SlidingWindow] = defaultdict(SlidingWindow)
        self._banned_until: dict[str, float] = {}
        self._months: Counter[tuple[str, str]] = Counter()
        self._day = Day()

    def day(self, now: float) -> Day:
        """The Beijing day that `now` belongs to."""
        number = clock.beijing_day(now)
        if number != self._day.number:
            self._day = Day(number)
        return self._day

    def banned(self, address: str, now: float, limits: Limits) -> bool:
        """Count a call from this address; whether the address is banned."""
        until = self._banned_until.get(address)
        if until is not None and now < until:
            return True
        window = self._addresses[address]
        if window.room(now, limits.ip_window_seconds, limits.calls_per_ip) <= 0:
            self._banned_until[address] = now + limits.ip_ban_seconds
            return True
        window.add(now, 1)
        return False

    def month_spent(self, app: App, now: float, limits: Limits) -> bool:
        """Whether the organisation's monthly calls are used up."""
        return self._months[app.org, clock.beijing_month(now)] >= limits.monthly_calls

    def bill(self, app: App, now: float) -> None:
        """Count one billable call."""
        self._months[app.org, clock.beijing_month(now)] += 1

    def too_fast(self, app: App, path: str, now: float, limits: Limits) -> bool:
        """Count a call of this app to this API; whether it is one too many in a second."""
        window = self._calls[app.app_key, path]
        if window.room(now, 1.0, limits.calls_per_second) <= 0:
            return True
        window.add(now, 1)
        return False

    def people_room(self, app: App, now: float, limits: Limits) -> tuple[int, int]:
        """How many more people may be reached now, and the code for those who may not."""
        length = limits.window_seconds
        app_room = self._app_people[app.app_key].room(now, length, limits.people_per_minute)
        org_room = self._org_people[app.org].room(now, length, limits.org_people_per_minute)
        return (app_room, APP_PACE) if app_room <= org_room else (org_room, ORG_PACE)

    def count_people(self, app: App, now: float, amount: int) -> None:
        """Count people who passed the pace, whatever became of them afterwards."""
        self._app_people[app.app_key].add(now, amount)
        self._org_people[app.org].add(now, amount)
