"""Operations on apps: make them known, find the one that is meant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from dingbell.dingtalk import Credentials
from dingbell.domain.day_limit import OVER_LIMIT, PER_DAY, DayLimit, OverLimit, PerDay
from dingbell.domain.schedule import NAME_FOR_EDITORS
from dingbell.errors import InputError, NotFoundError, Text
from dingbell.intake import Identifier, Secret
from dingbell.meaning import Meaning, meanings
from dingbell.operations import keys
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View
from dingbell.settings import AgentId, Pace, Url
from dingbell.store import apps, tokens
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.validation import matching

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = [
    "AppSpec",
    "AppView",
    "chosen",
    "differs",
    "find",
    "introduce",
    "listed",
    "put",
    "store",
    "trial",
]

_ORG_FOR_EDITORS = NAME_FOR_EDITORS.replace("99", "63")
_ORG = Text(
    "is no name: use letters, digits, . _ - (at most 64); begin with a letter or digit",
    "不能作名称: 请用文字、数字、. _ - (至多 64 个), 并以文字或数字开头",
)


@meanings(
    agent_id=Meaning(Text("the app's AgentId", "应用的 AgentId"), "781348000", Text("id", "编号")),
    app_key=Meaning(Text("its AppKey (Client ID)", "应用的 AppKey (Client ID)"), "${HR_APP_KEY}"),
    app_secret=Meaning(
        Text(
            "its AppSecret (Client Secret): keep it in the environment or in .env",
            "应用的 AppSecret (Client Secret): 请放在环境变量或 .env 中",
        ),
        "${HR_APP_SECRET}",
    ),
    org=Meaning(
        Text(
            "the DingTalk organisation it belongs to; limits are counted per org",
            "所属的企业; 限额按企业计算",
        ),
        "acme",
    ),
    oapi_url=Meaning(
        Text("the address of another edition's API", "其他版本的接口地址"),
        "https://oapi.dingtalk.com",
    ),
    api_url=Meaning(
        Text(
            "the same for the new API; follows `oapi_url` unless written",
            "新版接口的地址; 省略则与 `oapi_url` 相同",
        ),
        "https://api.dingtalk.com",
    ),
    people_per_minute=Meaning(
        Text("its pace, where it differs from the settings", "发送节奏, 与全局设置不同时填写"),
        "3000",
        Text("people a minute", "人/分钟"),
    ),
    calls_per_second=Meaning(
        Text("its pace, where it differs from the settings", "调用节奏, 与全局设置不同时填写"),
        "10",
        Text("calls a second", "次/秒"),
    ),
    per_person_per_day=PER_DAY,
    over_limit=OVER_LIMIT,
)
class AppSpec(BaseModel):
    """An app as a person gives it.

    Attributes:
        agent_id: the app's AgentId.
        app_key: its AppKey (Client ID).
        app_secret: its AppSecret (Client Secret).
        org: the DingTalk organisation it belongs to; limits are counted per org.
        oapi_url: another edition's address.
        api_url: likewise for the new API.
        people_per_minute: its pace, where it differs.
        calls_per_second: likewise.
        per_person_per_day: how many of its notices a person gets on one Beijing day.
        over_limit: what becomes of whoever has had as many: `hold` or `skip`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent_id: AgentId
    app_key: Identifier = Field(min_length=1)
    app_secret: Secret = Field(min_length=1)
    org: Annotated[str, matching(r"[\w][\w.\-]{0,63}", _ORG, editors=_ORG_FOR_EDITORS)] = "default"
    oapi_url: Url | None = None
    api_url: Url | None = None
    people_per_minute: Pace | None = None
    calls_per_second: Pace | None = None
    per_person_per_day: PerDay | None = None
    over_limit: OverLimit | None = None

    @property
    def day_limit(self) -> DayLimit:
        """What it says of the notices a person gets on one day."""
        return DayLimit(per_person_per_day=self.per_person_per_day, over_limit=self.over_limit)


def _new(ops: Operations, name: str, spec: AppSpec) -> apps.NewApp:
    """An app as it is stored, but for its secret."""
    oapi_url = spec.oapi_url or ops.oapi_url
    api_url = spec.api_url or (ops.api_url if spec.oapi_url is None else spec.oapi_url)
    return apps.NewApp(
        name=name,
        org=spec.org,
        oapi_url=oapi_url.rstrip("/"),
        api_url=api_url.rstrip("/"),
        agent_id=spec.agent_id,
        app_key=spec.app_key,
        app_secret=b"",
        people_per_minute=spec.people_per_minute,
        calls_per_second=spec.calls_per_second,
        per_person_per_day=spec.per_person_per_day,
        over_limit=spec.over_limit,
    )


class AppView(View):
    """An app that is known, without its secret.

    Attributes:
        names: what it is known as; several names may mean one app.
        paused_until: until when it makes no calls, and why.
    """

    names: tuple[str, ...]
    org: str
    agent_id: int
    app_key: str
    oapi_url: str
    api_url: str
    people_per_minute: int | None
    calls_per_second: int | None
    per_person_per_day: int | None
    over_limit: str | None
    paused_until: Instant | None
    paused_reason: str | None


