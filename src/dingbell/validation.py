"""What pydantic found wrong, in words for people, in both languages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, ErrorDetails

from dingbell.errors import InputError, Text
from dingbell.meaning import VARIABLE

__all__ = ["faults", "matching", "refusal", "told"]

_WORDS = {
    "missing": Text("is missing", "缺少此项"),
    "extra_forbidden": Text("is not known here", "此处没有这个设置"),
    "string_type": Text("must be text (in quotes)", "必须是文本 (加引号)"),
    "int_type": Text("must be a whole number", "必须是整数"),
    "int_from_float": Text("must be a whole number", "必须是整数"),
    "int_parsing": Text("must be a whole number", "必须是整数"),
    "int_parsing_size": Text("is too large a number", "数字过大"),
    "bool_type": Text("must be true or false", "必须是 true 或 false"),
    "bool_parsing": Text("must be true or false", "必须是 true 或 false"),
    "dict_type": Text("must be a mapping", "必须是映射"),
    "model_type": Text("must be a mapping", "必须是映射"),
    "model_attributes_type": Text("must be a mapping", "必须是映射"),
    "tuple_type": Text("must be a list", "必须是列表"),
    "either": Text("must be a mapping or {expected}", "必须是映射或 {expected}"),
    "literal_error": Text("must be {expected}", "必须是 {expected}"),
    "greater_than_equal": Text("must be at least {ge}", "至少为 {ge}"),
    "less_than_equal": Text("must be at most {le}", "至多为 {le}"),
    "string_pattern_mismatch": Text("is not of the form that is meant", "格式不对"),
    "finite_number": Text("must be a finite number", "必须是有限的数"),
    "float_type": Text("must be a number", "必须是数字"),
    "float_parsing": Text("must be a number", "必须是数字"),
    "greater_than": Text("must be more than {gt}", "必须大于 {gt}"),
    "less_than": Text("must be less than {lt}", "必须小于 {lt}"),
    "list_type": Text("must be a list", "必须是列表"),
    "path_type": Text("must be a path", "必须是路径"),
    "none_required": Text("must be left out", "必须省略"),
    "string_too_short": Text("must not be empty", "不能为空"),
    "string_too_long": Text("has at most {max_length} characters", "至多 {max_length} 个字符"),
    "too_long": Text("has at most {max_length} characters", "至多 {max_length} 个字符"),
    "recursion_loop": Text("is nested too deeply", "嵌套过深"),
    "too_short": Text("must not be empty", "不能为空"),
}


# What a union adds to the place of a problem: the name of the member that was tried.
_TRIED = re.compile(r"literal\[.*\]|[a-z-]+\[.*\]|QuietHours|Audience")
_CHOICES = frozenset({"quiet_hours", "to"})


@dataclass(frozen=True, slots=True)
class _Matching(AfterValidator):
    """Demands a pattern, and tells editors of it."""

    pattern: str | None = None

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        said: dict[str, Any] = dict(handler(core))
        return said if self.pattern is None else {**said, "pattern": self.pattern}


def matching(pattern: str, words: Text, *, editors: str | None = None) -> AfterValidator:
    """Demand that a text looks like a pattern; a person is told in words.

    Args:
        pattern: what the whole text has to match.
        words: what is said of one that does not.
        editors: the pattern in the part of the notation that JavaScript has, where it differs.
    """
    form = re.compile(pattern)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise InputError(words)
        return value

    return _Matching(check, editors or rf"^\s*{pattern}\s*${VARIABLE}")


def faults(error: ValidationError) -> list[ErrorDetails]:
    """What is wrong, by the places a person knows; of a choice, only what comes nearest."""
    problems: dict[tuple[int | str, ...], ErrorDetails] = {}
    for problem in error.errors(include_url=False):
        place = _known(problem["loc"])
        before = problems.get(place)
        if before is None:
            problems[place] = {**problem, "loc": place}
        else:
            problems[place] = _either(before, problem, place)
    # Whoever has begun one form of a choice does not mean the other.
    within = {place[:length] for place in problems for length in range(len(place))}
    return [
        problem
        for place, problem in problems.items()
        if problem["type"] != "literal_error" or place not in within
    ]


def _either(one: ErrorDetails, other: ErrorDetails, place: tuple[int | str, ...]) -> ErrorDetails:
    """Two problems in one place: of what may be one of some words, or something else."""
    literal, rest = (one, other) if one["type"] == "literal_error" else (other, one)
    if literal["type"] == "literal_error" and rest["type"] == "model_type":
        return {**literal, "type": "either", "loc": place}
    return {**rest, "loc": place}


def _known(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return tuple(
        part
        for before, part in zip(("", *place), place, strict=False)
        if not (before in _CHOICES and isinstance(part, str) and _TRIED.fullmatch(part))
    )


def told(problem: ErrorDetails) -> Text:
    """What is wrong, without the place; an error of ours keeps its own words."""
    context = problem.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, InputError):
        return cause.message
    known = _WORDS.get(problem["type"])
    if known is None:
        return Text("is not valid here", "此处无效")
    if "expected" in context:
        said = str(context["expected"]).replace("False", "false").replace("True", "true")
        context = {**context, "expected": Text(said, said.replace(" or ", " 或 "))}
    return known.format(**context)


def refusal(error: ValidationError, *, prefix: str = "") -> InputError:
    """Name every problem in one message; values are not shown, they may be secret.

    Args:
        error: what pydantic raised.
        prefix: stands before the name of a field, which is then written in capitals.
    """
    told_of = [_placed(problem, prefix) for problem in faults(error)]
    return InputError(Text("; ".join(told_of), "; ".join(text.zh for text in told_of)))


def _placed(problem: ErrorDetails, prefix: str) -> Text:
    said = told(problem)
    if not problem["loc"]:
        return said
    name = ".".join(str(part) for part in problem["loc"])
    name = prefix + name.upper() if prefix else name
    return Text("{name} {said}", "{name} {said}").format(name=name, said=said)
