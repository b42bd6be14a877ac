"""The front door: what every request passes before and after it is processed."""

from itertools import cycle

from aiohttp import web

from dingbell.sandbox import hostile
from dingbell.sandbox.cloud import Cloud
from dingbell.sandbox.pages import phones
from dingbell.sandbox.rules.faults import Rule
from dingbell.sandbox.stream import hub
from dingbell.sandbox.wire import control, envelopes, families, identity, refusals
from dingbell.sandbox.wire.refusals import ApiRefusalError, RefusalError

CONTROL = "/_sandbox"


class Gateway:
    """Hands each request to the control API, the inbox page or a family of the wire."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._bans = cycle((_ban_page, _ban_json))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        received_at = self._cloud.clock.now()
        path = request.path
        if path in ("/", CONTROL, CONTROL + "/") and request.method in ("GET", "HEAD"):
            return phones.page()
        if path.startswith(CONTROL + "/"):
            return await control.handle(self._cloud, request)
        if path == hub.PATH:
            return await self._cloud.hub.serve(request)
        return await self._dingtalk(request, received_at)

    async def _dingtalk(self, request: web.BaseRequest, now: float) -> web.StreamResponse:
        cloud, path = self._cloud, request.path
        cloud.calls[path] += 1
        if cloud.ledger.banned(request.remote or "", now, cloud.limits):
            return next(self._bans)()
        fault = cloud.faults.strike(path)
        if fault is None:
            return await self._process(request, now)
        if not fault.only_delays:
            await self._wait(fault)
            return await self._spoil(fault, request, now)
        response = await self._process(request, now)
        await self._wait(fault)
        return response

    async def _wait(self, fault: Rule) -> None:
        if fault.delay:
            await self._cloud.clock.sleep(fault.delay)

    async def _process(self, request: web.BaseRequest, now: float) -> web.Response:
        if request.path == "/oauth2/auth":
            return _redirect(self._cloud, request, now)
        return await families.of(request.path).handle(self._cloud, request, now)

    async def _spoil(self, fault: Rule, request: web.BaseRequest, now: float) -> web.Response:
        """Instead of processing, or after it, answer as the fault says."""
        if fault.reset == "before":
            return _cut(request)
        if fault.ban:
            return next(self._bans)()
        if fault.http_status and fault.when == "before":
            return _bad_gateway(fault.http_status)
        if fault.errcode is not None:
            return families.of(request.path).refuse(self._cloud, _refusal(fault, request, now))
        response = await self._process(request, now)
        if fault.reset:
            return _cut(request)
        if fault.http_status:
            return _bad_gateway(fault.http_status)
        return await hostile.answer(fault, response)


def _redirect(cloud: Cloud, request: web.BaseRequest, now: float) -> web.Response:
    try:
        target = identity.authorize(cloud, request.query, now)
    except ApiRefusalError as refusal:
        return envelopes.api_no(refusal)
    return web.Response(status=302, headers={"Location": target})


def _refusal(fault: Rule, request: web.BaseRequest, now: float) -> RefusalError:
    if fault.errcode == 90002 and fault.errmsg is None:
        api = "dingtalk.oapi." + request.path.removeprefix("/topapi/").strip("/").replace("/", ".")
        return refusals.throttled_globally(api, now)
    assert fault.errcode is not None
    return RefusalError(fault.errcode, fault.errmsg, sub_code=fault.sub_code)


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection without an answer; what is returned here is never seen."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _bad_gateway(status: int) -> web.Response:
    return envelopes.page(f"{status} Bad Gateway", status=status)


def _ban_page() -> web.Response:
    return envelopes.page("访问被拒绝：请求过于频繁 Access denied", status=403)


def _ban_json() -> web.Response:
    punishment = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "sandbox"}
    return envelopes.answer(punishment)
