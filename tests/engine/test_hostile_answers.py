"""A broken or hostile answer is the trouble of its own batch: of nobody else, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from dingbell.bootstrap import Service
from dingbell.operations import apps, directory
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox
from dingbell.telemetry import Event

from .conftest import Truth, final, until
from .given import SEND, order, send

PROGRESS = "/topapi/message/corpconversation/getsendprogress"
RESULT = "/topapi/message/corpconversation/getsendresult"
PEOPLE = ("manager4220", "manager7675")
DEEP = '{"errcode":0,"send_result":' + "[" * 100_000
CODES = [{"userid": who, "code": "1\0\ud800"} for who in PEOPLE]


async def settled(desk: Operations, texts: list[str]) -> list[dict[str, Any]]:
    """Send to two people as often as there are texts, all looked at in one round."""
    ids = await asyncio.gather(*(send(desk, order(text, *PEOPLE)) for text in texts))
    # A round that fails is taken up again after the lease of its polls: two minutes.
    return [await final(desk, one, 20) for one in ids]


@pytest.mark.parametrize(
    ("number", "rule"),
    list(
        enumerate(
            [
                {"path": RESULT, "body": DEEP},
                {"path": RESULT, "bomb": 20},
                {"path": RESULT, "replace": {"send_result": {"forbidden_list": CODES}}},
                {"path": RESULT, "replace": {"errcode": 5 * 10**20, "errmsg": "\0\ud800"}},
                {"path": PROGRESS, "body": "[" * 200_000},
            ]
        )
    ),
)
async def test_one_broken_receipt_holds_up_no_other(
    desk: Operations, service: Service, truth: Truth, number: int, rule: dict[str, Any]
) -> None:
    await truth.post("faults", {"times": 1, **rule})
    found = await settled(desk, [f"{number}, notice {n}" for n in range(4)])
    states = [d["state"] for one in found for d in one["deliveries"]]
    assert sum(state in ("unread", "read") for state in states) >= 6
    assert "planned" not in states
    assert (await truth.get("faults"))[0]["fired"] == 1


@pytest.fixture
async def unwritable(desk: Operations) -> AsyncIterator[str]:
    """Somebody whose receipts the database refuses."""
    who = PEOPLE[0]
    async with desk.pool.acquire() as connection:
        await connection.execute(
            f"""
            create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'not this one'; end $$;
            create trigger refuse before update on deliveries for each row
            when (new.userid = '{who}' and new.state in ('unread', 'read'))
            execute function refuse();
            """
        )
    yield who
    async with desk.pool.acquire() as connection:
        await connection.execute("drop trigger refuse on deliveries; drop function refuse")


async def test_one_receipt_that_cannot_be_written_holds_up_no_other(
    desk: Operations, service: Service, truth: Truth, unwritable: str
) -> None:
    with capture_logs() as said:
        bad = await send(desk, order("cannot be written", unwritable))
        good = [await send(desk, order(f"can be written {n}", PEOPLE[1])) for n in range(3)]
        for one in good:
            (delivery,) = (await final(desk, one, 20))["deliveries"]
            assert delivery["state"] in ("unread", "read")

        async def failed() -> list[Any]:
            return [one for one in said if one["event"] == Event.POLL_FAILED]

        assert "not this one" in (await until(failed))[0]["error"]
    async with desk.pool.acquire() as connection:
        state = await connection.fetchval("select state from deliveries where run_id = $1", bad)
    assert state == "sent"


async def test_the_log_calls_failed_what_the_ledger_calls_failed(
    desk: Operations, service: Service, truth: Truth
) -> None:
    """The first call is lost and may have arrived; the second is refused for good."""
    lost = {"path": SEND, "times": 1, "reset": "after"}
    refused = {"path": SEND, "times": 1, "errcode": 41028}
    await truth.post("faults", [lost, refused])
    with capture_logs() as said:
        found = await final(desk, await send(desk, order("lost, then refused", PEOPLE[0])))
    assert found["totals"] == {"unknown": 1}
    ends = [one["event"] for one in said if one["event"] in ("batch_failed", "batch_unknown")]
    assert ends == ["batch_unknown"]


async def test_a_refused_batch_is_called_failed_once(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "times": 1, "errcode": 41028})
    with capture_logs() as said:
        found = await final(desk, await send(desk, order("refused at once", PEOPLE[0])))
    assert found["totals"] == {"failed": 1}
    ends = [one["event"] for one in said if one["event"] in ("batch_failed", "batch_unknown")]
    assert ends == ["batch_failed"]


@pytest.mark.parametrize("life", [10**20, -1, True])
async def test_a_token_of_any_life_sends(
    desk: Operations, service: Service, truth: Truth, life: object
) -> None:
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from tokens")
    await truth.post("revoke-tokens", {})
    await truth.post("faults", {"path": "/gettoken", "replace": {"expires_in": life}})
    found = await final(desk, await send(desk, order(f"token of {life!r}", PEOPLE[0])))
    assert found["deliveries"][0]["state"] in ("unread", "read")
    async with desk.pool.acquire() as connection:
        until = await connection.fetchval("select expires_at from tokens")
    assert desk.clock.now() < until <= desk.clock.now() + timedelta(hours=2)


async def test_one_directory_that_cannot_be_read_keeps_no_other_waiting(
    desk: Operations, service: Service, truth: Truth, sandbox: Sandbox
) -> None:
    other = AppSpec(
        agent_id=sandbox.agent_id + 1,
        app_key=sandbox.app_key,
        app_secret=SecretStr(sandbox.app_secret),
        org="other",
    )
    await apps.put(desk, "other", other)
    for app in ("default", "other"):
        await directory.synchronise(desk, app)
    async with desk.pool.acquire() as connection:
        await connection.execute("update directory_syncs set synced_at = synced_at - interval '1d'")
    await truth.post("faults", {"path": "/auth/scopes", "times": 1, "errcode": 41028})

    await service._directories.refresh()

    async with desk.pool.acquire() as connection:
        rows = await connection.fetch("select synced_at from directory_syncs")
    ages = sorted(desk.clock.now() - row["synced_at"] for row in rows)
    assert ages[0] < timedelta(minutes=1) < timedelta(hours=12) < ages[1]
