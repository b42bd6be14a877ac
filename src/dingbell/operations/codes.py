"""Operations on codes: what DingTalk's numbers mean, in words."""

from __future__ import annotations

from dingbell.dingtalk import errors
from dingbell.domain.lifecycle import Delivery
from dingbell.domain.receipts import DUPLICATE

__all__ = ["explain"]

_OURS = {
    "no_receipt": (
        "DingTalk finished and never named this person",
        "钉钉已处理完毕但没有给出此人的结果",
    ),
    "node_died": ("the node died during the call", "节点在调用途中退出"),
    "by_hand": ("a person said so", "由人工确认"),
    "too_long": (
        "the message rendered for them breaks a limit; not called",
        "为其渲染的消息超出限制; 未调用",
    ),
    "template": (
        "the template does not work for them; not called",
        "模板不适用于此人; 未调用",
    ),
    "no_row": (
        "no row of the data is theirs, and the message needs one; not called",
        "数据中没有其所属的行, 而消息需要; 未调用",
    ),
    "unknown_person": (
        "not in the directory, and the message needs what stands there; not called",
        "不在通讯录中, 而消息需要其资料; 未调用",
    ),
    "day_held": (
        "had as many notices that day as per_person_per_day allows; held until the next day",
        "当天收到的通知已达 per_person_per_day 上限; 挂起到次日",
    ),
    "day_limit": (
        "had as many notices that day as per_person_per_day allows; not called",
        "当天收到的通知已达 per_person_per_day 上限; 未调用",
    ),
    "denied": ("on the deny-list; not called", "在拒发名单中; 未调用"),
    "moved_out": (
        "left the audience before the first call; not called",
        "首次调用前已不在受众中; 未调用",
    ),
    "stale": ("not called: this host was frozen", "未调用: 主机曾被冻结"),
}


_LOST_CALL = (
    "reached by a call whose answer was lost; no receipt",
    "由一次丢失响应的调用送达; 无回执",
)


def explain(code: str, state: str | None = None) -> tuple[str, str] | None:
    """What a code means for somebody in a state, in English and in Chinese; None if unknown.

    A duplicate (143106) of somebody in state `sent` says that the in-doubt call delivered.
    """
    if state == Delivery.SENT and code == DUPLICATE:
        return _LOST_CALL
    return _OURS.get(code) or errors.explain(code)
