"""Fetching a small file from an address that a person gave: bounded in size and time."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from dingbell.errors import InputError, OutsideError, Text

__all__ = ["fetch", "is_address"]

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_OK = 200


def is_address(source: str) -> bool:
    """Whether something is an address of the web, and no file."""
    return source.lower().startswith(("http://", "https://"))


async def fetch(address: str, *, largest: int) -> bytes:
    """The content of an address.

    Raises:
        InputError: the address does not work, or the content is larger than allowed.
        OutsideError: it cannot be had right now.
    """
    # Its user and password are no part of what is told.
    shown = urlsplit(address)._replace(query="", fragment="").geturl().rpartition("@")[2]
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(address) as answer,
        ):
            if answer.status != _OK:
                raise OutsideError(
                    Text("{address} answered {status}", "{address} 返回 {status}").format(
                        address=shown, status=answer.status
                    )
                )
            content = await answer.content.read(largest + 1)
            while len(content) <= largest and not answer.content.at_eof():
                content += await answer.content.read(largest + 1 - len(content))
    except (aiohttp.InvalidURL, ValueError):
        raise InputError(
            Text("{address} is no address", "{address} 不是网址").format(address=shown)
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise OutsideError(
            Text("{address} cannot be reached", "无法访问 {address}").format(address=shown)
        ) from None
    if len(content) > largest:
        raise InputError(
            Text("{address} has more than {n} bytes", "{address} 超过 {n} 字节").format(
                address=shown, n=largest
            )
        )
    return content
