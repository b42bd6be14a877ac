"""`dingbell directory …`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.frame import Account, Json, asked, print_json, print_views, run, table
from dingbell.cli.language import tr
from dingbell.cli.screen import bare

if TYPE_CHECKING:
    from dingbell.operations.context import Operations
    from dingbell.operations.directory import AudienceMembers, DirectoryView

__all__ = ["app"]

app = typer.Typer(
    help=tr("read the directory, look people up", "同步通讯录, 查人"), no_args_is_help=True
)

App = Annotated[str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))]


@app.command(help=tr("read the directory from DingTalk now", "立即从钉钉同步通讯录"))
def sync(app_name: App = None, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Sync the directory."""
    found = run(asked(lambda ops: _sync(ops, app_name, quiet=as_json), by))
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(
            tr(
                f"{found.people} people in {found.departments} departments",
                f"{found.departments} 个部门, {found.people} 人",
            )
        )


async def _sync(ops: Operations, app_name: str | None, *, quiet: bool) -> DirectoryView:
    from rich.console import Console

    from dingbell.operations import directory

    drawn = Console(file=bare(sys.stderr), quiet=quiet)
    status = drawn.status(tr("reading …", "读取中 …"))
    with status:
        return await directory.synchronise(
            ops,
            app_name,
            progress=lambda count: status.update(tr(f"{count} people", f"{count} 人")),
        )


@app.command(help=tr("people by name, userid or mobile", "按姓名、userid 或手机号查人"))
def find(
    query: Annotated[str, typer.Argument(help=tr("part of it", "其中一部分"))],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Find people."""
    from dingbell.operations import directory

    found = run(asked(lambda ops: directory.find(ops, app_name, query)))
    if as_json:
        print_views(found)
        return
    table(
        ("userid", tr("name", "姓名"), tr("title", "职位"), tr("departments", "部门")),
        ((p.userid, p.name, p.title, ", ".join(p.departments)) for p in found),
    )


@app.command(help=tr("whom a target means", "一个收件目标指哪些人"))
def audience(
    to: Annotated[list[str], typer.Argument(help="users:a,b departments:1,2 roles:… everyone")],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Resolve an audience."""
    found = run(asked(lambda ops: _members(ops, app_name, to)))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo("\n".join(found.userids))
    typer.echo(tr(f"{found.people} people", f"{found.people} 人"), err=True)


async def _members(ops: Operations, app_name: str | None, to: list[str]) -> AudienceMembers:
    from dingbell.domain.audience import parse_targets
    from dingbell.operations import directory

    return await directory.members(ops, app_name, parse_targets(to))
