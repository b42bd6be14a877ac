"""The inbox page: phones in the browser, showing what each person received."""

import secrets
from functools import cache
from importlib import resources

from aiohttp import web


@cache
def _template() -> str:
    return resources.files(__package__).joinpath("phones.html").read_text("utf-8")


def page() -> web.Response:
    """The page. What it shows is untrusted, so nothing may run or load but its own lines."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
    )
    return web.Response(
        text=_template().replace("{{nonce}}", nonce),
        content_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )
