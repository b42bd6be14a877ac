"""Rules that give the next instant: daily, workday, monthly, lunar, cron, every, once and others.

A trigger is an immutable value with one question: what comes after an instant. All instants are
aware; results are in UTC and strictly increase. A trigger never reads a clock.

Where a zone changes its clocks, a time of day that is skipped stands for the next valid instant,
and one that is repeated for its first.
"""

from dingbell.domain.triggers.around import Around
from dingbell.domain.triggers.cron import Cron
from dingbell.domain.triggers.daily import Daily
from dingbell.domain.triggers.every import Every
from dingbell.domain.triggers.forms import RuleError
from dingbell.domain.triggers.limited import Excepted, Limited
from dingbell.domain.triggers.lunar import Lunar
from dingbell.domain.triggers.monthly import MonthDay, MonthWeekday, MonthWorkday
from dingbell.domain.triggers.once import Once
from dingbell.domain.triggers.reading import KINDS, parse_trigger
from dingbell.domain.triggers.recurrence import Recurrence
from dingbell.domain.triggers.several import AnyOf
from dingbell.domain.triggers.trigger import Trigger, instants
from dingbell.domain.triggers.wallclock import parse_zone
from dingbell.domain.triggers.weekly import Weekly
from dingbell.domain.triggers.workday import Holiday, Workday
from dingbell.domain.triggers.yearly import Yearly

__all__ = [
    "KINDS",
    "AnyOf",
    "Around",
    "Cron",
    "Daily",
    "Every",
    "Excepted",
    "Holiday",
    "Limited",
    "Lunar",
    "MonthDay",
    "MonthWeekday",
    "MonthWorkday",
    "Once",
    "Recurrence",
    "RuleError",
    "Trigger",
    "Weekly",
    "Workday",
    "Yearly",
    "instants",
    "parse_trigger",
    "parse_zone",
]
