"""Scripted faults: what goes wrong, where, and how often.

A rule fires on a path. Rules are asked in the order they were given and the first that fires
decides; a rule that only delays lets the next ones speak as well. A delay by itself comes after
processing (the work is done, the answer is late); together with anything else it comes first.
"""

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dingbell.sandbox.wire.refusals import MisuseError

MOST_DELAY = 3_600.0
MOST_BOMB = 1_000


@dataclass(slots=True, eq=False)
class Rule:
    """One scripted fault.

    Attributes:
        path: The exact path, or a prefix that ends in `*`.
        times: How often it fires before it is used up; None for always.
        probability: The chance that it fires on a call.
        skip: How many matching calls pass before it starts.
        delay: Real seconds before the answer.
        errcode: Refuse with this code; no task is made.
        errmsg: The text that goes with `errcode`.
        sub_code: The string in `sub_code`, for codes that have one (15).
        http_status: Answer with this HTTP status and an HTML page.
        when: Whether `http_status` comes `before` or `after` the call is processed.
        reset: Cut the connection `before` or `after` the call is processed.
        ban: Answer as the anti-abuse layer does.
        truncate: Process the call, then cut the JSON of the answer in the middle.
        body: Process the call, then answer with this text as it is, JSON or not.
        replace: Process the call, then put these fields into the JSON of the answer; objects are
            merged.
        bomb: Process the call, then answer with this many megabytes of blanks, packed.
        packing: How `bomb` is packed: `gzip` or `deflate`.
        fired: How often it has fired.
    """

    path: str
    times: int | None = None
    probability: float = 1.0
    skip: int = 0
    delay: float = 0.0
    errcode: int | None = None
    errmsg: str | None = None
    sub_code: str | None = None
    http_status: int | None = None
    when: str = "before"
    reset: str | None = None
    ban: bool = False
    truncate: bool = False
    body: str | None = None
    replace: Mapping[str, Any] | None = None
    bomb: int | None = None
    packing: str = "gzip"
    fired: int = 0

    @property
    def only_delays(self) -> bool:
        """Whether the rule changes nothing but the time of the answer."""
        flags = (self.ban, self.truncate, self.http_status, self.reset, self.bomb, self.replace)
        return not any(flags) and self.errcode is None and self.body is None

    def matches(self, path: str) -> bool:
        """Whether the rule is about this path and not used up."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        return path == self.path

    def as_json(self) -> dict[str, Any]:
        """The rule with every field, and how often it has fired."""
        return {name: getattr(self, name) for name in self.__slots__}


class Faults:
    """All rules in force."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.clear()

    def clear(self) -> None:
        """Nothing goes wrong any more, and the dice start anew."""
        self.rules: list[Rule] = []
        self._dice = random.Random(f"faults:{self._seed}")  # noqa: S311 - a run must repeat

    def add(self, rules: Iterable[Rule]) -> None:
        """Put more rules in force, after those that are."""
        self.rules.extend(rules)

    def strike(self, path: str) -> Rule | None:
        """What goes wrong with a call to this path; uses the rules up."""
        late: Rule | None = None
        for rule in self.rules:
            if not rule.matches(path) or not self._fires(rule):
                continue
            rule.fired += 1
            if not rule.only_delays:
                return _later(rule, late)
            late = _later(rule, late)
        return late

    def _fires(self, rule: Rule) -> bool:
        if rule.skip > 0:
            rule.skip -= 1
            return False
        return rule.probability >= 1.0 or self._dice.random() < rule.probability


def _later(rule: Rule, late: Rule | None) -> Rule:
    if late is None:
        return rule
    both = {name: getattr(rule, name) for name in rule.__slots__}
    both["delay"] += late.delay
    return Rule(**both)


def parse(given: Any) -> list[Rule]:
    """Read one rule or a list of rules.

    Raises:
        MisuseError: Naming the field that is wrong.
    """
    rows = given if isinstance(given, list) else [given]
    return [_rule(row) for row in rows]


def _rule(row: Any) -> Rule:
    if not isinstance(row, Mapping):
        raise MisuseError("rule", f"must be an object, got {row!r}")
    for name, value in row.items():
        check = _CHECKS.get(name)
        if check is None:
            raise MisuseError(str(name), f"unknown field; known: {', '.join(_CHECKS)}")
        if value is not None and not check[0](value):
            raise MisuseError(str(name), f"must be {check[1]}, got {value!r}")
    rule = Rule(**{"path": "", **{name: v for name, v in row.items() if v is not None}})
    if not rule.path:
        raise MisuseError("path", "is required")
    if rule.only_delays and not rule.delay:
        raise MisuseError("rule", f"does nothing; give one of {', '.join(_ACTS)}")
    return rule


def _number(value: Any) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_ACTS = (
    "delay",
    "errcode",
    "http_status",
    "reset",
    "ban",
    "truncate",
    "body",
    "replace",
    "bomb",
)
_PACKINGS = ("gzip", "deflate")
_SIDES = ("before", "after")
_CHECKS: dict[str, tuple[Any, str]] = {
    "path": (lambda v: isinstance(v, str) and v[:1] in ("/", "*"), "a path, or a prefix with *"),
    "times": (lambda v: _whole(v) and v > 0, "a whole number above zero"),
    "probability": (lambda v: _number(v) and 0 <= v <= 1, "a number from 0 to 1"),
    "skip": (lambda v: _whole(v) and v >= 0, "a whole number, zero or more"),
    "delay": (lambda v: _number(v) and 0 <= v <= MOST_DELAY, f"seconds, 0 to {MOST_DELAY:g}"),
    "errcode": (_whole, "a whole number"),
    "errmsg": (lambda v: isinstance(v, str), "text"),
    "sub_code": (lambda v: isinstance(v, str), "text"),
    "http_status": (lambda v: _whole(v) and 400 <= v <= 599, "an HTTP status, 400 to 599"),
    "when": (lambda v: v in _SIDES, '"before" or "after"'),
    "reset": (lambda v: v in _SIDES, '"before" or "after"'),
    "ban": (lambda v: isinstance(v, bool), "true or false"),
    "truncate": (lambda v: isinstance(v, bool), "true or false"),
    "body": (lambda v: isinstance(v, str), "text"),
    "replace": (lambda v: isinstance(v, Mapping) and len(v) > 0, "an object with fields"),
    "bomb": (lambda v: _whole(v) and 0 < v <= MOST_BOMB, f"megabytes, 1 to {MOST_BOMB}"),
    "packing": (lambda v: v in _PACKINGS, '"gzip" or "deflate"'),
}
