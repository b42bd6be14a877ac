"""Turns expressions into functions: variables, filters, comparisons, sums."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from jinja2 import nodes

from dingbell.domain.templates import values
from dingbell.domain.templates.catalogue import FILTERS
from dingbell.domain.templates.faults import MissingError, TemplateError
from dingbell.domain.templates.filters import TESTS
from dingbell.domain.templates.scope import Scope, bounded
from dingbell.errors import Text

__all__ = ["Expressions", "Value"]

# Gives the value of an expression.
Value = Callable[[Scope], Any]
_Arguments = Callable[[Scope], tuple[list[Any], dict[str, Any]]]

_DEFAULT = ("d", "default")
# How much more than a look at each element these filters do.
_WEIGHTS = {
    **dict.fromkeys(("count", "first", "last", "length"), 0),
    **dict.fromkeys(("join", "map", "rejectattr", "selectattr", "sum", "unique"), 4),
    **dict.fromkeys(("max", "min", "sort"), 8),
}

_NO_FILTER = Text("there is no filter {name}: there are {known}", "没有过滤器 {name}: 可用 {known}")
_NO_TEST = Text("there is no test {name}: there are {known}", "没有测试 {name}: 可用 {known}")
_ARGUMENTS = Text("{name} is given too much or too little", "{name} 的参数数量不对")
_NO_VARIABLE = Text("there is no {name}", "没有 {name}")
_NUMBER = Text("the number is too large", "数字过大")

_SIGNS: dict[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
}
_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
# What has only constants can be worked out before there is anything to see.
_NOTHING = Scope({})


class Expressions:
    """Reads expressions, and knows the names that loops around them have bound.

    Attributes:
        free: the variables that no loop has bound, each with the line it is first used on.
    """

    def __init__(self) -> None:
        self.free: dict[str, int] = {}
        self._bound: list[str] = []

    @contextmanager
    def within_loop(self, *names: str) -> Iterator[None]:
        """Take these names for the loop's own."""
        self._bound += names
        yield
        del self._bound[-len(names) :]

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
        weight = _WEIGHTS.get(part.name, 1)

        def read(scope: Scope) -> Any:
            value = inner(scope)
            scope.spend(1 + weight * values.size(value))
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
    ) -> _Arguments:
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


_READERS: Mapping[type, Callable[[Expressions, Any], Value]] = {
    nodes.And: Expressions.both,
    nodes.Compare: Expressions.compared,
    nodes.Concat: Expressions.joined,
    nodes.CondExpr: Expressions.chosen,
    nodes.Const: Expressions.constant,
    nodes.Dict: Expressions.mapped,
    nodes.Filter: Expressions.filtered,
    nodes.Getattr: Expressions.attribute,
    nodes.Getitem: Expressions.item,
    nodes.List: Expressions.listed,
    nodes.Name: Expressions.name,
    nodes.Neg: Expressions.negative,
    nodes.Not: Expressions.denied,
    nodes.Or: Expressions.either,
    nodes.Pos: Expressions.positive,
    nodes.Test: Expressions.tested,
    nodes.Tuple: Expressions.listed,
}


def _default(value: object, default_value: object = "", boolean: object = False) -> None:
    """The form of the filter `default`."""


def _with_default(inner: Value, arguments: _Arguments) -> Value:
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
