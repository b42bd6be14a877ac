"""`dingbell directory …`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from dingbell.cli.frame import Json, print_json, run, table
from dingbell.cli.language import tr
from dingbell.cli.screen import bare

__all__ = ["app"]

app = typer.Typer(
    help=tr("read the directory, look people up", "同步通讯录, 查人"), no_args_is_help=True
)

App = Annotated[str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))]


@app.command(help=tr("read the directory from DingTalk now", "立即从钉钉同步通讯录"))
def sync(app_name: App = None, as_json: Annotated[bool, Json] = False) -> None:
    """Sync the directory."""
    found = run(_sync(app_name, quiet=as_json))
    if as_json:
        print_json(found)
    else:
        typer.echo(
            tr(
                f"{found['people']} people in {found['departments']} departments",
                f"{found['departments']} 个部门, {found['people']} 人",
            )
        )


async def _sync(app_name: str | None, *, quiet: bool) -> dict[str, Any]:
    from rich.console import Console

    from dingbell.bootstrap import open_desk
    from dingbell.operations import people
    from dingbell.settings import Settings

    drawn = Console(file=bare(sys.stderr), quiet=quiet)
    status = drawn.status(tr("reading …", "读取中 …"))
    async with open_desk(Settings.load()) as desk:
        with status:
            done = await people.synchronise(
                desk,
                app_name,
                progress=lambda count: status.update(tr(f"{count} people", f"{count} 人")),
            )
    return {
        "people": done.people,
        "departments": done.departments,
        "synced_at": done.synced_at.isoformat(),
    }


@app.command(help=tr("people by name, userid or mobile", "按姓名、userid 或手机号查人"))
def find(
    query: Annotated[str, typer.Argument(help=tr("part of it", "其中一部分"))],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Find people."""
    found = run(_find(app_name, query))
    if as_json:
        print_json(found)
        return
    table(
        ("userid", tr("name", "姓名"), tr("title", "职位"), tr("departments", "部门")),
        ((p["userid"], p["name"], p["title"], ", ".join(p["departments"])) for p in found),
    )


async def _find(app_name: str | None, query: str) -> list[dict[str, Any]]:
    from dingbell.bootstrap import open_desk
    from dingbell.operations import people
    from dingbell.settings import Settings

    async with open_desk(Settings.load()) as desk:
        return await people.find(desk, app_name, query)


@app.command(help=tr("whom a target means", "一个收件目标指哪些人"))
def audience(
    to: Annotated[list[str], typer.Argument(help="users:a,b departments:1,2 roles:… everyone")],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Resolve an audience."""
    found = run(_audience(app_name, to))
    if as_json:
        print_json({"people": len(found), "userids": found})
        return
    typer.echo("\n".join(found))
    typer.echo(tr(f"{len(found)} people", f"{len(found)} 人"), err=True)


async def _audience(app_name: str | None, to: list[str]) -> list[str]:
    from dingbell.bootstrap import open_desk
    from dingbell.domain.audience import parse_targets
    from dingbell.operations import apps, people
    from dingbell.settings import Settings

    async with open_desk(Settings.load()) as desk:
        app = await apps.chosen(desk, app_name)
        return await people.resolve(desk, app, parse_targets(to))
