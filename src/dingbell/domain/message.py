"""A message of one of DingTalk's eight types, possibly a template with variables.

Text between `{{ }}` or `{% %}` is a template (see `templates`), rendered per person. A message
without templates is checked against DingTalk's limits when it is written; one with templates when
it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from dingbell import intake
from dingbell.dingtalk import messages
from dingbell.domain import templates
from dingbell.errors import InputError, Text

__all__ = ["Message", "Roster", "TemplateVariables", "TooLongError"]

TemplateVariables = Mapping[str, Any]
_Path = tuple[str, ...]

# Deeper than any of DingTalk's messages.
_DEEPEST = 10


def _texts(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    """Every text of a message, and the way to it."""
    if len(path) > _DEEPEST:
        raise InputError(Text("the message is nested too deeply", "消息嵌套过深"))
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _texts(item, (*path, str(place)))


def _kept(content: Mapping[str, Any]) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = intake.content(content)
    except InputError as error:
        words = Text("the message {said}", "消息{said}")
        raise InputError(words.format(said=error.message)) from None
    return kept


# Variables whose values differ from receiver to receiver.
_PERSONAL = frozenset({"person", "row", "unread"})

# What stands for a rendered template while the shape of a message is checked.
_SAMPLE = "1"
_SAMPLES = {"bgcolor": "FFFFFFFF", "status_bg": "0xFFFFFFFF", "background": "0xFFFFFFFF"}


def _filled(value: Any, fill: Callable[[_Path, str], str], path: _Path = ()) -> Any:
    """A copy whose templates are replaced by what `fill(path, template)` gives."""
    if isinstance(value, str):
        return fill(path, value) if templates.is_template(value) else value
    if isinstance(value, Mapping):
        return {key: _filled(item, fill, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, fill, (*path, str(n))) for n, item in enumerate(value)]
    return value


class TooLongError(InputError):
    """The message is longer than DingTalk takes."""


class Message:
    """What is sent: `{"text": "…"}`, `{"markdown": {"title": …, "text": …}}`, and so on.

    Args:
        content: the message as its author wrote it.
        literal: whether `{{` stands for itself: the words come from a function.

    Raises:
        InputError: a field is unknown, missing or over its limit.
        TemplateError: a template cannot be read or uses what is not there.
    """

    # What its templates may use.
    variables = frozenset({"person", "due", "row", "schedule"})

    def __init__(self, content: Mapping[str, Any], *, literal: bool = False) -> None:
        self.content: dict[str, Any] = _kept(content)
        self._texts = tuple(_texts(self.content))
        self._literal = literal
        if not self.is_template:
            self.body({})
            return
        self._check_templates()
        try:
            self._sample()
        except messages.MessageError as error:
            raise _refusal(error) from error

    @cached_property
    def is_template(self) -> bool:
        """Whether any field has variables."""
        return not self._literal and any(templates.is_template(text) for _, text in self._texts)

    @cached_property
    def is_personal(self) -> bool:
        """Whether the body depends on who receives it."""
        return not _PERSONAL.isdisjoint(self.names)

    @cached_property
    def uses_row(self) -> bool:
        """Whether the body depends on the row of who receives it."""
        return "row" in self.names

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns of a row that its templates name."""
        texts = (text for _, text in self._templates())
        return frozenset().union(*(templates.fields(text, "row") for text in texts))

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables its templates use."""
        return frozenset().union(*(templates.read(text).names for _, text in self._templates()))

    @cached_property
    def people_per_call(self) -> int:
        """100, or 5 where a status bar is shown."""
        return messages.max_recipients(self._sample())

    def body(self, variables: TemplateVariables) -> bytes:
        """Render the exact bytes that go out.

        Raises:
            TemplateError: a template failed.
            TooLongError: the result is longer than DingTalk takes.
            InputError: the result breaks another of DingTalk's rules.
        """
        scope = templates.Scope(variables)
        try:
            body = messages.canonical(self._made(scope))
            messages.check_size(body)
        except messages.MessageError as error:
            raise _refusal(error) from error
        return body

    def _made(self, scope: templates.Scope) -> messages.Message:
        """The message with all its variables filled in."""
        if not self.is_template:
            return messages.parse(self.content)
        if self._simple is None:
            return messages.parse(
                _filled(self.content, lambda p, t: _rendered(p, templates.read(t), scope))
            )
        kind, texts = self._simple
        return kind(*[_rendered(path, text, scope) for path, text in texts])

    @cached_property
    def _simple(self) -> _Simple | None:
        """The two commonest types and their templates: of those nothing else need be read again."""
        try:
            raw = messages.parse(self.content)
        except messages.MessageError:
            return None  # only what is filled in has the form that is asked for
        if isinstance(raw, messages.Text):
            return messages.Text, [self._prepared(raw.content, "text")]
        if isinstance(raw, messages.Markdown):
            title = self._prepared(raw.title, "markdown", "title")
            return messages.Markdown, [title, self._prepared(raw.text, "markdown", "text")]
        return None

    def _prepared(self, text: str, *path: str) -> tuple[_Path, templates.Template | str]:
        return path, templates.read(text) if templates.is_template(text) else text

    def _sample(self) -> messages.Message:
        """The message with something short in place of each template."""
        if not self.is_template:
            return messages.parse(self.content)
        return messages.parse(
            _filled(self.content, lambda path, _: _SAMPLES.get(path[-1], _SAMPLE))
        )

    def to_dict(self) -> dict[str, Any]:
        """The content as it was written."""
        return self.content

    def _templates(self) -> Iterator[tuple[_Path, str]]:
        if self.is_template:
            yield from (one for one in self._texts if templates.is_template(one[1]))

    def _check_templates(self) -> None:
        length = sum(len(text) for _, text in self._templates())
        if length > templates.MOST_CHARACTERS:
            raise InputError(
                Text(
                    "the templates of the message have {length} characters, the limit is {most}",
                    "消息模板共有 {length} 个字符, 上限为 {most}",
                ).format(length=length, most=templates.MOST_CHARACTERS)
            )
        for path, text in self._templates():
            with _placed(path):
                self._check_names(templates.read(text).lines)

    def _check_names(self, used: Mapping[str, int]) -> None:
        if unknown := used.keys() - self.variables:
            raise templates.TemplateError(
                Text(
                    "unknown template variable {names}: there are {known}",
                    "未知的模板变量 {names}: 可用 {known}",
                ).format(names=", ".join(sorted(unknown)), known=", ".join(sorted(self.variables))),
                line=min(used[name] for name in unknown),
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.content == other.content

    def __hash__(self) -> int:
        return hash(frozenset(self.content))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.content!r})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Let pydantic read a mapping and write it back."""

        def read(value: object) -> Message:
            if isinstance(value, cls):
                return value
            if isinstance(value, str):
                return cls({"text": value})
            if isinstance(value, Mapping):
                return cls(value)
            raise InputError(
                Text(
                    'a message is a mapping such as {"text": "…"}',
                    '消息要写成映射, 例如 {"text": "…"}',
                )
            )

        return core_schema.no_info_plain_validator_function(
            read,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.to_dict),
        )


class Roster(Message):
    """A message about people: `{{ unread }}` is the list of those who have not read."""

    variables = Message.variables | {"unread"}


_Simple = tuple[
    type[messages.Text] | type[messages.Markdown], list[tuple[_Path, templates.Template | str]]
]


def _rendered(path: _Path, text: templates.Template | str, scope: templates.Scope) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.render(scope)
    except templates.TemplateError as error:
        raise error.within(path) from None


@contextmanager
def _placed(path: _Path) -> Iterator[None]:
    """Say in which field a template does not work."""
    try:
        yield
    except templates.TemplateError as error:
        raise error.within(path) from None


def _refusal(error: messages.MessageError) -> InputError:
    limit, found = error.limit, error.found
    longer = isinstance(limit, int) and isinstance(found, int) and found > limit
    return (TooLongError if longer else InputError)(Text(error.en, error.zh))
