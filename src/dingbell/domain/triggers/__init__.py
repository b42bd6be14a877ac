"""Rules that give the next instant: daily, cron, every, once.

A trigger is an immutable value with one question: what comes after an instant. All instants are
aware; results are in UTC and strictly increase. A trigger never reads a clock.

Where a zone changes its clocks, a time of day that is skipped stands for the next valid instant,
and one that is repeated for its first.
"""

from dingbell.domain.triggers.cron import Cron
from dingbell.domain.triggers.daily import Daily
from dingbell.domain.triggers.every import Every
from dingbell.domain.triggers.once import Once
from dingbell.domain.triggers.reading import parse_trigger
from dingbell.domain.triggers.trigger import Trigger, instants
from dingbell.domain.triggers.wallclock import parse_zone

__all__ = ["Cron", "Daily", "Every", "Once", "Trigger", "instants", "parse_trigger", "parse_zone"]
