"""Answers that are broken or hostile: bounded, and the trouble of their own call only."""

import asyncio
import dataclasses
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime
from itertools import count
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.clock import SystemClock
from dingbell.dingtalk import Client, Credentials, errors, limits
from dingbell.dingtalk.wire import (
    Answer,
    Call,
    directory,
    identity,
    media,
    notifications,
    tokens,
)
from dingbell.directory.pacing import Pacer
from dingbell.directory.sync import _Walk
from dingbell.sandbox import Sandbox

SEND = "/topapi/message/corpconversation/asyncsend_v2"
RESULT = "/topapi/message/corpconversation/getsendresult"
BODY = b'{"msgtype":"text","text":{"content":"x"}}'
WHO = Credentials("dingkey", "s3cret-of-the-app", 781348000)
NOW = 1_800_000_000.0
JSON = {"content-type": "application/json"}

# Every call, with an answer that is right; each value in it is put wrong in turn.
USER = {
    "userid": "u1",
    "name": "张三",
    "unionid": "un",
    "mobile": "13800138000",
    "manager_userid": "u2",
    "dept_id_list": [1, 2],
    "leader_in_dept": [{"dept_id": 1, "leader": True}],
    "role_list": [{"id": 1, "name": "r", "group_name": "g"}],
    "hired_date": 1_597_573_616_828,
    "extension": '{"爱好": "旅游"}',
}
PAGE = {"has_more": False, "next_cursor": 100, "list": [USER]}
GROUPS = [{"groupId": 1, "name": "g", "roles": [{"id": 1, "name": "r"}]}]
FORBIDDEN = [{"userid": "u4", "code": "143106", "count": 1}]
RESULTS = {
    "invalid_user_id_list": ["u1"],
    "forbidden_user_id_list": ["u3"],
    "forbidden_list": FORBIDDEN,
    "read_user_id_list": "u5,u6",
    "unread_user_id_list": ["u7"],
    "failed_user_id_list": ["u8"],
    "invalid_dept_id_list": [9],
}
DEPARTMENT = {"dept_id": 1, "name": "n", "parent_id": 1, "dept_manager_userid_list": ["u"]}
CALLS: list[tuple[Call[Any], dict[str, Any]]] = [
    (tokens.fetch(WHO, "old"), {"access_token": "t", "expires_in": 7200}),
    (tokens.fetch(WHO, "new"), {"accessToken": "t", "expireIn": 7200}),
    (notifications.send(1, BODY, userids=["u"]), {"task_id": 7, "request_id": "r"}),
    (notifications.progress(1, 7), {"progress": {"status": 2, "progress_in_percent": 100}}),
    (notifications.result(1, 7), {"send_result": RESULTS}),
    (notifications.recall(1, 7), {}),
    (directory.departments(1), {"result": [DEPARTMENT]}),
    (directory.department(1), {"result": DEPARTMENT}),
    (directory.subdepartment_ids(1), {"result": {"dept_id_list": [2]}}),
    (directory.member_ids(1), {"result": {"userid_list": ["u"]}}),
    (directory.members_simple(1), {"result": PAGE}),
    (directory.members(1), {"result": PAGE}),
    (directory.roles(), {"result": {"hasMore": False, "list": GROUPS}}),
    (directory.role_members(1), {"result": {"hasMore": False, "list": [USER]}}),
    (directory.scopes(), {"auth_org_scopes": {"authed_user": ["u"], "authed_dept": [1]}}),
    (identity.user("u"), {"result": USER}),
    (identity.user_by_code("c"), {"result": {"userid": "u", "sys_level": 1, "unionid": "n"}}),
    (identity.user_by_mobile("1"), {"result": {"userid": "u"}}),
    (identity.user_access_token(WHO, "c"), {"accessToken": "t", "refreshToken": "r"}),
    (identity.me("t"), {"unionId": "n", "nick": "n"}),
    (media.upload("image", "a.png", b"x"), {"media_id": "@m", "type": "image", "created_at": 1}),
]


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


