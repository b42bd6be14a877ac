"""Alarms: what a person has to know. A kind and its parameters; the sentence is made when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any

from dingbell.clock import SHANGHAI
from dingbell.errors import Text

__all__ = ["Alarm", "AlarmKind", "Noun"]


class AlarmKind(StrEnum):
    """What is wrong; the value is what the tables keep."""

    BUDGET_LOW = "budget_low"
    CLOCK_JUMPED = "clock_jumped"
    FINISH_LATE = "finish_late"
    NOTE = "note"
    NOBODY_REACHED = "nobody_reached"
    OCCURRENCE_MISSED = "occurrence_missed"
    RUN_FAILED = "run_failed"
    RUN_STUCK = "run_stuck"
    SCHEDULE_QUARANTINED = "schedule_quarantined"
    TOKEN_FAILING = "token_failing"  # noqa: S105  a kind of alarm, not a secret


class Noun(StrEnum):
    """What an alarm is about."""

    APP = "app"
    NODE = "node"
    ORG = "org"
    RUN = "run"
    SCHEDULE = "schedule"


_SENTENCES = {
    AlarmKind.BUDGET_LOW: Text(
        "{used} of {limit} calls of this month are used", "本月 {limit} 次调用已用 {used} 次"
    ),
    AlarmKind.CLOCK_JUMPED: Text(
        "the clock was set by {seconds:+.1f} s", "系统时钟被调整了 {seconds:+.1f} 秒"
    ),
    AlarmKind.FINISH_LATE: Text(
        "the last call is {late} after finish_by", "最后一次调用比 finish_by 晚 {late}"
    ),
    AlarmKind.NOTE: Text("{en}", "{zh}"),
    AlarmKind.NOBODY_REACHED: Text("nobody was reached: {totals}", "没有人收到: {totals}"),
    AlarmKind.OCCURRENCE_MISSED: Text(
        "due {due} and nothing was made of it", "应于 {due} 发送, 但没有执行"
    ),
    AlarmKind.RUN_FAILED: Text("failed: {en}", "失败: {zh}"),
    AlarmKind.RUN_STUCK: Text("{state} since {since}", "自 {since} 起一直处于 {state}"),
    AlarmKind.SCHEDULE_QUARANTINED: Text(
        "its rule does not work any more: {problem}", "规则无法执行: {problem}"
    ),
    AlarmKind.TOKEN_FAILING: Text("no access token: {en}", "无法取得 access token: {zh}"),
}
_FUNCTION = Text(
    "; does a running program know {function}?", "; 是否有运行中的程序注册了 {function}?"
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong with something.

    Attributes:
        subject: the name or id of what it is about.
        params: what the sentence says beside the kind; JSON, instants as ISO 8601.
    """

    kind: AlarmKind
    noun: Noun
    subject: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def text(self, zone: tzinfo = SHANGHAI) -> Text:
        """The sentence, in both languages; instants in a zone."""
        values = {name: _shown(name, value, zone) for name, value in self.params.items()}
        said = _SENTENCES[self.kind].format(**values)
        if self.params.get("function"):
            hint = _FUNCTION.format(function=self.params["function"])
            return Text(f"{said}{hint}", f"{said.zh}{hint.zh}")
        return said


def _shown(name: str, value: Any, zone: tzinfo) -> Any:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    if name in ("due", "since"):
        return datetime.fromisoformat(value).astimezone(zone).isoformat(timespec="seconds")
    return value
