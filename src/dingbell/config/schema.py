"""What may stand in `dingbell.yaml`, and how problems are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PrivateAttr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from dingbell.config import rows
from dingbell.config.document import Document, Problem, ProblemsError, read
from dingbell.config.rows import RowsFile
from dingbell.domain.alerting import Alerting
from dingbell.domain.audience import Audience
from dingbell.domain.quiet import QuietHours
from dingbell.domain.schedule import ScheduleName, ScheduleSpec
from dingbell.domain.templates import TemplateError
from dingbell.domain.triggers import parse_zone
from dingbell.domain.zones import DEFAULT, ServiceZone
from dingbell.errors import InputError, Text
from dingbell.operations.apps import AppSpec
from dingbell.operations.orgs import OrgSpec
from dingbell.store import rules
from dingbell.validation import faults, told

__all__ = ["Config", "OrgSpec", "load", "load_placed"]

Name = ScheduleName


def _known_zone(name: str) -> str:
    parse_zone(name)
    return name


class Config(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: Annotated[str, AfterValidator(_known_zone)] = DEFAULT
    orgs: dict[Name, OrgSpec] = {}
    apps: dict[Name, AppSpec] = {}
    audiences: dict[Name, Audience] = {}
    schedules: dict[Name, ScheduleSpec] = {}
    deny: Audience | None = None
    quiet_hours: QuietHours | None = None
    alerts: Alerting | None = None
    # The data files that its schedules name, as they were read.
    _rows: dict[str, RowsFile] = PrivateAttr(default_factory=dict)

    @property
    def rows(self) -> dict[str, RowsFile]:
        """The data files that its schedules name, by name."""
        return self._rows

    def rules(self) -> dict[str, dict[str, Any]]:
        """What holds for everything, by name, in the form it is stored in."""
        found = {
            rules.DENY: self.deny,
            rules.QUIET_HOURS: self.quiet_hours,
            rules.ALERTS: self.alerts,
            rules.TIMEZONE: ServiceZone(name=self.timezone) if self.timezone != DEFAULT else None,
        }
        return {
            name: rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            for name, rule in found.items()
            if rule is not None
        }


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a file; `${NAME}` comes from the environment, this process's unless given.

    Raises:
        InputError: it cannot be read.
        ProblemsError: every problem of the file, each with line and column.
    """
    return load_placed(path, environment)[0]


def load_placed(
    path: Path, environment: Mapping[str, str] | None = None
) -> tuple[Config, Document]:
    """Read and check a file as `load` does, and keep where everything in it stands."""
    document = read(path, environment)
    content = _with_zone(
        {name: part for name, part in document.content.items() if part is not None}
    )
    problems: list[Problem] = []
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        errors = faults(error)
        problems += [_problem(document, one) for one in errors]
        config = Config.model_validate(_without(content, [one["loc"] for one in errors]))
    problems += _check_references(document, config)
    files, wrong = rows.read(document, config.schedules)
    config.rows.update(files)
    problems += wrong
    if problems:
        raise ProblemsError(document.file, problems)
    return config, document


_NAMED = ("orgs", "apps", "audiences", "schedules")


def _without(content: dict[str, Any], places: Iterable[Sequence[str | int]]) -> dict[str, Any]:
    """The entries that have no problem, so that their references can be checked."""
    # A rule for everything has no entries: it is left out whole.
    broken = {place[:2] if place[0] in _NAMED else place[:1] for place in places}
    return {
        section: {name: entry for name, entry in part.items() if (section, name) not in broken}
        if isinstance(part, dict)
        else part
        for section, part in content.items()
        if (section,) not in broken
    }


def _with_zone(content: dict[str, Any]) -> dict[str, Any]:
    """Give the file's zone to the schedules that do not say their own."""
    zone, schedules = content.get("timezone"), content.get("schedules")
    if not _is_zone(zone) or not isinstance(schedules, dict):
        return content
    return {
        **content,
        "schedules": {
            name: {"timezone": zone, **spec} if isinstance(spec, dict) else spec
            for name, spec in schedules.items()
        },
    }


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(parse_zone(name))
    except InputError:
        return False


def _names(document: Document, section: str) -> set[str]:
    """What a section defines, sound or not."""
    part = document.content.get(section)
    return set(part) if isinstance(part, dict) else set()


def _check_references(document: Document, config: Config) -> list[Problem]:
    problems = []
    apps = _names(document, "apps")
    for name, audience in config.audiences.items():
        problems += _unknown_audiences(document, ("audiences", name), audience, config)
    if config.deny is not None:
        problems += _unknown_audiences(document, ("deny",), config.deny, config)
    for name, spec in config.schedules.items():
        problems += _unknown_audiences(document, ("schedules", name, "to"), spec.to, config)
        if spec.app is not None and apps and spec.app not in apps:
            message = Text("there is no app {name!r}", "没有应用 {name!r}").format(name=spec.app)
            problems.append(_at(document, ("schedules", name, "app"), message))
    return problems


def _unknown_audiences(
    document: Document, path: tuple[str, ...], audience: Audience, config: Config
) -> list[Problem]:
    message = Text("there is no audience {name!r}", "没有受众 {name!r}")
    unknown = sorted(audience.saved() - _names(document, "audiences"))
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
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, TemplateError):
        place = document.place_in_text((*path, *cause.field), cause.line or 1)
        return Problem(*place, ".".join(map(str, path)), cause.message)
    return _at(document, path, told(error))