hostile = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.just(10**4000),
    st.floats(),
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc"]), min_size=1, max_size=5),
    st.sampled_from(
        ["\0", "a\ud800", "\ud83d\ude00", "9" * 5_000, "u" * 100_000, "1_0", "\x1b[2J"]
    ),
    st.integers(1, 900).map(deep),
    st.integers(1, 30).map(deep).map(lambda nested: {"userid": nested, "id": nested}),
    st.just('{"a":' * 5_000),
    st.just([[], {}, "", None, 10**40, "\0"]),
)


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there is a value in JSON."""
    if path:
        yield path
    items: Any = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list):
        items = enumerate(content)
    for key, value in items:
        yield from places(value, (*path, key))


def replaced(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Call[Any], bytes]:
    call, right = draw(st.sampled_from(CALLS))
    content = {"errcode": 0, "errmsg": "ok", "sub_code": None, "request_id": "r", **right}
    for _ in range(draw(st.integers(1, 3))):
        content = replaced(content, draw(st.sampled_from(list(places(content)))), draw(hostile))
    return call, json.dumps(content).encode()


def answer(body: bytes, call: Call[Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(call.path, 200, {**JSON, **(headers or {})}, body, NOW, ("s3cret",))


def values(found: Any) -> Iterator[Any]:
    """All that an answer was read as, except what is kept as it came."""
    if dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            if field.name != "raw":
                yield from values(getattr(found, field.name))
    elif isinstance(found, dict):
        yield from values([*found, *found.values()])
    elif isinstance(found, list | tuple):
        for item in found:
            yield from values(item)
    else:
        yield found


def storable(value: object) -> bool:
    """Whether a database takes it, and an index that is not made for endless ones."""
    if isinstance(value, str):
        value.encode()  # no half of a character
        return "\0" not in value and len(value) <= 4_096
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, float | datetime | date)


@given(spoiled())
@settings(max_examples=600)
def test_whatever_is_answered_is_read_as_something_storable_or_refused(
    given: tuple[Call[Any], bytes],
) -> None:
    call, body = given
    try:
        found = call.read(answer(body, call))
    except errors.DingTalkError as error:
        shown = (error.code, error.text, error.request_id or "", str(error), error.zh)
        assert all(storable(text) and text.isprintable() and len(text) < 1_500 for text in shown)
    else:
        assert all(map(storable, values(found)))


@given(st.one_of(hostile, st.integers(-10, 7200), st.integers(-10, 10**6).map(str)))
@pytest.mark.parametrize("call", [tokens.fetch(WHO, "old"), tokens.fetch(WHO, "new")])
def test_a_token_lives_for_a_while_and_not_for_ever(call: Call[Any], life: Any) -> None:
    content = {"errcode": 0, "access_token": "t", "accessToken": "t"}
    body = json.dumps({**content, "expires_in": life, "expireIn": life}).encode()
    found = None
    with suppress(errors.Ambiguous):
        found = call.read(answer(body, call)).expires_in
    assert found is None or 0 < found <= limits.TOKEN_SECONDS


@pytest.mark.parametrize("token", ["a b", "a\r\nX-Evil: 1", "\0", "t" * 100_000, "令牌", True, ""])
def test_a_token_that_fits_into_no_header_is_none(token: object) -> None:
    call = tokens.fetch(WHO, "new")
    with pytest.raises(errors.Ambiguous, match="there is no token"):
        call.read(answer(json.dumps({"accessToken": token}).encode(), call))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"errcode":0,"task_id":1,"x":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"errcode":0,"task_id":' + b"9" * 5_000 + b"}",
        b"\xff\xfe\xff",
        b'{"errcode":0,"task_id":12345678901234567890}',
        b'{"errcode":0,"task_id":"1_000"}',
    ],
)
def test_a_send_whose_answer_cannot_be_read_is_ambiguous(body: bytes) -> None:
    call = notifications.send(1, BODY, userids=["u"])
    with pytest.raises(errors.Ambiguous) as caught:
        call.read(answer(body, call))
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize(
    ("call", "content"),
    [
        (directory.members(1), {"result": {"list": [{}] * 1_300_000}}),
        (directory.members(1), {"result": {"list": [{"userid": "a"}] * 90_000}}),
        (directory.members_simple(1), {"result": {"list": [[]] * 1_300_000}}),
        (directory.roles(), {"result": {"list": [{"roles": [{"id": 1}] * 90_000}]}}),
        (directory.departments(1), {"result": [{"dept_id": 1}] * 90_000}),
        (directory.member_ids(1), {"result": {"userid_list": [1] * 190_000}}),
        (directory.member_ids(1), {"result": {"userid_list": "a," * 190_000}}),
        (notifications.result(1, 7), {"send_result": {"read_user_id_list": [0] * 120_000}}),
    ],
)
def test_what_is_read_keeps_the_loop_for_a_moment_only(
    call: Call[Any], content: dict[str, Any]
) -> None:
    """A node has one loop: while an answer is read, the calls of every other app wait."""
    body = json.dumps({"errcode": 0, **content}, separators=(",", ":")).encode()
    assert len(body) <= call.longest
    begun = time.process_time()
    with suppress(errors.Ambiguous):
        call.read(answer(body, call))
    assert time.process_time() - begun < 1.0


@given(st.text() | st.integers(0, 10**400).map(str) | st.just("9" * 5_000))
def test_a_pause_is_no_longer_than_one_of_dingtalk(pause: str) -> None:
    call = notifications.recall(1, 7)
    throttled = Answer(call.path, 429, {"retry-after": pause}, b"", NOW)
    with pytest.raises(errors.RetryLater) as caught:
        call.read(throttled)
    assert 0 < caught.value.after <= limits.GLOBAL_THROTTLE_MAX_SECONDS


@given(
    st.text()
    | st.sampled_from(
        [
            "Mon, 01 Jan 0001 00:00:00 +2359",
            "Fri, 31 Dec 9999 23:59:59 -2359",
            "Mon, 99 Jan 2026 00:00:00",
            "Mon, 01 Jan 999999999 00:00:00 GMT",
            " ",
        ]
    )
)
def test_a_clock_that_cannot_be_read_is_none(date: str) -> None:
    call = notifications.send(1, BODY, userids=["u"])
    sent = call.read(answer(b'{"errcode":0,"task_id":1}', call, {"date": date}))
    assert sent.server_time is None or sent.server_time.utcoffset() is not None


# Over a connection -------------------------------------------------------------------------------


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(people=30, seed=1) as running:
        yield running


def client_of(sandbox: Sandbox, session: aiohttp.ClientSession) -> Client:
    who = Credentials(
        sandbox.app_key,
        sandbox.app_secret,
        sandbox.agent_id,
        oapi_url=sandbox.url,
        api_url=sandbox.url,
    )
    return Client(who, session=session)


async def fault(sandbox: Sandbox, session: aiohttp.ClientSession, **rule: Any) -> None:
    async with session.post(f"{sandbox.url}/_sandbox/faults", json=rule) as response:
        assert response.status == 200, await response.text()


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
async def test_a_packed_bomb_costs_neither_memory_nor_time(
    packing: str, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    client = client_of(sandbox, session)
    await client.token()
    await fault(sandbox, session, path=RESULT, bomb=100, packing=packing)
    tracemalloc.start()
    try:
        with pytest.raises(errors.Ambiguous) as caught:
            await client.result(1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "oversized"
    assert peak < 10_000_000


async def test_a_list_of_the_address_book_may_be_longer_than_a_receipt(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    client = client_of(sandbox, session)
    names = {"result": {"userid_list": [f"user{n:08}" for n in range(30_000)]}}
    await fault(sandbox, session, path="/topapi/user/listid", replace=names)
    assert len(await client.member_ids(1)) == 30_000
    await fault(sandbox, session, path=SEND, body="x" * (limits.ANSWER_BYTES + 1))
    with pytest.raises(errors.Ambiguous, match="longer than any"):
        await client.send(BODY, userids=["manager4220"])


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def talking(words: bytes, *, endless: bool = False) -> AsyncIterator[str]:
    """A server that says something whatever it is asked, once or without an end."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(words)
            while endless:
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def ask(url: str, session: aiohttp.ClientSession) -> Any:
    client = Client(
        Credentials("k", "s3cret-of-the-app", 1, oapi_url=url, api_url=url),
        session=session,
        timeout=5,
        now=lambda: NOW,
    )
    return await client.user_access_token("code")


