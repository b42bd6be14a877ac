"""Stream: frames as values, and a line to the sandbox."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.dingtalk import Client, Credentials, errors
from dingbell.dingtalk.client.stream import StreamConnection
from dingbell.dingtalk.wire import stream
from dingbell.dingtalk.wire.stream import Disconnect, Other, Ping, StreamEvent
from dingbell.sandbox import Sandbox


def frame(kind: str = "EVENT", topic: str = "*", data: Any = "{}", **headers: Any) -> str:
    told = {"messageId": "m", "topic": topic, **headers}
    return json.dumps({"specVersion": "1.0", "type": kind, "headers": told, "data": data})


EVENT = {"eventId": "e", "eventType": "user_add_org"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (frame("SYSTEM", "disconnect"), Disconnect()),
        (frame("SYSTEM", "ping", '{"opaque": "x"}'), Ping("m", '{"opaque": "x"}')),
        (frame("SYSTEM", "registered"), Other("m")),
        (frame("CALLBACK", "/v1.0/im/bot"), Other("m")),
        (
            frame(data='{"userId": ["a", "b"]}', **EVENT),
            StreamEvent("m", "e", "user_add_org", userids=("a", "b")),
        ),
        (
            frame(data={"UserId": ["a"]}, **EVENT),
            StreamEvent("m", "e", "user_add_org", userids=("a",)),
        ),
        (
            frame(data='{"deptId": [1, "2"]}', eventId="e", eventType="org_dept_create"),
            StreamEvent("m", "e", "org_dept_create", dept_ids=(1, 2)),
        ),
        (
            frame(
                data='{"userIdList": ["a"], "labelIdList": [7], "action": "add"}',
                eventId="e",
                eventType="label_user_change",
            ),
            StreamEvent("m", "e", "label_user_change", userids=("a",), role_ids=(7,)),
        ),
        (frame(data="{", **EVENT), StreamEvent("m", "e", "user_add_org")),
        (frame(data="[1]", **EVENT), StreamEvent("m", "e", "user_add_org")),
        (frame(eventType="user_add_org"), Other("m")),
        ("", Other()),
        ("[]", Other()),
        ("{" * 100_000, Other()),
        (json.dumps({"type": "EVENT"}), Other()),
    ],
)
def test_a_frame_is_read_as_what_it_is(text: str, read: stream.Frame) -> None:
    assert stream.read(text) == read


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(
        st.sampled_from(["type", "headers", "data", "messageId", "topic", "eventId", "userId"]),
        inner,
    )
)))  # fmt: skip
def test_no_frame_is_an_error(value: Any) -> None:
    stream.answer(stream.read(json.dumps(value)))


def test_a_ping_goes_back_as_it_came_and_an_event_waits_until_it_is_kept() -> None:
    pong = json.loads(stream.answer(Ping("m", '{"opaque":"x"}')) or "")
    assert (pong["code"], pong["headers"]["messageId"], pong["data"]) == (
        200,
        "m",
        '{"opaque":"x"}',
    )
    event = StreamEvent("m", "e", "user_add_org")
    assert stream.answer(event) is None
    assert json.loads(json.loads(stream.acknowledgement(event))["data"])["status"] == "SUCCESS"


def test_the_ticket_is_not_shown() -> None:
    found = stream.Invitation("wss://a/connect", "gehe im")
    assert "gehe" not in repr(found)
    assert found.url == "wss://a/connect?ticket=gehe+im"


class Listener:
    """A client, and the levers of the sandbox."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox, self.session = sandbox, session

    def client(self, secret: str | None = None) -> Client:
        who = Credentials(
            self.sandbox.app_key,
            secret or self.sandbox.app_secret,
            self.sandbox.agent_id,
            oapi_url=self.sandbox.url,
            api_url=self.sandbox.url,
        )
        return Client(who, session=self.session)

    async def order(self, path: str, body: Any = None, status: int = 200) -> Any:
        method = "GET" if body is None else "POST"
        url = f"{self.sandbox.url}/_sandbox/{path}"
        async with self.session.request(method, url, json=body) as response:
            assert response.status == status, await response.text()
            return await response.json()


