"""What pydantic found wrong, in words for people, in both languages."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dingbell.errors import InputError, Text

__all__ = ["refusal", "told"]

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
    "literal_error": Text("must be {expected}", "必须是 {expected}"),
    "greater_than_equal": Text("must be at least {ge}", "至少为 {ge}"),
    "less_than_equal": Text("must be at most {le}", "至多为 {le}"),
    "string_pattern_mismatch": Text("must match {pattern}", "必须匹配 {pattern}"),
    "string_too_short": Text("must not be empty", "不能为空"),
    "string_too_long": Text("has at most {max_length} characters", "至多 {max_length} 个字符"),
    "too_short": Text("must not be empty", "不能为空"),
}


def told(problem: ErrorDetails) -> Text:
    """What is wrong, without the place; an error of ours keeps its own words."""
    context = problem.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, InputError):
        return cause.message
    known = _WORDS.get(problem["type"])
    if known is not None:
        return known.format(**context)
    return Text(problem["msg"], problem["msg"])


def refusal(error: ValidationError, *, prefix: str = "") -> InputError:
    """Name every problem in one message; values are not shown, they may be secret.

    Args:
        error: what pydantic raised.
        prefix: stands before the name of a field, which is then written in capitals.
    """
    found = [
        _placed(problem, prefix) for problem in error.errors(include_input=False, include_url=False)
    ]
    return InputError(Text("; ".join(found), "; ".join(text.zh for text in found)))


def _placed(problem: ErrorDetails, prefix: str) -> Text:
    said = told(problem)
    if not problem["loc"]:
        return said
    name = ".".join(str(part) for part in problem["loc"])
    name = prefix + name.upper() if prefix else name
    return Text("{name} {said}", "{name} {said}").format(name=name, said=said)
