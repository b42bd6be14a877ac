"""The commands, by noun."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dingbell.cli import (
    audiences,
    calendar,
    database,
    datasets,
    directory,
    exchange,
    files,
    messages,
    remedies,
    runs,
    schedules,
    sending,
    services,
    simulate,
    templates,
    watching,
)
from dingbell.cli.frame import fail
from dingbell.cli.language import tr
from dingbell.display import visible

__all__ = ["app", "main"]

app = typer.Typer(
    name="dingbell",
    help=tr(
        "Scheduled DingTalk work notifications that arrive: once, on time, and provably.",
        "定时钉钉工作通知: 只到一次, 准时送达, 有据可查。",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Rich would be half of the time that a page of help takes.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from dingbell.version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    lang: Annotated[
        str | None,
        typer.Option("--lang", help=tr("language: zh or en", "语言: zh 或 en"), metavar="zh|en"),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help=tr("print the version", "显示版本")
        ),
    ] = False,
) -> None:
    """Read the options that stand before the command; `--lang` has been read already."""
    if lang is not None and lang.lower()[:2] not in ("zh", "en"):
        raise typer.BadParameter(tr("--lang is zh or en", "--lang 只能是 zh 或 en"))


services.add_to(app)
files.add_to(app)
exchange.add_to(app)
simulate.add_to(app)
sending.add_to(app)
watching.add_to(app)
remedies.add_to(runs.app)
app.add_typer(schedules.app, name="schedules")
app.add_typer(runs.app, name="runs")
app.add_typer(directory.app, name="directory")
app.add_typer(audiences.app, name="audiences")
app.add_typer(calendar.app, name="calendar")
app.add_typer(templates.app, name="templates")
app.add_typer(messages.app, name="messages")
datasets.add_to(audiences.app)
app.add_typer(datasets.app, name="datasets")
app.add_typer(watching.people, name="people")
app.add_typer(watching.nodes, name="nodes")
app.add_typer(watching.accounts, name="accounts")
app.add_typer(database.app, name="db")


def _check_words() -> None:
    """Leave where a word is not text in the encoding of this terminal."""
    for word in sys.argv[1:]:
        if any("\ud800" <= mark <= "\udfff" for mark in word):
            shown = visible(word, one_line=True)
            fail(tr(f"{shown} is not text in UTF-8", f"{shown} 不是 UTF-8 文本"))


def main() -> None:
    """Run the command line."""
    try:
        _check_words()
    except typer.Exit as refused:
        sys.exit(refused.exit_code)
    app()