@pytest.fixture
async def met() -> AsyncIterator[Listener]:
    async with Sandbox(people=30) as sandbox, aiohttp.ClientSession() as session:
        yield Listener(sandbox, session)


async def drained(line: StreamConnection, event: StreamEvent) -> None:
    while True:
        assert await line.receive(0.5) == event


async def test_an_event_is_told_until_it_is_acknowledged(met: Listener) -> None:
    await met.order("stream", {"ack_seconds": 0.1})
    line = await met.client().stream()
    await met.order("people/manager4220", {"employed": False})
    first, again = await line.receive(5), await line.receive(5)
    assert isinstance(first, StreamEvent)
    assert first == again
    assert (first.kind, first.userids) == ("user_leave_org", ("manager4220",))
    await line.acknowledge(first)

    # What was told before is on its way still; afterwards there is nothing.
    with pytest.raises(errors.Ambiguous) as caught:
        await drained(line, first)
    assert caught.value.code == "timeout"
    assert (await met.order("stream"))["counts"]["acknowledged"] == 1
    await line.close()


async def test_pings_are_answered_on_the_way(met: Listener) -> None:
    await met.order("stream", {"ping_seconds": 0.05})
    line = await met.client().stream()
    await met.order("stream", {"ping_seconds": 9})
    with pytest.raises(errors.Ambiguous):
        await line.receive(0.5)
    assert line.heard > 0
    assert (await met.order("stream"))["counts"]["pong"] == line.heard
    await line.close()


async def test_a_line_says_when_no_more_will_come_and_when_it_is_closed(met: Listener) -> None:
    await met.order("stream", {"linger_seconds": 0.1})
    line = await met.client().stream()
    await met.order("stream", {"disconnect": True})
    assert isinstance(await line.receive(5), Disconnect)
    with pytest.raises(errors.Ambiguous) as caught:
        await line.receive(5)
    assert caught.value.code == "disconnected"


async def test_a_cut_line_is_an_error_of_ours(met: Listener) -> None:
    line = await met.client().stream()
    await met.order("stream", {"cut": True})
    with pytest.raises(errors.Ambiguous, match="connection broke"):
        await line.receive(5)


async def test_credentials_that_are_wrong_open_no_line(met: Listener) -> None:
    with pytest.raises(errors.BadCredentials):
        await met.client("wrong").stream()


async def test_a_ticket_works_once_and_stays_out_of_errors(met: Listener) -> None:
    body = {"clientId": met.sandbox.app_key, "clientSecret": met.sandbox.app_secret}
    url = f"{met.sandbox.url}/v1.0/gateway/connections/open"
    async with met.session.post(url, json=body) as answer:
        told = await answer.json()
    found = stream.Invitation(told["endpoint"], told["ticket"])
    transport = met.client()._transport
    await (await transport.listen(found.url, "stream")).close()
    with pytest.raises(errors.NotSent, match="HTTP 401") as caught:
        await transport.listen(found.url, "stream")
    seen, error = "", caught.value
    while error is not None:
        seen += repr(error) + str(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    assert told["ticket"] not in seen


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("stream", {"lose": -1}, "lose"),
        ("stream", {"shout": 1}, "shout"),
        ("stream", {"cut": 1}, "cut"),
        ("people", {"userid": "manager4220"}, "userid"),
        ("people", {"age": 5}, "age"),
        ("people/manager4220", {"name": ""}, "name"),
        ("people/manager4220", {"dept_ids": [5]}, "dept_ids"),
        ("departments", {"name": "x", "parent_id": 5}, "parent_id"),
        ("departments", {}, "name"),
    ],
)
async def test_what_the_levers_do_not_know_is_refused(
    met: Listener, path: str, body: Any, field: str
) -> None:
    assert (await met.order(path, body, status=400))["field"] == field


async def test_reset_undoes_what_became_of_the_company(met: Listener) -> None:
    before = await met.order("people")
    await met.order("people", {"name": "新来的"})
    await met.order("departments", {"name": "平台部"})
    await met.order("people/manager4220", {"name": "改了名"})
    await met.order("reset", {})
    assert await met.order("people") == before
