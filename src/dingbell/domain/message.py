"""A message of one of DingTalk's eight types, possibly a template with variables.

Text between `{{ }}` or `{% %}` is a template (see `templates`), rendered per person. A message
without templates is checked against DingTalk's limits when it is written; one with templates when
it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from dingbell import intake
from dingbell.dingtalk import limits, messages
from dingbell.domain import media, templates
from dingbell.errors import InputError, Text

__all__ = ["Fillable", "Message", "Roster", "TemplateVariables", "TooLongError"]

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


_NOT_LOOKED_UP = Text("template {name!r} is not looked up yet", "模板 {name!r} 尚未读取")


def _template_name(content: Mapping[str, Any]) -> str | None:
    """The saved template that a message stands for.

    Raises:
        InputError: more stands beside it, or it is no name.
    """
    if "template" not in content:
        return None
    name = content["template"]
    if len(content) == 1 and isinstance(name, str) and name.strip():
        return name
    raise InputError(
        Text(
            "a saved template is named alone: {{template: NAME}}",
            "引用已保存的模板时只写: {{template: 名称}}",
        ).format()
    )


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


@dataclass(frozen=True, slots=True)
class Fillable:
    """What a program returns that is to be filled in for each person, and not sent as it stands."""

    content: dict[str, Any]

    def to_wire(self) -> dict[str, Any]:
        """The message as it was written."""
        return self.content


class TooLongError(InputError):
    """The message is longer than DingTalk takes."""


class Message:
    """What is sent: `{"text": "…"}`, `{"markdown": {"title": …, "text": …}}`, and so on.

    Args:
        content: the message as its author wrote it.
        literal: whether `{{` stands for itself: the words come from a function.
        ids: those that DingTalk has given for the files it names.

    Attributes:
        content: as it was written.
        template: the name of the saved template it stands for; None where it has its own words.

    Raises:
        InputError: a field is unknown, missing or over its limit.
        TemplateError: a template cannot be read or uses what is not there.
    """

    # What its templates may use.
    variables = frozenset({"person", "due", "row", "schedule", "vars"})

    def __init__(
        self,
        content: Mapping[str, Any],
        *,
        literal: bool = False,
        ids: Mapping[media.Upload, str] | None = None,
    ) -> None:
        self.content: dict[str, Any] = _kept(content)
        self._literal = literal
        self.template = _template_name(self.content)
        self._wire = media.stand_in(self.content, ids or {})
        self._texts = () if self.template else tuple(_texts(self._wire))
        if self.template:
            return
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
    def uploads(self) -> tuple[media.Upload, ...]:
        """What DingTalk is to have before it can be sent."""
        return media.uploads(self.content)

    def saying(self, content: Mapping[str, Any]) -> Self:
        """A message of the same kind with the words of a saved template.

        Raises:
            InputError: it uses what is not there.
        """
        return type(self)(content)

    def with_media(self, ids: Mapping[media.Upload, str]) -> Self:
        """The message with DingTalk's ids for the files it names."""
        return type(self)(self.content, literal=self._literal, ids=ids)

    @cached_property
    def is_personal(self) -> bool:
        """Whether the body depends on who receives it; of a saved template that is not known."""
        return bool(self.template) or not _PERSONAL.isdisjoint(self.names)

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

    def mentions(self, words: Collection[str]) -> frozenset[str]:
        """Which of these words stand in its templates, so that nothing else need be read."""
        return frozenset(word for word in words if any(word in t for _, t in self._templates()))

    @cached_property
    def people_per_call(self) -> int:
        """100, or 5 where a status bar is shown."""
        return limits.USERIDS_PER_CALL if self.template else messages.max_recipients(self._sample())

    def body(self, variables: TemplateVariables) -> bytes:
        """Render the exact bytes that go out.

        Raises:
            TemplateError: a template failed.
            TooLongError: the result is longer than DingTalk takes.
            InputError: the result breaks another of DingTalk's rules, or the message stands for a
                saved template, which has to be looked up first.
        """
        if self.template:
            raise InputError(_NOT_LOOKED_UP.format(name=self.template))
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
            return messages.parse(self._wire)
        if self._simple is None:
            return messages.parse(
                _filled(self._wire, lambda p, t: _rendered(p, templates.read(t), scope))
            )
        kind, texts = self._simple
        return kind(*[_rendered(path, text, scope) for path, text in texts])

    @cached_property
    def _simple(self) -> _Simple | None:
        """The two commonest types and their templates: of those nothing else need be read again."""
        try:
            raw = messages.parse(self._wire)
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

    def advice(self) -> list[Text]:
        """Where DingTalk shows it otherwise than its author may think, or advises against it."""
        if self.template:
            return []
        try:
            said = messages.parse(self._wire)
        except messages.MessageError:
            said = self._sample()  # only what is filled in has the form that is asked for
        return [Text(one.en, one.zh) for one in messages.warnings(said)]

    def _sample(self) -> messages.Message:
        """The message with something short in place of each template."""
        if not self.is_template:
            return messages.parse(self._wire)
        return messages.parse(_filled(self._wire, lambda path, _: _SAMPLES.get(path[-1], _SAMPLE)))

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

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """What editors are told: a text by itself, a saved template, or one of the eight types."""
        written: dict[str, Any] = _in_both(messages.schema())
        return {
            "anyOf": [
                {"type": "string", "minLength": 1},
                _SAVED,
                {"named": "Message", **written},
            ]
        }


_SAVED = {
    "type": "object",
    "properties": {
        "template": {
            "type": "string",
            "description": Text("name of a saved template", "已保存模板的名称"),
            "examples": ["payslip"],
        }
    },
    "required": ["template"],
    "additionalProperties": False,
}


def _in_both(part: Any) -> Any:
    """A part of the client's schema, its meanings as texts in both languages."""
    if isinstance(part, Mapping):
        return {
            key: Text(*item) if key == "description" and isinstance(item, tuple) else _in_both(item)
            for key, item in part.items()
        }
    return [_in_both(item) for item in part] if isinstance(part, list) else part


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
