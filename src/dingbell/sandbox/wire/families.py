"""The three families of the wire: who may call what, in which order things are checked."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dingbell.sandbox.cloud import Answer, Call, Cloud
from dingbell.sandbox.company.apps import App
from dingbell.sandbox.wire import (
    arguments,
    branches,
    contacts,
    envelopes,
    identity,
    media,
    notices,
    search,
)
from dingbell.sandbox.wire.arguments import Arguments
from dingbell.sandbox.wire.refusals import ApiRefusalError, RefusalError

Handler = Callable[[Cloud, web.BaseRequest, float], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Family:
    """How one family answers, and how it refuses."""

    handle: Handler
    refuse: Callable[[Cloud, RefusalError], web.Response]


_TOP = {**notices.ENDPOINTS, **contacts.ENDPOINTS, **branches.ENDPOINTS}
_TOKEN_HEADER = "x-acs-dingtalk-access-token"  # noqa: S105 - a header's name, not a secret


def of(path: str) -> Family:
    """The family that a path belongs to."""
    if path.startswith("/topapi/"):
        return TOP
    return API if path.startswith("/v1.0/") else LEGACY


def _admit(cloud: Cloud, token: object, path: str, now: float, *, billable: bool) -> App:
    """Token, then quota, then calls per second; only what passes is counted."""
    if not token:
        raise RefusalError(40000)
    app = cloud.tokens.holder(str(token), now)
    if app is None:
        raise RefusalError(40014)
    limits = cloud.limits
    if billable and cloud.ledger.month_spent(app, now, limits):
        raise RefusalError(90020)
    if cloud.ledger.too_fast(app, path, now, limits):
        raise RefusalError(90018)
    if billable:
        cloud.ledger.bill(app, now)
    return app


async def _handle_top(cloud: Cloud, request: web.BaseRequest, now: float) -> web.Response:
    path = request.path
    try:
        endpoint = _TOP.get(path)
        if endpoint is None:
            raise RefusalError(22, f"不合法ApiName，ApiName = {_api_name(path)}")
        args = await arguments.read(request)
        billable = path.startswith(notices.PREFIX)
        app = _admit(cloud, args.raw("access_token"), path, now, billable=billable)
        return envelopes.top_ok(endpoint(Call(cloud, app, now, args)))
    except RefusalError as refusal:
        if refusal.hold:
            await cloud.clock.sleep(refusal.hold)
        return _refuse_top(cloud, refusal)


def _api_name(path: str) -> str:
    return "dingtalk.oapi." + path.removeprefix("/topapi/").replace("/", ".")


def _refuse_top(cloud: Cloud, refusal: RefusalError) -> web.Response:
    cloud.errors[str(refusal.code)] += 1
    return envelopes.top_no(refusal)


async def _handle_legacy(cloud: Cloud, request: web.BaseRequest, now: float) -> web.Response:
    try:
        return envelopes.legacy_ok(await _legacy(cloud, request, now))
    except RefusalError as refusal:
        return _refuse_legacy(cloud, refusal)


async def _legacy(cloud: Cloud, request: web.BaseRequest, now: float) -> Answer:
    path, query = request.path, request.query
    if path == "/gettoken":
        return identity.get_token(cloud, query, now)
    if path not in ("/media/upload", "/auth/scopes"):
        raise RefusalError(404, "请求的URI地址不存在")
    uploads = path == "/media/upload"
    app = _admit(cloud, query.get("access_token"), path, now, billable=uploads)
    if uploads:
        return await media.upload(cloud, request, now)
    return contacts.scopes(Call(cloud, app, now, Arguments(query)))


def _refuse_legacy(cloud: Cloud, refusal: RefusalError) -> web.Response:
    cloud.errors[str(refusal.code)] += 1
    return envelopes.legacy_no(refusal)


async def _handle_api(cloud: Cloud, request: web.BaseRequest, now: float) -> web.Response:
    try:
        return envelopes.api_ok(await _api(cloud, request, now))
    except ApiRefusalError as refusal:
        cloud.errors[refusal.code] += 1
        return envelopes.api_no(refusal)
    except RefusalError as refusal:
        return _refuse_api(cloud, refusal)


def _refuse_api(cloud: Cloud, refusal: RefusalError) -> web.Response:
    worded = envelopes.in_words(refusal)
    cloud.errors[worded.code] += 1
    return envelopes.api_no(worded)


async def _api(cloud: Cloud, request: web.BaseRequest, now: float) -> Answer:
    parts = request.path.removeprefix("/v1.0/").split("/")
    match request.method, parts:
        case "POST", ["oauth2", "accessToken"]:
            return identity.access_token(cloud, await _body(request), now)
        case "POST", ["oauth2", "userAccessToken"]:
            return identity.user_token(cloud, await _body(request), now)
        case "POST", ["oauth2", corp_id, "token"]:
            return identity.corp_token(cloud, await _body(request), now, corp_id)
        case "POST", ["gateway", "connections", "open"]:
            app = identity.client(cloud, await _body(request))
            return cloud.hub.invite(app, request.host)
        case "GET", ["contact", "users", whom]:
            return identity.about_me(cloud, _header_token(request), now, whom)
        case "POST", ["contact", "users" | "departments" as what, "search"]:
            app = _admit(cloud, _header_token(request), request.path, now, billable=False)
            return search.find(Call(cloud, app, now, Arguments(await _body(request))), what)
    text = "specified api is not found, please check your url and method."
    raise ApiRefusalError(404, "InvalidAction.NotFound", text)


def _header_token(request: web.BaseRequest) -> str:
    token = request.headers.get(_TOKEN_HEADER)
    if not token:
        text = f"{_TOKEN_HEADER} is mandatory for this action."
        raise ApiRefusalError(400, "AuthenticationFailed.MissingParameter", text)
    return token


async def _body(request: web.BaseRequest) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise ApiRefusalError(400, "Missingbody", "body is mandatory for this action.")
    return body


TOP = Family(_handle_top, _refuse_top)
LEGACY = Family(_handle_legacy, _refuse_legacy)
API = Family(_handle_api, _refuse_api)
