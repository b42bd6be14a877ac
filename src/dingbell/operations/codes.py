"""Operations on codes: what DingTalk's numbers mean, in words."""

from __future__ import annotations

from dingbell.dingtalk import errors

__all__ = ["explain"]

_OURS = {
    "no_receipt": (
        "DingTalk finished and never named this person",
        "钉钉已处理完毕但没有给出此人的结果",
    ),
    "node_died": ("the node died during the call", "节点在调用途中退出"),
    "stale": ("not called: this host was frozen", "未调用: 主机曾被冻结"),
}


def explain(code: str) -> tuple[str, str] | None:
    """What a code means, in English and in Chinese; None when nobody knows."""
    return _OURS.get(code) or errors.explain(code)
