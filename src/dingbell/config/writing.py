"""Writes YAML as people do: short mappings on one line, longer ones below one another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from dingbell.config.sheet import Placeholder

__all__ = ["comment", "written"]

# What needs no quotes for any reader of YAML; words and numbers that mean something else do.
_PLAIN = re.compile(r"[A-Za-z\u4e00-\u9fff][\w.@/\u4e00-\u9fff-]*", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_BLOCK = re.compile(r"(?:[^\s\x00-\x1f](?:[^\x00-\x1f]*[^\s\x00-\x1f])?\n)+", re.ASCII)
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
# `${NAME}` would be filled in, and `$${` halved.
_REFERENCE = re.compile(r"\$\$\{|\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_LINE = 72
_ENDLESS = 2**20


def written(content: Mapping[str, Any], *, below: int = 1) -> str:
    """The YAML of a mapping; our own reader reads the same content back.

    Args:
        content: texts, numbers, truths, nothing, lists and mappings of them.
        below: from which level on a short mapping is written on one line.
    """
    yaml = YAML()
    yaml.width = _ENDLESS
    yaml.allow_unicode = True
    out = StringIO()
    yaml.dump(_node(content, below), out)
    return out.getvalue()


def comment(text: str) -> str:
    """A text as comment, line by line."""
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())


def _node(value: Any, below: int) -> Any:
    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, Mapping):
        flow = below <= 0 and _is_short(value)
        entries = ((_key(key), _node(item, below - 1)) for key, item in value.items())
        mapped = CommentedMap(entries)
        if flow or not value:
            mapped.fa.set_flow_style()
        return mapped
    if isinstance(value, list | tuple):
        listed = CommentedSeq(_node(item, below - 1) for item in value)
        if _is_short(value):
            listed.fa.set_flow_style()
        return listed
    return value


def _key(key: str) -> str:
    return key if _is_plain(key) else DoubleQuotedScalarString(key)


def _scalar(value: str) -> str:
    if isinstance(value, Placeholder):
        return str(value)
    text = _REFERENCE.sub(lambda found: f"${found[0]}", value)
    if _is_plain(text):
        return text
    quoted: str = (LiteralScalarString if _is_block(text) else DoubleQuotedScalarString)(text)
    return quoted


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _WORDS


def _is_block(text: str) -> bool:
    """Whether it reads better line by line: no line begins or ends with blanks or is empty."""
    return (
        text.count("\n") > 1 - text.endswith("\n")
        and bool(_BLOCK.fullmatch(text if text.endswith("\n") else f"{text}\n"))
        and not _UNPRINTABLE.search(text)
    )


def _is_short(value: Any) -> bool:
    """Whether it is written on one line."""
    return _length(value) <= _LINE


def _length(value: Any) -> int:
    """About how many characters it has on one line; what needs several is endless."""
    if isinstance(value, Placeholder):
        return _ENDLESS
    if isinstance(value, str):
        return _ENDLESS if _is_block(value) else len(value) + 2
    if isinstance(value, Mapping):
        return sum(len(key) + 4 + _length(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(2 + _length(item) for item in value)
    return len(str(value))
