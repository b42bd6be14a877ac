"""`dingbell export | import …`: to and from other notations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.files import Force, Out, write
from dingbell.cli.frame import Json, asked, print_json, run
from dingbell.cli.language import chosen, say, tr

if TYPE_CHECKING:
    from dingbell.config.crontab import Entry

__all__ = ["add_to"]

imports = typer.Typer(
    help=tr("read the files of other programs", "读取其他程序的文件"), no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=tr(
            "print everything as dingbell.yaml; variables stand for secrets",
            "以 dingbell.yaml 的形式输出全部内容; 密钥以变量代替",
        )
    )(export)
    app.add_typer(imports, name="import")


def export(out: Out = None, force: Force = False) -> None:
    """Print or write what is in the database."""
    from dingbell.config import export as work

    found = run(asked(lambda desk: work.export(desk, chosen())))
    if out is None:
        typer.echo(found.text, nl=False)
    else:
        write({out: found.text}, force=force)
    for name in found.variables:
        typer.echo(tr(f"set {name} first", f"请先设置 {name}"), err=True)


@imports.command(
    help=tr(
        "explain each line of a crontab, and make schedules of those that can be kept",
        "解释 crontab 的每一行, 并把可以保留的写成日程",
    )
)
def crontab(
    file: Annotated[Path, typer.Argument(help=tr("the crontab", "crontab 文件"))],
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            help=tr(
                "whom every schedule goes to, as in `send`; repeatable",
                "所有日程的收件人, 写法同 `send`; 可多次使用",
            ),
        ),
    ] = None,
    users: Annotated[
        bool | None,
        typer.Option(
            "--users/--no-users",
            help=tr(
                "whether a user stands before each command, as in /etc/crontab; seen by itself",
                "命令前是否有用户名, 如 /etc/crontab; 省略则自动判断",
            ),
        ),
    ] = None,
    out: Out = None,
    force: Force = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Print or write a file of schedules."""
    work = _import(file, file.absolute(), to or [], users, as_json=as_json)
    written = run(work)
    if out is not None:
        write({out: written}, force=force)
    elif not as_json:
        typer.echo(written, nl=False)


async def _import(
    file: Path, whole: Path, to: list[str], users: bool | None, *, as_json: bool
) -> str:
    """Tell what becomes of each line; return the file of schedules."""
    from dingbell import textfile
    from dingbell.config import crontab
    from dingbell.domain.audience import parse_targets

    text = textfile.read(file).text
    audience = parse_targets(to) if to else None
    known = crontab.has_users(whole, text) if users is None else users
    entries = crontab.read(text, users=known)
    if as_json:
        print_json([_told(entry) for entry in entries])
    counts = {fate: sum(e.fate == fate for e in entries) for fate in ("kept", "noted", "refused")}
    summary = tr(
        "{kept} kept, {noted} noted, {refused} refused",
        "保留 {kept} 行, 说明 {noted} 行, 未保留 {refused} 行",
    )
    typer.echo(summary.format(**counts), err=True)
    return crontab.skeleton(entries, str(file), audience, chosen())


def _told(entry: Entry) -> dict[str, object]:
    """A line as JSON, its sentences in the chosen language."""
    return {**asdict(entry), "said": say(entry.said), "notes": [say(one) for one in entry.notes]}
