"""The pretend DingTalk, spoken to over real HTTP as any client would."""

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from dingbell.sandbox import Sandbox
from dingbell.sandbox.rules.windows import SlidingWindow

SEND = "/topapi/message/corpconversation/asyncsend_v2"
PROGRESS = "/topapi/message/corpconversation/getsendprogress"
RESULT = "/topapi/message/corpconversation/getsendresult"
RECALL = "/topapi/message/corpconversation/recall"
STATUS_BAR = "/topapi/message/corpconversation/status_bar/update"


class Stranger:
    """A third-party client that knows only the address and the credentials."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.token = ""

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, self.sandbox.url + path, **options) as answer:
            return answer.status, json.loads(await answer.read())

    async def fresh_token(self, app: int = 0) -> str:
        given = self.sandbox.apps[app]
        query = {"appkey": given.app_key, "appsecret": given.app_secret}
        _, answer = await self.ask("GET", "/gettoken", params=query)
        self.token = answer["access_token"]
        return self.token

    async def top(self, path: str, **body: Any) -> dict[str, Any]:
        query = {"access_token": self.token}
        status, answer = await self.ask("POST", path, params=query, json=body)
        assert status == 200
        return answer

    async def send(self, userids: Any, msg: Any = None, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"agent_id": self.sandbox.agent_id, **more}
        if userids:
            body["userid_list"] = ",".join(userids)
        return await self.top(SEND, msg=text("你好") if msg is None else msg, **body)

    async def control(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        status, answer = await self.ask(method, "/_sandbox/" + path, json=body)
        assert status == 200, answer
        return answer

    async def people(self) -> list[str]:
        return [person["userid"] for person in (await self.control("people"))["people"]]

    async def result(self, task_id: int) -> dict[str, Any]:
        answer = await self.top(RESULT, agent_id=self.sandbox.agent_id, task_id=task_id)
        return answer["send_result"]

    async def done(self, task_id: int) -> dict[str, Any]:
        await self.control("clock", {"advance": 2})
        return await self.result(task_id)


@pytest.fixture
async def stranger() -> AsyncIterator[Stranger]:
    async with Sandbox(people=300, seed=1) as sandbox, aiohttp.ClientSession() as session:
        client = Stranger(sandbox, session)
        await client.fresh_token()
        yield client


def text(content: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": content}}


# --- tokens -------------------------------------------------------------------------------------


async def test_asking_for_a_token_again_returns_the_same_one_and_renews_it(
    stranger: Stranger,
) -> None:
    first = stranger.token
    assert re.fullmatch("[0-9a-f]{32}", first)
    await stranger.control("clock", {"advance": 7_000})
    assert await stranger.fresh_token() == first
    await stranger.control("clock", {"advance": 7_000})
    assert (await stranger.top("/topapi/user/listadmin"))["errcode"] == 0
    await stranger.control("clock", {"advance": 201})
    assert (await stranger.top("/topapi/user/listadmin"))["sub_code"] == "40014"
    assert await stranger.fresh_token() != first


async def test_old_and_new_token_endpoints_share_one_token(stranger: Stranger) -> None:
    sandbox = stranger.sandbox
    body = {"appKey": sandbox.app_key, "appSecret": sandbox.app_secret}
    status, answer = await stranger.ask("POST", "/v1.0/oauth2/accessToken", json=body)
    assert (status, answer) == (200, {"accessToken": stranger.token, "expireIn": 7200})
    query = {"corpid": sandbox.corp_id, "corpsecret": sandbox.app_secret}
    _, answer = await stranger.ask("GET", "/gettoken", params=query)
    assert answer["access_token"] == stranger.token
    grant = {"client_id": sandbox.app_key, "client_secret": sandbox.app_secret}
    path = f"/v1.0/oauth2/{sandbox.corp_id}/token"
    body = {**grant, "grant_type": "client_credentials"}
    _, answer = await stranger.ask("POST", path, json=body)
    assert answer == {"access_token": stranger.token, "expires_in": 7200}


async def test_a_wrong_secret_is_40096_and_a_missing_one_40035(stranger: Stranger) -> None:
    query = {"appkey": stranger.sandbox.app_key, "appsecret": "wrong"}
    _, answer = await stranger.ask("GET", "/gettoken", params=query)
    assert answer == {"errcode": 40096, "errmsg": "不合法的appKey或appSecret"}
    _, answer = await stranger.ask("GET", "/gettoken", data=query)
    assert answer == {"errcode": 40035, "errmsg": "缺少参数 corpid or appkey"}
    body = {"appKey": stranger.sandbox.app_key, "appSecret": "wrong"}
    status, answer = await stranger.ask("POST", "/v1.0/oauth2/accessToken", json=body)
    assert (status, answer["code"]) == (400, "invalidClientIdOrSecret")


# --- envelopes ----------------------------------------------------------------------------------


async def test_each_family_says_no_in_its_own_shape(stranger: Stranger) -> None:
    stranger.token = "stale"
    answer = await stranger.top("/topapi/v2/user/get", userid="manager4220")
    assert re.fullmatch("[0-9a-z]{12,13}", answer.pop("request_id"))
    assert answer == {
        "errcode": 88,
        "sub_code": "40014",
        "sub_msg": "不合法的access_token",
        "errmsg": "ding talk error[subcode=40014,submsg=不合法的access_token]",
    }
    _, answer = await stranger.ask("GET", "/auth/scopes", params={"access_token": "stale"})
    assert answer == {"errcode": 40014, "errmsg": "不合法的access_token"}
    header = {"x-acs-dingtalk-access-token": "stale"}
    status, answer = await stranger.ask("GET", "/v1.0/contact/users/me", headers=header)
    assert (status, answer["code"]) == (400, "InvalidAuthentication")
    assert set(answer) == {"code", "requestid", "message"}


async def test_a_token_in_a_header_is_ignored_by_topapi(stranger: Stranger) -> None:
    header = {"x-acs-dingtalk-access-token": stranger.token}
    _, answer = await stranger.ask("POST", "/topapi/v2/user/get", headers=header, json={})
    assert (answer["errcode"], answer["sub_code"]) == (88, "40000")


async def test_unknown_paths_are_unknown_even_without_a_token(stranger: Stranger) -> None:
    stranger.token = "stale"
    answer = await stranger.top("/topapi/v2/user/notexist")
    assert answer["errcode"] == 22
    assert "dingtalk.oapi.v2.user.notexist" in answer["errmsg"]
    assert await stranger.ask("GET", "/no/such") == (
        200,
        {"errcode": 404, "errmsg": "请求的URI地址不存在"},
    )
    status, answer = await stranger.ask("GET", "/v1.0/no/such")
    assert (status, answer["code"]) == (404, "InvalidAction.NotFound")


async def test_the_new_api_takes_json_bodies_only(stranger: Stranger) -> None:
    status, answer = await stranger.ask("POST", "/v1.0/oauth2/accessToken", data={"appKey": "a"})
    assert (status, answer["code"]) == (400, "Missingbody")


async def test_answers_carry_the_date(stranger: Stranger) -> None:
    async with stranger.session.get(stranger.sandbox.url + "/gettoken") as answer:
        assert answer.headers["Date"].endswith("GMT")
        assert answer.content_type == "application/json"


# --- sending ------------------------------------------------------------------------------------


def _encodings(agent_id: int, msg: dict[str, Any], userid: str) -> list[dict[str, Any]]:
    spelled = json.dumps(msg, ensure_ascii=False)
    texts = {
        "agent_id": str(agent_id),
        "userid_list": userid,
        "to_all_user": "false",
        "msg": spelled,
    }
    java = json.dumps({**texts, "msg": msg}).encode()
    return [
        {"json": {"agent_id": agent_id, "userid_list": userid, "to_all_user": False, "msg": msg}},
        {"data": java, "headers": {"Content-Type": "application/json;charset=utf-8"}},
        {"json": {"agent_id": agent_id, "userid_list": userid, "msg": spelled}},
        {"data": texts},
        {"params": texts},
    ]


async def test_five_encodings_of_a_send_are_one_message(stranger: Stranger) -> None:
    msg = text("同一条")
    for options in _encodings(stranger.sandbox.agent_id, msg, "manager4220"):
        query = {"access_token": stranger.token, **options.pop("params", {})}
        _, answer = await stranger.ask("POST", SEND, params=query, **options)
        assert answer["errcode"] == 0
    calls = await stranger.control("calls")
    assert [call["msg"] for call in calls] == [msg] * 5
    assert [call["delivered"] for call in calls] == [["manager4220"]] + [[]] * 4
    assert [call["dropped"] for call in calls] == [{}] + [{"manager4220": 143106}] * 4


async def test_a_task_goes_from_0_to_2_and_then_everybody_is_in_one_list(
    stranger: Stranger,
) -> None:
    await stranger.control("limits", {"completion_seconds": 100})
    userids = (await stranger.people())[:3]
    task_id = (await stranger.send([*userids, "nobody"]))["task_id"]
    assert len(str(task_id)) == 12
    about = {"agent_id": stranger.sandbox.agent_id, "task_id": task_id}
    seen = []
    for advance in (0, 50, 50):
        await stranger.control("clock", {"advance": advance})
        seen.append((await stranger.top(PROGRESS, **about))["progress"]["status"])
        if advance == 0:
            assert not any((await stranger.result(task_id)).values())
    assert seen == [0, 1, 2]
    result = await stranger.result(task_id)
    assert result["invalid_user_id_list"] == ["nobody"]
    assert sorted(result["read_user_id_list"] + result["unread_user_id_list"]) == sorted(userids)
    assert "forbidden_user_id_list" not in result


async def test_task_ids_grow(stranger: Stranger) -> None:
    ids = [(await stranger.send(["manager4220"], text(str(n))))["task_id"] for n in range(3)]
    await stranger.control("reset", {})
    ids.append((await stranger.send(["manager4220"]))["task_id"])
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"msg": None}, 40),
        ({"agent_id": None}, 40),
        ({"agent_id": "abc"}, 41),
        ({"agent_id": 7}, 400002),
        ({"to_all_user": "True"}, 41),
        ({"userid_list": None}, 400002),
        ({"userid_list": ""}, 400002),
        ({"userid_list": ",".join(["u"] * 101)}, 40032),
        ({"dept_id_list": ",".join(["1"] * 21)}, 400002),
        ({"dept_id_list": "x"}, 41),
        ({"msg": "{broken"}, 34014),
        ({"msg": {"msgtype": "nothing"}}, 40008),
        ({"msg": {"msgtype": "text"}}, 34014),
        ({"msg": {"msgtype": "image", "image": {"media_id": "plain"}}}, 40007),
        ({"msg": {"msgtype": "voice", "voice": {"media_id": "@a", "duration": "60"}}}, 34014),
        ({"msg": text("字" * 700)}, 45002),
    ],
)
async def test_a_bad_send_is_refused_listed_and_makes_no_task(
    stranger: Stranger, change: dict[str, Any], code: int
) -> None:
    body = {
        "agent_id": stranger.sandbox.agent_id,
        "userid_list": "manager4220",
        "msg": text("你好"),
    }
    body = {name: value for name, value in {**body, **change}.items() if value is not None}
    answer = await stranger.top(SEND, **body)
    assert answer["errcode"] == code
    (call,) = await stranger.control("calls")
    assert (call["accepted"], call["task_id"], call["errcode"]) == (False, None, code)
    assert await stranger.control("inbox/manager4220") == []


async def test_missing_arguments_are_named(stranger: Stranger) -> None:
    answer = await stranger.top(SEND, agent_id=1, userid_list="a")
    assert answer["errmsg"] == "Missing required arguments:msg"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff"),
        ("multipart/form-data", b"zz"),
        ("multipart/form-data; boundary=a", b"--a\r\nzz"),
        ("application/x-www-form-urlencoded", b"%ff=%ff&a"),
    ],
)
async def test_garbage_is_refused_in_the_shape_of_its_family(
    stranger: Stranger, kind: str, body: bytes
) -> None:
    query = {"access_token": stranger.token}
    options: dict[str, Any] = {"params": query, "data": body, "headers": {"Content-Type": kind}}
    status, answer = await stranger.ask("POST", SEND, **options)
    assert (status, answer["errcode"]) == (200, 40)
    status, answer = await stranger.ask("POST", "/media/upload", **options)
    assert (status, answer["errcode"] in (43008, 40004)) == (200, True)
    status, answer = await stranger.ask("POST", "/v1.0/oauth2/accessToken", **options)
    assert (status, answer["code"]) == (400, "Missingbody")
    status, answer = await stranger.ask("POST", "/_sandbox/limits", **options)
    assert (status, answer["field"]) == (400, "body")


EIGHT = [
    text("请提交日报"),
    {"msgtype": "image", "image": {"media_id": "@lADOabc"}},
    {"msgtype": "voice", "voice": {"media_id": "@lATOabc", "duration": "10"}},
    {"msgtype": "file", "file": {"media_id": "@lAjPabc"}},
    {
        "msgtype": "link",
        "link": {
            "messageUrl": "https://example.com/a",
            "picUrl": "@lALOabc",
            "title": "标题",
            "text": "描述",
        },
    },
    {
        "msgtype": "oa",
        "oa": {
            "message_url": "https://example.com/a",
            "head": {"bgcolor": "FFBBBBBB", "text": "头部"},
            "status_bar": {"status_value": "进行中", "status_bg": "0xFFFF9D46"},
            "body": {"title": "正文", "form": [{"key": "姓名:", "value": "张三"}]},
        },
    },
    {"msgtype": "markdown", "markdown": {"title": "首屏文案", "text": "# 标题  \n  正文"}},
    {
        "msgtype": "action_card",
        "action_card": {
            "title": "通知",
            "markdown": "正文",
            "btn_orientation": "1",
            "btn_json_list": [{"title": "同意", "action_url": "https://example.com/y"}],
        },
    },
]


async def test_all_eight_types_arrive_unchanged(stranger: Stranger) -> None:
    await stranger.control("limits", {"strict_media": False})
    for msg in EIGHT:
        assert (await stranger.send(["manager4220"], msg))["errcode"] == 0
    inbox = await stranger.control("inbox/manager4220")
    assert [notice["msg"] for notice in inbox] == EIGHT


async def test_departments_include_sub_departments_and_everybody_means_everybody(
    stranger: Stranger,
) -> None:
    top = (await stranger.top("/topapi/v2/department/listsub"))["result"][0]["dept_id"]
    about = (await stranger.top("/topapi/v2/department/get", dept_id=top))["result"]
    assert about["member_count"] > about["owning_member_count"] > 0
    await stranger.send(None, dept_id_list=f"{top},99")
    await stranger.send(None, text("全员"), to_all_user=True)
    to_department, to_all = await stranger.control("calls")
    assert len(to_department["delivered"]) == about["member_count"]
    assert len(to_all["delivered"]) == 300
    assert to_all["to_all"] is True


async def test_everybody_may_be_addressed_three_times_a_day(stranger: Stranger) -> None:
    codes = [
        (await stranger.send(None, text(str(n)), to_all_user=True))["errcode"] for n in range(4)
    ]
    assert codes == [0, 0, 0, 41045]
    await stranger.control("clock", {"advance": 86_400})
    await stranger.fresh_token()
    assert (await stranger.send(None, text("次日"), to_all_user=True))["errcode"] == 0


async def test_the_result_of_a_large_task_times_out(stranger: Stranger) -> None:
    task_id = (await stranger.send(None, dept_id_list="1"))["task_id"]
    answer = await stranger.top(RESULT, agent_id=stranger.sandbox.agent_id, task_id=task_id)
    assert (answer["errcode"], answer["sub_code"]) == (15, "isp.remote-service-timeout")


async def test_results_and_recall_close_after_a_day(stranger: Stranger) -> None:
    task_id = (await stranger.send(["manager4220"]))["task_id"]
    await stranger.control("clock", {"advance": 86_401})
    await stranger.fresh_token()
    agent_id = stranger.sandbox.agent_id
    answer = await stranger.top(RESULT, agent_id=agent_id, task_id=task_id)
    assert answer["errcode"] == 400002
    answer = await stranger.top(RECALL, agent_id=agent_id, msg_task_id=task_id)
    assert answer["errcode"] == 400002
    answer = await stranger.top(PROGRESS, agent_id=agent_id, task_id=task_id)
    assert answer["progress"]["status"] == 2


async def test_a_recalled_notice_leaves_the_phone(stranger: Stranger) -> None:
    task_id = (await stranger.send(["manager4220"]))["task_id"]
    assert len(await stranger.control("inbox/manager4220")) == 1
    agent_id = stranger.sandbox.agent_id
    for _ in range(2):
        answer = await stranger.top(RECALL, agent_id=agent_id, msg_task_id=task_id)
        assert answer["errcode"] == 0
    assert await stranger.control("inbox/manager4220") == []
    (kept,) = await stranger.control("inbox/manager4220?recalled=1")
    assert kept["recalled"] is True


async def test_a_status_bar_changes_once_the_task_is_done(stranger: Stranger) -> None:
    task_id = (await stranger.send(["manager4220"], EIGHT[5]))["task_id"]
    change = {
        "agent_id": stranger.sandbox.agent_id,
        "task_id": task_id,
        "status_value": "已同意",
        "status_bg": "0xFF78C06E",
    }
    await stranger.control("limits", {"completion_seconds": 50})
    slow = (await stranger.send(["manager7675"], EIGHT[5]))["task_id"]
    assert (await stranger.top(STATUS_BAR, **{**change, "task_id": slow}))["errcode"] == 41052
    await stranger.control("clock", {"advance": 2})
    assert (await stranger.top(STATUS_BAR, **change))["errcode"] == 0
    (notice,) = await stranger.control("inbox/manager4220")
    assert notice["msg"]["oa"]["status_bar"]["status_value"] == "已同意"
    assert (await stranger.top(STATUS_BAR, **{**change, "agent_id": 1}))["errcode"] == 40056


async def test_a_status_bar_reaches_five_people_at_most(stranger: Stranger) -> None:
    userids = (await stranger.people())[:6]
    assert (await stranger.send(userids, EIGHT[5]))["errcode"] == 400002
    assert (await stranger.send(userids[:5], EIGHT[5]))["errcode"] == 0


async def test_people_open_their_notices_after_a_while_and_some_never(stranger: Stranger) -> None:
    userids = (await stranger.people())[:100]
    task_id = (await stranger.send(userids))["task_id"]
    read = []
    for advance in (2, 20, 2_000):
        await stranger.control("clock", {"advance": advance})
        read.append(len((await stranger.result(task_id))["read_user_id_list"]))
    assert read[0] < 30 < read[1] < 70 < read[2] < 100


# --- limits -------------------------------------------------------------------------------------


async def test_silent_drops_show_in_the_result_only(stranger: Stranger) -> None:
    one, two, three = (await stranger.people())[:3]
    await stranger.send([one])
    task = (await stranger.send([one, two]))["task_id"]
    await stranger.control("limits", {"people_per_minute": 4})
    app_drop = (await stranger.send([two, three], text("超速")))["task_id"]
    await stranger.control("limits", {"people_per_minute": 9, "org_people_per_minute": 4})
    org_drop = (await stranger.send([three], text("超速")))["task_id"]
    await stranger.control("limits", {"people_per_minute": 90, "daily_per_person": 1})
    daily = (await stranger.send([one], text("太多")))["task_id"]
    forbidden = [(await stranger.done(t))["forbidden_list"] for t in (task, app_drop, org_drop)]
    assert forbidden[0] == [{"code": "143106", "count": 1, "userid": one}]
    assert [[row["code"] for row in rows] for rows in forbidden[1:]] == [["143103"], ["143104"]]
    assert [row["userid"] for rows in forbidden[1:] for row in rows] == [three, three]
    (row,) = (await stranger.done(daily))["forbidden_list"]
    assert row == {"code": "143105", "count": 1, "userid": one}


async def test_the_same_content_is_welcome_again_tomorrow(stranger: Stranger) -> None:
    await stranger.send(["manager4220"])
    await stranger.control("clock", {"advance": 86_400})
    await stranger.fresh_token()
    await stranger.send(["manager4220"])
    assert [len(call["delivered"]) for call in await stranger.control("calls")] == [1, 1]


async def test_five_thousand_people_fit_any_sixty_seconds() -> None:
    async with Sandbox(people=5_100) as sandbox, aiohttp.ClientSession() as session:
        stranger = Stranger(sandbox, session)
        await stranger.fresh_token()
        await stranger.control("limits", {"people_per_call": None})
        await stranger.send(None, dept_id_list="1")
        (call,) = await stranger.control("calls")
        assert len(call["delivered"]) == 5_000
        assert set(call["dropped"].values()) == {143103}
        await stranger.control("clock", {"advance": 58})
        await stranger.send(["manager4220"], text("早"))
        await stranger.control("clock", {"advance": 2})
        await stranger.send(["manager4220"], text("晚"))
        early, late = (await stranger.control("calls"))[1:]
        assert early["dropped"] == {"manager4220": 143103}
        assert late["delivered"] == ["manager4220"]


async def test_refused_duplicates_count_against_the_pace(stranger: Stranger) -> None:
    await stranger.control("limits", {"people_per_minute": 2})
    for _ in range(2):
        await stranger.send(["manager4220"])
    await stranger.send(["manager7675"])
    assert [call["dropped"] for call in await stranger.control("calls")] == [
        {},
        {"manager4220": 143106},
        {"manager7675": 143103},
    ]


async def test_twenty_calls_a_second_and_the_next_makes_no_task(stranger: Stranger) -> None:
    await stranger.control("limits", {"calls_per_second": 5})
    answers = [await stranger.send(["manager4220"], text(str(n))) for n in range(6)]
    assert [answer["errcode"] for answer in answers] == [0] * 5 + [88]
    assert answers[-1]["sub_code"] == "90018"
    assert len(await stranger.control("calls")) == 5
    await stranger.control("clock", {"advance": 1})
    assert (await stranger.send(["manager4220"], text("又")))["errcode"] == 0


async def test_the_monthly_quota_is_open_until_it_is_set_and_spares_the_directory(
    stranger: Stranger,
) -> None:
    await stranger.control("limits", {"monthly_calls": 1})
    assert (await stranger.send(["manager4220"]))["errcode"] == 0
    assert (await stranger.send(["manager4220"]))["errcode"] == 90020
    assert (await stranger.top("/topapi/user/listadmin"))["errcode"] == 0


async def test_an_address_that_calls_too_often_is_banned(stranger: Stranger) -> None:
    await stranger.control("limits", {"calls_per_ip": 2})
    bodies = []
    for _ in range(4):
        async with stranger.session.get(stranger.sandbox.url + "/auth/scopes") as answer:
            bodies.append(await answer.text())
    assert any("<html>" in body for body in bodies)
    assert any('"status":1111' in body for body in bodies)
    await stranger.control("clock", {"advance": 301})
    assert (await stranger.top("/topapi/user/listadmin"))["errcode"] == 0


async def test_every_app_has_limits_of_its_own() -> None:
    async with Sandbox(people=3, apps=2) as sandbox, aiohttp.ClientSession() as session:
        stranger = Stranger(sandbox, session)
        await stranger.control("limits", {"people_per_minute": 1})
        for number, app in enumerate(sandbox.apps):
            await stranger.fresh_token(number)
            await stranger.send(["manager4220"], agent_id=app.agent_id)
        calls = await stranger.control("calls")
        assert [call["delivered"] for call in calls] == [["manager4220"]] * 2
        assert len({call["agent_id"] for call in calls}) == 2


# --- people and identity ------------------------------------------------------------------------


async def test_walking_the_departments_finds_exactly_everybody(stranger: Stranger) -> None:
    await stranger.control("limits", {"calls_per_second": None})
    found: list[str] = []
    waiting = [1]
    while waiting:
        here = waiting.pop()
        answer = await stranger.top("/topapi/v2/department/listsub", dept_id=here)
        waiting.extend(child["dept_id"] for child in answer["result"])
        answer = await stranger.top("/topapi/user/listid", dept_id=here)
        found.extend(answer["result"]["userid_list"])
    assert len(set(found)) == 300 < len(found)
    answer = await stranger.top("/topapi/user/count", only_active=True)
    assert answer["result"] == {"count": 300}


async def test_members_come_page_by_page(stranger: Stranger) -> None:
    ids = (await stranger.top("/topapi/v2/department/listsubid", dept_id=1))["result"]
    dept_id = ids["dept_id_list"][0]
    seen, cursor, more = [], 0, True
    while more:
        page = (
            await stranger.top("/topapi/user/listsimple", dept_id=dept_id, cursor=cursor, size=10)
        )["result"]
        seen.extend(row["userid"] for row in page["list"])
        more, cursor = page["has_more"], page.get("next_cursor", 0)
    answer = await stranger.top("/topapi/user/listid", dept_id=dept_id)
    assert seen == answer["result"]["userid_list"]
    answer = await stranger.top("/topapi/v2/user/list", dept_id=dept_id, cursor=0, size=101)
    assert answer["errcode"] == 40069


async def test_a_person_is_found_by_mobile_unionid_and_code(stranger: Stranger) -> None:
    person = (await stranger.top("/topapi/v2/user/get", userid="manager7675"))["result"]
    assert json.loads(person["extension"])["生日"]
    answer = await stranger.top("/topapi/v2/user/getbymobile", mobile=person["mobile"])
    assert answer["result"] == {"userid": "manager7675"}
    answer = await stranger.top("/topapi/user/getbyunionid", unionid=person["unionid"])
    assert answer["result"] == {"contact_type": 0, "userid": "manager7675"}
    code = (await stranger.control("codes", {"userid": "manager7675"}))["code"]
    answer = await stranger.top("/topapi/v2/user/getuserinfo", code=code)
    assert answer["result"]["userid"] == "manager7675"
    answer = await stranger.top("/topapi/v2/user/getuserinfo", code=code)
    assert answer["errcode"] == 40078
    answer = await stranger.top("/topapi/v2/user/getbymobile", mobile="13000000001x")
    assert answer["errcode"] == 40104


async def test_roles_use_their_odd_field_names(stranger: Stranger) -> None:
    listed = (await stranger.top("/topapi/role/list"))["result"]
    assert listed["hasMore"] is False
    group = listed["list"][1]
    role = next(role for role in group["roles"] if role["name"] == "HR")
    answer = await stranger.top("/topapi/role/getrole", roleId=role["id"])
    assert answer["role"] == {"name": "HR", "groupId": group["groupId"]}
    answer = await stranger.top("/topapi/role/getrolegroup", group_id=group["groupId"])
    assert answer["role_group"]["group_name"] == group["name"]
    page = (await stranger.top("/topapi/role/simplelist", role_id=role["id"], size=5))["result"]
    assert (len(page["list"]), page["hasMore"]) == (5, True)


async def test_paths_lead_to_the_root(stranger: Stranger) -> None:
    answer = await stranger.top("/topapi/v2/department/listparentbyuser", userid="manager4220")
    path = answer["result"]["parent_list"][0]["parent_dept_id_list"]
    answer = await stranger.top("/topapi/v2/department/listparentbydept", dept_id=path[0])
    assert answer["result"]["parent_id_list"] == path
    assert path[-1] == 1
    answer = await stranger.top("/topapi/v2/department/get", dept_id=5)
    assert answer["errcode"] == 60003


async def test_people_can_be_searched(stranger: Stranger) -> None:
    header = {"x-acs-dingtalk-access-token": stranger.token}
    body = {"queryWord": "研发中心", "offset": 0, "size": 10, "fullMatchField": 1}
    path = "/v1.0/contact/departments/search"
    status, answer = await stranger.ask("POST", path, json=body, headers=header)
    assert (status, answer["totalCount"], answer["hasMore"]) == (200, 1, False)


async def test_somebody_signs_in_with_the_browser(stranger: Stranger) -> None:
    sandbox = stranger.sandbox
    query = {
        "redirect_uri": "http://localhost/back?x=1",
        "client_id": sandbox.app_key,
        "scope": "openid corpid",
        "state": "s",
        "userid": "manager7675",
    }
    url = sandbox.url + "/oauth2/auth"
    async with stranger.session.get(url, params=query, allow_redirects=False) as answer:
        back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["code"] == back["authCode"]
    assert (back["state"], back["x"]) == (["s"], ["1"])
    body = {
        "clientId": sandbox.app_key,
        "clientSecret": sandbox.app_secret,
        "grantType": "authorization_code",
        "code": back["authCode"][0],
    }
    _, tokens = await stranger.ask("POST", "/v1.0/oauth2/userAccessToken", json=body)
    assert tokens["corpId"] == sandbox.corp_id
    header = {"x-acs-dingtalk-access-token": tokens["accessToken"]}
    _, me = await stranger.ask("GET", "/v1.0/contact/users/me", headers=header)
    answer = await stranger.top("/topapi/user/getbyunionid", unionid=me["unionId"])
    assert answer["result"]["userid"] == "manager7675"
    assert "userid" not in me
    status, _ = await stranger.ask("POST", "/v1.0/oauth2/userAccessToken", json=body)
    assert status == 400
    renew = {**body, "grantType": "refresh_token", "refreshToken": tokens["refreshToken"]}
    status, _ = await stranger.ask("POST", "/v1.0/oauth2/userAccessToken", json=renew)
    assert status == 200


async def test_media_are_uploaded_as_multipart(stranger: Stranger) -> None:
    query = {"access_token": stranger.token, "type": "image"}

    async def upload(name: str, content: bytes) -> dict[str, Any]:
        form = aiohttp.FormData()
        form.add_field("media", io.BytesIO(content), filename=name)
        return (await stranger.ask("POST", "/media/upload", params=query, data=form))[1]

    answer = await upload("a.png", b"png")
    assert (answer["errcode"], answer["type"], answer["media_id"][0]) == (0, "image", "@")
    assert (await upload("a.exe", b"x"))["errcode"] == 40005
    assert (await upload("a.png", b""))["errcode"] == 44001
    _, refused = await stranger.ask("POST", "/media/upload", params=query, data={"a": "b"})
    assert refused["errcode"] == 43008
    assert (await upload("a.png", b"x" * 20_971_521))["errcode"] == 40006
    assert (await upload("a.png", b"x" * 23_000_000))["errcode"] == 40006
    known = {"msgtype": "image", "image": {"media_id": answer["media_id"]}}
    assert (await stranger.send(["manager4220"], known))["errcode"] == 0
    assert (await stranger.send(["manager4220"], EIGHT[1]))["errcode"] == 40007


# --- speed of the wait --------------------------------------------------------------------------


async def test_a_task_is_done_within_two_seconds_of_real_time(stranger: Stranger) -> None:
    await stranger.control("limits", {"completion_seconds": 0.05, "calls_per_second": None})
    task_id = (await stranger.send(["manager4220"]))["task_id"]
    await _until(lambda: _complete(stranger, task_id))


async def _complete(stranger: Stranger, task_id: int) -> bool:
    about = {"agent_id": stranger.sandbox.agent_id, "task_id": task_id}
    return (await stranger.top(PROGRESS, **about))["progress"]["progress_in_percent"] == 100


async def _until(holds: Callable[[], Awaitable[bool]], seconds: float = 2.0) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


# --- corners ------------------------------------------------------------------------------------


async def test_the_day_turns_over_at_midnight_in_beijing(stranger: Stranger) -> None:
    now = (await stranger.control("stats"))["now"]
    until_midnight = 86_400 - (now + 8 * 3_600) % 86_400
    await stranger.control("clock", {"advance": until_midnight + 86_400 - 300})
    for advance in (0, 200, 200):
        await stranger.control("clock", {"advance": advance})
        await stranger.fresh_token()
        await stranger.send(["manager4220"])
    delivered = [len(call["delivered"]) for call in await stranger.control("calls")]
    assert delivered == [1, 0, 1]


def test_a_call_whose_body_was_slow_is_counted_when_it_arrived() -> None:
    window = SlidingWindow()
    for arrived in (10.0, 12.0, 11.0):
        window.add(arrived, 1)
    rooms = [window.room(now, 60.0, 3) for now in (69.9, 70.0, 71.0, 72.0)]
    assert rooms == [0, 1, 2, 3]


async def test_people_beyond_what_one_call_may_reach_are_dropped_or_refused(
    stranger: Stranger,
) -> None:
    await stranger.control("limits", {"people_per_call": 299})
    await stranger.send(None, dept_id_list="1")
    (call,) = await stranger.control("calls")
    assert (len(call["delivered"]), list(call["dropped"].values())) == (299, [143104])
    await stranger.control("limits", {"excess_is_error": True})
    assert (await stranger.send(None, text("多"), dept_id_list="1"))["errcode"] == 41029


async def test_the_undocumented_key_appears_only_when_asked_for(stranger: Stranger) -> None:
    await stranger.control("limits", {"include_forbidden_user_id_list": True})
    await stranger.send(["manager4220"])
    result = await stranger.done((await stranger.send(["manager4220"]))["task_id"])
    assert result["forbidden_user_id_list"] == ["manager4220"]


async def test_members_come_in_full_with_their_place_in_the_department(
    stranger: Stranger,
) -> None:
    person = (await stranger.top("/topapi/v2/user/get", userid="manager4220"))["result"]
    dept_id = person["dept_id_list"][0]
    body = {"dept_id": dept_id, "cursor": 0, "size": 100}
    page = (await stranger.top("/topapi/v2/user/list", **body))["result"]
    assert page["has_more"] is False
    assert "next_cursor" not in page
    assert page["list"][0] == {
        **person,
        "dept_order": page["list"][0]["dept_order"],
        "leader": True,
    }
    for path, code in (("get", 60121), ("getbymobile", 60121)):
        answer = await stranger.top(f"/topapi/v2/user/{path}", userid="nobody", mobile="1300000")
        assert answer["errcode"] == code


async def test_internal_apps_have_no_templates(stranger: Stranger) -> None:
    path = "/topapi/message/corpconversation/sendbytemplate"
    assert (await stranger.top(path, agent_id=1, template_id="a"))["errcode"] == 885001


@pytest.mark.parametrize(
    "msg",
    [
        {"msgtype": "oa", "oa": {"message_url": "u", "head": {"bgcolor": "0xFFBBBBBB"}}},
        {"msgtype": "oa", "oa": {"message_url": "u", "head": [], "body": {}}},
        {"msgtype": "action_card", "action_card": {"markdown": "m"}},
        {"msgtype": "action_card", "action_card": {"markdown": "m", "single_title": "x" * 21}},
        {"msgtype": "link", "link": {"messageUrl": "u"}},
        {"msgtype": "text", "text": {"content": 5}},
        {"msgtype": "markdown", "markdown": {"title": "t"}},
        [],
    ],
)
async def test_a_malformed_message_is_refused(stranger: Stranger, msg: Any) -> None:
    assert (await stranger.send(["manager4220"], msg))["errcode"] in (34009, 34014, 34016, 40)
