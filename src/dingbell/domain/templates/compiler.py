"""Turns a checked template into functions: a rendering calls them and reads no tree again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from jinja2 import nodes

from dingbell.domain.templates import values
from dingbell.domain.templates.expressions import Expressions, Value
from dingbell.domain.templates.faults import TemplateError
from dingbell.domain.templates.scope import Scope
from dingbell.errors import Text

__all__ = ["Step", "compiled"]

# Writes a part of a template.
Step = Callable[[Scope], None]

_DEEPEST_LOOP = 2
_LOOPS = Text("loops stand at most two deep", "循环最多嵌套两层")
_LOOP_FORM = Text(
    "a loop is written {{% for one in list %}}, without recursive",
    "循环请写成 {{% for one in list %}}, 不支持 recursive",
)
_NOT_LIST = Text("a loop goes through a list, not {kind}", "循环只能遍历列表, 不能遍历{kind}")
_WRONG = Text("this cannot be worked out", "此处无法计算")

# What an odd value can still raise inside a function of Python's.
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)

# The work of a turn of a loop, beside what its body does.
_TURN = 5


def compiled(tree: nodes.Template) -> tuple[Step, dict[str, int]]:
    """What writes a template, and the variables it uses, each with the line it is first used on.

    Raises:
        TemplateError: a filter or a test is not known, or loops stand too deep.
    """
    compiler = _Compiler()
    step = compiler.body(tree.body)
    return step, compiler.expressions.free


class _Compiler:
    """Knows the loops around the place it is at."""

    def __init__(self) -> None:
        self.expressions = Expressions()
        self._loops = 0

    def body(self, parts: Sequence[nodes.Node]) -> Step:
        """What writes some statements, one after the other."""
        steps = [step for part in parts for step in self._steps(part)]
        if len(steps) == 1:
            return steps[0]

        def write(scope: Scope) -> None:
            for step in steps:
                step(scope)

        return write

    def _steps(self, part: nodes.Node) -> Iterator[Step]:
        if isinstance(part, nodes.For):
            yield self._for(part)
        elif isinstance(part, nodes.If):
            yield self._if(part)
        else:  # the grammar lets nothing else through
            yield from map(self._output, cast("nodes.Output", part).nodes)

    def _output(self, part: nodes.Expr) -> Step:
        if isinstance(part, nodes.TemplateData):
            data = part.data
            return lambda scope: scope.write(data)
        value, line = self.expressions.value(part), part.lineno

        def write(scope: Scope) -> None:
            try:
                found = value(scope)
                scope.write(found if type(found) is str else values.text(found))
            except TemplateError as error:
                raise error.at(line) from None
            except _ODD:
                raise TemplateError(_WRONG, line=line) from None

        return write

    def _guarded(self, part: nodes.Node) -> Value:
        """The value of an expression whose errors name its line."""
        value, line = self.expressions.value(part), part.lineno

        def guarded(scope: Scope) -> Any:
            try:
                return value(scope)
            except TemplateError as error:
                raise error.at(line) from None
            except _ODD:
                raise TemplateError(_WRONG, line=line) from None

        return guarded

    def _if(self, part: nodes.If) -> Step:
        branches = [(self._guarded(one.test), self.body(one.body)) for one in (part, *part.elif_)]
        otherwise = self.body(part.else_)

        def write(scope: Scope) -> None:
            for test, body in branches:
                if test(scope):
                    return body(scope)
            return otherwise(scope)

        return write

    def _for(self, part: nodes.For) -> Step:
        if part.recursive or not isinstance(part.target, nodes.Name):
            raise TemplateError(_LOOP_FORM.format(), line=part.lineno)
        if self._loops == _DEEPEST_LOOP:
            raise TemplateError(_LOOPS, line=part.lineno)
        source = self._guarded(part.iter)
        name, line = part.target.name, part.lineno
        self._loops += 1
        with self.expressions.within_loop(name, "loop"):
            body, test = self.body(part.body), self._guarded(part.test) if part.test else None
        self._loops -= 1
        otherwise = self.body(part.else_)
        cost = _TURN + sum(1 for one in part.body for _ in one.find_all(nodes.Node))
        if part.test:
            cost += 1 + sum(1 for _ in part.test.find_all(nodes.Node))

        def write(scope: Scope) -> None:
            found = source(scope)
            if not isinstance(found, list | tuple):
                raise TemplateError(_NOT_LIST.format(kind=values.kind(found)), line=line)
            with _Shadow(scope.names, name, "loop"):
                kept = _kept(scope, found, name, test, cost)
                for place, one in enumerate(kept):
                    scope.spend(cost)
                    scope.names[name] = one
                    scope.names["loop"] = _loop(place, len(kept))
                    body(scope)
            if not kept:
                otherwise(scope)

        return write


class _Shadow:
    """Names that stand for something else inside a loop, and for what they were after it."""

    def __init__(self, names: dict[str, Any], *shadowed: str) -> None:
        self._names = names
        self._before = {name: names[name] for name in shadowed if name in names}
        self._shadowed = shadowed

    def __enter__(self) -> None:
        """Nothing is shadowed before the first turn."""

    def __exit__(self, *_: object) -> None:
        for name in self._shadowed:
            self._names.pop(name, None)
        self._names.update(self._before)


def _kept(
    scope: Scope, found: Sequence[Any], name: str, test: Value | None, cost: int
) -> Sequence[Any]:
    """What a loop goes through: all, or those of whom its test holds."""
    if test is None:
        return found
    kept = []
    for one in found:
        scope.spend(cost)
        scope.names[name] = one
        if test(scope):
            kept.append(one)
    return kept


def _loop(place: int, length: int) -> dict[str, Any]:
    """What `loop` says of a turn."""
    return {
        "index": place + 1,
        "index0": place,
        "first": place == 0,
        "last": place == length - 1,
        "length": length,
    }
