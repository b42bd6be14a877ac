"""Reading a template: Jinja's notation, of which only what is listed here may be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes

from dingbell.domain.templates.faults import TemplateError
from dingbell.errors import Text

__all__ = ["MOST_CHARACTERS", "fields_of", "is_template", "parsed"]

# A notice has 2,048 bytes; a template that chooses among several texts is longer, but not endless.
MOST_CHARACTERS = 10_000
_MOST_NODES = 2_000
_DEEPEST = 40
# Python refuses to read numbers of more than 4,300 digits.
_DIGITS = re.compile(r"[0-9_]{4000,}")

_ALLOWED = frozenset(
    {
        nodes.Add, nodes.And, nodes.Compare, nodes.Concat, nodes.CondExpr, nodes.Const, nodes.Dict,
        nodes.Div, nodes.Filter, nodes.FloorDiv, nodes.For, nodes.Getattr, nodes.Getitem, nodes.If,
        nodes.Keyword, nodes.List, nodes.Mod, nodes.Mul, nodes.Name, nodes.Neg, nodes.Not,
        nodes.Operand, nodes.Or, nodes.Output, nodes.Pair, nodes.Pos, nodes.Slice, nodes.Sub,
        nodes.Template, nodes.TemplateData, nodes.Test, nodes.Tuple,
    }
)  # fmt: skip

_NOT_ALLOWED = Text(
    "{what} is not available in messages: there are variables, filters, if and for",
    "消息模板不支持 {what}: 可用变量、过滤器、if 和 for",
)
_NAMES: dict[type[nodes.Node], str] = {
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Block: "{% block %}",
    nodes.CallBlock: "{% call %}",
    nodes.Extends: "{% extends %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.FromImport: "{% from %}",
    nodes.Import: "{% import %}",
    nodes.Include: "{% include %}",
    nodes.Macro: "{% macro %}",
    nodes.Pow: "**",
    nodes.ScopedEvalContextModifier: "{% autoescape %}",
    nodes.With: "{% with %}",
}
_NO_CALLS = Text(
    "calls such as x() are not available in messages: use a filter, such as |date('%m/%d')",
    "消息模板不支持 x() 这样的调用: 请用过滤器, 例如 |date('%m/%d')",
)
_TOO_LONG = Text(
    "it has {found} characters, the limit is {most}", "模板有 {found} 个字符, 上限为 {most}"
)
_TOO_DEEP = Text("it is nested too deeply", "嵌套过深")
_TOO_MUCH = Text("it consists of too many parts", "模板的组成部分过多")
_LONG_NUMBER = Text("a number has too many digits", "数字的位数过多")
_UNDERSCORE = Text(
    "{name}: names that begin with _ are not available", "{name}: 不能使用以 _ 开头的名称"
)


def is_template(text: str) -> bool:
    """Whether a text has anything to fill in."""
    return "{{" in text or "{%" in text


@lru_cache(maxsize=1)
def _notation() -> Environment:
    # Only its parser is used; nothing is ever compiled or run by it.
    return Environment(autoescape=False)  # noqa: S701  notices are no HTML


def parsed(source: str) -> nodes.Template:
    """Read a template; nothing in it is run.

    Raises:
        TemplateError: it cannot be read, or uses what is not available.
    """
    if len(source) > MOST_CHARACTERS:
        raise TemplateError(_TOO_LONG.format(found=len(source), most=MOST_CHARACTERS), line=1)
    try:
        tree = _notation().parse(source)
    except TemplateSyntaxError as error:
        raise TemplateError(_said(error.message or ""), line=error.lineno) from None
    except RecursionError:
        raise TemplateError(_TOO_DEEP, line=1) from None
    except ValueError:
        found = _DIGITS.search(source)
        line = source.count("\n", 0, found.start()) + 1 if found else 1
        raise TemplateError(_LONG_NUMBER, line=line) from None
    _check(tree)
    return tree


def _check(tree: nodes.Template) -> None:
    """Go through everything once, without recursion: the tree may be deep."""
    for count, (node, depth) in enumerate(_walk(tree)):
        if depth > _DEEPEST:
            raise TemplateError(_TOO_DEEP, line=node.lineno)
        if count > _MOST_NODES:
            raise TemplateError(_TOO_MUCH, line=node.lineno)
        if type(node) not in _ALLOWED:
            raise TemplateError(_refusal(node), line=node.lineno)
        name = _name(node)
        if name is not None and name.startswith("_"):
            raise TemplateError(_UNDERSCORE.format(name=name), line=node.lineno)


def _walk(tree: nodes.Template) -> Iterator[tuple[nodes.Node, int]]:
    ahead: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while ahead:
        node, depth = ahead.pop()
        yield node, depth
        below = [(one, depth + 1) for one in node.iter_child_nodes()]
        ahead.extend(reversed(below))


def fields_of(tree: nodes.Template, name: str) -> Iterator[str]:
    """The fields of a variable that are named as such: `row.net`, `row['net']`."""
    for node, _ in _walk(tree):
        inner = node.node if isinstance(node, nodes.Getattr | nodes.Getitem) else None
        field = _name(node)
        if field is not None and isinstance(inner, nodes.Name) and inner.name == name:
            yield field


def _refusal(node: nodes.Node) -> Text:
    if isinstance(node, nodes.Call):
        return _NO_CALLS
    return _NOT_ALLOWED.format(what=_NAMES.get(type(node), "this"))


def _name(node: nodes.Node) -> str | None:
    """The name by which a node takes hold of something."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if isinstance(node.arg.value, str) else None
    return None


