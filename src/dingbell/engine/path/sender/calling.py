"""One call: a claimed batch → a verdict that answers *what now?*."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from dingbell.clock import Clock
from dingbell.dingtalk import Client, errors
from dingbell.domain.after_call import Next, Verdict
from dingbell.store.ledger.claims import Claimed

__all__ = ["call", "not_made"]

_UNREACHABLE_BACKOFF = 60.0
# A budget that is used up is asked again this often: somebody may have bought more.
_QUOTA_PAUSE = timedelta(hours=1)


def not_made(clock: Clock, why: str) -> Verdict:
    """The verdict on a call that this node may not make any more."""
    return Verdict(Next.LATER, "not_sent", clock.now(), code=why)


async def call(client: Client, batch: Claimed, clock: Clock) -> Verdict:
    """Send a batch, and sort what comes back."""
    target = batch.target or {}
    try:
        sent = await client.send(
            batch.body,
            userids=batch.userids,
            dept_ids=target.get("departments", ()),
            to_all=bool(target.get("everyone")),
        )
    except errors.UsageError as error:
        return Verdict(Next.FAILED, "not_sent", clock.now(), code=str(error)[:200])
    except errors.DingTalkError as error:
        return _sorted(error, batch.attempt, clock.now())
    except Exception as error:  # noqa: BLE001  the bytes may have left before it was raised
        code = type(error).__name__
        return Verdict(Next.IN_DOUBT, "in_doubt", clock.now(), code=code, level=logging.ERROR)
    return Verdict(Next.ACCEPTED, "accepted", clock.now(), task_id=sent.task_id)


def _sorted(error: errors.DingTalkError, attempt: int, now: datetime) -> Verdict:
    code = error.code
    if isinstance(error, errors.Ambiguous):
        return Verdict(Next.IN_DOUBT, "in_doubt", now, code=code, level=logging.WARNING)
    if isinstance(error, errors.NotSent):
        wait = min(0.5 * 2 ** min(attempt, 10), _UNREACHABLE_BACKOFF)
        return Verdict(Next.LATER, "not_sent", now, code=code, after=timedelta(seconds=wait))
    if isinstance(error, errors.RetryLater):
        return Verdict(Next.LATER, "refused", now, code=code, after=timedelta(seconds=error.after))
    if isinstance(error, errors.Banned):
        pause = timedelta(seconds=error.after)
        return Verdict(
            Next.LATER, "refused", now, code=code, after=pause, pause=pause, pause_address=True
        )
    if isinstance(error, errors.QuotaExhausted):
        return Verdict(
            Next.LATER, "refused", now, code=code, after=_QUOTA_PAUSE, pause=_QUOTA_PAUSE
        )
    return Verdict(Next.FAILED, "refused", now, code=code, level=logging.ERROR)
