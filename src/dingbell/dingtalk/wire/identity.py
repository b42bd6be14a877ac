"""Who somebody is: sign-in codes, mobile numbers, union ids, OAuth web sign-in. No I/O.

[D0024] [D0063] [D0064] [D0056] [D0032] [D0054], read 2026-11-23.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.results import Profile, Role, SignedIn, User, UserToken
from dingbell.dingtalk.wire import fields
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.request import Call, post
from dingbell.dingtalk.wire.tokens import life

__all__ = [
    "me",
    "read_user",
    "refresh_user_access_token",
    "user",
    "user_access_token",
    "user_by_code",
    "user_by_mobile",
    "user_by_unionid",
]

# A number of a company's own field beyond these is kept as the text it is.
_LARGEST: Final = 10**15
_PLACES: Final = 15


def user_by_code(code: str) -> Call[SignedIn]:
    """Who opened our page inside DingTalk; a code works once, for 5 minutes."""
    return post("/topapi/v2/user/getuserinfo", {"code": code}, _read_signed_in)


def _read_signed_in(answer: Answer) -> SignedIn:
    found = answer.result()
    return SignedIn(
        userid=_userid(answer, found),
        unionid=fields.identifier(found.get("unionid"))
        or fields.identifier(found.get("associated_unionid")),
        name=fields.text(found.get("name")),
        is_admin=fields.flag(found.get("sys")),
        level=fields.integer(found.get("sys_level")) or 0,
        device_id=fields.text(found.get("device_id")),
    )


def _userid(answer: Answer, found: Mapping[str, Any]) -> str:
    userid = fields.identifier(found.get("userid"))
    if userid is None:
        answer.unreadable("there is no userid")
    return userid


def _read_userid(answer: Answer) -> str:
    return _userid(answer, answer.result())


def user_by_mobile(mobile: str) -> Call[str]:
    """The userid of a present member of staff."""
    return post("/topapi/v2/user/getbymobile", {"mobile": mobile}, _read_userid)


def user_by_unionid(unionid: str) -> Call[str]:
    """The userid of a union id."""
    return post("/topapi/user/getbyunionid", {"unionid": unionid}, _read_userid)


def user(userid: str, language: str | None = None) -> Call[User]:
    """Everything about a person; `language` is `zh_CN` or `en_US`."""
    arguments = {"userid": userid, "language": language}
    return post("/topapi/v2/user/get", arguments, _read_one_user)


def _read_one_user(answer: Answer) -> User:
    found = answer.result()
    _userid(answer, found)
    return read_user(found)


def read_user(row: Mapping[str, Any]) -> User:
    """A person, from `v2/user/get` or a line of `v2/user/list`."""
    text = fields.text
    return User(
        userid=fields.identifier(row.get("userid")) or "",
        name=text(row.get("name")) or "",
        unionid=fields.identifier(row.get("unionid")),
        mobile=fields.identifier(row.get("mobile")),
        email=text(row.get("email")),
        org_email=text(row.get("org_email")),
        title=text(row.get("title")),
        job_number=text(row.get("job_number")),
        avatar=text(row.get("avatar")),
        manager_userid=fields.identifier(row.get("manager_userid")),
        dept_ids=fields.integers(row.get("dept_id_list")),
        leads_dept_ids=_led(row),
        roles=_roles(row),
        active=fields.flag(row.get("active", True)),
        admin=fields.flag(row.get("admin")),
        boss=fields.flag(row.get("boss")),
        senior=fields.flag(row.get("senior")),
        hired_on=fields.day(row.get("hired_date")),
        extension=_extension(row.get("extension")),
        raw=dict(row),
    )


def _led(row: Mapping[str, Any]) -> tuple[int, ...]:
    """The departments a person leads."""
    return tuple(
        dept_id
        for one in fields.rows(row.get("leader_in_dept"))
        if fields.flag(one.get("leader"))
        and (dept_id := fields.integer(one.get("dept_id"))) is not None
    )


def _roles(row: Mapping[str, Any]) -> tuple[Role, ...]:
    return tuple(
        Role(role_id, fields.text(one.get("name")) or "", fields.text(one.get("group_name")))
        for one in fields.rows(row.get("role_list"))
        if (role_id := fields.integer(one.get("id"))) is not None
    )


def _extension(value: object) -> dict[str, str | int | Decimal]:
    """The company's own fields, which come as JSON inside a string."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError):
            return {}
    found = {key: _written(item) for key, item in fields.mapping(value).items()}
    return {name: item for key, item in found.items() if (name := fields.text(key))}


def _written(item: object) -> str | int | Decimal:
    """A value of the company's own fields: a number, or text; what lies too deep has none."""
    if isinstance(item, int) and not isinstance(item, bool) and abs(item) < _LARGEST:
        return item
    if isinstance(item, Decimal) and item.is_finite() and abs(item.adjusted()) < _PLACES:
        return item
    try:
        return fields.text(str(item)) or ""
    except (ValueError, RecursionError):
        return ""


# Web sign-in (OAuth2) ----------------------------------------------------------------------------


def user_access_token(credentials: Credentials, code: str) -> Call[UserToken]:
    """The user's own token for the `authCode` of a web sign-in; a code works once."""
    return _user_token(credentials, {"grantType": "authorization_code", "code": code})


def refresh_user_access_token(credentials: Credentials, refresh_token: str) -> Call[UserToken]:
    """A new user token for a refresh token, which lives 30 days."""
    arguments = {"grantType": "refresh_token", "refreshToken": refresh_token}
    return _user_token(credentials, arguments)


def _user_token(credentials: Credentials, grant: Mapping[str, str]) -> Call[UserToken]:
    arguments = {
        "clientId": credentials.app_key,
        "clientSecret": credentials.app_secret,
        **grant,
    }
    return post(
        "/v1.0/oauth2/userAccessToken",
        arguments,
        _read_user_token,
        family="api",
        needs_token=False,
    )


def _read_user_token(answer: Answer) -> UserToken:
    content = answer.content()
    token = fields.token(content.get("accessToken"))
    if token is None:
        answer.unreadable("there is no accessToken")
    return UserToken(
        token,
        fields.token(content.get("refreshToken")) or "",
        answer.received_at + life(content.get("expireIn")),
        fields.text(content.get("corpId")),
    )


def me(user_token: str) -> Call[Profile]:
    """What the owner of a user token tells about themselves."""
    return Call(
        "GET",
        "/v1.0/contact/users/me",
        _read_profile,
        family="api",
        needs_token=False,
        user_token=user_token,
    )


def _read_profile(answer: Answer) -> Profile:
    content = answer.content()
    unionid = fields.identifier(content.get("unionId"))
    if unionid is None:
        answer.unreadable("there is no unionId")
    return Profile(
        unionid=unionid,
        openid=fields.text(content.get("openId")),
        nick=fields.text(content.get("nick")),
        mobile=fields.text(content.get("mobile")),
        email=fields.text(content.get("email")),
        avatar=fields.text(content.get("avatarUrl")),
        state_code=fields.text(content.get("stateCode")),
    )
