"""Addresses in templates that open inside DingTalk: side panel, workbench, mini programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dingbell.dingtalk import links
from dingbell.domain.templates import values
from dingbell.domain.templates.faults import TemplateError
from dingbell.domain.templates.filters import worded, wrong
from dingbell.errors import Text

__all__ = ["FILTERS"]

_RECORD = Text("a record such as {{'id': 7}}", "{{'id': 7}} 这样的记录").format()


def _made(make: Callable[..., str], *given: Any) -> str:
    try:
        return make(*given)
    except links.LinkError as error:
        raise TemplateError(Text(error.en, error.zh)) from None


def _side_panel(value: object) -> str:
    """Opens in the side panel of DingTalk on a PC."""
    return _made(links.side_panel, worded("side_panel", value))


def _browser(value: object) -> str:
    """Opens in the browser of the PC."""
    return _made(links.browser, worded("browser", value))


def _workbench(value: object, corp_id: object, agent_id: object) -> str:
    """Opens in the workbench of DingTalk on a PC."""
    words = [worded("workbench", one) for one in (value, corp_id, agent_id)]
    return _made(links.workbench, *words)


def _mini_program(value: object, query: object = None) -> str:
    """Opens a page of the app's mini program."""
    if query is not None and not isinstance(query, Mapping):
        raise wrong("mini_program", _RECORD, query)
    given = {str(key): values.text(one) for key, one in (query or {}).items()}
    return _made(links.mini_program, worded("mini_program", value), given)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "browser": _browser,
    "mini_program": _mini_program,
    "side_panel": _side_panel,
    "workbench": _workbench,
}
