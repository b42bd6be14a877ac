"""Tokens over the wire, and signing in with the browser (OAuth2)."""

from collections.abc import Mapping
from typing import Any

from yarl import URL

from dingbell.sandbox.cloud import Answer, Cloud
from dingbell.sandbox.company.apps import App
from dingbell.sandbox.rules.tokens import APP_TOKEN_SECONDS, USER_TOKEN_SECONDS, SignIn
from dingbell.sandbox.wire.refusals import ApiRefusalError, RefusalError


def get_token(cloud: Cloud, query: Mapping[str, str], now: float) -> Answer:
    """`GET /gettoken`, with `appkey`/`appsecret` or the old `corpid`/`corpsecret`."""
    key = query.get("appkey") or query.get("corpid")
    secret = query.get("appsecret") or query.get("corpsecret")
    if not key:
        raise RefusalError(40035, "缺少参数 corpid or appkey")
    if not secret:
        raise RefusalError(40035, "缺少参数 corpsecret or appsecret")
    app = cloud.tokens.app(key, secret)
    if app is None:
        raise RefusalError(40096)
    return {"access_token": cloud.tokens.issue(app, now), "expires_in": APP_TOKEN_SECONDS}


def access_token(cloud: Cloud, body: Mapping[str, Any], now: float) -> Answer:
    """`POST /v1.0/oauth2/accessToken`."""
    app = _app(cloud, body, "appKey", "appSecret")
    return {"accessToken": cloud.tokens.issue(app, now), "expireIn": APP_TOKEN_SECONDS}


def corp_token(cloud: Cloud, body: Mapping[str, Any], now: float, corp_id: str) -> Answer:
    """`POST /v1.0/oauth2/{corpId}/token`."""
    if body.get("grant_type") != "client_credentials":
        raise ApiRefusalError(400, "unsupported.grant.type", "不支持的授权类型")
    app = _app(cloud, body, "client_id", "client_secret", code="invalid.client")
    if corp_id != app.org:
        raise ApiRefusalError(500, "unknownError", "未知错误")
    return {"access_token": cloud.tokens.issue(app, now), "expires_in": APP_TOKEN_SECONDS}


def client(cloud: Cloud, body: Mapping[str, Any]) -> App:
    """The app that opens a stream; it needs no token."""
    return _app(cloud, body, "clientId", "clientSecret")


def _app(
    cloud: Cloud,
    body: Mapping[str, Any],
    key: str,
    secret: str,
    code: str = "invalidClientIdOrSecret",
) -> App:
    for name in (key, secret):
        if not body.get(name):
            raise ApiRefusalError(400, f"Missing{name}", f"{name} is mandatory for this action.")
    app = cloud.tokens.app(str(body[key]), str(body[secret]))
    if app is None:
        raise ApiRefusalError(400, code, "无效的clientId或者clientSecret")
    return app


def authorize(cloud: Cloud, query: Mapping[str, str], now: float) -> str:
    """`GET /oauth2/auth`: where the browser is sent; signs in the first person, or `userid`.

    Raises:
        ApiRefusalError: There is nothing to send the browser back to.
    """
    target = query.get("redirect_uri", "")
    if not target.startswith(("http://", "https://")):
        raise ApiRefusalError(400, "invalid.redirect.uri", "redirect_uri 不合法")
    state = {"state": query["state"]} if "state" in query else {}
    keys = {app.app_key for app in cloud.apps}
    userid = query.get("userid") or next(iter(cloud.company.people), "")
    if query.get("client_id") not in keys or cloud.company.person(userid) is None:
        return _with(target, {"error": "access_denied", **state})
    code = cloud.oauth_codes.mint(
        userid,
        now,
        with_corp="corpid" in query.get("scope", "").split(),
        app_key=query["client_id"],
    )
    return _with(target, {"code": code, "authCode": code, **state})


def _with(target: str, values: Mapping[str, str]) -> str:
    return str(URL(target).update_query(values))


def user_token(cloud: Cloud, body: Mapping[str, Any], now: float) -> Answer:
    """`POST /v1.0/oauth2/userAccessToken`, for a code or a refresh token."""
    app = _app(cloud, body, "clientId", "clientSecret")
    sign_in = _spent(cloud, body, now)
    if sign_in is None or sign_in.app_key != app.app_key:
        raise ApiRefusalError(400, "invalidParameter.authCode.notFound", "不存在的authCode")
    return {
        "accessToken": cloud.user_tokens.again(sign_in, now),
        "refreshToken": cloud.refresh_tokens.again(sign_in, now),
        "expireIn": USER_TOKEN_SECONDS,
        **({"corpId": app.org} if sign_in.with_corp else {}),
    }


def _spent(cloud: Cloud, body: Mapping[str, Any], now: float) -> SignIn | None:
    grant = body.get("grantType")
    if grant == "authorization_code":
        return cloud.oauth_codes.spend(str(body.get("code", "")), now)
    if grant == "refresh_token":
        return cloud.refresh_tokens.spend(str(body.get("refreshToken", "")), now)
    raise ApiRefusalError(400, "invalidParameter.grantType", "grantType 不合法")


def about_me(cloud: Cloud, token: str, now: float, whom: str) -> Answer:
    """`GET /v1.0/contact/users/me` (or a unionid), with a user token; tells no userid."""
    sign_in = cloud.user_tokens.holder(token, now)
    if sign_in is None:
        raise ApiRefusalError(400, "InvalidAuthentication", "不合法的access_token")
    person = cloud.company.person(sign_in.userid)
    if person is None or whom not in ("me", person.unionid):
        raise ApiRefusalError(404, "invalidParameter.user.notFound", "用户不存在")
    return {
        "nick": person.name,
        "avatarUrl": "",
        "mobile": person.mobile,
        "openId": person.unionid[::-1],
        "unionId": person.unionid,
        "stateCode": "86",
        "visitor": False,
    }
