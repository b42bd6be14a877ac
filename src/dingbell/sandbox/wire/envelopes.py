"""Answers as bytes: each family of the wire has its own shape for yes and for no."""

import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from dingbell.sandbox.wire.refusals import GATEWAY_CODES, ApiRefusalError, RefusalError

_OK = {"errcode": 0, "errmsg": "ok"}
_DENIED = "Forbidden.AccessDenied."

# How the new API says what the old one says with a number.
_API_WORDS: dict[int, tuple[int, str]] = {
    33001: (400, "InvalidAuthentication"),
    40001: (400, "InvalidAuthentication"),
    40014: (400, "InvalidAuthentication"),
    42001: (400, "InvalidAuthentication"),
    60011: (403, _DENIED + "AccessTokenPermissionDenied"),
    60020: (403, _DENIED + "IpNotInWhiteList"),
    90002: (403, _DENIED + "QpsLimitForApi"),
    90018: (403, _DENIED + "QpsLimitForAppkeyAndApi"),
    90020: (403, _DENIED + "ApiCountLimitForOrg"),
    15: (503, "ServiceUnavailable"),
    -1: (500, "systemError"),
}


def answer(payload: Any, *, status: int = 200, kind: str = "application/json") -> web.Response:
    """Any JSON answer."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    headers = {"Content-Type": kind}
    return web.Response(body=body.encode("utf-8", "replace"), status=status, headers=headers)


def page(text: str, *, status: int = 200) -> web.Response:
    """An HTML answer, from something that stands in front of DingTalk."""
    body = f"<!DOCTYPE html><html><head><title>{text}</title></head><body>{text}</body></html>\n"
    return web.Response(text=body, status=status, content_type="text/html")


def top_ok(payload: Mapping[str, Any]) -> web.Response:
    """Family B: topapi."""
    return _top({**_OK, **payload})


def top_no(refusal: RefusalError) -> web.Response:
    """Family B: wrapped in 88 by the gateway, in 15 or 22 by the engine, else direct."""
    code, text = refusal.code, refusal.text
    if code in GATEWAY_CODES or code == 88:
        sub_code = refusal.sub_code or str(code)
        return _top(_wrapped(88, "ding talk error", sub_code, text))
    if code == 15:
        return _top(_wrapped(15, "Remote service error", refusal.sub_code or "isp.-1", text))
    if code == 22:
        return _top({"errcode": 22, "sub_msg": text, "errmsg": f"Invalid method[submsg={text}]"})
    return _top({"errcode": code, "errmsg": text})


def _wrapped(code: int, title: str, sub_code: str, text: str) -> dict[str, Any]:
    return {
        "errcode": code,
        "sub_code": sub_code,
        "sub_msg": text,
        "errmsg": f"{title}[subcode={sub_code},submsg={text}]",
    }


def _top(payload: dict[str, Any]) -> web.Response:
    payload["request_id"] = secrets.token_hex(6)
    return answer(payload, kind="application/json;charset=UTF-8")


def legacy_ok(payload: Mapping[str, Any]) -> web.Response:
    """Family A: legacy paths."""
    return answer({**_OK, **payload})


def legacy_no(refusal: RefusalError) -> web.Response:
    """Family A: always direct, without a request id."""
    return answer({"errcode": refusal.code, "errmsg": refusal.text})


def api_ok(payload: Any) -> web.Response:
    """Family C: the new API."""
    return answer(payload, kind="application/json;charset=utf-8")


def api_no(refusal: ApiRefusalError) -> web.Response:
    """Family C: a real HTTP status, a word, lower-case keys."""
    payload = {
        "code": refusal.code,
        "requestid": str(uuid.uuid4()).upper(),
        "message": refusal.message,
        **refusal.extra,
    }
    return answer(payload, status=refusal.status, kind="application/json;charset=utf-8")


def in_words(refusal: RefusalError) -> ApiRefusalError:
    """A numbered refusal as the new API words it."""
    status, word = _API_WORDS.get(refusal.code, (400, "invalidParameter"))
    if refusal.code == 60011:
        detail = {"requiredScopes": ["qyapi_base"]}
        return ApiRefusalError(status, word, refusal.text, accessdenieddetail=detail)
    return ApiRefusalError(status, word, refusal.text)
