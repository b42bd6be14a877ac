"""What templates see beside people: the instant, the schedule, and its own values (`vars`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer

from dingbell import intake
from dingbell.domain.attributes import stored, typed
from dingbell.domain.templates.values import Named
from dingbell.errors import InputError, Text
from dingbell.written import Decimal as WrittenDecimal
from dingbell.written import Whole

__all__ = ["Vars", "seen"]

_NAME = re.compile(r"[^\W\d_]\w{0,59}")
_MOST = 100
_MOST_IN_LIST = 1_000
# A number people write so is a number; 0012, +86138… and 1e3 are the text that was written.
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,12})?", re.ASCII)

_NO_MAPPING = Text(
    "vars is a mapping of names to texts, numbers or lists of them",
    "vars 须为名称到文本、数字或其列表的映射",
)
_NO_NAME = Text(
    "{name} is no name of a variable: use letters, digits and _, and begin with a letter",
    "{name} 不能作变量名: 请用文字、数字和 _, 并以文字开头",
)
_TOO_MANY = Text("{name} has more than {most} values", "{name} 超过 {most} 个值")
_NO_VALUE = Text(
    "{name} is {kind}: write a text, a number, or a list of them",
    "{name} 是{kind}: 请写文本、数字或其列表",
)
_KINDS = (
    (dict, Text("a mapping", "映射")),
    (list, Text("a list in a list", "列表中的列表")),
    (type(None), Text("empty", "空值")),
)
_ODD = Text("something else", "其他内容")


def _read(given: Any) -> Any:
    """Values as an author wrote them, or as they were stored, exact."""
    if not isinstance(given, Mapping):
        raise InputError(_NO_MAPPING)
    if len(given) > _MOST:
        raise InputError(_TOO_MANY.format(name="vars", most=_MOST))
    return {_checked(name): _value(str(name), one) for name, one in given.items()}


def _checked(name: object) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise InputError(_NO_NAME.format(name=str(name)[:60]))


def _value(name: str, given: Any) -> Any:
    if isinstance(given, list | tuple):
        if len(given) > _MOST_IN_LIST:
            raise InputError(_TOO_MANY.format(name=name, most=_MOST_IN_LIST))
        return [_single(f"{name}[{place}]", one) for place, one in enumerate(given)]
    return _single(name, given)


def _single(name: str, given: Any) -> Any:
    if isinstance(given, Mapping):  # as an exact number was stored
        given = typed({name: given})[name]
    if isinstance(given, str):
        return intake.text(given)
    if isinstance(given, bool):
        return given
    if isinstance(given, Whole | WrittenDecimal):
        written = str(given)
        if not _PLAIN.fullmatch(written):
            return written
        return Decimal(written) if "." in written else int(written)
    if isinstance(given, int | Decimal):
        return given
    if isinstance(given, float):
        return Decimal(repr(given))
    kind = next((words for types, words in _KINDS if isinstance(given, types)), _ODD)
    raise InputError(_NO_VALUE.format(name=name, kind=kind))


# Values of a schedule or a send; JSON keeps them exact.
Vars = Annotated[
    dict[str, Any],
    BeforeValidator(_read),
    PlainSerializer(stored, dict[str, Any], when_used="json"),
]


def seen(
    due: datetime, zone: ZoneInfo, schedule: str | None, own: Mapping[str, Any]
) -> dict[str, Any]:
    """What a message sees, whoever gets it.

    Args:
        due: the instant it is due.
        zone: in which its dates are told.
        schedule: the name of the schedule; None where a person sends by hand.
        own: the values of the schedule or the send.
    """
    return {
        "due": due.astimezone(zone),
        "schedule": Named(schedule, {"name": schedule, "timezone": zone.key}) if schedule else None,
        "vars": own,
    }
