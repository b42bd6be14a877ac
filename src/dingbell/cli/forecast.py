"""A forecast for people: what it takes, who will not get it and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dingbell.cli.frame import table, totals
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.domain.forecast import Forecast

__all__ = ["show"]

_MOST = 50


def show(outlook: Forecast) -> None:
    """Print a forecast; of people only those that will not be delivered to."""
    from dingbell.domain.forecast import prediction

    typer.echo(
        tr(
            f"{len(outlook.userids)} people, {outlook.calls} calls, the last after "
            f"{outlook.seconds:.1f} s",
            f"{len(outlook.userids)} 人, {outlook.calls} 次调用, 最后一次在 "
            f"{outlook.seconds:.1f} 秒后",
        )
    )
    typer.echo(_price(outlook))
    typer.echo(totals(outlook.totals()))
    for note in outlook.notes:
        typer.echo(say(note))
    told = sorted(outlook.reasons.items(), key=lambda item: (item[1], item[0]))
    if not told:
        return
    rows = []
    for userid, reason in told[:_MOST]:
        found = prediction(reason)
        why = outlook.why(userid)
        rows.append((userid, found.expected, found.code, say(why) if why else ""))
    table(("userid", tr("expected", "预计"), tr("code", "代码"), tr("why", "原因")), rows)
    if len(told) > _MOST:
        rest = len(told) - _MOST
        typer.echo(tr(f"and {rest} more: --json", f"另有 {rest} 人: --json"))


def _price(outlook: Forecast) -> str:
    usage = outlook.usage
    if usage.limit is None:
        return tr(
            f"costs about {outlook.cost} calls of the month, receipts included ({usage.used} used)",
            f"约消耗本月 {outlook.cost} 次调用 (含回执; 已用 {usage.used})",
        )
    share = outlook.cost / usage.limit
    return tr(
        f"costs about {outlook.cost} of {usage.limit} calls of the month, {share:.1%} "
        f"({usage.used} used)",
        f"约消耗本月 {usage.limit} 次调用中的 {outlook.cost} 次, {share:.1%} (已用 {usage.used})",
    )
