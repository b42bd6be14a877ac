"""Doctor: everything that has to be right before a notice can arrive."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

from dingbell.dingtalk import Client, errors
from dingbell.domain.calendar.calendars import CN
from dingbell.errors import DingBellError, InputError, Text
from dingbell.operations import apps as app_operations
from dingbell.operations import keys, unpublished
from dingbell.operations.actor import Operation
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.store import apps, calendars, directory, fitness, nodes, schedules
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire
from dingbell.store.ledger import alerts, audit, calls

__all__ = ["Check", "examine"]

_OLD_DIRECTORY = timedelta(days=1)
_SKEW = timedelta(seconds=2)
_AUDITED = timedelta(days=2)
# DingTalk's ids of tasks have twelve digits.
_NO_TASK = 1
_AGENT_CODES = frozenset({"40056", "41011", "52019", "70003", "70004"})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `ok`, `warn` or `fail`."""

    name: str
    status: str
    detail: Text


async def examine(ops: Operations) -> list[Check]:
    """Look at everything; a failed check does not stop the others, but for the database's."""
    ops.may(Operation.DOCTOR)
    if (database := await _database(ops)).status == "fail":
        return [database]
    checks = [database, await _nodes(ops), await _ledger(ops), await _alerts(ops)]
    checks += await _functions(ops)
    checks.append(await _calendars(ops))
    async with acquire(ops.pool) as connection:
        checks.append(await _key(ops, connection))
        named = [app for app in await apps.all_apps(connection) if app.names]
    checks += await _apps(ops, named)
    given = ops.environment_app
    for org in sorted({app.org for app in named} | ({given.org} if given else set())):
        checks.append(await _directory(ops, org))
    return checks


async def _key(ops: Operations, connection: Connection) -> Check:
    """Whether the secrets of the database are locked with our key."""
    try:
        bound = await keys.check(connection, ops.vault)
    except InputError as error:
        return Check("secret key", "fail", error.message)
    ours = ops.vault.fingerprint
    if ours is None:
        none = Text("none here: {origin} is not there", "此处没有密钥: {origin} 不存在")
        return Check("secret key", "warn" if bound else "ok", none.format(origin=ops.vault.origin))
    said = Text("{key}…, from {origin}", "{key}…, 来自 {origin}")
    return Check("secret key", "ok", said.format(key=keys.short(ours), origin=ops.vault.origin))


async def _apps(ops: Operations, known: list[App]) -> list[Check]:
    """The credentials and pauses of all apps, that of the environment first."""
    given, checks = ops.environment_app, []
    if given is not None and ops.default_app is not None:
        stored = next((app for app in known if ops.default_app in app.names), None)
        if app_operations.differs(ops, stored, ops.default_app, given):
            # What is not stored is tried as it is given, and not stored by looking at it.
            checks.append(await _examined(f"app {ops.default_app}", _trial(ops, given), prove=True))
            known = [app for app in known if app != stored]
    elif not known:
        checks.append(Check("apps", "warn", Text("no app is known yet", "还没有应用")))
    for app in known:
        name = f"app {'/'.join(app.names)}"
        prove = not await _proven(ops, app)
        checks += [await _examined(name, ops.clients.of(app.id), prove=prove), _pause(ops, app)]
    return checks


async def _proven(ops: Operations, app: App) -> bool:
    """Whether DingTalk has taken a notice with this agent id since the app was changed."""
    async with acquire(ops.pool) as connection:
        return await calls.accepted_since(connection, app.id, app.org, app.updated_at)


async def _trial(ops: Operations, given: AppSpec) -> Client:
    return app_operations.trial(ops, given)


