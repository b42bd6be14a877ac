"""A schedule: app + trigger + audience + message + policies, as its author wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dingbell.domain.audience import Audience
from dingbell.domain.calendar.calendars import CN, Calendars, shipped
from dingbell.domain.datasets import DatasetName
from dingbell.domain.day_limit import OVER_LIMIT, PER_DAY, OverLimit, PerDay
from dingbell.domain.duration import Duration
from dingbell.domain.followup import FollowUp
from dingbell.domain.message import Message
from dingbell.domain.misfire import Misfire
from dingbell.domain.priority import Priority
from dingbell.domain.quiet import QuietHours
from dingbell.domain.triggers import Trigger, notation, parse_trigger, parse_zone
from dingbell.domain.triggers.every import EPOCH
from dingbell.domain.variables import Vars, seen
from dingbell.errors import InputError, Text
from dingbell.intake import Identifier, content
from dingbell.meaning import INTERNAL, Meaning, Notation, meanings
from dingbell.validation import matching
from dingbell.written import as_number

__all__ = [
    "NAME_FOR_EDITORS",
    "NAME_PATTERN",
    "Policies",
    "ScheduleName",
    "ScheduleSpec",
    "check_rows",
]

NAME_PATTERN = r"[\w][\w.\-]{0,99}"
# Editors know letters of ASCII only, so that it says which signs of ASCII there must not be.
NAME_FOR_EDITORS = r"^[^\x00-/:-@\[-^`{-\x7f][^\x00-,/:-@\[-^`{-\x7f]{0,99}$"
ScheduleName = Annotated[
    str,
    matching(
        NAME_PATTERN,
        Text(
            "is no name: use letters, digits, . _ - (at most 100); begin with a letter or digit",
            "不能作名称: 请用文字、数字、. _ - (至多 100 个), 并以文字或数字开头",
        ),
        editors=NAME_FOR_EDITORS,
    ),
]
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


@meanings(
    tracking=Meaning(
        Text(
            "whether departments are expanded so that each person is accounted for (`people`), or "
            "sent to as they are (`coarse`); `auto` is `people`",
            "是否展开部门以便逐人记录 (`people`), 或按部门整体发送 (`coarse`); `auto` 即 `people`",
        ),
        "people",
    ),
    on_ambiguous=Meaning(
        Text(
            "when nobody knows whether a call arrived: `resend` the same bytes, which DingTalk "
            "drops if it has them, or `hold` for a person",
            "无法确定调用是否到达时: `resend` 用相同内容重发 (钉钉会去重), 或 `hold` 等待人工处理",
        ),
        "hold",
    ),
    priority=Meaning(
        Text(
            "`urgent` waits for nobody and knows no quiet hours; `bulk` lets everybody pass",
            "`urgent` 不等待, 也不受安静时段限制; `bulk` 让其他通知先发",
        ),
        "bulk",
    ),
    preflight=Meaning(
        Text(
            "where somebody is expected not to be reached: `warn`, or `refuse` the run",
            "预计有人收不到时: `warn` 提醒, 或 `refuse` 拒绝发送",
        ),
        "refuse",
    ),
    spread=Meaning(
        Text(
            "spread the calls evenly over this time, at most a day",
            "在这段时间内均匀发送, 至多一天",
        ),
        "20m",
    ),
    finish_by=Meaning(
        Text(
            "how long after the due instant the last call must be made, at most a day",
            "最后一次调用须在应发时刻之后多久以内, 至多一天",
        ),
        "1h",
    ),
    quiet_hours=Meaning(
        Text(
            "quiet hours in place of those for everything; `false` for none",
            "代替全局设置的安静时段; `false` 表示没有",
        ),
        '{from: "21:00", to: "08:00"}',
    ),
    over_limit=OVER_LIMIT,
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
        over_limit: what becomes of whoever has had as many notices that day as
            `per_person_per_day` allows; in place of what the app or the file says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking: Literal["people", "coarse", "auto"] = "auto"
    on_ambiguous: Literal["resend", "hold"] = "resend"
    priority: Priority = "normal"
    preflight: Literal["warn", "refuse"] = "warn"
    spread: Annotated[Duration, AfterValidator(_at_most_a_day)] | None = None
    finish_by: Annotated[Duration, AfterValidator(_at_most_a_day)] | None = None
    quiet_hours: QuietHours | Literal[False] | None = None
    over_limit: OverLimit | None = None

    def quiet(self, everywhere: QuietHours | None) -> QuietHours | None:
        """The quiet hours in force; what is urgent has none but its own."""
        if self.quiet_hours is not None:
            return self.quiet_hours or None
        return None if self.priority == "urgent" else everywhere


def _goes_to_somebody(schema: dict[str, Any]) -> None:
    """Tell editors that rows say whom a schedule goes to where it does not say so itself."""
    schema["required"] = [name for name in schema["required"] if name != "to"]
    schema["anyOf"] = [{"required": ["to"]}, {"required": ["rows"]}]


@meanings(
    app=Meaning(
        Text(
            "the app that sends it; needed where there are several",
            "由哪个应用发送; 有多个应用时必填",
        ),
        "hr",
    ),
    timezone=Meaning(
        Text("zone of its rule and of dates in its words", "触发规则和消息中日期所用的时区"),
        "Asia/Tokyo",
        default=Text("the file's", "文件的时区"),
    ),
    calendar=Meaning(
        Text(
            "which days are workdays: `cn` is the statutory calendar, `none` knows weekends only; "
            "or one of `calendars`",
            "哪些天是工作日: `cn` 为法定日历, `none` 只有周末, 或 `calendars` 中的一个",
        ),
        "factory",
    ),
    unknown_year=Meaning(
        Text(
            "in a year whose holidays have not been published: go by `weekdays`, or `hold` for a "
            "person",
            "节假日安排尚未公布的年份: `weekdays` 按星期推算, `hold` 等人确认",
        ),
        "hold",
    ),
    when=Meaning(Text("the rule that says when", "触发规则"), '{daily: "16:00"}'),
    to=Meaning(Text("whom: an audience", "发给谁: 受众"), "{users: [manager4220]}"),
    message=Meaning(Text("what: a message", "发什么: 消息"), '{text: "下午好!"}'),
    vars=Meaning(
        Text(
            "values of its own for templates, as `{{ vars.NAME }}`",
            "模板可用的自定义值, 写作 `{{ vars.名称 }}`",
        ),
        '{room: "3F", bonus: 1500.50}',
    ),
    function=INTERNAL,
    misfire=Meaning(
        Text("what becomes of occurrences that come late", "错过的时刻如何处理"),
        "{grace: 2h, catch_up: latest}",
    ),
    overlap=Meaning(
        Text(
            "what an occurrence does while an earlier one is still being sent",
            "上一次仍在发送时, 新的时刻如何处理",
        ),
        "queue",
    ),
    expires_after=Meaning(
        Text(
            "an occurrence that is later than this is never sent, whatever the grace",
            "超过此时长的时刻不再发送, 不论宽限多久",
        ),
        "4h",
    ),
    prepare_ahead=Meaning(
        Text(
            "how long before the due instant it is prepared, at most a day",
            "提前多久准备, 至多一天",
        ),
        "5m",
    ),
    follow_up=Meaning(
        Text(
            "whom to remind, and whom to tell, when some have not read", "有人未读时提醒谁、告知谁"
        ),
        '{unread_after: 4h, message: {text: "还没有看?"}}',
    ),
    rows=Meaning(
        Text(
            "a CSV or XLSX with a row for each person, or a dataset: `{{ row.net }}`",
            "每人一行的 CSV 或 XLSX, 或数据集名称: `{{ row.实发 }}`",
        ),
        "payslips.csv",
    ),
    per_person_per_day=PER_DAY,
)
class ScheduleSpec(Policies):
    """One schedule.

    Attributes:
        app: the app's name; None where there is one app only.
        timezone: IANA name of the zone of the trigger and of dates in templates.
        calendar: which calendar says what a workday is: `cn`, `none`, or one of the file's.
        unknown_year: what becomes of occurrences that a calendar decides about in a year that has
            not been published yet: by `weekdays`, or `hold` for a person.
        when: the trigger, as `parse_trigger` reads it.
        to: the audience; left out, everybody who has a row in `rows`.
        rows: what is said of each person, as `{{ row.… }}` of the message: the path of a CSV or
            XLSX file, from the folder of dingbell.yaml, or the name of a dataset.
        message: what is sent; None when `function` makes it.
        vars: values for its templates, as `vars.NAME`: texts, numbers, lists.
        function: the Python function that makes the message, as `program:schedule`; the process
            of that program which registered it for this schedule knows it.
        misfire: what becomes of missed occurrences.
        overlap: what an occurrence does while an earlier one is still being sent.
        expires_after: an occurrence later than this is never sent, whatever the grace.
        prepare_ahead: how long before the due instant the work is prepared.
        follow_up: whom to remind, and whom to tell, when some have not read.
        per_person_per_day: how many notices of this schedule a person gets on one Beijing day;
            reminders are not counted.
    """

    app: Identifier | None = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    calendar: ScheduleName = CN
    unknown_year: Literal["weekdays", "hold"] = "weekdays"
    when: Annotated[dict[str, Any], Notation(notation.schema)]
    to: Audience
    rows: DatasetName | None = None
    message: Message | None = None
    vars: Vars = Field(default_factory=dict)
    function: str | None = None
    misfire: Misfire = Misfire()
    overlap: Literal["skip", "queue", "allow"] = "skip"
    expires_after: Duration | None = None
    prepare_ahead: Annotated[Duration, AfterValidator(_at_most_a_day)] = timedelta(seconds=60)
    follow_up: FollowUp | None = None
    per_person_per_day: PerDay | None = None

    _calendars: Calendars | None = PrivateAttr(default=None)

    @field_validator("when")
    @classmethod
    def _is_a_trigger(cls, when: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        # A zone that is wrong has been told already.
        zone = parse_zone(info.data.get("timezone", "UTC"))
        kept: dict[str, Any] = content(when, as_number)
        # Which calendars there are is known where the schedule is stored.
        parse_trigger(kept, zone=zone, anchor=EPOCH, calendar=info.data.get("calendar", CN))
        return kept

    model_config = ConfigDict(json_schema_extra=_goes_to_somebody)

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

    def messages(self) -> Iterator[Message]:
        """Every message that it may send."""
        if self.message is not None:
            yield self.message
        if self.follow_up is not None:
            yield self.follow_up.message
            if self.follow_up.escalate is not None:
                yield self.follow_up.escalate.message

    def on(self, calendars: Calendars) -> Self:
        """The schedule with the calendars that are known where it is stored."""
        bound = self.model_copy()
        bound._calendars = calendars  # noqa: SLF001  a copy of itself
        return bound

    def trigger(self, calendars: Calendars | None = None) -> Trigger:
        """The rule that gives the next instant.

        Args:
            calendars: those that are known; those of `on` unless given, else the shipped ones.

        Raises:
            NotFoundError: its calendar is not known.
        """
        return parse_trigger(
            self.when,
            zone=parse_zone(self.timezone),
            anchor=EPOCH,
            calendars=calendars or self._calendars or shipped(),
            calendar=self.calendar,
        )

    def seen_by(self, name: str, due: datetime) -> dict[str, Any]:
        """What its messages see at an instant under the name of the schedule, whoever gets them."""
        return seen(due, parse_zone(self.timezone), name, self.vars)

    def unpublished(self, trigger: Trigger, due: datetime) -> tuple[str, int] | None:
        """The calendar and the year that an occurrence has to wait for; None where it has not."""
        year = trigger.unknown_year(due) if self.unknown_year == "hold" else None
        return None if year is None else (self.calendar, year)

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
