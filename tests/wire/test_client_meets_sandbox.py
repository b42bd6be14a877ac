"""The client and the sandbox share no code; here they meet, every method once."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from dingbell.dingtalk import Client, Credentials, MemoryTokenStore, errors, limits, messages
from dingbell.dingtalk.messages import (
    OA,
    ActionCard,
    Body,
    Button,
    File,
    Head,
    Image,
    Link,
    Markdown,
    Message,
    Single,
    StatusBar,
    Text,
    Voice,
)
from dingbell.sandbox import Sandbox

PEOPLE = 130
SEND = "/topapi/message/corpconversation/asyncsend_v2"
URL = "https://example.com/a"
HEAD = Head("FFBBBBBB", "头部")


class Meeting:
    """A client, and the control API that tells the truth."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.client = self.make()

    def make(self, secret: str | None = None, **named: Any) -> Client:
        who = Credentials(
            self.sandbox.app_key,
            secret or self.sandbox.app_secret,
            self.sandbox.agent_id,
            oapi_url=self.sandbox.url,
            api_url=self.sandbox.url,
        )
        return Client(who, session=self.session, **named)

    async def control(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        url = f"{self.sandbox.url}/_sandbox/{path}"
        async with self.session.request(method, url, json=body) as response:
            assert response.status == 200, await response.text()
            return json.loads(await response.read())

    async def userids(self, count: int) -> list[str]:
        people = (await self.control("people"))["people"]
        return [person["userid"] for person in people[:count]]

    async def send(self, text: str, userids: list[str]) -> int:
        body = messages.canonical(Text(text))
        return (await self.client.send(body, userids=userids)).task_id

    async def later(self, seconds: float = 2) -> None:
        await self.control("clock", {"advance": seconds})

    async def fault(self, **rule: Any) -> None:
        await self.control("faults", {"path": SEND, "times": 1, **rule})


@pytest.fixture
async def met() -> AsyncIterator[Meeting]:
    async with Sandbox(people=PEOPLE) as sandbox, aiohttp.ClientSession() as session:
        yield Meeting(sandbox, session)


async def test_the_life_of_a_notice(met: Meeting) -> None:
    userids = await met.userids(3)
    client = met.client
    sent = await client.send(messages.canonical(Text("你好")), userids=[*userids, "nobody"])
    assert sent.request_id
    assert sent.server_time is not None
    assert abs(sent.server_time.timestamp() - time.time()) < 60
    assert not (await client.progress(sent.task_id)).done
    await met.later()
    progress = await client.progress(sent.task_id)
    assert (progress.percent, progress.done) == (100, True)
    result = await client.result(sent.task_id)
    assert sorted(result.unread + result.read) == sorted(userids)
    assert result.invalid_userids == ("nobody",)
    await client.recall(sent.task_id)
    assert await met.control(f"inbox/{userids[0]}") == []


async def test_the_same_words_twice_a_day_are_dropped(met: Meeting) -> None:
    userids = await met.userids(2)
    await met.send("早上好", userids)
    again = await met.send("早上好", userids)
    await met.later()
    result = await met.client.result(again)
    assert sorted(one.userid for one in result.forbidden) == sorted(userids)
    assert {errors.forbidden_action(one.code) for one in result.forbidden} == {"duplicate"}


async def test_the_bytes_arrive_as_they_were_made(met: Meeting) -> None:
    message = Markdown("标题 \U0001f514", '# "引号"\n\\ 与 / </script>')
    await met.client.send(messages.canonical(message), userids=await met.userids(1))
    (call,) = await met.control("calls")
    assert call["msg"] == message.to_wire()
    assert call["accepted"] is True


async def _every_type(client: Client) -> list[Message]:
    image = await client.upload("image", "图 1.png", b"\x89PNG\r\n")
    voice = await client.upload("voice", "a.amr", b"#!AMR")
    file = await client.upload("file", "工资.pdf", b"%PDF")
    button = Button("同意", "https://example.com/y")
    return [
        Text("请提交日报"),
        Image(image.media_id),
        Voice(voice.media_id, 10),
        File(file.media_id),
        Link(URL, image.media_id, "标题", "描述"),
        OA(URL, HEAD, Body("正文", (("姓名:", "张三"),), content="x", author="y")),
        Markdown("首屏文案", "# 标题"),
        ActionCard("正文", "通知", single=Single("查看详情", URL)),
        ActionCard("正文", "通知", buttons=(button, button), orientation="horizontal"),
    ]


async def test_every_type_is_accepted_and_reaches_the_phone(met: Meeting) -> None:
    (userid,) = await met.userids(1)
    every = await _every_type(met.client)
    for message in every:
        await met.client.send(messages.canonical(message), userids=[userid])
    await met.later()
    inbox = await met.control(f"inbox/{userid}")
    assert [one["msg"] for one in inbox] == [one.to_wire() for one in every]


async def test_the_sandbox_and_the_client_agree_on_the_status_bar(met: Meeting) -> None:
    message = OA(URL, HEAD, Body("正文"), status_bar=StatusBar("待办", "0xFFFF9D46"))
    body = messages.canonical(message)
    userids = await met.userids(6)
    with pytest.raises(errors.CallError):
        await met.client.send(body, userids=userids)
    sent = await met.client.send(body, userids=userids[:5])
    with pytest.raises(errors.RetryLater) as caught:
        await met.client.update_status_bar(sent.task_id, "同意")
    assert caught.value.code == "41052"
    await met.later()
    await met.client.update_status_bar(sent.task_id, "同意", "0xFF78C06E")
    (notice,) = await met.control(f"inbox/{userids[0]}")
    assert notice["msg"]["oa"]["status_bar"]["status_value"] == "同意"


async def test_departments_and_everyone(met: Meeting) -> None:
    body = messages.canonical(Text("全员"))
    await met.client.send(body, to_all=True)
    await met.client.send(messages.canonical(Text("部门")), dept_ids=[1])
    calls = await met.control("calls")
    await met.later()
    assert [(call["to_all"], call["dept_ids"]) for call in calls] == [(True, []), (False, [1])]


async def test_the_directory_is_walked_to_its_end(met: Meeting) -> None:
    client = met.client
    truth = await met.control("people")
    departments, found = [1], set()
    for dept_id in departments:
        children = await client.departments(dept_id)
        assert sorted(child.id for child in children) == sorted(
            await client.subdepartment_ids(dept_id)
        )
        departments += [child.id for child in children]
        ids = await client.member_ids(dept_id)
        users = await client.members(dept_id)
        simple = await client.members_simple(dept_id)
        assert sorted(ids) == sorted(one.userid for one in users)
        assert sorted(ids) == sorted(one.userid for one in simple)
        found |= set(ids)
    assert sorted(departments) == sorted(one["dept_id"] for one in truth["departments"])
    assert found == {one["userid"] for one in truth["people"]}
    root = await client.department(1)
    assert root.member_count == PEOPLE
    with pytest.raises(errors.UnknownDepartment):
        await client.department(99999999)


async def test_more_than_a_page_of_members() -> None:
    async with Sandbox(people=2000) as sandbox, aiohttp.ClientSession() as session:
        met = Meeting(sandbox, session)
        truth = await met.control("people")
        largest = max(truth["departments"], key=lambda one: len(one["userids"]))
        assert len(largest["userids"]) > limits.MEMBERS_PER_PAGE
        for listed in (
            await met.client.members(largest["dept_id"]),
            await met.client.members_simple(largest["dept_id"]),
        ):
            assert sorted(one.userid for one in listed) == sorted(largest["userids"])
        told = defaultdict(set)
        for person in truth["people"]:
            for role in person.get("role_list", []):
                told[role["id"]].add(person["userid"])
        role_id = max(told, key=lambda one: len(told[one]))
        assert len(told[role_id]) > limits.ROLE_MEMBERS_PER_PAGE
        assert set(await met.client.role_members(role_id)) == told[role_id]


async def test_roles_have_the_people_who_say_so(met: Meeting) -> None:
    client = met.client
    truth = (await met.control("people"))["people"]
    roles = [role for group in await client.roles() for role in group.roles]
    assert roles
    for role in roles:
        told = {
            one["userid"]
            for one in truth
            if any(mine["id"] == role.id for mine in one.get("role_list", []))
        }
        assert set(await client.role_members(role.id)) == told
    scopes = await client.scopes()
    assert scopes.dept_ids or scopes.userids


async def test_people_are_known_by_every_name(met: Meeting) -> None:
    client = met.client
    (userid,) = await met.userids(1)
    user = await client.user(userid)
    assert (user.userid, user.active) == (userid, True)
    assert user.mobile
    assert user.unionid
    assert user.dept_ids
    assert user.hired_on is not None
    assert await client.user_by_mobile(user.mobile) == userid
    assert await client.user_by_unionid(user.unionid) == userid
    code = (await met.control("codes", {"userid": userid}))["code"]
    signed = await client.user_by_code(code)
    assert (signed.userid, signed.unionid, signed.name) == (userid, user.unionid, user.name)
    with pytest.raises(errors.SignInExpired):
        await client.user_by_code(code)
    for missing in (client.user("nobody"), client.user_by_mobile("13000000000")):
        with pytest.raises(errors.UnknownPerson):
            await missing
    with pytest.raises(errors.UnknownPerson):
        await client.user_by_unionid("nobody")


async def test_web_sign_in(met: Meeting) -> None:
    client = met.client
    query = {
        "redirect_uri": "http://127.0.0.1/back",
        "response_type": "code",
        "client_id": met.sandbox.app_key,
        "scope": "openid corpid",
        "state": "s",
        "prompt": "consent",
    }
    url = f"{met.sandbox.url}/oauth2/auth"
    async with met.session.get(url, params=query, allow_redirects=False) as response:
        code = parse_qs(urlsplit(response.headers["Location"]).query)["authCode"][0]
    token = await client.user_access_token(code)
    assert token.corp_id
    again = await client.refresh_user_access_token(token.refresh_token)
    profile = await client.me(again.access_token)
    userid = await client.user_by_unionid(profile.unionid)
    assert (await client.user(userid)).name == profile.nick
    with pytest.raises(errors.SignInExpired):
        await client.user_access_token(code)
    with pytest.raises(errors.SignInExpired):
        await client.me("bogus")


@pytest.mark.parametrize("endpoint", ["old", "new"])
async def test_tokens_revoked_under_load_reach_everybody_once(met: Meeting, endpoint: Any) -> None:
    userids = await met.userids(12)
    met.client = met.make(token_endpoint=endpoint)
    await met.client.token()
    await met.control("revoke-tokens", {})
    tasks = await asyncio.gather(*(met.send(f"给 {one}", [one]) for one in userids))
    await met.later()
    assert len(set(tasks)) == len(userids)
    for userid in userids:
        assert len(await met.control(f"inbox/{userid}")) == 1
    path = "/gettoken" if endpoint == "old" else "/v1.0/oauth2/accessToken"
    assert (await met.control("stats"))["calls"][path] == 2


async def test_a_wrong_secret_is_bad_credentials(met: Meeting) -> None:
    for endpoint in ("old", "new"):
        with pytest.raises(errors.BadCredentials) as caught:
            await met.make("wrong", token_endpoint=endpoint).token()
        assert caught.value.alert


@pytest.mark.parametrize(
    ("rule", "family", "accepted"),
    [
        ({"reset": "before"}, errors.Ambiguous, 0),
        ({"reset": "after"}, errors.Ambiguous, 1),
        ({"truncate": True}, errors.Ambiguous, 1),
        ({"http_status": 502}, errors.Ambiguous, 0),
        ({"http_status": 504}, errors.Ambiguous, 0),
        ({"errcode": -1}, errors.Ambiguous, 0),
        ({"errcode": 15}, errors.Ambiguous, 0),
        ({"ban": True}, errors.Banned, 0),
        ({"errcode": 90018}, errors.RetryLater, 0),
        ({"errcode": 90002}, errors.RetryLater, 0),
        ({"errcode": 90020}, errors.QuotaExhausted, 0),
        ({"errcode": 60020}, errors.NotPermitted, 0),
        ({"errcode": 41044}, errors.NotPermitted, 0),
        ({"errcode": 40007}, errors.BadMedia, 0),
        ({"errcode": 987654}, errors.Permanent, 0),
    ],
)
async def test_every_fault_lands_in_its_family(
    rule: dict[str, Any], family: type[errors.DingTalkError], accepted: int, met: Meeting
) -> None:
    userids = await met.userids(1)
    await met.client.token()
    await met.fault(**rule)
    with pytest.raises(errors.DingTalkError) as caught:
        await met.send("hello", userids)
    assert type(caught.value) is family
    calls = await met.control("calls")
    assert sum(call["accepted"] for call in calls) == accepted
    await met.send("hello", userids)


async def test_a_slow_answer_is_ambiguous(met: Meeting) -> None:
    userids = await met.userids(1)
    store = MemoryTokenStore()
    await met.make(tokens=store).token()
    met.client = met.make(tokens=store, timeout=0.8)
    await met.fault(delay=30)
    with pytest.raises(errors.Ambiguous) as caught:
        await met.send("hello", userids)
    assert caught.value.code == "timeout"


async def test_the_21st_call_of_a_second_waits(met: Meeting) -> None:
    (userid,) = await met.userids(1)
    await met.client.token()
    found = await asyncio.gather(
        *(met.send(str(n), [userid]) for n in range(25)), return_exceptions=True
    )
    late = [one for one in found if isinstance(one, BaseException)]
    assert late
    assert {type(one) for one in late} == {errors.RetryLater}


async def test_the_last_call_of_the_month_is_the_quota(met: Meeting) -> None:
    userids = await met.userids(1)
    await met.control("limits", {"monthly_calls": 1})
    await met.send("one", userids)
    with pytest.raises(errors.QuotaExhausted) as caught:
        await met.send("two", userids)
    assert caught.value.alert


async def test_an_unknown_task_and_an_unknown_picture_are_permanent(met: Meeting) -> None:
    for call in (
        met.client.progress(1),
        met.client.result(1),
        met.client.recall(1),
        met.client.update_status_bar(1, "x"),
        met.client.send(messages.canonical(Image("@nothing")), userids=await met.userids(1)),
    ):
        with pytest.raises(errors.Permanent):
            await call


async def test_an_upload_of_an_odd_kind_of_file_is_refused(met: Meeting) -> None:
    with pytest.raises(errors.BadMedia):
        await met.client.upload("image", "a.exe", b"MZ")
