"""Causes: why a run is held, skipped, refused, failed or canceled.

A cause is a kind and its parameters; both are stored. The sentence is made where somebody reads it,
in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dingbell.domain.sources import trouble_text
from dingbell.errors import InputError, Text

__all__ = ["Cause", "CauseKind", "ScheduleChange", "canceled", "of_function", "of_input"]


class CauseKind(StrEnum):
    """What kind of thing decided about a run; the value is what the tables keep."""

    APPROVAL = "approval"
    APPROVAL_LATE = "approval_late"
    AUDIENCE_SOURCE = "audience_source"
    AUDIENCE_SOURCE_LATE = "audience_source_late"
    BUDGET = "budget"
    BUDGET_LATE = "budget_late"
    CALENDAR_CHANGED = "calendar_changed"
    CALENDAR_UNKNOWN = "calendar_unknown"
    CANCELED = "canceled"
    COOL_DOWN = "cool_down"
    DAY_LIMIT = "day_limit"
    EXPIRED = "expired"
    FINISH_LATE = "finish_late"
    FOLLOW_UP = "follow_up"
    FOLLOW_UP_LATE = "follow_up_late"
    FORECAST = "forecast"
    FUNCTION = "function"
    INPUT = "input"
    MISFIRE_CATCH_UP = "misfire_catch_up"
    MISFIRE_GRACE = "misfire_grace"
    MISFIRE_LATEST = "misfire_latest"
    MISFIRE_MANY = "misfire_many"
    NOBODY = "nobody"
    OVERLAP = "overlap"
    QUARANTINED = "quarantined"
    QUIET_HOURS = "quiet_hours"
    RECALLED = "recalled"
    SCHEDULE_CHANGED = "schedule_changed"


class ScheduleChange(StrEnum):
    """What ended the runs of a schedule."""

    PAUSED = "paused"
    DELETED = "deleted"


_CHANGES = {
    ScheduleChange.PAUSED: Text("paused", "暂停"),
    ScheduleChange.DELETED: Text("deleted", "删除"),
}
_SENTENCES = {
    CauseKind.APPROVAL: Text("approval: a second person has to approve", "审批: 需要另一个人批准"),
    CauseKind.APPROVAL_LATE: Text(
        "approval: it came after the grace", "审批: 批准时已超过宽限时间"
    ),
    CauseKind.AUDIENCE_SOURCE: Text(
        "audience: {source} {said}; it is asked again", "受众: {source} {said}; 将再次查询"
    ),
    CauseKind.AUDIENCE_SOURCE_LATE: Text(
        "audience: {source} {said} until the grace had passed",
        "受众: {source} {said}, 已超过宽限时间",
    ),
    CauseKind.BUDGET: Text(
        "budget: bulk is held above the org's line until the month ends",
        "预算: 已超过组织设定的线, bulk 挂起到月底",
    ),
    CauseKind.BUDGET_LATE: Text(
        "budget: held for longer than its grace", "预算: 挂起时间超过宽限时间"
    ),
    CauseKind.CALENDAR_CHANGED: Text(
        "calendar: the year has been published, and this day is none of the rule's",
        "日历: 该年份已公布, 这一天不在规则之内",
    ),
    CauseKind.CALENDAR_UNKNOWN: Text(
        "calendar {calendar}: {year} has not been published; `dingbell calendar import` or "
        "`dingbell runs approve`",
        "日历 {calendar}: {year} 年尚未公布; 请用 `dingbell calendar import` 或 "
        "`dingbell runs approve`",
    ),
    CauseKind.CANCELED: Text("canceled by {by}", "由 {by} 取消"),
    CauseKind.COOL_DOWN: Text(
        "cool-down: `dingbell runs cancel` stops it",
        "冷静期: 可用 `dingbell runs cancel` 取消",
    ),
    CauseKind.DAY_LIMIT: Text(
        "per_person_per_day: these people had as many notices on the day before",
        "per_person_per_day: 这些人前一天收到的通知已达上限",
    ),
    CauseKind.EXPIRED: Text(
        "expired: it could not be sent for {minutes} minutes", "过期: {minutes} 分钟内未能发出"
    ),
    CauseKind.FINISH_LATE: Text(
        "forecast: the last call would be {late} after finish_by",
        "预测: 最后一次调用将比 finish_by 晚 {late}",
    ),
    CauseKind.FOLLOW_UP: Text("{step}: waits for its time", "{step}: 等待时间到"),
    CauseKind.FOLLOW_UP_LATE: Text("{step}: its time had passed", "{step}: 时间已过"),
    CauseKind.FORECAST: Text("forecast: {totals}", "预测: {totals}"),
    CauseKind.FUNCTION: Text("{en}", "{zh}"),
    CauseKind.INPUT: Text("{en}", "{zh}"),
    CauseKind.MISFIRE_CATCH_UP: Text("misfire: catch_up none", "错过: catch_up 为 none"),
    CauseKind.MISFIRE_GRACE: Text("misfire: later than the grace", "错过: 超过宽限时间"),
    CauseKind.MISFIRE_LATEST: Text("misfire: a later occurrence is sent", "错过: 只发送较晚的一次"),
    CauseKind.MISFIRE_MANY: Text("misfire: too many were missed", "错过: 错过的次数太多"),
    CauseKind.NOBODY: Text("nobody on this day ({day})", "当天没有收件人 ({day})"),
    CauseKind.OVERLAP: Text(
        "overlap: an earlier occurrence is still being sent", "重叠: 前一次仍在发送"
    ),
    CauseKind.QUARANTINED: Text(
        "quarantined: {tries} nodes ended while they planned it",
        "隔离: 已有 {tries} 个节点在规划它时退出",
    ),
    CauseKind.QUIET_HOURS: Text("quiet hours {start}–{end}", "安静时段 {start}–{end}"),
    CauseKind.RECALLED: Text("recalled by {by}", "由 {by} 撤回"),
    CauseKind.SCHEDULE_CHANGED: Text(
        "its schedule was {change}: {sent} of {people} people had been sent to",
        "日程已{change}: {people} 人中已向 {sent} 人发送",
    ),
}
_SOMEBODY = Text("a person", "人工")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something was decided about a run.

    Attributes:
        params: what the sentence says beside the kind; JSON.
    """

    kind: CauseKind
    params: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> Text:
        """The sentence, in both languages."""
        values = {name: _shown(value) for name, value in self.params.items()}
        if self.kind in (CauseKind.CANCELED, CauseKind.RECALLED):
            values["by"] = self.params.get("by") or _SOMEBODY
        if self.kind in (CauseKind.AUDIENCE_SOURCE, CauseKind.AUDIENCE_SOURCE_LATE):
            values["said"] = trouble_text(self.params)
        if self.kind is CauseKind.SCHEDULE_CHANGED:
            values["change"] = _CHANGES[ScheduleChange(self.params["change"])]
        return _SENTENCES[self.kind].format(**values)

    @classmethod
    def stored(cls, kind: str | None, params: Mapping[str, Any] | None) -> Cause | None:
        """The cause that a row keeps; None where it keeps none."""
        return None if kind is None else cls(CauseKind(kind), params or {})


def _shown(value: Any) -> Any:
    """Totals in one line; anything else as it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return value


def of_input(error: InputError) -> Cause:
    """What an author got wrong, in the words of the error."""
    return Cause(CauseKind.INPUT, _words(error))


def of_function(error: InputError, trace: str) -> Cause:
    """An author's function made no message: the words of the error, and where it was raised.

    Args:
        error: what is wrong.
        trace: the last lines of the traceback; empty where nothing was raised.
    """
    return Cause(CauseKind.FUNCTION, {**_words(error), "trace": _storable(trace, most=4_000)})


def _words(error: InputError) -> dict[str, str]:
    return {"en": _storable(str(error)), "zh": _storable(error.in_chinese())}


def canceled(by: str | None) -> Cause:
    """A person said so; None is the local command line."""
    return Cause(CauseKind.CANCELED, {"by": by})


def _storable(text: str, *, most: int = 500) -> str:
    """A text as PostgreSQL takes it: no NUL, no half characters, not endless."""
    return text.replace("\0", "").encode(errors="replace").decode()[:most]