async def listed(ops: Operations) -> tuple[AppView, ...]:
    """Every app that has a name."""
    ops.may(Operation.APPS_SEE)
    async with acquire(ops.pool) as connection:
        known = await apps.all_apps(connection)
    fields = AppView.model_fields
    return tuple(
        AppView(**{name: getattr(app, name) for name in fields}) for app in known if app.names
    )


async def put(ops: Operations, name: str, spec: AppSpec) -> None:
    """Make an app known under a name; a repeat refreshes it."""
    ops.may(Operation.APPS_PUT)
    async with transaction(ops.pool) as connection:
        await store(ops, connection, name, spec)


async def store(ops: Operations, connection: Connection, name: str, spec: AppSpec) -> None:
    """Make an app known inside a transaction of the caller's; unchanged ones are not touched.

    Raises:
        InputError: the secrets of this database are locked with another key than ours.
    """
    ops.may(Operation.APPS_PUT)
    known = await apps.named(connection, name)
    if differs(ops, known, name, spec):
        await _store(ops, connection, name, spec)


async def _store(ops: Operations, connection: Connection, name: str, spec: AppSpec) -> None:
    await keys.bind(connection, ops.vault, ops.clock.now())
    new = _new(ops, name, spec)
    locked = ops.vault.lock(spec.app_secret.get_secret_value())
    await apps.put(connection, replace(new, app_secret=locked), ops.clock.now())
    # What another secret opened says nothing about this one.
    await tokens.forget(connection, new.oapi_url, new.app_key)


def trial(ops: Operations, spec: AppSpec) -> Client:
    """A client of an app as it is given, which need not be stored."""
    new = _new(ops, "", spec)
    return ops.clients.trial(
        Credentials(
            app_key=new.app_key,
            app_secret=spec.app_secret.get_secret_value(),
            agent_id=new.agent_id,
            oapi_url=new.oapi_url,
            api_url=new.api_url,
        )
    )


async def introduce(ops: Operations, connection: Connection) -> None:
    """Store the app that the environment gives, before something is done with it."""
    if ops.environment_app is not None and ops.default_app is not None:
        async with connection.transaction():
            known = await apps.named(connection, ops.default_app)
            if differs(ops, known, ops.default_app, ops.environment_app):
                await _store(ops, connection, ops.default_app, ops.environment_app)


def differs(ops: Operations, known: apps.App | None, name: str, spec: AppSpec) -> bool:
    """Whether an app is not known yet, or otherwise than it is given."""
    secret = spec.app_secret.get_secret_value()
    return (
        known is None
        or not _same(known, _new(ops, name, spec))
        or not ops.vault.holds(known.app_secret, secret)
    )


def _same(known: apps.App, new: apps.NewApp) -> bool:
    """Whether everything but the secret stands as it is given; an unset pace leaves the old one."""
    names = ("org", "oapi_url", "api_url", "agent_id", "app_key")
    paces = ("people_per_minute", "calls_per_second", "per_person_per_day", "over_limit")
    return all(getattr(known, name) == getattr(new, name) for name in names) and all(
        getattr(new, name) in (None, getattr(known, name)) for name in paces
    )


async def chosen(ops: Operations, name: str | None) -> apps.App:
    """The app of a name, or the only one; see `find`."""
    async with acquire(ops.pool) as connection:
        return await find(ops, connection, name)


async def find(ops: Operations, connection: Connection, name: str | None) -> apps.App:
    """The app of a name; without a name, the only one or the one the environment gives.

    Raises:
        NotFoundError: there is no such app.
        InputError: no name was given and there are none, or several.
    """
    if name in (None, ops.default_app):
        await introduce(ops, connection)
    if name is not None:
        app = await apps.named(connection, name)
        if app is None:
            raise NotFoundError(_unknown(name, await apps.all_apps(connection)))
        return app
    known = [app for app in await apps.all_apps(connection) if app.names]
    if len(known) == 1:
        return known[0]
    if ops.default_app is not None:
        app = await apps.named(connection, ops.default_app)
        if app is not None:
            return app
    raise InputError(_which(known))


def _unknown(name: str, known: list[apps.App]) -> Text:
    return Text(
        "there is no app {name!r} (known: {known})", "没有应用 {name!r} (已有: {known})"
    ).format(name=name, known=_names(known))


def _which(known: list[apps.App]) -> Text:
    if not known:
        return Text(
            "no app is known: set DINGBELL_APP_KEY, DINGBELL_APP_SECRET and DINGBELL_AGENT_ID, or "
            "apply a dingbell.yaml with apps",
            "还没有应用: 请设置 DINGBELL_APP_KEY、DINGBELL_APP_SECRET、DINGBELL_AGENT_ID, 或 apply "
            "含有 apps 的 dingbell.yaml",
        )
    return Text(
        "several apps are known ({known}): say which with --app or app:",
        "有多个应用 ({known}): 请用 --app 或 app: 指明",
    ).format(known=_names(known))


def _names(known: list[apps.App]) -> str:
    return ", ".join(name for app in known for name in app.names) or "-"
