"""`dingbell send`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dingbell.cli.composing import (
    AnyType,
    Composed,
    File,
    Image,
    Markdown,
    Template,
    Title,
    Values,
    Words,
    composed,
)
from dingbell.cli.datasets import Key, key_kind, table_or_name
from dingbell.cli.frame import Account, Json, asked, fail, guard, print_json, run
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.domain.forecast import Forecast
    from dingbell.domain.schedule import Policies
    from dingbell.operations.context import Operations
    from dingbell.operations.sending import Order

__all__ = ["add_to", "confirm"]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=tr("send a notice now", "立即发送通知"))(send)


def send(
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            help=tr(
                "users:a,b departments:1,研发中心/平台部 roles:… mobiles:… audience:NAME "
                "lists:NAME managers_of:… where:title=… everyone, or JSON; repeatable; with --rows "
                "everybody who has a row if left out",
                "users:a,b departments:1,研发中心/平台部 roles:… mobiles:… audience:名称 "
                "lists:名称 managers_of:… where:title=… everyone, 或 JSON; 可多次使用; 有 --rows "
                "时可省略, 即数据中的所有人",
            ),
        ),
    ] = None,
    text: Words = None,
    markdown: Markdown = None,
    title: Title = None,
    message: AnyType = None,
    template: Template = None,
    image: Image = None,
    attach: File = None,
    values: Values = None,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="FILE|NAME",
            help=tr(
                "CSV or XLSX with a row for each person, or a dataset; the message uses "
                "{{ row.net }}",
                "每人一行的 CSV 或 XLSX, 或数据集名称: 消息中用 {{ row.实发 }}",
            ),
        ),
    ] = None,
    key: Key = None,
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
    priority: Annotated[
        str,
        typer.Option("--priority", help=tr("urgent, normal or bulk", "urgent、normal 或 bulk")),
    ] = "normal",
    preflight: Annotated[
        str,
        typer.Option(
            "--preflight",
            help=tr(
                "warn, or refuse to send when somebody would not be reached",
                "warn, 或 refuse: 有人收不到时拒绝发送",
            ),
        ),
    ] = "warn",
    spread: Annotated[
        str | None,
        typer.Option("--spread", help=tr("spread it over so long: 10m", "均匀分布在: 10m")),
    ] = None,
    finish_by: Annotated[
        str | None,
        typer.Option(
            "--finish-by",
            help=tr("the last call must be made within: 30m", "最后一次调用须在此时长内: 30m"),
        ),
    ] = None,
    cool_down: Annotated[
        str,
        typer.Option(
            "--cool-down",
            help=tr("hold it so long first, to be able to cancel: 30s", "先等待, 期间可取消: 30s"),
        ),
    ] = "0",
    by: Account = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Send now."""
    from dingbell.cli.following import carry_out, finish
    from dingbell.domain.duration import parse_duration
    from dingbell.errors import DingBellError

    try:
        policies = _policies(
            tracking=tracking,
            priority=priority,
            preflight=preflight,
            spread=spread,
            finish_by=finish_by,
        )
        said = composed(
            text=text,
            markdown=markdown,
            title=title,
            message=message,
            template=template,
            image=image,
            file=attach,
            values=values,
        )
        order = _order(
            to,
            said,
            app=app,
            policies=policies,
            cool_down=parse_duration(cool_down),
            rows=table_or_name(rows),
            key=key_kind(key),
        )
    except DingBellError as error:
        guard(error)

    async def create(desk: Operations) -> int:
        from dingbell.operations import sending

        found = await sending.outlook(desk, order)
        _advise(order)
        _warn(found)
        confirm(found, question=sending.needs_yes(order, found) and not yes)
        return await sending.send(desk, order, people=len(found.userids))

    if dry_run:
        _advise(order)
        _show(run(asked(lambda ops: _outlook(ops, order), by)), as_json=as_json)
        return
    finish(run(carry_out(create, wait=wait, quiet=as_json, by=by)), as_json=as_json)


async def _outlook(ops: Operations, order: Order) -> Forecast:
    from dingbell.operations import sending

    return await sending.outlook(ops, order, thorough=True)


def _policies(**given: str | None) -> Policies:
    """Read the options that are policies, told of under their own names."""
    from pydantic import ValidationError

    from dingbell.domain.schedule import Policies
    from dingbell.errors import InputError
    from dingbell.validation import told

    try:
        return Policies.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise InputError(told(first), where=option) from None


def _order(to: list[str] | None, said: Composed, **options: Any) -> Order:
    from dingbell.domain.audience import parse_targets
    from dingbell.operations.sending import Order

    to_rows = not to and options["rows"] is not None
    audience = None if to_rows else parse_targets(to or ())
    return Order(audience, said.message, vars=said.vars, files=said.files, **options)


def _advise(order: Order) -> None:
    """Say where DingTalk shows the message otherwise than its author may think."""
    for words in order.message.advice():
        typer.echo(f"! {say(words)}", err=True)


def _warn(found: Forecast) -> None:
    """Say before a send that somebody is not expected to get it."""
    from dingbell.operations.warnings import told_of

    told = told_of(found)
    if told is not None:
        typer.echo(f"{say(told)}: --dry-run", err=True)
    for note in found.notes:
        typer.echo(say(note), err=True)


def confirm(found: Forecast, *, question: bool) -> None:
    """What reaches many needs a yes: from a person at a terminal, or from --yes."""
    if not question:
        return
    people, calls = len(found.userids), found.calls
    if not sys.stdin.isatty():
        fail(
            tr(
                f"this goes to {people} people ({calls} calls): confirm with --yes",
                f"将发送给 {people} 人 ({calls} 次调用): 请用 --yes 确认",
            )
        )
    asking = tr(
        f"Send to {people} people ({calls} calls)?", f"发送给 {people} 人 ({calls} 次调用)?"
    )
    typer.confirm(asking, abort=True, err=True)


def _show(found: Forecast, *, as_json: bool) -> None:
    from dingbell.cli import forecast
    from dingbell.operations.forecasts import present

    if as_json:
        print_json(present(found).to_json())
    else:
        forecast.show(found)