async def _database(ops: Operations) -> Check:
    async with acquire(ops.pool) as connection:
        if lacks := await fitness.lacks(connection):
            return Check("database", "fail", lacks[0])
        version, theirs = await fitness.server(connection)
    skew = abs(theirs - ops.clock.now())
    if skew > _SKEW:
        return Check(
            "database",
            "warn",
            Text(
                "PostgreSQL {version}; its clock differs from this host's by {seconds:.1f} s",
                "PostgreSQL {version}; 时钟与本机相差 {seconds:.1f} 秒",
            ).format(version=version, seconds=skew.total_seconds()),
        )
    return Check("database", "ok", Text("PostgreSQL {v}", "PostgreSQL {v}").format(v=version))


async def _nodes(ops: Operations) -> Check:
    async with acquire(ops.pool) as connection:
        found = [one for one in await nodes.listed(connection) if one["alive"]]
    if not found:
        return Check(
            "nodes",
            "warn",
            Text(
                "no node is alive: nothing fires until `dingbell serve` runs",
                "没有运行中的节点: 运行 `dingbell serve` 后才会发送",
            ),
        )
    skewed = [one["name"] for one in found if abs(one["clock_offset"]) > _SKEW.total_seconds()]
    if skewed:
        return Check(
            "nodes",
            "warn",
            Text(
                "{n} alive; the clock of {names} is wrong and is corrected by the database's",
                "{n} 个运行中; {names} 的时钟不准, 已按数据库校正",
            ).format(n=len(found), names=", ".join(skewed)),
        )
    return Check("nodes", "ok", Text("{n} alive", "{n} 个运行中").format(n=len(found)))


async def _functions(ops: Operations) -> list[Check]:
    """Whether somebody can call the functions of Python schedules; nothing where there are none."""
    async with acquire(ops.pool) as connection:
        found = await schedules.all_schedules(connection)
    ours = [one for one in found if one.function is not None and one.state == "active"]
    orphaned = [one.name for one in ours if one.orphaned]
    away = sorted({one.program or one.name for one in ours if not (one.attended or one.orphaned)})
    said = []
    if orphaned:
        said.append(
            Text(
                "orphaned, their programs have no function for them any more: {names}. Put it "
                "back, or `dingbell schedules delete`",
                "已成孤立, 其程序中不再有对应的函数: {names}。请恢复函数, 或 "
                "`dingbell schedules delete`",
            ).format(names=", ".join(orphaned))
        )
    if away:
        said.append(
            Text(
                "not running, so that their schedules do not fire: {programs}",
                "以下程序没有运行, 其日程不会发送: {programs}",
            ).format(programs=", ".join(away))
        )
    if said:
        text = Text("; ".join(said), "; ".join(one.zh for one in said))
        return [Check("functions", "warn", text)]
    told = Text("{n} known to their programs", "{n} 个均有程序可调用").format(n=len(ours))
    return [Check("functions", "ok", told)] if ours else []


async def _calendars(ops: Operations) -> Check:
    """Whether the statutory calendar knows the years that schedules will soon ask for."""
    async with acquire(ops.pool) as connection:
        known = (await calendars.known(connection)).named(CN)
        found = await schedules.all_schedules(connection)
    now = ops.clock.now()
    told = unpublished.warnings(found, now)
    if told:
        said = Text(
            "{names}: {words}. `dingbell calendar import FILE|URL`",
            "{names}: {words}。`dingbell calendar import 文件|网址`",
        ).format(names=", ".join(sorted(told)), words=next(iter(told.values())))
        return Check("calendar", "warn", said)
    if years := unpublished.missing(known, now):
        said = Text(
            "{year} has not been published yet; no schedule asks for it",
            "{year} 年尚未公布; 没有日程用到",
        ).format(year=years[0])
        return Check("calendar", "ok", said)
    last = max(known.years or [0])
    return Check("calendar", "ok", Text("known to {year}", "已知至 {year} 年").format(year=last))


