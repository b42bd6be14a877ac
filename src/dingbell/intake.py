"""Where text enters: what a person, a file or a program hands over, before anything keeps it.

PostgreSQL keeps no NUL and UTF-8 no half of a character; an id that has something invisible in it
is nobody's. All of it is refused here, in words, and what is harmless is put right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

from dingbell.errors import InputError, Text
from dingbell.written import as_text

__all__ = [
    "LARGEST_ID",
    "Identifier",
    "Secret",
    "cleaned",
    "content",
    "identifier",
    "mobile_number",
    "name",
    "secret",
    "text",
]

# What a bigint of the database holds.
LARGEST_ID = 2**63 - 1

_DEEPEST = 32
_MOST_VALUES = 10_000
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# They hold emoji together, and shape some scripts.
_JOINERS = frozenset("\u200c\u200d") | {chr(tag) for tag in range(0xE0020, 0xE0080)}
_REPLACEMENT = "\ufffd"
# What a Chinese keyboard makes of , ; : | and of a blank: it parts ids and is never in one.
_FULL_WIDTH = {"，": ",", "、": ",", "；": ";", "：": ":", "｜": "|", "\u3000": " "}
# What people put between the digits of a number.
_BETWEEN_DIGITS = str.maketrans("", "", " -\t\u00a0\u2010\u2011\u2012\u2013\u2014()（）")
_CHINA = ("+86", "0086")
_CHINESE_DIGITS = 11


def text(value: str) -> str:
    r"""Text that every part of the way can carry; the halves of a pair (`\ud83d\ude00`) are joined.

    Raises:
        InputError: it has a NUL, or half of a character.
    """
    if "\0" in value:
        raise InputError(_has("\0"))
    if value.isascii():
        return value
    try:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        half = error.object[error.start : error.start + 2]
        raise InputError(_has(half.decode("utf-16-le", "surrogatepass"))) from None


def _has(character: str) -> Text:
    return Text(
        "has the character {point}, which is not text: take it out",
        "含有非文本字符 {point}: 请删除",
    ).format(point=_point(character))


def _point(character: str) -> str:
    return f"U+{ord(character):04X}"


def identifier(value: str) -> str:
    """An id, a key, an account: without the blanks around it, and with nothing invisible in it.

    Raises:
        InputError: something in it cannot be seen, or parts it in full width.
    """
    found = _visible(text(value).strip(), frozenset())
    for character in found:
        if character in _FULL_WIDTH:
            raise InputError(
                Text(
                    "has the full-width {sign} ({point}) inside: write several as a list, [a, b]",
                    "中间含有全角 {sign} ({point}): 多个请写成列表 [a, b]",
                ).format(sign=character.strip() or " ", point=_point(character))
            )
    return found


def mobile_number(value: str) -> str:
    """A mobile number in the form it is kept in: `13800138000`, or `+85212345678` of elsewhere.

    `+86 138-0013-8000`, `0086 13800138000`, `86-13800138000` are the same number. What is none
    stays as it is, without what stands between its digits.
    """
    found = value.strip().translate(_BETWEEN_DIGITS)
    for country in _CHINA:
        if found.startswith(country):
            return found.removeprefix(country)
    if found.startswith("86") and len(found) == len("86") + _CHINESE_DIGITS and found[2] == "1":
        return found[2:]
    return "+" + found[2:] if found.startswith("00") and found.isdecimal() else found


def name(value: str) -> str:
    """A name that somebody gave to something; like an id, but it may be held together.

    Raises:
        InputError: something in it cannot be seen.
    """
    return _visible(text(value).strip(), _JOINERS)


def _visible(value: str, allowed: frozenset[str]) -> str:
    for character in value:
        if unicodedata.category(character) in _INVISIBLE and character not in allowed:
            raise InputError(
                Text(
                    "has the invisible character {point}: type it again instead of pasting it",
                    "含有不可见字符 {point}: 请手动输入, 不要粘贴",
                ).format(point=_point(character))
            )
    return value


def secret(value: str) -> str:
    """A secret: without the blanks and line ends around it; none has a blank inside.

    Raises:
        InputError: there is one inside; the secret is not shown.
    """
    found = identifier(value)
    if any(character.isspace() for character in found):
        raise InputError(Text("has a blank or a line end inside", "中间含有空格或换行"))
    return found


def content(value: Any, number: Callable[[object], object] = as_text) -> Any:
    """A tree of values that is to be kept, such as a message: every text in it checked.

    Args:
        value: mappings, lists, texts, numbers.
        number: what becomes of a number that remembers how it was written: that text.

    Raises:
        InputError: a text cannot be carried, or the tree is too deep or too large.
    """
    return _Tree(number).kept(value, 0)


class _Tree:
    """Walks a tree, and counts."""

    def __init__(self, number: Callable[[object], object]) -> None:
        self._number = number
        self._values = 0

    def kept(self, value: Any, depth: int) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise InputError(
                Text(
                    "is nested too deeply or too large: at most {depth} levels and {values} values",
                    "层数或数量过多: 至多 {depth} 层、{values} 个值",
                ).format(depth=_DEEPEST, values=_MOST_VALUES)
            )
        if isinstance(value, str):
            return text(value)
        if isinstance(value, Mapping):
            return {self._key(key): self.kept(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.kept(item, depth + 1) for item in value]
        return self._number(value)

    def _key(self, key: Any) -> Any:
        return text(key) if isinstance(key, str) else key


def cleaned(value: Any) -> Any:
    """What DingTalk told of somebody, with a sign in place of what cannot be kept."""
    if isinstance(value, str):
        try:
            return text(value)
        except InputError:
            return "".join(
                _REPLACEMENT if mark == "\0" or "\ud800" <= mark <= "\udfff" else mark
                for mark in value
            )
    if isinstance(value, Mapping):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value


def _if_text(value: object) -> object:
    return identifier(value) if isinstance(value, str) else value


def _unseen(value: SecretStr) -> SecretStr:
    found = secret(value.get_secret_value())
    if not found:
        raise InputError(Text("must not be empty", "不能为空"))
    return SecretStr(found)


Identifier = Annotated[str, BeforeValidator(_if_text)]
Secret = Annotated[SecretStr, AfterValidator(_unseen)]