async def test_an_answer_without_an_end_is_left(session: aiohttp.ClientSession) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with talking(head, endless=True) as url:
        with pytest.raises(errors.Ambiguous) as caught:
            await ask(url, session)
    assert caught.value.code == "oversized"


PACKED = zlib.compress(b'{"accessToken": "t"}')


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"\0" * 100,
        b"SSH-2.0-nonsense\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 9\r\n\r\n" + PACKED[:9],
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff=\0; =\r\nDate: \xff\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
    ],
)
async def test_what_is_not_http_is_an_error_of_the_call(
    words: bytes, session: aiohttp.ClientSession
) -> None:
    async with talking(words) as url:
        with pytest.raises(errors.DingTalkError):
            await ask(url, session)


# The address book --------------------------------------------------------------------------------


@asynccontextmanager
async def book(
    answers: Callable[[str, dict[str, Any]], Any],
) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers by path and arguments, and the paths it was asked for."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/gettoken":
            return web.json_response({"errcode": 0, "access_token": "t", "expires_in": 7200})
        asked.append(request.path)
        given = await request.json() if request.can_read_body else {}
        return web.json_response({"errcode": 0, **answers(request.path, given)})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def reader_of(url: str, session: aiohttp.ClientSession) -> Client:
    return Client(Credentials("k", "s", 1, oapi_url=url, api_url=url), session=session)


