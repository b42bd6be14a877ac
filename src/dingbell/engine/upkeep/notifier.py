"""Notifier: alerts → a webhook, and a notice to their owner, as the rule `alerts` says."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import aiohttp

from dingbell.domain.alerting import Alerting
from dingbell.domain.lifecycle import Run
from dingbell.domain.message import Message
from dingbell.domain.run import AlertNotice, Kind
from dingbell.engine.node.context import Context
from dingbell.planning import wakeups
from dingbell.store import apps, jobs, rules
from dingbell.store.connection import transaction
from dingbell.store.ledger import alerts, runs
from dingbell.store.ledger.alerts import Alert
from dingbell.telemetry import Event, log

__all__ = ["Notifier"]

_AT_ONCE = 20
# Where a node dies while it notifies, others try after this.
_TAKEN_FOR = timedelta(minutes=5)
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Notifier:
    """Tells of alerts, each once; what could not be told is tried again at the next look."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def tell(self) -> None:
        """Notify about the alerts that are pending, each by one node.

        They are taken for a while and no connection is held: a webhook may be slow.
        """
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            pending = await alerts.take_pending(connection, _AT_ONCE, now, now + _TAKEN_FOR)
            rule = await rules.alerting(connection)
        notified = pending
        if pending and rule is not None:
            notified = [alert for alert in pending if await self._post(rule, alert)]
            await self._notify(rule, notified)
        if pending:
            ids = {alert.id for alert in notified}
            async with transaction(self._context.pool) as connection:
                await alerts.notified(connection, sorted(ids), self._context.clock.now())
                left = [alert.id for alert in pending if alert.id not in ids]
                await alerts.give_back(connection, left)

    async def _post(self, rule: Alerting, alert: Alert) -> bool:
        """Hand an alert to the webhook; its address may hold a secret and is not logged."""
        if rule.webhook is None:
            return True
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.post(rule.webhook, json=_told(alert)) as answer,
            ):
                if answer.ok:
                    return True
                trouble = f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            trouble = type(error).__name__
        log(Event.ALERT_NOT_DELIVERED, level=logging.WARNING, alert=alert.id, error=trouble)
        return False

    async def _notify(self, rule: Alerting, told: list[Alert]) -> None:
        """Send the owner a notice; its key makes a repeat harmless."""
        if rule.notify is None or not told:
            return
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            known = [app for app in await apps.all_apps(connection) if app.names]
            sender = next((a for a in known if rule.app is None or rule.app in a.names), None)
            if sender is None:
                return
            made = [
                runs.NewRun(
                    schedule_id=None,
                    schedule=None,
                    revision=0,
                    kind=Kind.ALERT,
                    key=str(alert.id),
                    app_id=sender.id,
                    org=sender.org,
                    function=None,
                    spec=AlertNotice(
                        to=rule.notify,
                        message=Message({"text": _words(alert)}, literal=True),
                        priority="urgent",
                    ),
                    due_at=now,
                    state=Run.DUE,
                )
                for alert in told
            ]
            created = await runs.create(connection, made, now)
            await jobs.enqueue(connection, [wakeups.plan([one], None) for one, _ in created])


def _told(alert: Alert) -> dict[str, Any]:
    alarm = alert.alarm
    return {
        "id": alert.id,
        "kind": alarm.kind.value,
        "noun": alarm.noun.value,
        "subject": alarm.subject,
        "params": dict(alarm.params),
        "detail": str(alarm.text()),
        "began_at": alert.began_at.isoformat(),
        "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
    }


def _words(alert: Alert) -> str:
    alarm = alert.alarm
    return f"叮铃告警 #{alert.id} {alarm.kind}: {alarm.noun} {alarm.subject}: {alarm.text().zh}"[
        :500
    ]
