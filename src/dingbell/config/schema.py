"""What may stand in `dingbell.yaml`, and how problems are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PrivateAttr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from dingbell.config import rows
from dingbell.config.attaching import attached
from dingbell.config.document import Document, Problem, ProblemsError, read
from dingbell.config.rows import RowsFile
from dingbell.domain.alerting import Alerting
from dingbell.domain.audience import Audience
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.day_limit import OVER_LIMIT, PER_DAY, DayLimit, OverLimit, PerDay
from dingbell.domain.media import MediaFile
from dingbell.domain.message import Roster
from dingbell.domain.quiet import QuietHours
from dingbell.domain.schedule import ScheduleName, ScheduleSpec
from dingbell.domain.templates import TemplateError
from dingbell.domain.triggers import RuleError, parse_zone
from dingbell.domain.zones import DEFAULT, ServiceZone
from dingbell.errors import InputError, Text
from dingbell.meaning import Meaning, meanings
from dingbell.operations.apps import AppSpec
from dingbell.operations.orgs import OrgSpec
from dingbell.planning.audiences import DENY_IS_FIXED
from dingbell.store import rules
from dingbell.validation import faults, told

__all__ = ["FREE", "Config", "OrgSpec", "load", "load_placed"]

# Keys at the top that begin so may hold anything, for anchors of YAML.
FREE = "x-"

Name = ScheduleName


def _known_zone(name: str) -> str:
    parse_zone(name)
    return name


@meanings(
    timezone=Meaning(
        Text(
            "zone of schedules without their own, of sends by hand, and of what is shown",
            "日程 (未另写者)、手动发送和显示所用的时区",
        ),
        "Asia/Shanghai",
    ),
    orgs=Meaning(
        Text("organisations whose limits differ, by name", "限额不同的企业, 按名称"),
        "{default: {monthly_calls: 5000}}",
    ),
    apps=Meaning(
        Text("DingTalk apps, by a name of your own", "钉钉应用, 名称自取"),
        "{hr: {agent_id: 781348000, app_key: ding123, app_secret: '${HR_APP_SECRET}'}}",
    ),
    calendars=Meaning(
        Text("calendars of the company's own, by name", "公司自己的日历, 按名称"),
        '{factory: {off: ["2026-12-24..2026-12-26"], work: ["2026-12-27"]}}',
    ),
    audiences=Meaning(
        Text("saved audiences, by name", "保存的受众, 按名称"), "{hangzhou: {departments: [2]}}"
    ),
    templates=Meaning(
        Text("messages that schedules and sends use by name", "供计划和发送按名称使用的消息"),
        '{payslip: {markdown: {title: "工资条", text: "{{ person.name }}, 请查收"}}}',
    ),
    schedules=Meaning(
        Text("what is sent to whom, when; by name", "何时给谁发什么, 按名称"),
        '{off-work: {when: {daily: "16:00"}, to: {users: [manager4220]}, message: "下午好!"}}',
    ),
    deny=Meaning(
        Text("who is never sent to: an audience", "永远不发的人: 受众"), "{users: [chairman1]}"
    ),
    quiet_hours=Meaning(Text("when nobody is rung", "安静时段"), '{from: "22:00", to: "07:30"}'),
    per_person_per_day=PER_DAY,
    over_limit=OVER_LIMIT,
    alerts=Meaning(
        Text("where alerts go beside log and metrics", "告警除日志和指标外还发往何处"),
        "{notify: {users: [manager4220]}}",
    ),
)
class Config(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: Annotated[str, AfterValidator(_known_zone)] = DEFAULT
    orgs: dict[Name, OrgSpec] = {}
    apps: dict[Name, AppSpec] = {}
    calendars: dict[Name, CalendarSpec] = {}
    audiences: dict[Name, Audience] = {}
    templates: dict[Name, Roster] = {}
    schedules: dict[Name, ScheduleSpec] = {}
    deny: Audience | None = None
    quiet_hours: QuietHours | None = None
    per_person_per_day: PerDay | None = None
    over_limit: OverLimit | None = None
    alerts: Alerting | None = None
    _files: tuple[MediaFile, ...] = PrivateAttr(())

    @property
    def files(self) -> tuple[MediaFile, ...]:
        """The content of the files that its messages name."""
        return self._files

    @property
    def day_limit(self) -> DayLimit | None:
        """How many notices a person gets on one day, where the file says something of it."""
        if self.per_person_per_day is None and self.over_limit is None:
            return None
        return DayLimit(per_person_per_day=self.per_person_per_day, over_limit=self.over_limit)

    # The data files that its schedules name, as they were read.
    _rows: dict[str, RowsFile] = PrivateAttr(default_factory=dict)

    @property
    def rows(self) -> dict[str, RowsFile]:
        """The data files that its schedules name, by name."""
        return self._rows

    def rules(self) -> dict[str, dict[str, Any]]:
        """What holds for everything, by name, in the form it is stored in."""
        found = {
            rules.DAY_LIMIT: self.day_limit,
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
        {
            name: part
            for name, part in document.content.items()
            if part is not None and not name.startswith(FREE)
        }
    )
    read_files = attached(document, content)
    content, problems = read_files.content, list(read_files.problems)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        errors = faults(error)
        problems += [_problem(document, one) for one in _untold(errors, problems)]
        config = Config.model_validate(_without(content, [one["loc"] for one in errors]))
    problems += _check_references(document, config)
    files, wrong = rows.read(document, config.schedules)
    config.rows.update(files)
    problems += wrong
    if problems:
        raise ProblemsError(document.file, problems)
    config._files = read_files.files  # noqa: SLF001  a model takes no files when it is made
    return config, document


def _untold(errors: Sequence[ErrorDetails], problems: Sequence[Problem]) -> Sequence[ErrorDetails]:
    """Those that have not been told already: a path that does not work is no media id either."""
    told_of = {problem.path for problem in problems}
    return [one for one in errors if ".".join(map(str, one["loc"])) not in told_of]


# Sections whose entries have names.
_NAMED = tuple(
    n for n, field in Config.model_fields.items() if get_origin(field.annotation) is dict
)


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
    for path, audience in _audiences(config):
        problems += _unknown_audiences(document, path, audience, config)
    for path, app in _apps(config):
        if app is not None and apps and app not in apps:
            message = Text("there is no app {name!r}", "没有应用 {name!r}").format(name=app)
            problems.append(_at(document, path, message))
    if config.deny is not None:
        problems += _changing(document, ("deny",), config.deny, config)
    for name, spec in config.schedules.items():
        if spec.function is not None:
            problems.append(_at(document, ("schedules", name, "function"), _ONLY_PYTHON))
    return problems + _contradictions(document, config)


_ONLY_PYTHON = Text(
    "belongs to schedules that a Python program registers: write a message",
    "只用于 Python 程序注册的日程: 请写 message",
)


def _audiences(config: Config) -> Iterator[tuple[tuple[str, ...], Audience]]:
    """Every audience that may name saved ones, with its place."""
    for name, audience in config.audiences.items():
        yield ("audiences", name), audience
    if config.deny is not None:
        yield ("deny",), config.deny
    if config.alerts is not None and config.alerts.notify is not None:
        yield ("alerts", "notify"), config.alerts.notify
    for name, spec in config.schedules.items():
        yield ("schedules", name, "to"), spec.to
        escalate = spec.follow_up.escalate if spec.follow_up else None
        if escalate is not None and isinstance(escalate.to, Audience):
            yield ("schedules", name, "follow_up", "escalate", "to"), escalate.to


def _apps(config: Config) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Every name of an app, with its place."""
    if config.alerts is not None:
        yield ("alerts", "app"), config.alerts.app
    for name, spec in config.schedules.items():
        yield ("schedules", name, "app"), spec.app


