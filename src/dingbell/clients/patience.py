"""Patience: a call to DingTalk that a repeat does not harm, made again until it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dingbell.clock import Clock

__all__ = ["patiently"]

# Seconds between tries where nothing else is said; it grows with each.
_PAUSE = 0.5
_LONGEST_PAUSE = 5.0


async def patiently(
    call: Callable[[], Awaitable[object]], clock: Clock, *, tries: int
) -> str | None:
    """Make a call until DingTalk is free to answer it.

    Args:
        call: whose repeat is harmless.
        clock: whose time passes.
        tries: how often at the most.

    Returns:
        DingTalk's code where it refused, or never answered; None where the call worked.
    """
    from dingbell.dingtalk import errors

    code: str | None = None
    for attempt in range(tries):
        try:
            await call()
        except errors.RetryLater as error:
            code = error.code
            await clock.sleep(error.after)
        except (errors.NotSent, errors.Ambiguous) as error:
            code = error.code
            await clock.sleep(min(_PAUSE * 2**attempt, _LONGEST_PAUSE))
        except errors.DingTalkError as error:
            return error.code
        else:
            return None
    return code
