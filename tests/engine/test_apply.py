"""Apply: all that a file says is in force, or nothing of it."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from dingbell.bootstrap import Database, open_desk
from dingbell.config.apply import apply, plan
from dingbell.config.schema import Config
from dingbell.errors import DingBellError, PermissionDenied
from dingbell.operations import accounts, apps, audiences, orgs, rules, schedules
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox
from dingbell.settings import Settings
from dingbell.store.connection import acquire

from .given import as_account


@pytest.fixture
def whole(sandbox: Sandbox) -> dict[str, Any]:
    """A file that names one of every kind; its schedule needs the directory of a new app."""
    return {
        "orgs": {"acme": {"people_per_minute": 3000}},
        "apps": {
            "hr": {
                "agent_id": sandbox.agent_id,
                "app_key": sandbox.app_key,
                "app_secret": sandbox.app_secret,
                "org": "acme",
            }
        },
        "audiences": {"all": {"departments": [1]}},
        "deny": {"users": ["manager7675"]},
        "quiet_hours": {"from": "22:00", "to": "07:00"},
        "schedules": {"s": _schedule("one", {"audience": "all"})},
    }


def _schedule(text: str, to: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"when": {"daily": "16:00"}, "to": to, "message": {"text": text}, "app": "hr", **more}


async def in_force(desk: Operations) -> dict[str, list[Any]]:
    """All that a file can say, as it stands."""
    return {
        "orgs": [one.to_json() for one in await orgs.listed(desk) if one.name != "default"],
        "apps": [one.to_json() for one in await apps.listed(desk) if one.org != "default"],
        "audiences": [one.to_json() for one in await audiences.listed(desk)],
        "rules": [one.to_json() for one in await rules.listed(desk)],
        "schedules": [one.to_json() for one in await schedules.listed(desk)],
    }


BAD = {
    "nobody knows the department": _schedule("bad", {"departments": [999_999]}),
    "its instant has passed": _schedule(
        "bad", {"users": ["manager4220"]}, when={"once": "2020-01-01 10:00"}
    ),
    "the template works for nobody": _schedule("{{ 1 / 0 }}", {"users": ["manager4220"]}),
    "the app is not there": {**_schedule("bad", {"users": ["manager4220"]}), "app": "ghost"},
}


@pytest.mark.parametrize("bad", BAD)
async def test_one_bad_schedule_leaves_nothing_in_force(
    desk: Operations, whole: dict[str, Any], bad: str
) -> None:
    before = await in_force(desk)
    broken = {**whole, "schedules": {**whole["schedules"], "t": BAD[bad]}}
    with pytest.raises(DingBellError) as refused:
        await apply(desk, Config.model_validate(broken))
    assert str(refused.value).startswith("schedules.t")
    assert await in_force(desk) == before


async def test_a_change_that_fails_leaves_the_old_in_force(
    desk: Operations, whole: dict[str, Any]
) -> None:
    await apply(desk, Config.model_validate(whole))
    before = await in_force(desk)
    assert [len(part) for part in before.values()] == [1, 1, 1, 2, 1]
    worse = {
        **whole,
        "orgs": {"acme": {"people_per_minute": 100}},
        "audiences": {"other": {"users": ["manager4220"]}},
        "deny": {"users": ["manager4220"]},
        "schedules": {
            "s": _schedule("changed", {"users": ["manager7675"]}),
            "t": BAD["nobody knows the department"],
        },
    }
    with pytest.raises(DingBellError):
        await apply(desk, Config.model_validate(worse), prune=True)
    assert await in_force(desk) == before


async def test_a_file_is_applied_whole_and_a_repeat_changes_nothing(
    desk: Operations, whole: dict[str, Any]
) -> None:
    config = Config.model_validate(whole)
    first = await apply(desk, config)
    assert [(c.action, c.kind) for c in first] == [
        ("create", "org"),
        ("create", "app"),
        ("create", "audience"),
        ("create", "rule"),
        ("create", "rule"),
        ("create", "schedule"),
    ]
    assert await plan(desk, config, prune=True) == []
    empty = Config.model_validate({**whole, "schedules": {}, "audiences": {}, "deny": None})
    gone = await apply(desk, empty, prune=True)
    assert {(c.action, c.kind) for c in gone} == {
        ("delete", "audience"),
        ("delete", "rule"),
        ("delete", "schedule"),
    }
    assert (await in_force(desk))["schedules"] == []


async def test_who_may_write_schedules_only_applies_nothing_of_what_is_the_owners(
    desk: Operations, whole: dict[str, Any]
) -> None:
    await accounts.add(desk, "ann", ["author"])
    ann = await as_account(desk, "ann")
    before = await in_force(desk)
    with pytest.raises(PermissionDenied):
        await apply(ann, Config.model_validate(whole))
    assert await in_force(desk) == before
    await apply(desk, Config.model_validate(whole))
    more = {**whole["schedules"], "t": _schedule("two", {"users": ["manager4220"]})}
    (change,) = await apply(ann, Config.model_validate({**whole, "schedules": more}))
    assert (change.action, change.name) == ("create", "t")
    async with acquire(desk.pool) as connection:
        by = await connection.fetchval("select requested_by from schedules where name = 't'")
    assert by == "ann"


async def test_two_schedules_that_say_the_same_on_one_day_are_told_so(
    desk: Operations, whole: dict[str, Any]
) -> None:
    ann, bob = {"users": ["manager4220"]}, {"users": ["manager7675"]}
    later = {"daily": "18:00"}
    config = Config.model_validate(
        {
            **whole,
            "schedules": {
                "s": _schedule("same", ann),
                "t": _schedule("same", ann, when=later),
                "other-people": _schedule("same", bob, when=later),
                "other-words": _schedule("different", ann, when=later),
                "dated": _schedule("{{ due }}", ann, when=later),
            },
        }
        | {"quiet_hours": None, "deny": None}
    )
    told = {c.name: c.warnings for c in await plan(desk, config) if c.warnings}
    assert told.keys() == {"s", "t"}
    (warning,) = told["s"]
    assert "schedule 't'" in warning
    assert "内容相同" in warning.zh
    await apply(desk, config)
    more = {"u": _schedule("same", ann, when={"daily": "20:00"})}
    against = await plan(desk, Config.model_validate({**whole, "schedules": more}))
    (created,) = [c for c in against if c.name == "u"]
    assert {"'s'" in w or "'t'" in w for w in created.warnings} == {True}


@pytest.mark.parametrize("how", ["read-only", "role"])
async def test_who_cannot_write_to_the_database_plans_and_is_told_what_was_not_tried(
    desk: Operations, settings: Settings, database: Database, whole: dict[str, Any], how: str
) -> None:
    config = Config.model_validate(whole)
    dsn = database.dsn
    role = f"reader_{os.urandom(4).hex()}"
    if how == "role":
        async with acquire(desk.pool) as connection:
            await connection.execute(
                f"create role {role} login password 'x'; "
                f"grant usage on schema dingbell, dingbell_queue to {role}; "
                f"grant select on all tables in schema dingbell, dingbell_queue to {role}"
            )
        dsn = urlunsplit(urlsplit(dsn)._replace(netloc=f"{role}:x@"))
        said = f"the role {role} lacks"
    else:
        dsn += ("&" if "?" in dsn else "?") + "default_transaction_read_only=on"
        said = "the database is read-only"
    try:
        async with open_desk(settings, database=Database(dsn, None)) as reader:
            changes = await plan(reader, config)
    finally:
        if how == "role":
            async with acquire(desk.pool) as connection:
                await connection.execute(f"drop owned by {role}; drop role {role}")
    assert [c.name for c in changes if c.kind == "schedule"] == ["s"]
    assert [bool(c.warnings) for c in changes] == [True, *[False] * (len(changes) - 1)]
    assert "not tried out" in changes[0].warnings[0]
    assert said in changes[0].warnings[0]


HOSTILE = {
    "an audience of nobody there": _schedule("x", {"departments": [999_999]}),
    "a template that works for nobody": _schedule("{{ 1 / 0 }}", {"users": ["manager4220"]}),
    "a template that lacks what nobody has": _schedule(
        "{{ person.nosuch }} x", {"users": ["manager4220"]}
    ),
    "a template that grows too long": _schedule(
        "{% for a in person.name %}" + "x" * 1900 + "{% endfor %}", {"users": ["manager4220"]}
    ),
    "an instant that has passed": _schedule(
        "x", {"users": ["manager4220"]}, when={"once": "2020-01-01 10:00"}
    ),
    "an app that is not there": {**_schedule("x", {"users": ["manager4220"]}), "app": "ghost"},
    "a role that is not there": _schedule("x", {"roles": ["nosuch"]}),
    "a mobile of nobody": _schedule("x", {"mobiles": ["+8613999999999"]}),
    "everybody but everybody": _schedule("x", {"everyone": True, "except": {"everyone": True}}),
    "more than DingTalk takes": _schedule("{{ due }}" + "好" * 700, {"users": ["manager4220"]}),
}


@pytest.mark.parametrize("bad", HOSTILE)
async def test_plan_refuses_whatever_apply_refuses_in_the_same_words(
    desk: Operations, whole: dict[str, Any], bad: str
) -> None:
    await apply(desk, Config.model_validate(whole))
    config = {**whole, "schedules": {**whole["schedules"], "t": HOSTILE[bad]}}
    said = []
    for work in (plan, apply):
        try:
            changes = await work(desk, Config.model_validate(config))
        except DingBellError as refused:
            said.append([str(refused)])
        else:
            said.append([str(text) for change in changes for text in change.warnings])
            if work is apply:
                await apply(desk, Config.model_validate(whole), prune=True)
    assert said[0] == said[1]
    assert said[0]
