"""A schedule: app + trigger + audience + message + policies, as its author wrote it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dingbell.domain.audience import Audience
from dingbell.domain.datasets import DatasetName
from dingbell.domain.duration import Duration
from dingbell.domain.followup import FollowUp
from dingbell.domain.message import Message
from dingbell.domain.misfire import Misfire
from dingbell.domain.priority import Priority
from dingbell.domain.quiet import QuietHours
from dingbell.domain.triggers import Trigger, parse_trigger, parse_zone
from dingbell.errors import InputError, Text
from dingbell.intake import Identifier, content
from dingbell.validation import matching
from dingbell.written import as_number

__all__ = ["NAME_PATTERN", "Policies", "ScheduleName", "ScheduleSpec", "check_rows"]

NAME_PATTERN = r"[\w][\w.\-]{0,99}"
ScheduleName = Annotated[
    str,
    matching(
        NAME_PATTERN,
        Text(
            "is no name: use letters, digits, . _ - (at most 100); begin with a letter or digit",
            "不能作名称: 请用文字、数字、. _ - (至多 100 个), 并以文字或数字开头",
        ),
    ),
]
# `every` counts from here unless it says so itself, so that a repeated apply changes nothing.
_EPOCH = datetime.fromisoformat("2020-01-01T00:00:00+08:00")
# Most is due on a full second, and is called then: it is prepared between two of them.
_OFF_BEAT = timedelta(milliseconds=600)


def _known_zone(name: str) -> str:
    parse_zone(name)
    return name


def _at_most_a_day(length: timedelta) -> timedelta:
    if length > timedelta(days=1):
        raise InputError(Text("must be at most 1d", "至多 1d"))
    return length


def check_rows(message: Message | None, rows: object) -> None:
    """See that what a message says of each person comes from somewhere, and rows go somewhere.

    Raises:
        InputError: the message uses `row` and there are none, or a function makes the message.
    """
    if rows is None and message is not None and message.uses_row:
        raise InputError(
            Text(
                "the message uses row: say in which file the rows stand (rows: payslips.csv)",
                "消息用到了 row: 请写明数据文件 (rows: payslips.csv)",
            )
        )
    if rows is not None and message is None:
        raise InputError(
            Text(
                "rows are for a message that is written: a function reads its own data",
                "rows 用于写好的消息: 函数请自行读取数据",
            )
        )


class Policies(BaseModel):
    """What a schedule and a manual send have in common beside audience and message.

    Attributes:
        tracking: `people` expands departments to userids so that each person is accounted for,
            `coarse` sends to departments as they are, `auto` is `people`.
        on_ambiguous: when nobody knows whether a call arrived, `resend` the same bytes (DingTalk
            drops what it has seen that day) or `hold` for a person.
        priority: `urgent` waits for nobody; `bulk` lets everybody pass and leaves them a reserve.
        preflight: where somebody is expected not to be reached, `warn` or `refuse` the run.
        spread: send it evenly over so long instead of as early as the pace allows.
        finish_by: how long after its due instant the last call must be made; a run that
            cannot is refused, or with `preflight: warn` sent and reported.
        quiet_hours: when it must not ring; in place of the global ones. `false` is never quiet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking: Literal["people", "coarse", "auto"] = "auto"
    on_ambiguous: Literal["resend", "hold"] = "resend"
    priority: Priority = "normal"
    preflight: Literal["warn", "refuse"] = "warn"
    spread: Annotated[Duration, AfterValidator(_at_most_a_day)] | None = None
    finish_by: Annotated[Duration, AfterValidator(_at_most_a_day)] | None = None
    quiet_hours: QuietHours | Literal[False] | None = None

    def quiet(self, everywhere: QuietHours | None) -> QuietHours | None:
        """The quiet hours in force; what is urgent has none but its own."""
        if self.quiet_hours is not None:
            return self.quiet_hours or None
        return None if self.priority == "urgent" else everywhere


