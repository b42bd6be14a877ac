"""Doctor: everything that has to be right before a notice can arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dingbell.dingtalk import errors
from dingbell.errors import DingBellError, Text
from dingbell.operations.desk import Desk
from dingbell.store import alerts, apps, audit, directory, nodes, spending
from dingbell.store.apps import App
from dingbell.store.connection import acquire, transaction

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

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


async def examine(desk: Desk) -> list[Check]:
    """Look at everything; a failed check does not stop the others."""
    checks = [await _database(desk), await _nodes(desk), await _ledger(desk), await _alerts(desk)]
    async with acquire(desk.pool) as connection:
        known = await apps.all_apps(connection)
    if not any(app.names for app in known):
        checks.append(Check("apps", "warn", Text("no app is known yet", "还没有应用")))
    named = [app for app in known if app.names]
    for app in named:
        checks += [await _credentials(desk, app), _pause(desk, app)]
    for app in {app.org: app for app in named}.values():
        checks.append(await _directory(desk, app))
    return checks


async def _database(desk: Desk) -> Check:
    async with acquire(desk.pool) as connection:
        version = await connection.fetchval("show server_version")
        theirs = await connection.fetchval("select clock_timestamp()")
    skew = abs(theirs - desk.clock.now())
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


async def _nodes(desk: Desk) -> Check:
    async with acquire(desk.pool) as connection:
        found = [one for one in await nodes.listed(connection) if one["alive"]]
    if not found:
        return Check(
            "nodes",
            "warn",
            Text(
                "no node is alive: nothing fires until `dingbell serve` runs",
                "没有运行中的节点: 运行 `dingbell serve` 后才会触发",
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


async def _ledger(desk: Desk) -> Check:
    async with acquire(desk.pool) as connection:
        found = await audit.discrepancies(connection, desk.clock.now() - _AUDITED)
    if found:
        return Check(
            "ledger",
            "fail",
            Text("does not add up: {laws}", "账目不符: {laws}").format(
                laws="; ".join(f"{law} ({', '.join(map(str, ids))})" for law, ids in found.items())
            ),
        )
    return Check("ledger", "ok", Text("adds up", "账目相符"))


async def _alerts(desk: Desk) -> Check:
    async with acquire(desk.pool) as connection:
        open_ = await alerts.listed(connection, limit=20, only_open=True)
    if open_:
        kinds = ", ".join(sorted({one["kind"] for one in open_}))
        said = Text(
            "{n} open ({kinds}): dingbell alerts", "{n} 个未结束 ({kinds}): dingbell alerts"
        )
        return Check("alerts", "warn", said.format(n=len(open_), kinds=kinds))
    return Check("alerts", "ok", Text("none", "无"))


async def _credentials(desk: Desk, app: App) -> Check:
    name = f"app {'/'.join(app.names)}"
    try:
        client = await desk.clients.of(app.id)
        scopes = await client.scopes()
        wrong = await _wrong_agent(desk, app, client)
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
        ).format(agent=app.agent_id, departments=len(scopes.dept_ids), people=len(scopes.userids)),
    )


async def _wrong_agent(desk: Desk, app: App, client: Client) -> Text | None:
    """What is wrong with the agent id of an app; None where nothing is, or where nobody says.

    Only the status bar's answer tells an agent id that is wrong from a task that is not there
    (status bar page, read 2026-08). It is asked of no notice: nothing changes.
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
            ).format(agent=app.agent_id, en=error.en, zh=error.zh)
    finally:
        async with transaction(desk.pool) as connection:
            spent = (app.org, spending.STATUS_BAR, 0)
            await spending.add(connection, [spent], desk.clock.now())
    return None


async def _directory(desk: Desk, app: App) -> Check:
    name = f"directory {app.org}"
    async with acquire(desk.pool) as connection:
        last = await directory.last_sync(connection, app.org)
    if last is None:
        return Check(
            name,
            "warn",
            Text(
                "never read: run `dingbell directory sync`",
                "从未同步: 请运行 `dingbell directory sync`",
            ),
        )
    age = desk.clock.now() - last.synced_at
    return Check(
        name,
        "warn" if age > _OLD_DIRECTORY else "ok",
        Text(
            "{people} people, read {minutes:.0f} min ago", "{people} 人, {minutes:.0f} 分钟前同步"
        ).format(people=last.people, minutes=age.total_seconds() / 60),
    )


def _pause(desk: Desk, app: App) -> Check:
    name = f"calls {'/'.join(app.names)}"
    if app.paused_until is None or app.paused_until <= desk.clock.now():
        return Check(name, "ok", Text("not paused", "未暂停"))
    return Check(
        name,
        "fail",
        Text("paused until {until} (code {code})", "暂停至 {until} (代码 {code})").format(
            until=app.paused_until.isoformat(), code=app.paused_reason
        ),
    )