def _contradictions(document: Document, config: Config) -> list[Problem]:
    """Two names of one app that say different things: each apply would undo half of the other."""
    problems = []
    first: dict[tuple[int, str | None], str] = {}
    for name, app in config.apps.items():
        other = first.setdefault((app.agent_id, app.oapi_url), name)
        if config.apps[other] != app:
            message = _ONE_APP.format(other=other, agent_id=app.agent_id)
            problems.append(_at(document, ("apps", name), message))
    return problems


_ONE_APP = Text(
    "is the same app as {other!r} (agent_id {agent_id}) and says something else: write the same in "
    "both, or leave one out",
    "与 {other!r} 是同一个应用 (agent_id {agent_id}), 内容却不同: 请写成相同, 或删去其一",
)


def _unknown_audiences(
    document: Document, path: tuple[str, ...], audience: Audience, config: Config
) -> list[Problem]:
    message = Text("there is no audience {name!r}", "没有受众 {name!r}")
    unknown = sorted(audience.saved() - _names(document, "audiences"))
    problems = [_at(document, path, message.format(name=name)) for name in unknown]
    if path[0] == "audiences" and audience.saved() & config.audiences.keys():
        problems += _circular(document, path, config)
    return problems


def _changing(
    document: Document, path: tuple[str, ...], deny: Audience, config: Config
) -> list[Problem]:
    """The deny-list means the same on every day, through saved audiences, too."""
    seen: set[str] = set()
    ahead = [deny]
    while ahead:
        one = ahead.pop()
        if one.addresses() or one.depends_on_day():
            return [_at(document, path, DENY_IS_FIXED)]
        new = (one.saved() & config.audiences.keys()) - seen
        seen |= new
        ahead += [config.audiences[name] for name in new]
    return []


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
    if isinstance(cause, RuleError):
        # What stands right below `when` is told of there.
        place = document.place((*path, *cause.field) if len(cause.field) > 1 else path)
        return Problem(*place, ".".join(map(str, path)), told(error))
    if isinstance(cause, TemplateError):
        place = document.place_in_text((*path, *cause.field), cause.line or 1)
        return Problem(*place, ".".join(map(str, path)), cause.message)
    return _at(document, path, told(error))
