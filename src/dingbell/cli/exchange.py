"""`dingbell export | import …`: to and from other notations."""

from __future__ import annotations

import typer

from dingbell.cli.files import Force, Out, write
from dingbell.cli.frame import asked, run
from dingbell.cli.language import chosen, tr

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=tr(
            "print everything as dingbell.yaml; variables stand for secrets",
            "以 dingbell.yaml 的形式输出全部内容; 密钥以变量代替",
        )
    )(export)


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
