"""Answers that are no answers: cut, replaced, or packed a thousandfold."""

import asyncio
import json
import zlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from dingbell.sandbox.rules.faults import Rule

_MEGABYTE = b" " * 1_000_000
_WINDOW = {"gzip": 31, "deflate": 15}


async def answer(fault: Rule, response: web.Response) -> web.Response:
    """Spoil the answer of a call that was processed, as the fault says."""
    body = response.body if isinstance(response.body, bytes) else b""
    if fault.bomb:
        packed = await asyncio.to_thread(_packed, fault.bomb, fault.packing)
        return _like(response, packed, {"Content-Encoding": fault.packing})
    if fault.body is not None:
        return _like(response, fault.body.encode("utf-8", "surrogatepass"))
    if fault.replace:
        merged = _merged(json.loads(body), fault.replace)
        # Escaped, so that halves of characters get through as well.
        return _like(response, json.dumps(merged).encode())
    return _like(response, body[: len(body) // 2])


def _like(
    response: web.Response, body: bytes, headers: Mapping[str, str] | None = None
) -> web.Response:
    kind = {"Content-Type": response.headers["Content-Type"]}
    return web.Response(body=body, status=response.status, headers={**kind, **(headers or {})})


def _merged(found: Any, given: Any) -> Any:
    """Put fields into an object, and into the objects in it."""
    if not isinstance(found, dict) or not isinstance(given, Mapping):
        return given
    return {**found, **{name: _merged(found.get(name), value) for name, value in given.items()}}


def _packed(megabytes: int, packing: str) -> bytes:
    """Blanks, packed; JSON may begin with as many as it likes."""
    packer = zlib.compressobj(wbits=_WINDOW[packing])
    return b"".join([packer.compress(_MEGABYTE) for _ in range(megabytes)] + [packer.flush()])
