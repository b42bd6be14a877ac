"""Preflight: what will happen to each person of a run, and why, before anything is sent.

The reasons are those that can be known beforehand. Whoever none of them applies to is expected to
be delivered to, or is `untracked` where departments are sent to as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from dingbell.domain.budget import Usage
from dingbell.domain.lifecycle import Delivery
from dingbell.errors import Text

__all__ = ["DELIVERED", "Forecast", "Prediction", "Reason", "came_true", "prediction"]

DELIVERED = "delivered"


class Reason(StrEnum):
    """Why a person is not expected to be reached; the value is what the ledger keeps."""

    UNKNOWN = "unknown_person"
    LEFT = "left"
    INACTIVE = "inactive"
    OUT_OF_RANGE = "out_of_range"
    EXECUTIVE = "executive"
    REPEAT = "repeat"
    DAILY_CAP = "daily_cap"
    TOO_LONG = "too_long"
    TEMPLATE = "template"
    NO_ROW = "no_row"
    DENIED = "denied"
    MOVED_OUT = "moved_out"
    DAY_HELD = "day_held"
    DAY_LIMIT = "day_limit"
    UNTRACKED = "untracked"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of one person: a state, DingTalk's code where it has one, and the reason."""

    expected: str
    code: str | None = None
    reason: Text | None = None


_PREDICTIONS = {
    Reason.UNKNOWN: Prediction(
        Delivery.INVALID, None, Text("is not in the directory", "不在通讯录中")
    ),
    Reason.LEFT: Prediction(Delivery.INVALID, None, Text("has left the company", "已离职")),
    Reason.INACTIVE: Prediction(
        Delivery.INVALID, None, Text("has not activated DingTalk", "尚未激活钉钉")
    ),
    Reason.OUT_OF_RANGE: Prediction(
        Delivery.INVALID,
        None,
        Text(
            "was outside the app's visible range at the last notice",
            "上次发送时不在应用可使用范围内",
        ),
    ),
    Reason.EXECUTIVE: Prediction(
        Delivery.DROPPED, "1430004", Text("is under executive protection", "受高管保护")
    ),
    Reason.REPEAT: Prediction(
        Delivery.DROPPED,
        "143106",
        Text("gets the same words from this app that day already", "当天已由本应用发送过相同内容"),
    ),
    Reason.DAILY_CAP: Prediction(
        Delivery.DROPPED,
        "143105",
        Text(
            "has had as many notices from this app today as DingTalk allows", "当天已达到每日上限"
        ),
    ),
    Reason.TOO_LONG: Prediction(
        Delivery.FAILED,
        None,
        Text("the message rendered for this person breaks a limit", "为此人渲染的消息超出限制"),
    ),
    Reason.TEMPLATE: Prediction(
        Delivery.FAILED,
        None,
        Text("the template does not work for this person", "模板不适用于此人"),
    ),
    Reason.NO_ROW: Prediction(
        Delivery.FAILED, None, Text("has no row in the data", "数据中没有此人的行")
    ),
    Reason.DENIED: Prediction(Delivery.CANCELED, None, Text("is on the deny-list", "在拒发名单中")),
    Reason.MOVED_OUT: Prediction(
        Delivery.CANCELED,
        None,
        Text("left the audience before the first call", "首次调用前已不在受众中"),
    ),
    Reason.DAY_HELD: Prediction(
        Delivery.CANCELED,
        None,
        Text(
            "has had as many notices that day as per_person_per_day allows: held until the next "
            "day, in a run of its own",
            "当天收到的通知已达 per_person_per_day 上限: 挂起到次日, 另行发送",
        ),
    ),
    Reason.DAY_LIMIT: Prediction(
        Delivery.CANCELED,
        None,
        Text(
            "has had as many notices that day as per_person_per_day allows",
            "当天收到的通知已达 per_person_per_day 上限",
        ),
    ),
    Reason.UNTRACKED: Prediction(
        Delivery.UNTRACKED,
        None,
        Text("departments are sent to as a whole: no receipts", "按部门整体发送: 无法追踪"),
    ),
}
_DELIVERED = Prediction(DELIVERED)


def prediction(reason: str | None) -> Prediction:
    """What a reason makes expected; without one the notice is delivered."""
    return _DELIVERED if reason is None else _PREDICTIONS[Reason(reason)]


def came_true(reason: str | None, state: str) -> bool | None:
    """Whether what was predicted came true; None while nobody can know.

    Somebody whom only an in-doubt call can have reached (`sent`) was delivered to.
    """
    if state in (Delivery.PLANNED, Delivery.UNKNOWN, Delivery.RECALLED):
        return None
    expected = prediction(reason).expected
    if expected == DELIVERED:
        return state in (Delivery.SENT, Delivery.UNREAD, Delivery.READ)
    return expected == state


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of one run.

    Attributes:
        calls: how many send calls.
        polls: how many calls its receipts are expected to cost.
        seconds: from its due instant to the last call, at the pace and after what is queued.
        userids: everybody the run names.
        reasons: of those who are not expected to be delivered to, why; by userid.
        usage: what the org has spent of its month.
        words: what exactly is wrong, for whom the reason alone does not say it; by userid.
        notes: what else its author should know, such as rows that reach nobody.
    """

    calls: int
    polls: int
    seconds: float
    userids: tuple[str, ...]
    reasons: dict[str, str] = field(repr=False)
    usage: Usage
    words: dict[str, Text] = field(default_factory=dict, repr=False)
    notes: tuple[Text, ...] = ()

    def why(self, userid: str) -> Text | None:
        """Why a person is not expected to be reached; None for who is."""
        return self.words.get(userid) or prediction(self.reasons.get(userid)).reason

    @property
    def cost(self) -> int:
        """How many of the month's calls it takes, receipts included."""
        return self.calls + self.polls

    def totals(self) -> dict[str, int]:
        """How many people are expected to end how."""
        return totals(self.reasons.values(), len(self.userids))

    @property
    def spotless(self) -> bool:
        """Whether everybody is expected to be reached."""
        return all(reason == Reason.UNTRACKED for reason in self.reasons.values())


def totals(reasons: Iterable[str], people: int) -> dict[str, int]:
    """Count expected states: of those who have a reason, and of the others."""
    counts = Counter(prediction(reason).expected for reason in reasons)
    counts[DELIVERED] += people - counts.total()
    return {state: count for state, count in sorted(counts.items()) if count}
