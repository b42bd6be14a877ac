"""The floors and the peer, each in a process of its own: what the same work costs without DingBell.

    floor.py burst     one send per (app, person) at one instant, aiohttp, nothing kept
    floor.py beat      the same sends every second, aiohttp, nothing kept
    floor.py tutorial  wake every second, compare the formatted clock, send one after the other
    floor.py plain     a hundred people a call, one call after the other, `errcode` believed
    floor.py plan      render, hash and COPY the rows of one run, nothing reserved
    floor.py idle      a process with the same libraries that listens to PostgreSQL
    floor.py database  start the embedded PostgreSQL and nothing else

What to do is read as JSON from the file that is named; what came of it is printed as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import math
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

IN_FLIGHT = 300
_SEND = "/topapi/message/corpconversation/asyncsend_v2"
_PEOPLE_PER_CALL = 100
_LEAD = 0.5


def _body(agent_id: int, userid: str, text: str) -> bytes:
    message = {"msgtype": "text", "text": {"content": text}}
    return json.dumps({"agent_id": agent_id, "userid_list": userid, "msg": message}).encode()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


class _Loop:
    """A raw aiohttp client for some apps."""

    def __init__(self, session: Any, order: dict[str, Any]) -> None:
        self._session = session
        self._order = order
        self._tokens: dict[str, str] = {}

    async def sign_in(self) -> None:
        """Have the token of every app, ahead of time; what was opened for it stays open."""
        apps = iter(self._order["apps"])

        async def fetch() -> None:
            for app in apps:
                query = {"appkey": app["app_key"], "appsecret": app["app_secret"]}
                async with self._session.get("/gettoken", params=query) as response:
                    self._tokens[app["app_key"]] = (await response.json())["access_token"]

        await asyncio.gather(*(fetch() for _ in range(self._order.get("connections", 20))))

    def sends(self, at: float) -> list[tuple[str, bytes]]:
        """Every request of one instant, ready to go."""
        apps, userids = self._order["apps"], self._order["userids"]
        cycle = zip(range(self._order["sends"]), itertools.cycle(apps), itertools.cycle(userids))
        return [
            (
                f"{_SEND}?access_token={self._tokens[app['app_key']]}",
                _body(app["agent_id"], userid, f"raw {number} {_iso(at)}"),
            )
            for number, app, userid in cycle
        ]

    async def send_all(self, sends: Iterator[tuple[str, bytes]]) -> None:
        """Send as many at a time as there may be in flight."""

        async def work() -> None:
            for path, body in sends:
                headers = {"Content-Type": "application/json"}
                async with self._session.post(path, data=body, headers=headers) as response:
                    assert json.loads(await response.read())["errcode"] == 0

        await asyncio.gather(*(work() for _ in range(min(IN_FLIGHT, self._order["sends"]))))


@contextlib.asynccontextmanager
async def _client(order: dict[str, Any]) -> Any:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(order["url"], connector=connector) as session:
        loop = _Loop(session, order)
        await loop.sign_in()
        yield loop


async def burst(order: dict[str, Any]) -> dict[str, Any]:
    async with _client(order) as loop:
        at = time.time() + _LEAD
        sends = loop.sends(at)
        began = time.process_time()
        await asyncio.sleep(at - time.time())
        await loop.send_all(iter(sends))
        return {"cpu": time.process_time() - began}


async def beat(order: dict[str, Any]) -> dict[str, Any]:
    async with _client(order) as loop:
        first = math.ceil(time.time()) + 1
        for at in range(first, first + order["seconds"]):
            sends = loop.sends(at)
            await asyncio.sleep(at - time.time())
            await loop.send_all(iter(sends))
    return {}


def tutorial(order: dict[str, Any]) -> dict[str, Any]:
    """What is taught: `while True`, a formatted clock, one request after the other."""
    app = order["apps"][0]
    url = _sending_address(order)
    first = math.ceil(time.time()) + 1
    due = {_clock(at): at for at in range(first, first + order["seconds"])}
    while time.time() < first + order["seconds"] + 1:
        at = due.pop(_clock(time.time()), None)
        if at is not None:
            for number in range(order["sends"]):
                userid = order["userids"][number % len(order["userids"])]
                body = _body(app["agent_id"], userid, f"tutorial {number} {_iso(at)}")
                _post(url, body)
        time.sleep(1)
    return {}


def plain(order: dict[str, Any]) -> dict[str, Any]:
    """What is taught for many people: where the answer says `errcode: 0`, it was delivered."""
    app, userids = order["apps"][0], order["userids"]
    url = _sending_address(order)
    text = f"plain {_iso(time.time())}"
    believed = 0
    for start in range(0, len(userids), _PEOPLE_PER_CALL):
        some = userids[start : start + _PEOPLE_PER_CALL]
        if _post(url, _body(app["agent_id"], ",".join(some), text))["errcode"] == 0:
            believed += len(some)
    return {"believed": believed}


def _sending_address(order: dict[str, Any]) -> str:
    """Fetch a token, once."""
    app = order["apps"][0]
    query = f"appkey={app['app_key']}&appsecret={app['app_secret']}"
    with urllib.request.urlopen(f"{order['url']}/gettoken?{query}") as response:
        token = json.load(response)["access_token"]
    return f"{order['url']}{_SEND}?access_token={token}"


def _post(url: str, body: bytes) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


async def plan(order: dict[str, Any]) -> dict[str, Any]:
    import asyncpg
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    template = ImmutableSandboxedEnvironment().from_string(order["template"])
    people = [(f"{number:08d}", f"person {number}") for number in range(order["people"])]
    connection = await asyncpg.connect(order["dsn"])
    await connection.execute(
        "create table if not exists bench_floor (userid text, body bytea, hash bytea, slot float)"
    )
    began = time.monotonic()
    rows = []
    for place, (userid, name) in enumerate(people):
        text = template.render(person={"userid": userid, "name": name})
        body = json.dumps({"msgtype": "text", "text": {"content": text}}).encode()
        digest = hashlib.blake2b(body, digest_size=16).digest()
        rows.append((userid, body, digest, place / 20))
    await connection.copy_records_to_table("bench_floor", records=rows)
    seconds = time.monotonic() - began
    await connection.close()
    return {"seconds": seconds, "peak": _peak()}


def _peak() -> float:
    """The most memory ever resident, in MB; `ru_maxrss` would also count the parent's."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1_024 for line in status if line.startswith("VmHWM:"))


async def idle(order: dict[str, Any]) -> dict[str, Any]:
    import aiohttp
    import asyncpg

    connection = await asyncpg.connect(order["dsn"])
    async with aiohttp.ClientSession():
        await connection.add_listener("bench_floor", lambda *_: None)
        print("ready", flush=True)
        await asyncio.sleep(order["seconds"])
    return {}


async def database(order: dict[str, Any]) -> dict[str, Any]:
    from dingbell.store.server.embedded import EmbeddedServer

    server = EmbeddedServer(Path(order["folder"]))
    await server.start()
    print("ready", flush=True)
    await server.stop()
    return {}


def main() -> None:
    kinds = {"burst": burst, "beat": beat, "plan": plan, "idle": idle, "database": database}
    name, file = sys.argv[1:]
    order = json.loads(Path(file).read_text())
    in_turn = {"tutorial": tutorial, "plain": plain}
    told = in_turn[name](order) if name in in_turn else asyncio.run(kinds[name](order))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
