"""The wire without I/O: requests and answers against vectors from DingTalk's documents."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell import dingtalk
from dingbell.dingtalk import Credentials, errors, results
from dingbell.dingtalk.errors import CallError
from dingbell.dingtalk.wire import (
    Answer,
    Call,
    directory,
    fields,
    identity,
    media,
    notifications,
    tokens,
)

NOW = 1_800_000_000.0
SECRET = "s3cret-of-the-app"
WHO = Credentials("dingkey", SECRET, 781348000)
JSON = {"content-type": "application/json;charset=UTF-8"}
BODY = '{"msgtype":"text","text":{"content":"你好"}}'.encode()
BAR = b'{"msgtype":"oa","oa":{"status_bar":{"status_value":"x"}}}'


def answer(
    content: object,
    status: int = 200,
    endpoint: str = "/topapi/x",
    headers: dict[str, str] | None = None,
    secrets: tuple[str, ...] = (),
) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(endpoint, status, headers or JSON, body, NOW, secrets)


def refusal(*args: Any, **named: Any) -> errors.DingTalkError:
    with pytest.raises(errors.DingTalkError) as caught:
        answer(*args, **named).content()
    return caught.value


def read(call: Call[Any], content: dict[str, Any], **named: Any) -> Any:
    return call.read(answer({"errcode": 0, **content}, endpoint=call.path, **named))


def test_odd_values_are_read_as_nothing() -> None:
    assert [fields.text(odd) for odd in (True, None, [], 1.5, "")] == [None] * 5
    assert [fields.integer(odd) for odd in (True, "x", 1.5, None)] == [None] * 4
    assert fields.integers("1, x, 3") == (1, 3)
    assert fields.rows([{}, 1, "a"]) == ({},)
    assert [fields.flag(yes) for yes in (True, "true", "True", 1, "no", None)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_face_has_what_it_names_and_nothing_else() -> None:
    assert dingtalk.__all__ == sorted(dingtalk.__all__)
    assert all(hasattr(dingtalk, name) for name in dingtalk.__all__)
    with pytest.raises(AttributeError, match="Sender"):
        _ = dingtalk.Sender  # type: ignore[attr-defined]


# Envelopes ---------------------------------------------------------------------------------------

WRAPPED = {
    "errcode": 88,
    "sub_code": "40014",
    "sub_msg": "不合法的access_token",
    "errmsg": "ding talk error[subcode=40014,submsg=不合法的access_token]",
    "request_id": "16l4ew3d47pdp",
}


@pytest.mark.parametrize(
    ("content", "family", "code"),
    [
        (WRAPPED, errors.TokenRejected, "40014"),
        (WRAPPED | {"sub_code": 40014}, errors.TokenRejected, "40014"),
        (WRAPPED | {"errcode": "88"}, errors.TokenRejected, "40014"),
        ({"errcode": 88, "errmsg": WRAPPED["errmsg"]}, errors.TokenRejected, "40014"),
        (
            {"errcode": 88, "sub_code": "40000", "sub_msg": "access_token is blank"},
            errors.TokenRejected,
            "40000",
        ),
        ({"errcode": 88, "subCode": "90018", "subMsg": "x"}, errors.RetryLater, "90018"),
        ({"errcode": 88, "sub_code": "60020", "sub_msg": "ip"}, errors.NotPermitted, "60020"),
        ({"errcode": 88}, errors.Permanent, "88"),
        ({"errcode": 40, "errmsg": "Missing required arguments:msg"}, errors.BadRequest, "40"),
        ({"errcode": 41, "errmsg": "Invalid arguments:to_all_user"}, errors.BadRequest, "41"),
        (
            {"errcode": 22, "errmsg": "Invalid method[submsg=不合法ApiName]"},
            errors.BadRequest,
            "22",
        ),
        (
            {"errcode": 15, "sub_code": "isp.-1", "sub_msg": "服务不可用"},
            errors.Ambiguous,
            "isp.-1",
        ),
        ({"errcode": -1, "errmsg": "系统繁忙"}, errors.Ambiguous, "-1"),
        ({"errcode": "-1"}, errors.Ambiguous, "-1"),
        ({"errcode": 60121, "errmsg": "找不到该用户"}, errors.UnknownPerson, "60121"),
        ({"errcode": 40014, "errmsg": "不合法的access_token"}, errors.TokenRejected, "40014"),
        ({"errcode": 404, "errmsg": "请求的URI地址不存在"}, errors.BadRequest, "404"),
        ({"status": 1111, "wait": 5, "punish": "deny"}, errors.Banned, "banned"),
        ({"status": 1111, "wait": 5, "source": "x5"}, errors.Banned, "banned"),
        ({"punish": "deny"}, errors.Banned, "banned"),
        ({"task_id": 1}, errors.Ambiguous, "unreadable"),
        ([1], errors.Ambiguous, "unreadable"),
        (b'{"errcode":0,"task_', errors.Ambiguous, "unreadable"),
        (b"", errors.Ambiguous, "unreadable"),
        (b"\xff\xfe", errors.Ambiguous, "unreadable"),
    ],
)
def test_each_envelope_gives_its_effective_code(
    content: object, family: type[errors.DingTalkError], code: str
) -> None:
    error = refusal(content)
    assert (type(error), error.code) == (family, code)
    assert error.endpoint == "/topapi/x"


def test_the_inner_message_and_the_request_id_are_kept() -> None:
    error = refusal(WRAPPED)
    assert (error.text, error.request_id) == ("不合法的access_token", "16l4ew3d47pdp")
    assert "16l4ew3d47pdp" in str(error)


@pytest.mark.parametrize(
    ("content", "status", "family", "code"),
    [
        (
            {"code": "InvalidAuthentication", "requestid": "01A0", "message": "不合法"},
            400,
            errors.TokenRejected,
            "InvalidAuthentication",
        ),
        (
            {
                "code": "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                "accessdenieddetail": {"requiredScopes": ["Contact.User.Read"]},
            },
            403,
            errors.NotPermitted,
            "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        ),
        (
            {"code": "Forbidden.AccessDenied.QpsLimitForApi"},
            403,
            errors.RetryLater,
            "Forbidden.AccessDenied.QpsLimitForApi",
        ),
        ({"code": "unknownError"}, 500, errors.Ambiguous, "unknownError"),
        ({"errcode": 404, "errmsg": "x"}, 200, errors.BadRequest, "404"),
        ({"message": "?"}, 400, errors.BadRequest, "http.400"),
        ({"message": "?"}, 503, errors.Ambiguous, "http.503"),
    ],
)
def test_the_new_api_speaks_through_its_status(
    content: object, status: int, family: type[errors.DingTalkError], code: str
) -> None:
    error = refusal(content, status, "/v1.0/contact/users/me")
    assert (type(error), error.code) == (family, code)


HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("body", "status", "headers", "family"),
    [
        (b"<html>punish</html>", 200, HTML, errors.Banned),
        (b"\n <!doctype html>", 200, JSON, errors.Banned),
        (b"<html>", 403, HTML, errors.Banned),
        (b"", 405, HTML, errors.Banned),
        (b"<html>Bad Gateway</html>", 502, HTML, errors.Ambiguous),
        (b"<html>", 504, HTML, errors.Ambiguous),
        (b"upstream timeout", 408, {}, errors.Ambiguous),
        (b"slow down", 429, {"retry-after": "7"}, errors.RetryLater),
        (b"not here", 404, {}, errors.BadRequest),
        (b"", 302, {"location": "https://x/punish?a=1"}, errors.Banned),
        (b"<html>", 301, HTML, errors.BadRequest),
        (b'{"errcode":0,"task_id":1}', 502, JSON, errors.Ambiguous),
    ],
)
def test_what_is_no_answer_of_the_api(
    body: bytes, status: int, headers: dict[str, str], family: type[errors.DingTalkError]
) -> None:
    error = refusal(body, status, headers=headers)
    assert type(error) is family
    if isinstance(error, errors.RetryLater):
        assert error.after == 7
    if isinstance(error, errors.Banned):
        assert (error.after, error.alert) == (300, True)


@given(st.binary(max_size=200), st.integers(200, 599), st.sampled_from([JSON, HTML, {}]))
def test_garbage_is_never_taken_for_success(
    body: bytes, status: int, headers: dict[str, str]
) -> None:
    refusal(body, status, headers=headers)


@given(
    st.dictionaries(
        st.sampled_from(["errcode", "sub_code", "errmsg", "status", "code", "result"]),
        st.none() | st.integers() | st.text(max_size=6) | st.lists(st.integers(), max_size=2),
    ),
    st.sampled_from([200, 400, 500]),
)
def test_success_needs_errcode_zero(content: dict[str, Any], status: int) -> None:
    if status == 200 and str(content.get("errcode")).strip() == "0" and "sub_code" not in content:
        assert answer(content).content() == content
    elif "sub_code" not in content or status != 200:
        refusal(content, status)


def test_secrets_that_dingtalk_echoes_are_blotted_out() -> None:
    said = {"errcode": 60011, "errmsg": "no: access_token=tok-1 " + SECRET}
    error = refusal(said, secrets=(SECRET, "tok-1"))
    assert "tok-1" not in str(error) + repr(error)
    assert SECRET not in str(error) + repr(error)


def test_the_reprs_hide_secrets() -> None:
    call = tokens.fetch(WHO, "old")
    request = call.request(WHO)
    signed = identity.user_access_token(WHO, "auth-code")
    with_token = notifications.recall(1, 2).request(WHO, "tok-1")
    user_call = identity.me("tok-1")
    token = read(call, {"access_token": "tok-1", "expires_in": 7200})
    everything = repr([WHO, call, request, signed, with_token, user_call, token])
    assert SECRET not in everything
    assert "tok-1" not in everything
    assert request.query["appsecret"] == SECRET
    assert with_token.query == {"access_token": "tok-1"}


@pytest.mark.parametrize(
    "named",
    [
        {"app_key": ""},
        {"app_secret": ""},
        {"oapi_url": "oapi.dingtalk.com"},
        {"api_url": "ftp://x"},
        {"api_url": "https://"},
    ],
)
def test_credentials_are_checked(named: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        Credentials(**({"app_key": "k", "app_secret": SECRET} | named))  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


def test_a_base_address_may_end_with_a_slash_and_have_a_path() -> None:
    who = Credentials("k", "s", 1, oapi_url="http://127.0.0.1:8600/oapi/")
    url = notifications.progress(1, 2).request(who, "t").url
    assert url == "http://127.0.0.1:8600/oapi/topapi/message/corpconversation/getsendprogress"


# Tokens ------------------------------------------------------------------------------------------


def test_the_old_token_endpoint_takes_a_query_only() -> None:
    request = tokens.fetch(WHO, "old").request(WHO)
    assert (request.method, request.url) == ("GET", "https://oapi.dingtalk.com/gettoken")
    assert request.query == {"appkey": "dingkey", "appsecret": SECRET}
    assert request.body is None


def test_the_new_token_endpoint_takes_json() -> None:
    call = tokens.fetch(WHO, "new")
    request = call.request(WHO)
    assert request.url == "https://api.dingtalk.com/v1.0/oauth2/accessToken"
    assert json.loads(request.body or b"") == {"appKey": "dingkey", "appSecret": SECRET}
    fetched = call.read(answer({"accessToken": "t", "expireIn": 7200}, endpoint=call.path))
    assert fetched == tokens.Fetched("t", 7200)


def test_a_token_without_a_life_lives_two_hours_and_no_token_is_unreadable() -> None:
    call = tokens.fetch(WHO, "old")
    assert read(call, {"access_token": "t"}).expires_in == 7200
    with pytest.raises(errors.Ambiguous):
        read(call, {})


# Send --------------------------------------------------------------------------------------------


def test_the_bytes_of_a_message_go_out_unchanged() -> None:
    odd = '{ "msgtype" : "text","text":{"content":"\\u4f60 好"}}'.encode()
    call = notifications.send(781348000, odd, userids=["manager7675", "b"])
    request = call.request(WHO, "tok")
    assert request.method == "POST"
    assert request.url.endswith("/topapi/message/corpconversation/asyncsend_v2")
    assert request.body == (
        b'{"agent_id":781348000,"userid_list":"manager7675,b","to_all_user":false,"msg":'
        + odd
        + b"}"
    )
    assert request.headers["Content-Type"].startswith("application/json")


@given(
    st.lists(st.text("abc中", min_size=1, max_size=5), max_size=100),
    st.lists(st.integers(1, 10**12), max_size=20),
    st.booleans(),
    st.booleans(),
)
def test_a_send_is_valid_json_with_what_was_given(
    userids: list[str], dept_ids: list[int], to_all: bool, translate: bool
) -> None:
    if not (userids or dept_ids or to_all):
        return
    call = notifications.send(
        5, BODY, userids=userids, dept_ids=dept_ids, to_all=to_all, enable_id_trans=translate
    )
    found = json.loads(call.body or b"")
    assert found.pop("userid_list", "") == ",".join(userids)
    assert found.pop("dept_id_list", "") == ",".join(map(str, dept_ids))
    assert found.pop("enable_id_trans", False) is translate
    assert found == {"agent_id": 5, "to_all_user": to_all, "msg": json.loads(BODY)}


@pytest.mark.parametrize(
    ("arguments", "field", "limit", "found"),
    [
        ({}, "userids", 1, 0),
        ({"userids": []}, "userids", 1, 0),
        ({"userids": [str(n) for n in range(101)]}, "userids", 100, 101),
        ({"dept_ids": list(range(1, 22))}, "dept_ids", 20, 21),
        ({"userids": "manager7675"}, "userids", None, None),
        ({"userids": ["a,b"]}, "userids", None, None),
        ({"userids": ["a", ""]}, "userids", None, None),
        ({"body": b"hello", "userids": ["a"]}, "body", None, None),
        ({"body": b'{"status_bar"}', "userids": ["a"]}, "body", None, None),
        ({"body": BAR, "userids": list("abcdef")}, "userids", 5, 6),
        ({"body": BAR, "userids": ["a"], "dept_ids": [1]}, "userids", 5, 1),
        ({"body": BAR, "to_all": True}, "userids", 5, 0),
    ],
)
def test_limits_of_a_call_are_checked_before_the_wire(
    arguments: dict[str, Any], field: str, limit: int | None, found: int | None
) -> None:
    named = {"body": BODY, **arguments}
    with pytest.raises(CallError) as caught:
        notifications.send(1, **named)
    assert (caught.value.field, caught.value.limit, caught.value.found) == (field, limit, found)
    assert caught.value.en != caught.value.zh


def test_a_text_about_status_bars_is_no_status_bar() -> None:
    body = json.dumps({"msgtype": "text", "text": {"content": '"status_bar"'}}).encode()
    notifications.send(1, body, userids=[str(n) for n in range(100)])
    notifications.send(1, BAR, userids=list("abcde"))


def test_a_send_is_answered_with_the_task_and_the_clock() -> None:
    call = notifications.send(1, BODY, userids=["a"])
    content = {"task_id": 256271667526, "request_id": "4jzllmte0wau"}
    headers = JSON | {"date": "Mon, 23 Nov 2026 08:00:01 GMT"}
    at = datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC)
    expected = results.Sent(256271667526, "4jzllmte0wau", at)
    assert read(call, content, headers=headers) == expected
    assert read(call, content | {"task_id": "256271667526"}).task_id == 256271667526
    assert read(call, content, headers={"date": "soon"}).server_time is None
    with pytest.raises(errors.Ambiguous):
        read(call, {"task_id": 1.5})


@given(st.integers(0, 2**63 - 1))
def test_a_task_id_keeps_all_its_bits(task_id: int) -> None:
    call = notifications.send(1, BODY, userids=["a"])
    assert read(call, {"task_id": task_id}).task_id == task_id
    sent = json.loads(notifications.recall(1, task_id).body or b"")
    assert sent == {"agent_id": 1, "msg_task_id": task_id}


# Progress, result, status bar --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "done"), [(0, False), (1, False), (2, True), ("2", True), ("1", False)]
)
def test_progress(status: object, done: bool) -> None:
    call = notifications.progress(7, 8)
    assert json.loads(call.body or b"") == {"agent_id": 7, "task_id": 8}
    found = read(call, {"progress": {"progress_in_percent": 50, "status": status}})
    assert (found.percent, found.done) == (50, done)
    with pytest.raises(errors.Ambiguous):
        read(call, {})


def test_a_result_as_captured_live() -> None:
    captured = {
        "errmsg": "ok",
        "send_result": {
            "failed_user_id_list": [],
            "forbidden_list": [],
            "invalid_dept_id_list": [],
            "invalid_user_id_list": [],
            "read_user_id_list": ["0366…1146"],
            "unread_user_id_list": [],
        },
        "request_id": "16kcs7iwwcvj6",
    }
    found = read(notifications.result(1, 2), captured)
    assert found == results.SendResult(read=("0366…1146",))


def test_a_result_in_every_other_shape() -> None:
    old = {
        "invalid_user_id_list": "x, y",
        "invalid_dept_id_list": "7,8",
        "forbidden_user_id_list": "a,b",
        "forbidden_list": [{"code": "143106", "count": 1, "userid": "a"}, {"code": 5}],
        "failed_user_id_list": "",
        "unread_user_id_list": None,
    }
    assert read(notifications.result(1, 2), {"send_result": old}) == results.SendResult(
        invalid_userids=("x", "y"),
        invalid_dept_ids=(7, 8),
        forbidden=(results.Forbidden("a", "143106", 1), results.Forbidden("b", "", 0)),
    )
    single = {"forbidden_list": {"code": 143105, "count": "500", "userid": "a"}}
    assert read(notifications.result(1, 2), {"send_result": single}).forbidden == (
        results.Forbidden("a", "143105", 500),
    )
    assert read(notifications.result(1, 2), {"send_result": {}}) == results.SendResult()
    with pytest.raises(errors.Ambiguous):
        read(notifications.result(1, 2), {})


def test_a_status_bar_is_changed() -> None:
    call = notifications.update_status_bar(1, 2, "同意", "0xFF78C06E")
    expected = {"agent_id": 1, "task_id": 2, "status_value": "同意", "status_bg": "0xFF78C06E"}
    assert json.loads(call.body or b"") == expected
    plain = notifications.update_status_bar(1, 2, "同意")
    assert "status_bg" not in json.loads(plain.body or b"")
    assert read(plain, {}) is None


# Identity ----------------------------------------------------------------------------------------


def test_who_signed_in() -> None:
    call = identity.user_by_code("code-1")
    assert json.loads(call.body or b"") == {"code": "code-1"}
    found = read(
        call,
        {"result": {"userid": "u", "unionid": "U", "name": "n", "sys": True, "sys_level": 2}},
    )
    assert found == results.SignedIn("u", "U", "n", is_admin=True, level=2)
    with pytest.raises(errors.Ambiguous):
        read(call, {"result": {}})


def test_a_user_with_everything_and_one_with_little() -> None:
    full = {
        "userid": "manager7675",
        "name": "张三",
        "mobile": "13800000000",
        "dept_id_list": [2, "3"],
        "leader_in_dept": [{"dept_id": 2, "leader": "true"}, {"dept_id": 3, "leader": False}],
        "role_list": [{"id": 100, "name": "经理", "group_name": "职务"}],
        "hired_date": 1597573616828,
        "extension": '{"工号":"7"}',
        "active": True,
        "admin": "true",
        "manager_userid": "boss",
    }
    user = read(identity.user("manager7675", "zh_CN"), {"result": full})
    assert (user.dept_ids, user.leads_dept_ids) == ((2, 3), (2,))
    assert user.roles == (results.Role(100, "经理", "职务"),)
    assert user.hired_on == date(2020, 8, 16)
    assert user.extension == {"工号": "7"}
    assert (user.active, user.admin, user.boss) == (True, True, False)
    assert user.raw == full
    little = read(identity.user("u"), {"result": {"userid": "u", "extension": "{"}})
    assert (little.name, little.mobile, little.hired_on, little.extension) == ("", None, None, {})
    assert read(identity.user("u"), {"result": {"userid": "u", "hired_date": 10**20}})
    assert len({user, little}) == 2


def test_web_sign_in() -> None:
    call = identity.user_access_token(WHO, "auth")
    assert json.loads(call.body or b"") == {
        "clientId": "dingkey",
        "clientSecret": SECRET,
        "grantType": "authorization_code",
        "code": "auth",
    }
    content = {"accessToken": "ut", "refreshToken": "rt", "expireIn": 7200, "corpId": "c"}
    token = call.read(answer(content, endpoint=call.path))
    assert token == results.UserToken("ut", "rt", NOW + 7200, "c")
    assert "ut" not in repr(token).replace("UserToken", "")
    again = identity.refresh_user_access_token(WHO, "rt")
    assert json.loads(again.body or b"")["refreshToken"] == "rt"
    request = identity.me("ut").request(WHO)
    assert request.url == "https://api.dingtalk.com/v1.0/contact/users/me"
    assert (request.headers, request.query) == ({"x-acs-dingtalk-access-token": "ut"}, {})
    for broken in (call, identity.me("ut")):
        with pytest.raises(errors.Ambiguous):
            broken.read(answer({}, endpoint=broken.path))


# Directory ---------------------------------------------------------------------------------------


def test_departments() -> None:
    call = directory.departments(1)
    rows = [{"dept_id": 2, "name": "研发", "parent_id": 1}, {"dept_id": "3", "name": "销售"}]
    found = read(call, {"result": rows})
    assert found == [results.Department(2, "研发", 1), results.Department(3, "销售")]
    assert read(call, {}) == []
    with pytest.raises(errors.Ambiguous):
        read(call, {"result": [{"name": "?"}]})
    detail = {
        "dept_id": 2,
        "name": "研发",
        "member_count": 9,
        "owning_member_count": 4,
        "dept_manager_userid_list": ["a"],
    }
    one = read(directory.department(2), {"result": detail})
    assert (one.member_count, one.own_member_count, one.manager_userids) == (9, 4, ("a",))
    ids = read(directory.subdepartment_ids(1), {"result": {"dept_id_list": [2, 3]}})
    assert ids == [2, 3]


def test_pages_of_members() -> None:
    call = directory.members(2, 100)
    assert json.loads(call.body or b"") == {"dept_id": 2, "cursor": 100, "size": 100}
    row = {"userid": "a", "name": "A", "leader": True, "dept_id_list": [2]}
    page = read(call, {"result": {"has_more": True, "next_cursor": 200, "list": [row]}})
    assert page.next == 200
    assert page.items[0].leads_dept_ids == (2,)
    last = read(call, {"result": {"has_more": False, "list": []}})
    assert last == directory.Page(())
    for stuck in ({}, {"next_cursor": 100}):
        with pytest.raises(errors.Ambiguous):
            read(call, {"result": {"has_more": True, "list": [row], **stuck}})


def test_pages_of_roles() -> None:
    call = directory.roles(200)
    assert json.loads(call.body or b"") == {"size": 200, "offset": 200}
    group = {"groupId": 9, "name": "职务", "roles": [{"id": 1, "name": "经理"}]}
    page = read(call, {"result": {"hasMore": True, "list": [group]}})
    assert page.next == 400
    assert directory.merged([*page.items, *page.items])[0].roles == (
        results.Role(1, "经理", "职务"),
        results.Role(1, "经理", "职务"),
    )
    with pytest.raises(errors.Ambiguous):
        read(call, {"result": {"hasMore": True, "list": []}})


def test_scopes() -> None:
    call = directory.scopes()
    assert (call.method, call.path) == ("GET", "/auth/scopes")
    content = {
        "auth_org_scopes": {"authed_user": ["a"], "authed_dept": [1]},
        "auth_user_field": ["name"],
        "condition_field": [],
    }
    assert read(call, content) == results.Scopes(("a",), (1,), ("name",))


# Media -------------------------------------------------------------------------------------------


def test_an_upload_has_a_file_field_called_media() -> None:
    call = media.upload("image", "图.png", b"\x89PNG")
    assert call.query == {"type": "image"}
    kind, file = call.parts
    assert (kind.name, kind.data, kind.filename) == ("type", b"image", None)
    assert (file.name, file.filename, file.content_type) == ("media", "图.png", "image/png")
    found = read(call, {"type": "image", "media_id": "@lAL", "created_at": 1605863153573})
    assert found.created_at == datetime(2020, 11, 20, 9, 5, 53, 573000, tzinfo=UTC)
    assert (found.media_id, found.kind) == ("@lAL", "image")
    with pytest.raises(errors.Ambiguous):
        read(call, {})


@pytest.mark.parametrize(
    ("kind", "name", "size", "field"),
    [
        ("gif", "a.gif", 1, "kind"),
        ("image", "", 1, "filename"),
        ("image", 'a".png', 1, "filename"),
        ("image", "a.png", 0, "data"),
        ("voice", "a.amr", 2 * 1024 * 1024 + 1, "data"),
    ],
)
def test_an_upload_is_checked(kind: Any, name: str, size: int, field: str) -> None:
    with pytest.raises(CallError) as caught:
        media.upload(kind, name, b"x" * size)
    assert caught.value.field == field
