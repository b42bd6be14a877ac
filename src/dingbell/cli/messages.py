"""`dingbell messages …`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dingbell.cli.composing import (
    AnyType,
    File,
    Image,
    Markdown,
    Template,
    Title,
    Values,
    Words,
    composed,
)
from dingbell.cli.frame import Json, asked, guard, print_json, run
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.domain.schedule import ScheduleSpec
    from dingbell.operations.context import Operations
    from dingbell.operations.previews import MessagePreview, Rendering
    from dingbell.operations.sending import Order

__all__ = ["app"]

app = typer.Typer(
    help=tr("messages as people will get them", "预览收件人看到的消息"), no_args_is_help=True
)


@app.callback()
def root() -> None:
    """Keep `preview` a command of its own, though it is the only one."""


@app.command(
    help=tr(
        "show a message as people get it: whom you name, for whom it is longest, for whom it "
        "does not work",
        "预览消息: 指定的人、最长的人、无法生成的人",
    )
)
def preview(
    schedule: Annotated[
        str | None, typer.Argument(help=tr("name of a schedule", "日程名称"))
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help=tr(
                "where the schedule stands, if not yet applied", "尚未应用时日程所在的配置文件"
            ),
        ),
    ] = None,
    person: Annotated[
        list[str] | None,
        typer.Option("--person", "-p", help=tr("a userid; repeatable", "userid; 可多次使用")),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help=tr("whom it goes to, as in `send`", "收件人, 同 `send`")),
    ] = None,
    text: Words = None,
    markdown: Markdown = None,
    title: Title = None,
    message: AnyType = None,
    template: Template = None,
    image: Image = None,
    attach: File = None,
    values: Values = None,
    app_name: Annotated[
        str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Preview a message."""
    from dingbell.errors import DingBellError

    asking = tuple(person or ())
    try:
        if schedule is not None:
            spec = _of_file(config, schedule) if config else None
            work = asked(lambda ops: _of_schedule(ops, schedule, spec, asking))
        else:
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
            order = _order(to or [f"users:{','.join(asking)}"], said, app_name)
            work = asked(lambda ops: _of_order(ops, order, asking))
    except DingBellError as error:
        guard(error)
    _show(run(work), as_json=as_json)


def _of_file(path: Path, name: str) -> ScheduleSpec:
    """A schedule as a file says it, with the words of the file's templates."""
    from dingbell.config.schema import load
    from dingbell.errors import NotFoundError, Text
    from dingbell.settings import from_dotenv

    config = load(path, {**from_dotenv(Path(".env")), **os.environ})
    spec = config.schedules.get(name)
    if spec is None:
        words = Text("there is no schedule {name!r} in {path}", "{path} 中没有日程 {name!r}")
        raise NotFoundError(words.format(name=name, path=path))
    saved = config.templates.get(spec.message.template or "") if spec.message else None
    if spec.message is None or saved is None:
        return spec
    return spec.model_copy(update={"message": spec.message.saying(saved.content)})


def _order(to: list[str], said: Any, app: str | None) -> Order:
    from dingbell.domain.audience import parse_targets
    from dingbell.operations.sending import Order

    return Order(parse_targets(to), said.message, app=app, vars=said.vars)


async def _of_schedule(
    ops: Operations, name: str, spec: ScheduleSpec | None, asking: tuple[str, ...]
) -> MessagePreview:
    from dingbell.operations import previews, schedules

    return await previews.preview(ops, await schedules.question(ops, name, spec), asking)


async def _of_order(ops: Operations, order: Order, asking: tuple[str, ...]) -> MessagePreview:
    from dingbell.operations import previews, sending

    return await previews.preview(ops, await sending.question(ops, order), asking)


def _show(found: MessagePreview, *, as_json: bool) -> None:
    if as_json:
        print_json(found.to_json())
        return
    for one in found.renderings:
        _show_one(one, found.limit)
    typer.echo(
        tr(
            f"{found.people} people, {found.bodies} different messages; {found.failing} of "
            f"{found.looked_at} cannot be made",
            f"{found.people} 人, {found.bodies} 种不同内容; {found.looked_at} 人中 "
            f"{found.failing} 人无法生成",
        )
    )
    for words in found.advice:
        typer.echo(f"! {say(words)}", err=True)


def _show_one(one: Rendering, limit: int) -> None:
    why = {
        "asked": "",
        "longest": tr(" (the longest)", " (最长)"),
        "problem": tr(" (does not work)", " (无法生成)"),
    }[one.why]
    size = "" if one.message is None else f" · {one.bytes}/{limit} {tr('bytes', '字节')}"
    typer.echo(f"— {one.name or one.userid} ({one.userid}){why}{size}")
    if one.problem is not None:
        typer.echo(f"  {say(one.problem)}")
    for name, value in _parts(one.message or {}):
        typer.echo(f"  {name}: {value}" if "\n" not in value else f"  {name}:\n{value}")


def _parts(message: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields of a message and what stands in them."""
    content = message.get(message.get("msgtype", ""), {})
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in content.items()
    ]
