"""Periodic work: done again and again, whatever becomes of it once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dingbell.clock import Clock

__all__ = ["every"]


async def every(
    seconds: float,
    work: Callable[[], Awaitable[object]],
    *,
    clock: Clock,
    report: Callable[[Exception], None],
    first: float | None = None,
) -> None:
    """Do something for ever, with a pause between the end of one time and the next.

    Args:
        seconds: the pause.
        work: what is done; what it raises is reported and does not end the series.
        clock: whose time it is.
        report: is told what was raised.
        first: the pause before the first time; None is the same as between the others.
    """
    await clock.sleep(seconds if first is None else first)
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  the series goes on, whatever it was
            report(error)
        await clock.sleep(seconds)
