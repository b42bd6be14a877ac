"""`dingbell send`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dingbell.cli.frame import Json, fail, guard, print_json, run
from dingbell.cli.language import tr

if TYPE_CHECKING:
    from dingbell.operations.desk import Desk
    from dingbell.operations.sending import Order, Price

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=tr("send a notice now", "立即发送通知"))(send)


def send(
    to: Annotated[
        list[str],
        typer.Option(
            "--to",
            help=tr(
                "users:a,b departments:1,2 roles:… mobiles:… audience:NAME everyone; repeatable",
                "users:a,b departments:1,2 roles:… mobiles:… audience:名称 everyone; 可多次使用",
            ),
        ),
    ],
    text: Annotated[
        str | None, typer.Option("--text", help=tr("a text message", "文本消息"))
    ] = None,
    markdown: Annotated[
        str | None,
        typer.Option(
            "--markdown", help=tr("a markdown message; with --title", "markdown 消息; 配合 --title")
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", help=tr("title of --markdown", "--markdown 的标题"))
    ] = None,
    message: Annotated[
        str | None,
        typer.Option(
            "--message",
            help=tr(
                'any of the eight types as JSON, or @FILE: {"link": {…}}',
                '八种类型之一的 JSON, 或 @文件: {"link": {…}}',
            ),
        ),
    ] = None,
    app: Annotated[
        str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))
    ] = None,
    tracking: Annotated[
        str, typer.Option("--tracking", help=tr("people, coarse or auto", "people、coarse 或 auto"))
    ] = "auto",
    wait: Annotated[
        bool, typer.Option("--wait", help=tr("wait until it is settled", "等待直到有结果"))
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help=tr("say what it would take; send nothing", "只说明会发生什么, 不发送")
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Send now."""
    from dingbell.cli.following import carry_out, finish
    from dingbell.errors import DingBellError

    try:
        order = _order(to, text, markdown, title, message, app, tracking)
    except DingBellError as error:
        guard(error)

    async def create(desk: Desk) -> int:
        from dingbell.operations import sending

        cost = await sending.price(desk, order)
        _confirm(cost, yes=yes)
        return await sending.send(desk, order)

    if dry_run:
        _show_price(run(_price(order)), as_json=as_json)
        return
    finish(run(carry_out(create, wait=wait, quiet=as_json)), as_json=as_json)


async def _price(order: Order) -> Price:
    from dingbell.bootstrap import open_desk
    from dingbell.operations import sending
    from dingbell.settings import Settings

    async with open_desk(Settings.load()) as desk:
        return await sending.price(desk, order)


def _order(
    to: list[str],
    text: str | None,
    markdown: str | None,
    title: str | None,
    message: str | None,
    app: str | None,
    tracking: str,
) -> Order:
    from dingbell.domain.audience import parse_targets
    from dingbell.domain.message import Message
    from dingbell.errors import InputError, Text
    from dingbell.operations.sending import Order

    if tracking not in ("people", "coarse", "auto"):
        raise InputError(
            Text("--tracking is people, coarse or auto", "--tracking 只能是 people、coarse 或 auto")
        )
    content = _content(text, markdown, title, message)
    return Order(parse_targets(to), Message(content), app=app, tracking=tracking)  # type: ignore[arg-type]  # checked above


def _content(
    text: str | None, markdown: str | None, title: str | None, message: str | None
) -> dict[str, Any]:
    from dingbell.errors import InputError, Text

    if sum(value is not None for value in (text, markdown, message)) != 1:
        raise InputError(
            Text(
                "write exactly one of --text, --markdown, --message",
                "请只写 --text、--markdown、--message 之一",
            )
        )
    if text is not None:
        return {"text": text}
    if markdown is not None:
        return {"markdown": {"title": title or markdown[:20], "text": markdown}}
    return _read_json(message or "")


def _read_json(message: str) -> dict[str, Any]:
    from dingbell.errors import InputError, Text

    try:
        source = Path(message[1:]).read_text(encoding="utf-8") if message[:1] == "@" else message
        content = json.loads(source)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            Text(
                "--message is not readable JSON: {error}", "--message 不是可读的 JSON: {error}"
            ).format(error=error)
        ) from None
    if not isinstance(content, dict):
        raise InputError(Text("--message must be a JSON object", "--message 必须是 JSON 对象"))
    return content


def _confirm(cost: Price, *, yes: bool) -> None:
    """Large sends need a yes: from a person at a terminal, or from --yes."""
    if yes or not cost.needs_yes:
        return
    people, calls = len(cost.userids), cost.calls
    if not sys.stdin.isatty():
        fail(
            tr(
                f"this goes to {people} people ({calls} calls): confirm with --yes",
                f"将发送给 {people} 人 ({calls} 次调用): 请用 --yes 确认",
            )
        )
    question = tr(
        f"Send to {people} people ({calls} calls)?", f"发送给 {people} 人 ({calls} 次调用)?"
    )
    typer.confirm(question, abort=True, err=True)


def _show_price(cost: Price, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "people": len(cost.userids),
                "calls": cost.calls,
                "seconds": cost.seconds,
                "userids": cost.userids,
            }
        )
        return
    typer.echo(
        tr(
            f"{len(cost.userids)} people, {cost.calls} calls, the last after {cost.seconds:.1f} s",
            f"{len(cost.userids)} 人, {cost.calls} 次调用, 最后一次在 {cost.seconds:.1f} 秒后",
        )
    )
