"""Addresses that open inside DingTalk rather than wherever the system opens one.

Facts from [D0776] and [D0767], read 2026-11-23: a link of a notice opens in the side panel or the
browser of a PC, an app opens in the workbench of a PC (on a phone only OA messages jump into an
app), and a mini program opens by its page.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from dingbell.dingtalk.errors import UsageError

__all__ = ["LinkError", "browser", "mini_program", "side_panel", "workbench"]

_CLIENT = "dingtalk://dingtalkclient"


class LinkError(UsageError):
    """An address cannot be opened as is asked for."""


def side_panel(url: str) -> str:
    """Open a page in the side panel of DingTalk on a PC.

    Raises:
        LinkError: it is no address that begins with `https://` or `http://`.
    """
    return _page(url, "true")


def browser(url: str) -> str:
    """Open a page in the browser of the PC.

    Raises:
        LinkError: it is no address that begins with `https://` or `http://`.
    """
    return _page(url, "false")


def workbench(url: str, corp_id: str, agent_id: int | str) -> str:
    """Open a page of an app in the workbench of DingTalk on a PC.

    Args:
        url: the page.
        corp_id: the CorpId of the organisation.
        agent_id: the AgentId of the app.

    Raises:
        LinkError: the address, the CorpId or the AgentId is none.
    """
    number = str(agent_id)
    if not number.isascii() or not number.isdigit():
        raise LinkError(
            "agent_id",
            f"the AgentId is a number such as 781348000, not {number!r}",
            f"AgentId 是 781348000 这样的数字, 而不是 {number!r}",
        )
    if not corp_id.strip():
        raise LinkError("corp_id", "the CorpId is missing", "缺少 CorpId")
    query = {
        "corpid": corp_id.strip(),
        "container_type": "work_platform",
        "app_id": f"0_{number}",
        "redirect_type": "jump",
        "redirect_url": _web(url),
    }
    return f"{_CLIENT}/action/openapp?{urlencode(query, quote_via=quote, safe='')}"


def mini_program(page: str, query: Mapping[str, str] | None = None) -> str:
    """Open a page of the app's mini program, such as `pages/index/index`.

    Raises:
        LinkError: the page is empty or an address.
    """
    path = page.strip().removeprefix("eapp://").lstrip("/")
    if not path or "://" in path:
        raise LinkError(
            "page",
            f"a page of a mini program is written pages/index/index, not {page!r}",
            f"小程序页面请写成 pages/index/index, 而不是 {page!r}",
        )
    ending = urlencode(dict(query), quote_via=quote, safe="") if query else ""
    return f"eapp://{path}" + (f"{'&' if '?' in path else '?'}{ending}" if ending else "")


def _page(url: str, slide: str) -> str:
    return f"{_CLIENT}/page/link?url={quote(_web(url), safe='')}&pc_slide={slide}"


def _web(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise LinkError(
            "url",
            f"an address begins with https:// or http://, not {url!r}",
            f"网址须以 https:// 或 http:// 开头, 而不是 {url!r}",
        )
    return url
