"""A message of one of DingTalk's eight types, possibly a template with variables.

Text between `{{ }}` or `{% %}` is a Jinja template, rendered per person in a sandbox. A message
without templates is checked against DingTalk's limits when it is written; one with templates when
it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from dingbell import intake
from dingbell.dingtalk import messages
from dingbell.errors import InputError, Text

__all__ = ["Message", "Roster", "TemplateVariables"]

TemplateVariables = Mapping[str, Any]


def _date(value: date | None, form: str = "%Y-%m-%d") -> str:
    return value.strftime(form) if value else ""


def _time(value: datetime | None, form: str = "%H:%M") -> str:
    return value.strftime(form) if value else ""


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters.update(date=_date, time=_time)
    return environment


@lru_cache(maxsize=512)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@lru_cache(maxsize=4_096)
def _names_in(template: str) -> frozenset[str]:
    """The variables a template uses."""
    return frozenset(meta.find_undeclared_variables(_environment().parse(template)))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _kept(content: Mapping[str, Any]) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = intake.content(content)
    except InputError as error:
        words = Text("the message {said}", "消息{said}")
        raise InputError(words.format(said=error.message)) from None
    return kept


def _is_template(value: str) -> bool:
    return "{{" in value or "{%" in value


# Variables whose values differ from receiver to receiver.
_PERSONAL = frozenset({"person", "unread"})

# What stands for a rendered template while the shape of a message is checked.
_SAMPLE = "1"
_SAMPLES = {"bgcolor": "FFFFFFFF", "status_bg": "0xFFFFFFFF", "background": "0xFFFFFFFF"}


def _filled(value: Any, fill: Callable[[str, str], str], name: str = "") -> Any:
    """A copy whose templates are replaced by what `fill(field name, template)` gives."""
    if isinstance(value, str):
        return fill(name, value) if _is_template(value) else value
    if isinstance(value, Mapping):
        return {key: _filled(item, fill, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, fill, name) for item in value]
    return value


class Message:
    """What is sent: `{"text": "…"}`, `{"markdown": {"title": …, "text": …}}`, and so on.

    Raises:
        InputError: a field is unknown, missing or over its limit, or a template does not parse.
    """

    # What its templates may use.
    variables = frozenset({"person", "due", "schedule"})

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content: dict[str, Any] = _kept(content)
        if not self.is_template:
            self.body({})
            return
        self._check_templates()
        try:
            self._sample()
        except messages.MessageError as error:
            raise InputError(Text(error.en, error.zh)) from error

    @cached_property
    def is_template(self) -> bool:
        """Whether any field has variables."""
        return any(_is_template(text) for text in _strings(self.content))

    @cached_property
    def is_personal(self) -> bool:
        """Whether the body depends on who receives it."""
        return not _PERSONAL.isdisjoint(self._variables())

    @cached_property
    def people_per_call(self) -> int:
        """100, or 5 where a status bar is shown."""
        return messages.max_recipients(self._sample())

    def body(self, variables: TemplateVariables) -> bytes:
        """Render the exact bytes that go out.

        Raises:
            InputError: the template failed, or the result breaks one of DingTalk's limits.
        """
        filled = _filled(self.content, lambda _, template: _rendered(template, variables))
        try:
            body = messages.canonical(messages.parse(filled))
            messages.check_size(body)
        except messages.MessageError as error:
            raise InputError(Text(error.en, error.zh)) from error
        return body

    def _sample(self) -> messages.Message:
        """The message with something short in place of each template."""
        return messages.parse(_filled(self.content, lambda name, _: _SAMPLES.get(name, _SAMPLE)))

    def to_dict(self) -> dict[str, Any]:
        """The content as it was written."""
        return self.content

    def _variables(self) -> frozenset[str]:
        templates = filter(_is_template, _strings(self.content))
        return frozenset().union(*map(_names_in, templates))

    def _check_templates(self) -> None:
        try:
            unknown = self._variables() - self.variables
        except TemplateError as error:
            raise InputError(_template_error(error)) from error
        if unknown:
            raise InputError(
                Text(
                    "unknown template variable {names}: there are {known}",
                    "未知的模板变量 {names}: 可用 {known}",
                ).format(names=", ".join(sorted(unknown)), known=", ".join(sorted(self.variables)))
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


def _rendered(template: str, variables: TemplateVariables) -> str:
    try:
        return _compiled(template).render(variables)
    except Exception as error:  # an author's template may raise anything
        raise InputError(_template_error(error)) from error


def _template_error(error: Exception) -> Text:
    if isinstance(error, TemplateError):
        said = error.message or type(error).__name__
    else:
        said = f"{type(error).__name__}: {error}"
    return Text("the template does not work: {error}", "模板有误: {error}").format(error=said)
