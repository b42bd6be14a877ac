"""`dingbell audiences …`."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.frame import (
    Account,
    Json,
    asked,
    fail,
    guard,
    print_json,
    print_views,
    run,
    table,
)
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.domain.audience import Audience
    from dingbell.operations.audiences import AudiencePerson, AudiencePreview
    from dingbell.operations.context import Operations

__all__ = ["app"]

app = typer.Typer(
    help=tr("saved audiences, and whom they mean", "已保存的受众, 及其所指的人"),
    no_args_is_help=True,
)

_TARGETS = tr(
    "users:a departments:1,研发中心/平台部 roles:… managers_of:users:a where:title=… everyone, "
    "or JSON; repeatable",
    "users:a departments:1,研发中心/平台部 roles:… managers_of:users:a where:title=… everyone, "
    "或 JSON; 可多次使用",
)
Name = Annotated[str, typer.Argument(help=tr("its name", "名称"))]
App = Annotated[str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))]


@app.command("list", help=tr("every saved audience", "全部已保存的受众"))
def list_(as_json: Annotated[bool, Json] = False) -> None:
    """List audiences."""
    from dingbell.operations import audiences

    found = run(asked(audiences.listed))
    if as_json:
        print_views(found)
        return
    table(
        (tr("name", "名称"), tr("whom it means", "所指")),
        ((one.name, json.dumps(one.spec, ensure_ascii=False)) for one in found),
    )


@app.command(help=tr("what a saved audience says, and what uses it", "受众的内容及其使用者"))
def show(name: Name, as_json: Annotated[bool, Json] = False) -> None:
    """Show one."""
    from dingbell.operations import audiences

    found = run(asked(lambda ops: audiences.show(ops, name)))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(json.dumps(found.spec, ensure_ascii=False, indent=2))
    if found.used_by:
        typer.echo(f"{tr('used by', '使用者')}: {', '.join(found.used_by)}", err=True)


@app.command(
    help=tr("whom an audience means, and who cannot be reached", "受众所指的人, 及无法送达者")
)
def preview(
    name: Annotated[
        str | None,
        typer.Argument(help=tr("a saved audience; else --to", "已保存的受众; 否则用 --to")),
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", help=_TARGETS)] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on", metavar="DATE", help=tr("the due day: 2026-12-01", "日期: 2026-12-01")
        ),
    ] = None,
    sample: Annotated[
        int,
        typer.Option("--sample", min=0, max=1000, help=tr("so many are named", "列出多少人")),
    ] = 10,
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Preview one."""
    from dingbell.operations import audiences

    audience, day = _chosen(name, to), _day(on)
    found = run(
        asked(lambda ops: audiences.preview(ops, audience, app=app_name, on=day, sample=sample))
    )
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _chosen(name: str | None, to: list[str] | None) -> Audience:
    """A saved audience, or targets."""
    from dingbell.domain.audience import parse_targets
    from dingbell.errors import InputError

    if (name is None) is (to is None):
        fail(tr("write the name of a saved audience, or --to", "请写受众名称, 或 --to"))
    try:
        return parse_targets([f"audience:{name}"] if to is None else to)
    except InputError as error:
        guard(error)


def _day(on: str | None) -> date | None:
    if on is None:
        return None
    try:
        return date.fromisoformat(on)
    except ValueError:
        fail(
            tr(
                f"--on is {on}: write a date such as 2026-12-01",
                f"--on 是 {on}: 请写日期, 如 2026-12-01",
            )
        )


def _show(found: AudiencePreview) -> None:
    typer.echo(
        tr(
            f"{found.people} people on {found.day}, {found.reachable} can be reached",
            f"{found.day}: {found.people} 人, 其中 {found.reachable} 人可送达",
        )
    )
    if found.sample:
        table(("userid", tr("name", "姓名")), ((one.userid, one.name) for one in found.sample))
    if found.unreachable:
        columns = ("userid", tr("name", "姓名"), tr("not reached because", "无法送达的原因"))
        table(columns, (_reasoned(one) for one in found.unreachable))
    named = len(found.unreachable)
    missing = found.people - found.reachable - named
    if missing:
        typer.echo(tr(f"and {missing} more", f"另有 {missing} 人"), err=True)


def _reasoned(one: AudiencePerson) -> tuple[str, str | None, str]:
    return one.userid, one.name, say(one.reason) if one.reason else ""


@app.command(help=tr("save an audience; a repeat replaces it", "保存受众; 重复则替换"))
def put(
    name: Name,
    to: Annotated[list[str], typer.Option("--to", help=_TARGETS)],
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Save one."""
    audience = _chosen(None, to)
    found = run(asked(lambda ops: _put(ops, name, audience), by))
    if as_json:
        print_json(found)
    else:
        typer.echo(tr(f"audience {name} saved", f"受众 {name} 已保存"))


async def _put(ops: Operations, name: str, audience: Audience) -> dict[str, object]:
    from dingbell.operations import audiences

    await audiences.put(ops, name, audience)
    return (await audiences.show(ops, name)).to_json()


@app.command(help=tr("forget a saved audience that nothing uses", "删除无人使用的受众"))
def delete(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Delete one."""
    from dingbell.operations import audiences

    run(asked(lambda ops: audiences.delete(ops, name), by))
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        typer.echo(tr(f"audience {name} deleted", f"受众 {name} 已删除"))
