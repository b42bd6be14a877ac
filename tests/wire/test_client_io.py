"""The client over a real connection: tokens, trouble, pages, bytes, secrets."""

import asyncio
import json
import logging
import socket
import traceback
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from dingbell.dingtalk import Client, Credentials, MemoryTokenStore, Token, errors, messages

SECRET = "s3cret-of-the-app"
SEND = "/topapi/message/corpconversation/asyncsend_v2"
BODY = messages.canonical(messages.Text("请提交日报"))
OK = {"errcode": 0, "task_id": 256271667526, "request_id": "4jzllmte0wau"}
DEAD = {"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token"}
ENOUGH = 100


@dataclass(frozen=True)
class Http:
    """An answer that is not JSON with status 200."""

    status: int = 200
    text: str = ""
    content_type: str = "text/plain"
    location: str = ""

    def response(self) -> web.Response:
        headers = {"Location": self.location} if self.location else None
        return web.Response(
            status=self.status, text=self.text, content_type=self.content_type, headers=headers
        )


def refused(content: dict[str, Any], *, status: int) -> Http:
    return Http(status, json.dumps(content), "application/json")


Reply = dict[str, Any] | Http | Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    form: dict[str, Any]


@dataclass
class Scripted:
    """A server that answers what it is told; the last answer of a path is repeated."""

    script: dict[str, list[Reply]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    tokens: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form: dict[str, Any] = {}
        if request.content_type.startswith("multipart/"):
            posted = await request.post()
            form = {
                name: value
                if isinstance(value, str)
                else (value.filename, value.content_type, value.file.read())
                for name, value in posted.items()
            }
        body = b"" if form else await request.read()
        self.seen.append(Seen(request.path, dict(request.query), dict(request.headers), body, form))
        self.reached.set()
        replies = self.script.get(request.path)
        if not replies:
            return self.fresh_token() if "oken" in request.path else web.json_response(OK)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(reply):
            return await reply(request)
        return web.json_response(reply) if isinstance(reply, dict) else reply.response()

    def fresh_token(self) -> web.Response:
        self.tokens += 1
        token = f"token-{self.tokens}"
        return web.json_response(
            {
                "errcode": 0,
                "access_token": token,
                "expires_in": 7200,
                "accessToken": token,
                "expireIn": 7200,
            }
        )

    def alive_is(self, *tokens: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Accept only these tokens."""

        async def judge(request: web.Request) -> web.StreamResponse:
            return web.json_response(OK if request.query["access_token"] in tokens else DEAD)

        return judge

    async def hang(self, request: web.Request) -> web.StreamResponse:
        await self.released.wait()
        return web.json_response(OK)

    def calls(self, path: str) -> list[Seen]:
        return [one for one in self.seen if one.path == path]


async def reset(request: web.Request) -> web.StreamResponse:
    """The request was taken; the connection breaks before an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def truncated(request: web.Request) -> web.StreamResponse:
    """An answer that is shorter than it said."""
    response = web.StreamResponse(headers={"Content-Length": "500"})
    await response.prepare(request)
    await response.write(b'{"errcode":0,')
    assert request.transport is not None
    request.transport.close()
    return response


async def no_http(request: web.Request) -> web.StreamResponse:
    """An answer that is not HTTP."""
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b"SSH-2.0-nonsense\r\n\r\n")
    request.transport.close()
    return web.Response()


async def echo(request: web.Request) -> web.StreamResponse:
    """A refusal that repeats what was asked, secrets and all."""
    return web.json_response({"errcode": 60011, "errmsg": f"{request.query} {SECRET}"})


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", scripted.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield scripted
    scripted.released.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@dataclass
class Clock:
    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


MakeClient = Callable[..., Client]


@pytest.fixture
def make(server: Scripted, session: aiohttp.ClientSession, clock: Clock) -> MakeClient:
    def client(url: str = "", **named: Any) -> Client:
        url = url or server.url
        who = Credentials("dingkey", SECRET, 781348000, oapi_url=url, api_url=url)
        return Client(who, session=session, **{"now": clock, **named})

    return client


async def send(client: Client) -> int:
    return (await client.send(BODY, userids=["manager7675"])).task_id


# Sending -----------------------------------------------------------------------------------------


async def test_the_bytes_of_a_message_cross_the_wire_unchanged(
    server: Scripted, make: MakeClient
) -> None:
    sent = await make().send(BODY, userids=["a", "b"], enable_id_trans=True)
    (call,) = server.calls(SEND)
    assert (
        call.body
        == b'{"agent_id":781348000,"userid_list":"a,b","to_all_user":false,"enable_id_trans":true,'
        b'"msg":' + BODY + b"}"
    )
    assert call.query == {"access_token": "token-1"}
    assert call.headers["Content-Type"] == "application/json; charset=utf-8"
    assert (sent.task_id, sent.request_id) == (256271667526, "4jzllmte0wau")
    assert sent.server_time is not None
    assert sent.server_time.utcoffset() is not None


async def test_without_an_agent_id_nothing_is_sent(
    server: Scripted, session: aiohttp.ClientSession
) -> None:
    client = Client(Credentials("k", SECRET, oapi_url=server.url), session=session)
    with pytest.raises(errors.CallError) as caught:
        await send(client)
    assert caught.value.field == "agent_id"
    assert server.seen == []


async def test_a_broken_limit_costs_no_call(server: Scripted, make: MakeClient) -> None:
    with pytest.raises(errors.CallError):
        await make().send(BODY, userids=[str(n) for n in range(101)])
    assert server.seen == []


# Tokens ------------------------------------------------------------------------------------------


async def test_many_callers_fetch_one_token(server: Scripted, make: MakeClient) -> None:
    client = make()
    await asyncio.gather(*(send(client) for _ in range(ENOUGH)))
    assert len(server.calls("/gettoken")) == 1
    assert len(server.calls(SEND)) == ENOUGH
    assert await client.token() == "token-1"


async def test_a_dead_token_is_replaced_once_for_all_who_hold_it(
    server: Scripted, make: MakeClient
) -> None:
    client = make()
    await client.token()
    server.script[SEND] = [server.alive_is("token-2")]
    await asyncio.gather(*(send(client) for _ in range(ENOUGH)))
    assert len(server.calls("/gettoken")) == 2
    assert len(server.calls(SEND)) == 2 * ENOUGH


@pytest.mark.parametrize(
    "refusal",
    [
        DEAD,
        DEAD | {"sub_code": 40014},
        {"errcode": 88, "sub_code": "40000", "sub_msg": "access_token is blank"},
        {"errcode": 40014},
        {"errcode": "42001"},
        {"errcode": 40001},
        {"errcode": 33001},
        {"code": "InvalidAuthentication", "message": "x"},
        {"code": "accesstoken.expired"},
        {"errcode": 88, "sub_code": "60011", "sub_msg": "没有权限"},
    ],
)
async def test_every_token_error_refreshes_once(
    refusal: dict[str, Any], server: Scripted, make: MakeClient
) -> None:
    server.script[SEND] = [refusal, OK]
    assert await send(make()) == 256271667526
    assert [call.query["access_token"] for call in server.calls(SEND)] == ["token-1", "token-2"]


async def test_a_token_that_stays_refused_is_left_for_later(
    server: Scripted, make: MakeClient
) -> None:
    server.script[SEND] = [DEAD]
    with pytest.raises(errors.RetryLater) as caught:
        await send(make())
    assert (caught.value.code, caught.value.after) == ("40014", 5)
    assert (len(server.calls(SEND)), len(server.calls("/gettoken"))) == (2, 2)


async def test_a_permission_that_stays_missing_is_given_up(
    server: Scripted, make: MakeClient
) -> None:
    server.script[SEND] = [{"errcode": 88, "sub_code": "60011", "sub_msg": "x"}]
    with pytest.raises(errors.NotPermitted):
        await send(make())
    assert len(server.calls(SEND)) == 2


async def test_the_same_token_again_does_not_make_a_storm(
    server: Scripted, make: MakeClient
) -> None:
    """DingTalk gives a living token again: callers in a crowd still share one fetch."""
    server.script["/gettoken"] = [{"errcode": 0, "access_token": "same", "expires_in": 7200}]
    server.script[SEND] = [{"errcode": 88, "sub_code": "60011", "sub_msg": "x"}]
    client = make()
    await client.token()
    found = await asyncio.gather(*(send(client) for _ in range(ENOUGH)), return_exceptions=True)
    assert {type(one) for one in found} == {errors.NotPermitted}
    assert len(server.calls("/gettoken")) == 2


async def test_a_token_is_renewed_ten_minutes_early(
    server: Scripted, make: MakeClient, clock: Clock
) -> None:
    client = make()
    await client.token()
    clock.seconds += 7200 - 601
    assert await client.token() == "token-1"
    clock.seconds += 1
    assert await client.token() == "token-2"


async def test_a_short_lived_token_is_not_fetched_for_every_call(
    server: Scripted, make: MakeClient, clock: Clock
) -> None:
    server.script["/gettoken"] = [{"errcode": 0, "access_token": "brief", "expires_in": 20}]
    client = make()
    await client.token()
    clock.seconds += 9
    await client.token()
    assert len(server.calls("/gettoken")) == 1
    clock.seconds += 1
    await client.token()
    assert len(server.calls("/gettoken")) == 2


async def test_an_early_renewal_that_fails_leaves_the_old_token_in_use(
    server: Scripted, make: MakeClient, clock: Clock
) -> None:
    client = make()
    await client.token()
    server.script["/gettoken"] = [Http(status=502)]
    clock.seconds += 7200 - 300
    assert await client.token() == "token-1"
    assert await client.token() == "token-1"
    assert len(server.calls("/gettoken")) == 2
    clock.seconds += 31
    assert await client.token() == "token-1"
    assert len(server.calls("/gettoken")) == 3
    clock.seconds += 300
    with pytest.raises(errors.NotSent):
        await client.token()


@pytest.mark.parametrize(
    ("reply", "family"),
    [
        ({"errcode": 40096, "errmsg": "不合法的appKey或appSecret"}, errors.BadCredentials),
        ({"errcode": 40001}, errors.BadCredentials),
        ({"errcode": -1}, errors.NotSent),
        (Http(status=502, text="<html>", content_type="text/html"), errors.NotSent),
        (reset, errors.NotSent),
        ({"errcode": 90018}, errors.RetryLater),
        (Http(text="<html>", content_type="text/html"), errors.Banned),
    ],
)
async def test_a_send_without_a_token_is_never_ambiguous(
    reply: Reply, family: type[errors.DingTalkError], server: Scripted, make: MakeClient
) -> None:
    server.script["/gettoken"] = [reply]
    with pytest.raises(family) as caught:
        await send(make())
    assert type(caught.value) is family
    assert server.calls(SEND) == []


async def test_the_new_token_endpoint(server: Scripted, make: MakeClient) -> None:
    client = make(token_endpoint="new")
    await send(client)
    (call,) = server.calls("/v1.0/oauth2/accessToken")
    assert json.loads(call.body) == {"appKey": "dingkey", "appSecret": SECRET}
    server.script["/v1.0/oauth2/accessToken"] = [
        refused({"code": "invalidClientIdOrSecret", "message": "x"}, status=400)
    ]
    with pytest.raises(errors.BadCredentials):
        await make(token_endpoint="new").token()


class SharedStore(MemoryTokenStore):
    """A store between nodes, which counts how often its lock was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.locked: defaultdict[str, int] = defaultdict(int)

    def lock(self, app_key: str) -> AbstractAsyncContextManager[object]:
        self.locked[app_key] += 1
        return super().lock(app_key)


async def test_nodes_share_tokens_through_the_store(server: Scripted, make: MakeClient) -> None:
    store = SharedStore()
    one, two = make(tokens=store), make(tokens=store)
    await asyncio.gather(*(send(client) for client in (one, two) for _ in range(10)))
    assert len(server.calls("/gettoken")) == 1
    server.script[SEND] = [server.alive_is("token-2")]
    await asyncio.gather(*(send(client) for client in (one, two) for _ in range(10)))
    assert len(server.calls("/gettoken")) == 2
    assert store.locked["dingkey"] <= 4


async def test_a_stored_token_saves_the_fetch_and_a_stale_one_does_not(
    server: Scripted, make: MakeClient, clock: Clock
) -> None:
    store = MemoryTokenStore()
    await store.put("dingkey", Token("kept", clock() + 3600))
    assert await make(tokens=store).token() == "kept"
    assert server.seen == []
    await store.put("dingkey", Token("old", clock() + 600))
    assert await make(tokens=store).token() == "token-1"
    stored = await store.get("dingkey")
    assert stored == Token("token-1", clock() + 7200)


async def test_a_stored_token_that_was_revoked_as_well_is_one_more_try(
    server: Scripted, make: MakeClient, clock: Clock
) -> None:
    store = MemoryTokenStore()
    await store.put("dingkey", Token("first", clock() + 3600))
    client = make(tokens=store)
    assert await client.token() == "first"
    # Another node has replaced it meanwhile, and that one was revoked, too.
    await store.put("dingkey", Token("second", clock() + 3600))
    server.script[SEND] = [DEAD, DEAD, OK]
    assert await send(client) == 256271667526
    used = [call.query["access_token"] for call in server.calls(SEND)]
    assert used == ["first", "second", "token-1"]


async def test_a_stored_token_near_its_end_serves_while_no_other_can_be_had(
    server: Scripted, make: MakeClient, clock: Clock
) -> None:
    store = MemoryTokenStore()
    await store.put("dingkey", Token("old", clock() + 60))
    server.script["/gettoken"] = [{"errcode": 90018}]
    assert await make(tokens=store).token() == "old"


async def test_a_cancelled_caller_does_not_take_the_token_from_the_others(
    server: Scripted, make: MakeClient
) -> None:
    server.script["/gettoken"] = [server.hang, lambda _: _token(server)]
    client = make()
    first, second = asyncio.create_task(client.token()), asyncio.create_task(client.token())
    await server.reached.wait()
    first.cancel()
    assert await second == "token-1"
    with pytest.raises(asyncio.CancelledError):
        await first


async def _token(server: Scripted) -> web.Response:
    return server.fresh_token()


# Health -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "family", "code"),
    [
        (reset, errors.Ambiguous, "disconnected"),
        (truncated, errors.Ambiguous, "disconnected"),
        (no_http, errors.Ambiguous, "disconnected"),
        (Http(text='{"errcode":0,"task'), errors.Ambiguous, "unreadable"),
        (Http(), errors.Ambiguous, "unreadable"),
        (Http(status=502, text="<html>", content_type="text/html"), errors.Ambiguous, "http.502"),
        (Http(status=504, text="<html>", content_type="text/html"), errors.Ambiguous, "http.504"),
        (refused(OK, status=500), errors.Ambiguous, "0"),
        ({"errcode": -1}, errors.Ambiguous, "-1"),
        ({"errcode": 15, "sub_code": "isp.-1"}, errors.Ambiguous, "isp.-1"),
        ({"errcode": 500}, errors.Ambiguous, "500"),
        ({"errcode": 0}, errors.Ambiguous, "unreadable"),
        (Http(text="<html>", content_type="text/html"), errors.Banned, "banned"),
        (Http(status=403, text="<html>", content_type="text/html"), errors.Banned, "banned"),
        ({"status": 1111, "wait": 5, "punish": "deny"}, errors.Banned, "banned"),
        ({"errcode": 88, "sub_code": "90018"}, errors.RetryLater, "90018"),
        ({"errcode": 88, "sub_code": "90020"}, errors.QuotaExhausted, "90020"),
        (
            Http(status=302, location="https://elsewhere/"),
            errors.BadRequest,
            "redirected",
        ),
    ],
)
async def test_trouble_says_what_now(
    reply: Reply,
    family: type[errors.DingTalkError],
    code: str,
    server: Scripted,
    make: MakeClient,
) -> None:
    server.script[SEND] = [reply]
    with pytest.raises(errors.DingTalkError) as caught:
        await send(make())
    assert (type(caught.value), caught.value.code) == (family, code)
    assert caught.value.endpoint == SEND
    assert len(server.calls(SEND)) == 1, "the client must not repeat a send"


async def test_silence_is_ambiguous(server: Scripted, make: MakeClient) -> None:
    store = MemoryTokenStore()
    await make(tokens=store).token()
    client = make(tokens=store, timeout=0.8)
    server.script[SEND] = [server.hang]
    with pytest.raises(errors.Ambiguous) as caught:
        await send(client)
    assert caught.value.code == "timeout"


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("where", ["refused", "no such host", "no TLS"])
async def test_no_connection_is_not_sent(where: str, server: Scripted, make: MakeClient) -> None:
    urls = {
        "refused": f"http://127.0.0.1:{_closed_port()}",
        "no such host": "http://nowhere.invalid",
        "no TLS": server.url.replace("http:", "https:"),
    }
    store = MemoryTokenStore()
    client = make(urls[where], tokens=store)
    await store.put("dingkey", Token("kept", 2e9))
    with pytest.raises(errors.NotSent) as caught:
        await send(client)
    assert caught.value.code == "unreachable"


async def test_waiting_for_a_free_connection_is_not_sent(server: Scripted, clock: Clock) -> None:
    store = MemoryTokenStore()
    await store.put("dingkey", Token("kept", clock() + 7200))
    server.script[SEND] = [server.hang]
    who = Credentials("dingkey", SECRET, 1, oapi_url=server.url)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as narrow:
        patient = Client(who, session=narrow, tokens=store, now=clock)
        hasty = Client(who, session=narrow, tokens=store, now=clock, timeout=0.2)
        first = asyncio.create_task(send(patient))
        await server.reached.wait()
        with pytest.raises(errors.NotSent):
            await send(hasty)
        server.released.set()
        assert await first == 256271667526


def _everything(error: BaseException | None) -> str:
    """All that a careless log could print of an error: chain, arguments, attributes, locals."""
    parts = []
    while error is not None:
        parts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        parts += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


@pytest.mark.parametrize(
    "reply",
    [
        reset,
        truncated,
        no_http,
        DEAD,
        Http(status=502),
        echo,
    ],
)
async def test_no_error_and_no_log_has_a_secret(
    reply: Reply, server: Scripted, make: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script[SEND] = [reply]
    client = make()
    with pytest.raises(errors.DingTalkError) as caught:
        await send(client)
    server.script["/gettoken"] = [reply]
    with pytest.raises(errors.DingTalkError) as second:
        await make().token()
    unreachable = make(f"http://127.0.0.1:{_closed_port()}")
    with pytest.raises(errors.NotSent) as third:
        await unreachable.token()
    said = "".join(_everything(one.value) for one in (caught, second, third))
    said += caplog.text + repr(client) + repr(client.credentials) + str(vars(client))
    assert SECRET not in said
    assert "token-" not in said
    for one in (caught, second, third):
        error: BaseException | None = one.value
        while error is not None:
            assert isinstance(error, errors.DingTalkError)
            error = error.__cause__ or error.__context__


# The other endpoints -----------------------------------------------------------------------------


async def test_the_life_of_a_task(server: Scripted, make: MakeClient) -> None:
    root = "/topapi/message/corpconversation"
    server.script |= {
        f"{root}/getsendprogress": [
            {"errcode": 0, "progress": {"progress_in_percent": 100, "status": 2}}
        ],
        f"{root}/getsendresult": [
            {"errcode": 0, "send_result": {"unread_user_id_list": ["a"]}},
        ],
        f"{root}/status_bar/update": [{"errcode": 41052}, {"errcode": 0}],
    }
    client = make()
    assert (await client.progress(7)).done
    assert (await client.result(7)).unread == ("a",)
    await client.recall(7)
    with pytest.raises(errors.RetryLater):
        await client.update_status_bar(7, "同意")
    await client.update_status_bar(7, "同意", "0xFF78C06E")
    (recall,) = server.calls(f"{root}/recall")
    assert json.loads(recall.body) == {"agent_id": 781348000, "msg_task_id": 7}


@pytest.mark.parametrize("size", [3, 3 * 1024 * 1024])
async def test_an_upload_is_multipart(size: int, server: Scripted, make: MakeClient) -> None:
    reply = {"errcode": 0, "type": "file", "media_id": "@lAj", "created_at": 1605863153573}
    server.script["/media/upload"] = [reply]
    media = await make().upload("file", "工资 条.pdf", b"x" * size)
    assert (media.media_id, media.kind) == ("@lAj", "file")
    (call,) = server.calls("/media/upload")
    assert call.query == {"access_token": "token-1", "type": "file"}
    assert call.form == {
        "type": "file",
        "media": ("工资 条.pdf", "application/pdf", b"x" * size),
    }


async def test_an_upload_after_a_dead_token_carries_the_file_again(
    server: Scripted, make: MakeClient
) -> None:
    server.script["/media/upload"] = [DEAD, {"errcode": 0, "media_id": "@lAj"}]
    assert (await make().upload("image", "a.png", b"png")).kind == "image"
    files = [call.form["media"][2] for call in server.calls("/media/upload")]
    assert files == [b"png", b"png"]


async def test_people_are_found(server: Scripted, make: MakeClient) -> None:
    person = {"errcode": 0, "result": {"userid": "u", "name": "n", "unionid": "U"}}
    for path in ("v2/user/getuserinfo", "v2/user/getbymobile", "user/getbyunionid", "v2/user/get"):
        server.script[f"/topapi/{path}"] = [person]
    client = make()
    assert (await client.user_by_code("c")).userid == "u"
    assert await client.user_by_mobile("13800000000") == "u"
    assert await client.user_by_unionid("U") == "u"
    assert (await client.user("u")).name == "n"
    server.script["/topapi/v2/user/getuserinfo"] = [{"errcode": 40078, "errmsg": "nonexistent"}]
    with pytest.raises(errors.SignInExpired):
        await client.user_by_code("c")


async def test_web_sign_in_needs_no_app_token(server: Scripted, make: MakeClient) -> None:
    token = {"accessToken": "ut", "refreshToken": "rt", "expireIn": 7200}
    server.script["/v1.0/oauth2/userAccessToken"] = [token]
    server.script["/v1.0/contact/users/me"] = [
        {"unionId": "U", "nick": "n"},
        refused({"code": "InvalidAuthentication", "message": "x"}, status=400),
    ]
    client = make()
    signed = await client.user_access_token("auth")
    again = await client.refresh_user_access_token(signed.refresh_token)
    assert (await client.me(again.access_token)).unionid == "U"
    with pytest.raises(errors.SignInExpired):
        await client.me(again.access_token)
    assert server.calls("/gettoken") == []
    for call in server.calls("/v1.0/contact/users/me"):
        assert call.headers["x-acs-dingtalk-access-token"] == "ut"
        assert call.query == {}


def _page(userids: list[str], following: int | None) -> dict[str, Any]:
    rows = [{"userid": userid, "name": userid.upper()} for userid in userids]
    more = {} if following is None else {"next_cursor": following}
    return {"errcode": 0, "result": {"has_more": following is not None, "list": rows, **more}}


async def test_lists_are_read_to_their_end(server: Scripted, make: MakeClient) -> None:
    pages = [_page(["a"], 100), _page(["b"], 201), _page([], None)]
    server.script["/topapi/user/listsimple"] = list(pages)
    server.script["/topapi/v2/user/list"] = list(pages)
    client = make()
    assert [one.name for one in await client.members_simple(2)] == ["A", "B"]
    assert [one.userid for one in await client.members(2)] == ["a", "b"]
    for path in ("/topapi/user/listsimple", "/topapi/v2/user/list"):
        asked = [json.loads(call.body)["cursor"] for call in server.calls(path)]
        assert asked == [0, 100, 201]


async def test_a_cursor_that_stands_still_does_not_loop(server: Scripted, make: MakeClient) -> None:
    server.script["/topapi/user/listsimple"] = [_page(["a"], 100)]
    with pytest.raises(errors.Ambiguous):
        await make().members_simple(2)
    assert len(server.calls("/topapi/user/listsimple")) == 2


async def test_roles_and_their_members(server: Scripted, make: MakeClient) -> None:
    def group(role_id: int, *, more: bool) -> dict[str, Any]:
        roles = [{"id": role_id, "name": "r"}]
        rows = [{"groupId": 9, "name": "g", "roles": roles}]
        return {"errcode": 0, "result": {"hasMore": more, "list": rows}}

    server.script["/topapi/role/list"] = [group(1, more=True), group(2, more=False)]
    server.script["/topapi/role/simplelist"] = [
        {"errcode": 0, "result": {"hasMore": True, "list": [{"userid": "a", "name": "A"}]}},
        {"errcode": 0, "result": {"hasMore": False, "list": [{"userid": "b", "name": "B"}]}},
    ]
    client = make()
    (found,) = await client.roles()
    assert ([role.id for role in found.roles], found.name) == ([1, 2], "g")
    assert await client.role_members(1) == ["a", "b"]
    offsets = [json.loads(call.body)["offset"] for call in server.calls("/topapi/role/simplelist")]
    assert offsets == [0, 100]


async def test_departments_and_scopes(server: Scripted, make: MakeClient) -> None:
    server.script |= {
        "/topapi/v2/department/listsub": [
            {"errcode": 0, "result": [{"dept_id": 2, "name": "d", "parent_id": 1}]}
        ],
        "/topapi/v2/department/listsubid": [{"errcode": 0, "result": {"dept_id_list": [2]}}],
        "/topapi/v2/department/get": [
            {"errcode": 0, "result": {"dept_id": 2, "name": "d", "member_count": 4}},
            {"errcode": 60003},
        ],
        "/topapi/user/listid": [{"errcode": 0, "result": {"userid_list": ["a", "b"]}}],
        "/auth/scopes": [{"errcode": 0, "auth_org_scopes": {"authed_dept": [1]}}],
    }
    client = make()
    assert [one.id for one in await client.departments()] == [2]
    assert await client.subdepartment_ids(1) == [2]
    assert (await client.department(2)).member_count == 4
    with pytest.raises(errors.UnknownDepartment):
        await client.department(3)
    assert await client.member_ids(2) == ["a", "b"]
    assert (await client.scopes()).dept_ids == (1,)
