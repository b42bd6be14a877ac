"""Follow-up: remind those who have not read, then tell somebody else who they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from dingbell.domain.audience import Audience
from dingbell.domain.duration import Duration
from dingbell.domain.message import Message, Roster
from dingbell.errors import InputError, Text
from dingbell.meaning import Meaning, meanings

__all__ = ["Escalation", "FollowUp", "Step"]

# Receipts can be asked for during 24 h (result page, read 2026-08); the fresh look needs a moment.
_LONGEST = timedelta(hours=23)


def _inside_the_window(length: timedelta) -> timedelta:
    if not timedelta(0) < length <= _LONGEST:
        raise InputError(
            Text(
                "must be more than 0 and at most 23h: DingTalk tells who has read for 24 hours",
                "必须大于 0 且至多 23h: 钉钉只在 24 小时内提供已读状态",
            )
        )
    return length


_Wait = Annotated[Duration, AfterValidator(_inside_the_window)]

# The first reminds the unread, the second is about them.
Step = Literal["remind", "escalate"]


@meanings(
    unread_after=Meaning(
        Text("how long after the notice, at most 23h", "通知发出之后多久, 至多 23h"), "8h"
    ),
    to=Meaning(
        Text(
            "`managers`, each about their own people, or an audience, about all of them",
            "`managers`: 各主管分别得知自己的人; 或一个受众: 得知所有人",
        ),
        "managers",
    ),
    message=Meaning(
        Text(
            "a message that may use `{{ unread }}`, the list of who has not read",
            "消息, 可用 `{{ unread }}` 即未读者的列表",
        ),
        '{text: "还有 {{ unread|length }} 人未读"}',
    ),
    long_list=Meaning(
        Text(
            "where the list is longer than a notice holds: `shorten` it or `split` it into several",
            "名单超出一条通知时: `shorten` 缩短, 或 `split` 分成多条",
        ),
        "split",
    ),
)
class Escalation(BaseModel):
    """Whom to tell when the reminder was not enough.

    Attributes:
        unread_after: how long after the notice; counted as in the follow-up.
        to: `managers`, each about their own people, or an audience, about all of them.
        message: may use `{{ unread }}`, the list of people (`name`, `userid`).
        long_list: where the list is longer than a notice holds, `shorten` it with a count and
            where to see all, or `split` it into several notices.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unread_after: _Wait
    to: Literal["managers"] | Audience
    message: Roster
    long_list: Literal["shorten", "split"] = "shorten"


@meanings(
    unread_after=Meaning(
        Text("how long after the notice, at most 23h", "通知发出之后多久, 至多 23h"), "4h"
    ),
    message=Meaning(
        Text("the reminder; its words must differ from the notice's", "提醒内容, 须与原通知不同"),
        '{text: "还没有看?"}',
    ),
    escalate=Meaning(
        Text("whom to tell later who still has not read", "之后把仍未读的人告知谁"),
        '{unread_after: 8h, to: managers, message: {text: "仍未读: {{ unread|length }} 人"}}',
    ),
)
class FollowUp(BaseModel):
    """What follows a run that some have not read.

    Attributes:
        unread_after: how long after the last call of the notice; a fresh look comes just before.
        message: the reminder; its words must differ, DingTalk drops what it has seen that day.
        escalate: whom to tell later who still has not read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unread_after: _Wait
    message: Message
    escalate: Escalation | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.escalate and self.escalate.unread_after <= self.unread_after:
            raise InputError(
                Text(
                    "escalate.unread_after must be later than unread_after",
                    "escalate.unread_after 必须晚于 unread_after",
                )
            )
        return self

    @property
    def uses_row(self) -> bool:
        """Whether a message of it wants the rows of its schedule."""
        told = self.escalate.message if self.escalate else None
        return self.message.uses_row or (told is not None and told.uses_row)

    def steps(self) -> list[tuple[Step, timedelta]]:
        """What is done, and how long after the notice."""
        found: list[tuple[Step, timedelta]] = [("remind", self.unread_after)]
        if self.escalate:
            found.append(("escalate", self.escalate.unread_after))
        return found
