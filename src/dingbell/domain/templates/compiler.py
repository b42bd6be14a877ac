"""Turns a checked template into functions: a rendering calls them and reads no tree again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from jinja2 import nodes

from dingbell.domain.templates import values
from dingbell.domain.templates.faults import MissingError, TemplateError
from dingbell.domain.templates.filters import FILTERS, TESTS
from dingbell.domain.templates.scope import Scope, bounded
from dingbell.errors import Text

__all__ = ["Step", "compiled"]

# Gives the value of an expression.
Value = Callable[[Scope], Any]
# Writes a part of a template.
Step = Callable[[Scope], None]

_DEEPEST_LOOP = 2
_DEFAULT = ("d", "default")
_SORTING = 8

_NO_FILTER = Text("there is no filter {name}: there are {known}", "没有过滤器 {name}: 可用 {known}")
_NO_TEST = Text("there is no test {name}: there are {known}", "没有测试 {name}: 可用 {known}")
_ARGUMENTS = Text("{name} is given too much or too little", "{name} 的参数数量不对")
_LOOPS = Text("loops stand at most two deep", "循环最多嵌套两层")
_LOOP_FORM = Text(
    "a loop is written {{% for one in list %}}, without recursive",
    "循环请写成 {{% for one in list %}}, 不支持 recursive",
)
_NOT_LIST = Text("a loop goes through a list, not {kind}", "循环只能遍历列表, 不能遍历{kind}")
_NO_VARIABLE = Text("there is no {name}", "没有 {name}")
_WRONG = Text("this cannot be worked out", "此处无法计算")
_NUMBER = Text("the number is too large", "数字过大")

# What an odd value can still raise inside a function of Python's.
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)

_SIGNS: dict[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
}
# The work of a turn of a loop, beside what its body does.
_TURN = 5
_NOTHING = Scope({})
_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def compiled(tree: nodes.Template) -> tuple[Step, dict[str, int]]:
    """What writes a template, and the variables it uses, each with the line it is first used on.

    Raises:
        TemplateError: a filter or a test is not known, or loops stand too deep.
    """
    compiler = _Compiler()
    step = compiler.body(tree.body)
    return step, compiler.free


class _Compiler:
    """Knows the loops around the place it is at."""

    def __init__(self) -> None:
        self.free: dict[str, int] = {}
        self._bound: list[str] = []
        self._loops = 0

    # Statements.

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
        if isinstance(part, nodes.Output):
            yield from map(self._output, part.nodes)
        elif isinstance(part, nodes.If):
            yield self._if(part)
        elif isinstance(part, nodes.For):
            yield self._for(part)

    def _output(self, part: nodes.Expr) -> Step:
        if isinstance(part, nodes.TemplateData):
            data = part.data
            return lambda scope: scope.write(data)
        value, line = self.value(part), part.lineno

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
        value, line = self.value(part), part.lineno

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
        self._bound += [name, "loop"]
        body, test = self.body(part.body), self._guarded(part.test) if part.test else None
        del self._bound[-2:]
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

    # Expressions.

    def value(self, part: nodes.Node | None) -> Value:
        """What gives the value of an expression."""
        if isinstance(part, nodes.BinExpr) and type(part) in _SIGNS:
            return self._reckoned(_SIGNS[type(part)], part)
        return _READERS[type(part)](self, part)

    def constant(self, part: nodes.Const) -> Value:
        """A text or a number; what has a point is exact."""
        found = part.value
        if isinstance(found, float):
            found = Decimal(repr(found))
        if isinstance(found, int | Decimal) and not isinstance(found, bool):
            try:
                values.number(found, "")
            except TemplateError:
                raise TemplateError(_NUMBER, line=part.lineno) from None
        return lambda scope: found

    def name(self, part: nodes.Name) -> Value:
        """A variable."""
        name = part.name
        if name not in self._bound:
            self.free.setdefault(name, part.lineno)

        def read(scope: Scope) -> Any:
            try:
                return scope.names[name]
            except KeyError:
                raise MissingError(_NO_VARIABLE.format(name=name)) from None

        return read

    def attribute(self, part: nodes.Getattr) -> Value:
        """A field of a record."""
        inner, name = self.value(part.node), part.attr

        def read(scope: Scope) -> Any:
            found = inner(scope)
            if type(found) is dict and name in found:
                return found[name]
            return values.attribute(found, name)

        return read

    def item(self, part: nodes.Getitem) -> Value:
        """What stands at a place, or a piece."""
        inner = self.value(part.node)
        if isinstance(part.arg, nodes.Slice):
            return self._piece(inner, part.arg)
        key = self.value(part.arg)
        return lambda scope: values.item(inner(scope), key(scope))

    def _piece(self, inner: Value, piece: nodes.Slice) -> Value:
        bounds = [self.value(one) if one else None for one in (piece.start, piece.stop, piece.step)]

        def read(scope: Scope) -> Any:
            found = inner(scope)
            cut = slice(*(one(scope) if one else None for one in bounds))
            made = values.item(found, cut)
            scope.spend(values.size(made))
            return made

        return read

    def _reckoned(self, sign: str, part: nodes.BinExpr) -> Value:
        left, right, reckon = self.value(part.left), self.value(part.right), values.arithmetic(sign)

        def read(scope: Scope) -> Any:
            made = reckon(left(scope), right(scope))
            if type(made) is str:
                scope.spend(values.size(made))
            return made

        return read

    def joined(self, part: nodes.Concat) -> Value:
        """Texts, one after the other (`~`)."""
        pieces = [self.value(one) for one in part.nodes]

        def read(scope: Scope) -> str:
            made = bounded("".join([values.text(one(scope)) for one in pieces]))
            scope.spend(values.size(made))
            return made

        return read

    def both(self, part: nodes.And) -> Value:
        """The second where the first holds."""
        left, right = self.value(part.left), self.value(part.right)
        return lambda scope: left(scope) and right(scope)

    def either(self, part: nodes.Or) -> Value:
        """The first where it holds, else the second."""
        left, right = self.value(part.left), self.value(part.right)
        return lambda scope: left(scope) or right(scope)

    def denied(self, part: nodes.Not) -> Value:
        """The opposite."""
        inner = self.value(part.node)
        return lambda scope: not inner(scope)

    def negative(self, part: nodes.Neg) -> Value:
        """A number below zero."""
        inner = self.value(part.node)
        return lambda scope: -values.number(inner(scope), "-")

    def positive(self, part: nodes.Pos) -> Value:
        """A number as it is."""
        inner = self.value(part.node)
        return lambda scope: values.number(inner(scope), "+")

    def chosen(self, part: nodes.CondExpr) -> Value:
        """One of two, by a third."""
        test, yes = self.value(part.test), self.value(part.expr1)
        no = self.value(part.expr2) if part.expr2 else lambda scope: ""
        return lambda scope: yes(scope) if test(scope) else no(scope)

    def compared(self, part: nodes.Compare) -> Value:
        """Whether values stand to one another as signs say, each to the next."""
        if len(part.ops) == 1:
            return self._pair(self.value(part.expr), part.ops[0])
        first = self.value(part.expr)
        rest = [(self._comparison(one.op), self.value(one.expr)) for one in part.ops]

        def hold(scope: Scope) -> bool:
            one = first(scope)
            for comparison, value in rest:
                other = value(scope)
                scope.spend(values.size(other))
                if not comparison(one, other):
                    return False
                one = other
            return True

        return hold

    def _pair(self, first: Value, operand: nodes.Operand) -> Value:
        comparison, second = self._comparison(operand.op), self.value(operand.expr)

        def hold(scope: Scope) -> bool:
            one, other = first(scope), second(scope)
            scope.spend(values.size(other))
            return comparison(one, other)

        return hold

    def _comparison(self, op: str) -> Callable[[Any, Any], bool]:
        if op == "in":
            return values.within
        if op == "notin":
            return lambda one, other: not values.within(one, other)
        if op == "eq":
            return values.equal
        sign = _COMPARED[op]
        return lambda one, other: values.compared(sign, one, other)

    def listed(self, part: nodes.List | nodes.Tuple) -> Value:
        """A list that is written out."""
        items = [self.value(one) for one in part.items]
        return lambda scope: [one(scope) for one in items]

    def mapped(self, part: nodes.Dict) -> Value:
        """A record that is written out, to look something up in."""
        pairs = [(self.value(one.key), self.value(one.value)) for one in part.items]
        return lambda scope: {key(scope): value(scope) for key, value in pairs}

    def filtered(self, part: nodes.Filter) -> Value:
        """What a filter makes of a value."""
        if part.node is None or part.name not in {*FILTERS, *_DEFAULT}:
            known = ", ".join(sorted({*FILTERS, "default"}))
            raise TemplateError(
                _NO_FILTER.format(name=part.name[:40], known=known), line=part.lineno
            )
        inner = self.value(part.node)
        function = _default if part.name in _DEFAULT else FILTERS[part.name]
        arguments = self._arguments(part, function)
        if part.name in _DEFAULT:
            return _with_default(inner, arguments)
        weight = _SORTING if part.name in ("max", "min", "sort") else 1
        light = part.name in ("count", "first", "last", "length")

        def read(scope: Scope) -> Any:
            value = inner(scope)
            scope.spend(1 if light else weight * values.size(value))
            args, named = arguments(scope)
            made = function(value, *args, **named)
            return bounded(made) if type(made) is str else made

        return read

    def tested(self, part: nodes.Test) -> Value:
        """Whether a value is what a test says."""
        if part.name not in TESTS:
            known = ", ".join(sorted(TESTS))
            raise TemplateError(_NO_TEST.format(name=part.name[:40], known=known), line=part.lineno)
        inner, test = self.value(part.node), TESTS[part.name]
        arguments = self._arguments(part, test)
        if part.name in ("defined", "undefined"):
            wanted = part.name == "defined"
            return lambda scope: _is_there(inner, scope) is wanted

        def hold(scope: Scope) -> bool:
            args, _ = arguments(scope)
            scope.spend(sum(map(values.size, args)))
            return test(inner(scope), *args)

        return hold

    def _arguments(
        self, part: nodes.Filter | nodes.Test, function: Callable[..., Any]
    ) -> Callable[[Scope], tuple[list[Any], dict[str, Any]]]:
        """What is given to a filter or a test; that it takes so much is asked now."""
        args = [self.value(one) for one in part.args]
        named = {str(one.key): self.value(one.value) for one in part.kwargs}
        try:
            inspect.signature(function).bind(None, *args, **named)
        except TypeError:
            raise TemplateError(_ARGUMENTS.format(name=part.name), line=part.lineno) from None
        if part.dyn_args or part.dyn_kwargs:
            raise TemplateError(_ARGUMENTS.format(name=part.name), line=part.lineno)
        if not named and all(isinstance(one, nodes.Const) for one in part.args):
            fixed: tuple[list[Any], dict[str, Any]] = [one(_NOTHING) for one in args], {}
            return lambda scope: fixed
        return lambda scope: (
            [one(scope) for one in args],
            {key: one(scope) for key, one in named.items()},
        )


_READERS: Mapping[type, Callable[[_Compiler, Any], Value]] = {
    nodes.And: _Compiler.both,
    nodes.Compare: _Compiler.compared,
    nodes.Concat: _Compiler.joined,
    nodes.CondExpr: _Compiler.chosen,
    nodes.Const: _Compiler.constant,
    nodes.Dict: _Compiler.mapped,
    nodes.Filter: _Compiler.filtered,
    nodes.Getattr: _Compiler.attribute,
    nodes.Getitem: _Compiler.item,
    nodes.List: _Compiler.listed,
    nodes.Name: _Compiler.name,
    nodes.Neg: _Compiler.negative,
    nodes.Not: _Compiler.denied,
    nodes.Or: _Compiler.either,
    nodes.Pos: _Compiler.positive,
    nodes.Test: _Compiler.tested,
    nodes.Tuple: _Compiler.listed,
}


def _default(value: object, default_value: object = "", boolean: object = False) -> None:
    """The form of the filter `default`."""


def _with_default(
    inner: Value, arguments: Callable[[Scope], tuple[list[Any], dict[str, Any]]]
) -> Value:
    """A value, or what stands in where there is none."""

    def read(scope: Scope) -> Any:
        args, named = arguments(scope)
        instead, boolean = [*args, named.get("default_value", ""), False][:2]
        try:
            found = inner(scope)
        except MissingError:
            return instead
        empty = found is None or (bool(named.get("boolean", boolean)) and not found)
        return instead if empty else found

    return read


def _is_there(inner: Value, scope: Scope) -> bool:
    try:
        inner(scope)
    except MissingError:
        return False
    return True


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
