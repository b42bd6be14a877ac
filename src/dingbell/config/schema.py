"""What may stand in `dingbell.yaml`, and how problems are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from dingbell.config.document import Document, Problem, ProblemsError, read
from dingbell.domain.audience import Audience
from dingbell.domain.schedule import NAME_PATTERN, ScheduleSpec
from dingbell.domain.trigger import parse_zone
from dingbell.errors import InputError, Text
from dingbell.operations.apps import AppSpec

__all__ = ["Config", "OrgSpec", "load"]

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class OrgSpec(BaseModel):
    """What differs for an org."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people_per_minute: int | None = Field(default=None, ge=1)


class Config(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "Asia/Shanghai"
    orgs: dict[Name, OrgSpec] = {}
    apps: dict[Name, AppSpec] = {}
    audiences: dict[Name, Audience] = {}
    schedules: dict[Name, ScheduleSpec] = {}


def load(path: Path) -> Config:
    """Read and check a file.

    Raises:
        InputError: it cannot be read.
        ProblemsError: every problem of the file, each with line and column.
    """
    document = read(path)
    content = _with_zone(document.content)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise ProblemsError(
            document.file, [_problem(document, one) for one in error.errors(include_url=False)]
        ) from None
    if problems := _check_references(document, config):
        raise ProblemsError(document.file, problems)
    return config


def _with_zone(content: dict[str, Any]) -> dict[str, Any]:
    """Give the file's zone to the schedules that do not say their own."""
    zone, schedules = content.get("timezone"), content.get("schedules")
    if not isinstance(zone, str) or not isinstance(schedules, dict):
        return content
    return {
        **content,
        "schedules": {
            name: {"timezone": zone, **spec} if isinstance(spec, dict) else spec
            for name, spec in schedules.items()
        },
    }


def _check_references(document: Document, config: Config) -> list[Problem]:
    problems = []
    try:
        parse_zone(config.timezone)
    except InputError as error:
        problems.append(_at(document, ("timezone",), error.message))
    for name, audience in config.audiences.items():
        problems += _unknown_audiences(document, ("audiences", name), audience, config)
    for name, spec in config.schedules.items():
        problems += _unknown_audiences(document, ("schedules", name, "to"), spec.to, config)
        if spec.app is not None and config.apps and spec.app not in config.apps:
            message = Text("there is no app {name!r}", "没有应用 {name!r}").format(name=spec.app)
            problems.append(_at(document, ("schedules", name, "app"), message))
    return problems


def _unknown_audiences(
    document: Document, path: tuple[str, ...], audience: Audience, config: Config
) -> list[Problem]:
    message = Text("there is no audience {name!r}", "没有受众 {name!r}")
    unknown = sorted(audience.saved() - config.audiences.keys())
    problems = [_at(document, path, message.format(name=name)) for name in unknown]
    if path[0] == "audiences" and audience.saved() & config.audiences.keys():
        problems += _circular(document, path, config)
    return problems


def _circular(document: Document, path: tuple[str, ...], config: Config) -> list[Problem]:
    """Audiences may be built from one another, but not from themselves."""
    seen: set[str] = set()
    ahead = [path[1]]
    while ahead:
        for name in config.audiences[ahead.pop()].saved() & config.audiences.keys():
            if name == path[1]:
                message = Text("the audience contains itself", "受众包含了它自己")
                return [_at(document, path, message)]
            if name not in seen:
                seen.add(name)
                ahead.append(name)
    return []


def _at(document: Document, path: Sequence[str | int], message: Text) -> Problem:
    return Problem(*document.place(path), ".".join(map(str, path)), message)


def _problem(document: Document, error: ErrorDetails) -> Problem:
    path = tuple(part for part in error["loc"] if part != "[key]")
    return _at(document, path, _message(error))


_MESSAGES = {
    "missing": Text("is missing", "缺少此项"),
    "extra_forbidden": Text("is not known here", "此处没有这个设置"),
    "string_type": Text("must be text (in quotes)", "必须是文本 (加引号)"),
    "int_type": Text("must be a whole number", "必须是整数"),
    "int_parsing": Text("must be a whole number", "必须是整数"),
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
    "too_short": Text("must not be empty", "不能为空"),
}


def _message(error: ErrorDetails) -> Text:
    context = error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, InputError):
        return cause.message
    known = _MESSAGES.get(error["type"])
    if known is not None:
        return known.format(**context)
    return Text(error["msg"], error["msg"])