# What Jinja's parser says, and how we say it.
_TOKENS = {
    "end of print statement": "}}",
    "end of statement block": "%}",
    "begin of print statement": "{{",
    "begin of statement block": "{%",
}
_TEMPLATE_ENDS = Text("the end of the template", "模板结尾")
_WORDS: tuple[tuple[re.Pattern[str], Text], ...] = (
    (
        re.compile(r"The innermost block that needs to be closed is '(?P<tag>\w+)'"),
        Text(
            "{{% {tag} %}} is not closed by {{% end{tag} %}}",
            "{{% {tag} %}} 没有对应的 {{% end{tag} %}}",
        ),
    ),
    (
        re.compile(r"Encountered unknown tag '(?P<tag>.{1,40}?)'"),
        Text(
            "{{% {tag} %}} is not known here: there are if, elif, else, endif, for, endfor",
            "此处不能使用 {{% {tag} %}}: 可用 if、elif、else、endif、for、endfor",
        ),
    ),
    (
        re.compile(r"unexpected end of template|Missing end of comment|Unexpected end of template"),
        Text(
            "something is not closed before the end of the template",
            "模板结尾之前有未闭合的部分",
        ),
    ),
    (
        re.compile(r"unexpected char '\\?(?P<sign>.)|unexpected char \"(?P<quote>.)\""),
        Text("{sign} is not expected here", "此处不应出现 {sign}"),
    ),
    (
        re.compile(r"(?:got|unexpected) '(?P<got>.{1,60}?)'(?:,|\.|$)"),
        Text("{got} is not expected here", "此处不应出现 {got}"),
    ),
)
_UNREADABLE = Text("it cannot be read here", "此处无法识别")


def _said(message: str) -> Text:
    for pattern, words in _WORDS:
        if found := pattern.search(message):
            named = {key: value for key, value in found.groupdict().items() if value is not None}
            if "quote" in named:
                named = {"sign": named["quote"]}
            return words.format(**{key: _token(value) for key, value in named.items()})
    return _UNREADABLE


def _token(said: str) -> Text:
    if said == "end of template":
        return _TEMPLATE_ENDS
    sign = _TOKENS.get(said, said)
    return Text(sign, sign)