class ScheduleSpec(Policies):
    """One schedule.

    Attributes:
        app: the app's name; None where there is one app only.
        timezone: IANA name of the zone of the trigger and of dates in templates.
        when: the trigger, as `parse_trigger` reads it.
        to: the audience; left out, everybody who has a row in `rows`.
        rows: what is said of each person, as `{{ row.… }}` of the message: the path of a CSV or
            XLSX file, from the folder of dingbell.yaml, or the name of a dataset.
        message: what is sent; None when `function` makes it.
        function: the Python function that makes the message, as `program:schedule`; the process
            of that program which registered it for this schedule knows it.
        misfire: what becomes of missed occurrences.
        overlap: what an occurrence does while an earlier one is still being sent.
        expires_after: an occurrence later than this is never sent, whatever the grace.
        prepare_ahead: how long before the due instant the work is prepared.
        follow_up: whom to remind, and whom to tell, when some have not read.
    """

    app: Identifier | None = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    when: dict[str, Any]
    to: Audience
    rows: DatasetName | None = None
    message: Message | None = None
    function: str | None = None
    misfire: Misfire = Misfire()
    overlap: Literal["skip", "queue", "allow"] = "skip"
    expires_after: Duration | None = None
    prepare_ahead: Annotated[Duration, AfterValidator(_at_most_a_day)] = timedelta(seconds=60)
    follow_up: FollowUp | None = None

    @field_validator("when")
    @classmethod
    def _is_a_trigger(cls, when: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        # A zone that is wrong has been told already.
        zone = parse_zone(info.data.get("timezone", "UTC"))
        kept: dict[str, Any] = content(when, as_number)
        parse_trigger(kept, zone=zone, anchor=_EPOCH)
        return kept

    @model_validator(mode="before")
    @classmethod
    def _goes_to_its_rows(cls, written: Any) -> Any:
        """Where nobody is named, the people of the rows are meant."""
        if isinstance(written, dict) and written.get("to") is None:
            rows = written.get("rows")
            if isinstance(rows, str) and rows.strip():
                return {**written, "to": {"lists": [rows]}}
        return written

    @model_validator(mode="after")
    def _has_the_rows_it_uses(self) -> Self:
        check_rows(self.message, self.rows)
        if self.follow_up is not None and self.follow_up.uses_row:
            raise InputError(
                Text(
                    "a follow-up has no rows: leave {{ row }} out of its message",
                    "跟进消息没有 row 可用: 请去掉其中的 {{ row }}",
                )
            )
        return self

    @model_validator(mode="after")
    def _can_be_followed(self) -> Self:
        if self.follow_up is None:
            return self
        if self.tracking == "coarse":
            raise InputError(
                Text(
                    "follow_up needs to know who has read: use tracking: people",
                    "follow_up 需要已读状态: 请用 tracking: people",
                )
            )
        if self.message is not None and self.follow_up.message == self.message:
            raise InputError(
                Text(
                    "follow_up.message is the same as message: DingTalk drops the same words on "
                    "the same day",
                    "follow_up.message 与 message 相同: 钉钉当天会丢弃相同内容",
                )
            )
        return self

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.message is None and self.function is None:
            raise InputError(Text("write a message", "请写 message"))
        if self.message is not None and self.function is not None:
            raise InputError(
                Text("write message or function, not both", "message 与 function 只能写一个")
            )
        return self

    def trigger(self) -> Trigger:
        """The rule that gives the next instant."""
        return parse_trigger(self.when, zone=parse_zone(self.timezone), anchor=_EPOCH)

    @property
    def lead(self) -> timedelta:
        """How long before the due instant a node wakes to prepare it."""
        return self.prepare_ahead + _OFF_BEAT if self.prepare_ahead else self.prepare_ahead

    def grace(self) -> timedelta:
        """How late an occurrence may still be sent."""
        grace = self.misfire.grace
        return min(grace, self.expires_after) if self.expires_after is not None else grace

    def to_dict(self) -> dict[str, Any]:
        """The form it is stored and compared in: what differs from the defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
