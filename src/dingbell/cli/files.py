"""`dingbell init | schema | plan | apply`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli import private
from dingbell.cli.frame import Account, Json, acting, fail, print_json, run
from dingbell.cli.language import chosen, say, tr

if TYPE_CHECKING:
    from dingbell.config.apply import Change

__all__ = ["add_to"]

File = Annotated[Path, typer.Option("--file", "-f", help=tr("the configuration file", "配置文件"))]
Prune = Annotated[
    bool,
    typer.Option(
        "--prune",
        help=tr(
            "delete schedules and audiences that are not in the file", "删除文件中没有的日程和受众"
        ),
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help=tr("write to this file instead of printing", "写入此文件, 而不是输出")
    ),
]
Force = Annotated[bool, typer.Option("--force", help=tr("overwrite", "覆盖已有文件"))]
_FILE = Path("dingbell.yaml")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=tr(
            "write a commented dingbell.yaml and .env.example",
            "生成带注释的 dingbell.yaml 和 .env.example",
        )
    )(init)
    app.command(
        help=tr(
            "print the JSON Schema of dingbell.yaml, with which editors complete and check",
            "输出 dingbell.yaml 的 JSON Schema, 供编辑器补全和检查",
        )
    )(schema)
    app.command(help=tr("show what apply would change", "显示 apply 会改变什么"))(plan)
    app.command(help=tr("make the database say what the file says", "使数据库与文件一致"))(apply)


def init(
    folder: Annotated[Path, typer.Argument(help=tr("where to write", "写入的文件夹"))] = Path(),
    force: Force = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Write example files."""
    from dingbell.config.examples import ENVIRONMENT, SCHEMA_FILE, YAML

    contents = {
        folder / "dingbell.yaml": YAML,
        folder / ".env.example": ENVIRONMENT,
        folder / SCHEMA_FILE: _schema(),
    }
    write(contents, force=force)
    if as_json:
        print_json([str(path) for path in contents])
        return
    for path in contents:
        typer.echo(str(path))


def schema(out: Out = None, force: Force = False) -> None:
    """Print or write the schema, its descriptions in the chosen language."""
    if out is not None:
        write({out: _schema()}, force=force)
        return
    typer.echo(_schema(), nl=False)


def _schema() -> str:
    from dingbell.config.json_schema import schema

    return json.dumps(schema(chosen()), ensure_ascii=False, indent=1) + "\n"


def write(contents: Mapping[Path, str], *, force: bool) -> None:
    """Write files, all or none of them; what is there already is overwritten by force only."""
    from dingbell import textfile

    if existing := [str(path) for path in contents if path.exists() and not force]:
        names = ", ".join(existing)
        fail(tr(f"{names} exists already; --force overwrites", f"{names} 已存在; --force 可覆盖"))
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with private.create(path, mode="w", encoding="utf-8") as file:
                file.write(content)
    except OSError as error:
        fail(f"{error.filename}: {say(textfile.reason(error))}")


def plan(file: File = _FILE, prune: Prune = False, as_json: Annotated[bool, Json] = False) -> None:
    """Show the difference."""
    _show(run(_work(file, prune=prune, really=False)), as_json=as_json, done=False)


def apply(
    file: File = _FILE,
    prune: Prune = False,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Make it so."""
    _show(run(_work(file, prune=prune, really=True, by=by)), as_json=as_json, done=True)


async def _work(file: Path, *, prune: bool, really: bool, by: str | None = None) -> list[Change]:
    from dingbell.bootstrap import open_desk
    from dingbell.config import apply as work
    from dingbell.config.document import placed
    from dingbell.config.schema import load_placed
    from dingbell.settings import Settings, from_dotenv

    settings = Settings.load()
    # What `.env` says holds here, too; the environment itself wins.
    config, document = load_placed(file, {**from_dotenv(Path(".env")), **os.environ})
    if document.note is not None:
        typer.echo(f"{file}: {say(document.note)}", err=True)
    async with open_desk(settings) as desk:
        with placed(document):
            if really:
                return await work.apply(await acting(desk, by), config, prune=prune)
            return await work.plan(desk, config, prune=prune)


_SIGNS = {"create": "+", "change": "~", "delete": "-", "keep": " "}


def _show(changes: list[Change], *, as_json: bool, done: bool) -> None:
    if as_json:
        print_json([change.to_dict() for change in changes])
        return
    for change in changes:
        hint = ""
        if change.action == "keep":
            hint = tr("  (not in the file; --prune deletes it)", "  (文件中没有; --prune 可删除)")
        typer.echo(f"{_SIGNS[change.action]} {change.kind} {change.name}{hint}")
        for field, (old, new) in change.fields.items():
            typer.echo(f"    {field}: {old} → {new}")
        for warning in change.warnings:
            typer.echo(f"    ! {say(warning)}", err=True)
    real = sum(change.action != "keep" for change in changes)
    if real == 0:
        typer.echo(tr("nothing to change", "没有变化"))
    elif done:
        typer.echo(tr(f"{real} applied", f"已应用 {real} 项"))
    else:
        typer.echo(
            tr(
                f"{real} to change; `dingbell apply` does it",
                f"将改变 {real} 项; 用 `dingbell apply` 执行",
            )
        )