@pytest.mark.parametrize("people", [[{"userid": "u", "name": "n"}], []])
async def test_pages_that_go_on_for_ever_are_left(
    people: list[Any], session: aiohttp.ClientSession
) -> None:
    def page(path: str, given: dict[str, Any]) -> Any:
        cursor = given["cursor"] + 1
        return {"result": {"has_more": True, "next_cursor": cursor, "list": people}}

    async with book(page) as (url, asked):
        with pytest.raises(errors.Permanent, match="the list does not end"):
            await reader_of(url, session).members(1)
    assert len(asked) <= limits.PAGES_PER_LIST


async def test_people_whose_id_is_none_are_left_out(session: aiohttp.ClientSession) -> None:
    people = [{"userid": bad, "name": "x"} for bad in ("", None, "a\0b", "\ud800", "u" * 300, [])]
    people.append({"userid": "fine", "name": "x\0"})
    async with book(lambda *_: {"result": {"list": people}}) as (url, _):
        client = reader_of(url, session)
        assert [(one.userid, one.name) for one in await client.members(1)] == [("fine", "x\ufffd")]
        assert [one.userid for one in await client.members_simple(1)] == ["fine"]
        assert await client.role_members(1) == ["fine"]


def walk_of(url: str, session: aiohttp.ClientSession) -> _Walk:
    return _Walk(reader_of(url, session), Pacer(SystemClock(), 100_000), lambda _: None)


async def test_departments_that_lie_in_each_other_are_read_once(
    session: aiohttp.ClientSession,
) -> None:
    below = {1: [2, 3], 2: [1, 2, 3], 3: [1, 2]}

    def answers(path: str, given: dict[str, Any]) -> Any:
        if path.endswith("listsub"):
            return {"result": [{"dept_id": n, "name": str(n)} for n in below[given["dept_id"]]]}
        return {"result": {"list": []}, "auth_org_scopes": {"authed_dept": [1]}}

    async with book(answers) as (url, asked):
        walk = walk_of(url, session)
        await walk.everything()
    assert sum(path.endswith("listsub") for path in asked) == 3
    parents = {one.dept_id: one.parent_id for one in walk.departments.values()}
    assert parents[1] is None
    for dept_id in parents:
        above = dept_id
        for _ in parents:
            above = parents[above] or above
        assert above == 1


async def test_a_tree_without_an_end_fails_and_nothing_goes_on_asking(
    session: aiohttp.ClientSession,
) -> None:
    numbers = count(2)

    def answers(path: str, given: dict[str, Any]) -> Any:
        if path.endswith("listsub"):
            return {"result": [{"dept_id": next(numbers), "name": ""}]}
        return {"result": {"list": []}, "auth_org_scopes": {"authed_dept": [1]}}

    async with book(answers) as (url, asked):
        with pytest.raises(errors.Permanent, match="the departments do not end"):
            await walk_of(url, session).everything()
        so_far = len(asked)
        # A full round of the loop and of the server: who still asks would be seen.
        for _ in range(20):
            await reader_of(url, session).scopes()
        assert len(asked) - so_far <= 20 + 2