async def _ledger(ops: Operations) -> Check:
    async with acquire(ops.pool) as connection:
        found = await audit.discrepancies(connection, ops.clock.now() - _AUDITED)
    if found:
        return Check(
            "ledger",
            "fail",
            Text("does not add up: {laws}", "账目不符: {laws}").format(
                laws="; ".join(f"{law} ({', '.join(map(str, ids))})" for law, ids in found.items())
            ),
        )
    return Check("ledger", "ok", Text("adds up", "账目相符"))


async def _alerts(ops: Operations) -> Check:
    async with acquire(ops.pool) as connection:
        open_ = await alerts.listed(connection, limit=20, only_open=True)
    if open_:
        kinds = ", ".join(sorted({one.alarm.kind.value for one in open_}))
        said = Text(
            "{n} open ({kinds}): dingbell alerts", "{n} 个未结束 ({kinds}): dingbell alerts"
        )
        return Check("alerts", "warn", said.format(n=len(open_), kinds=kinds))
    return Check("alerts", "ok", Text("none", "无"))


async def _examined(name: str, opened: Awaitable[Client], *, prove: bool) -> Check:
    """Whether an app gets a token, may read the address book, and has the agent id it says.

    Args:
        name: of the check.
        opened: its client.
        prove: spend a call on the agent id, which nothing has proven yet.
    """
    try:
        client = await opened
        scopes = await client.scopes()
        wrong = await _wrong_agent(client) if prove else None
    except errors.DingTalkError as error:
        return Check(name, "fail", Text(error.en, error.zh))
    except DingBellError as error:
        return Check(name, "fail", error.message)
    if wrong is not None:
        return Check(name, "fail", wrong)
    return Check(
        name,
        "ok",
        Text(
            "agent {agent}: may see {departments} departments and {people} single people",
            "agent {agent}: 可见 {departments} 个部门和 {people} 个单独人员",
        ).format(
            agent=client.credentials.agent_id,
            departments=len(scopes.dept_ids),
            people=len(scopes.userids),
        ),
    )


async def _wrong_agent(client: Client) -> Text | None:
    """What is wrong with the agent id of an app; None where nothing is, or where nobody says.

    Only the status bar's answer tells an agent id that is wrong from a task that is not there
    (status bar page, read 2026-08). It is asked of no notice: nothing changes, and one call of the
    month is spent, which is not counted because looking writes nothing.
    """
    try:
        await client.update_status_bar(_NO_TASK, "-")
    except errors.DingTalkError as error:
        if error.code in _AGENT_CODES:
            return Text(
                "agent {agent} is not this app's: {en}. Compare DINGBELL_AGENT_ID or agent_id with "
                "the developer console",
                "agent {agent} 不是此应用的: {zh}。请与开发者后台核对 DINGBELL_AGENT_ID 或 "
                "agent_id",
            ).format(agent=client.credentials.agent_id, en=error.en, zh=error.zh)
    return None


async def _directory(ops: Operations, org: str) -> Check:
    name = f"directory {org}"
    async with acquire(ops.pool) as connection:
        last = await directory.last_sync(connection, org)
    if last is None:
        return Check(
            name,
            "warn",
            Text(
                "never read: run `dingbell directory sync`",
                "从未同步: 请运行 `dingbell directory sync`",
            ),
        )
    age = ops.clock.now() - last.synced_at
    return Check(
        name,
        "warn" if age > _OLD_DIRECTORY else "ok",
        Text(
            "{people} people, read {minutes:.0f} min ago", "{people} 人, {minutes:.0f} 分钟前同步"
        ).format(people=last.people, minutes=age.total_seconds() / 60),
    )


def _pause(ops: Operations, app: App) -> Check:
    name = f"calls {'/'.join(app.names)}"
    if app.paused_until is None or app.paused_until <= ops.clock.now():
        return Check(name, "ok", Text("not paused", "未暂停"))
    return Check(
        name,
        "fail",
        Text("paused until {until} (code {code})", "暂停至 {until} (代码 {code})").format(
            until=app.paused_until.isoformat(), code=app.paused_reason
        ),
    )
