"""`dingbell templates …`."""

from __future__ import annotations

from typing import Annotated

import typer

from dingbell.cli.composing import AnyType, File, Image, Markdown, Title, Words, content
from dingbell.cli.frame import (
    Account,
    Json,
    asked,
    guard,
    moment,
    print_json,
    print_views,
    run,
    table,
)
from dingbell.cli.language import tr

__all__ = ["app"]

app = typer.Typer(
    help=tr("words saved under a name, with their versions", "以名称保存的消息模板及其版本"),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help=tr("name of the template", "模板名称"))]


@app.command("list", help=tr("all saved templates", "所有已保存的模板"))
def list_(as_json: Annotated[bool, Json] = False) -> None:
    """List templates."""
    from dingbell.operations import templates

    found = run(asked(templates.listed))
    if as_json:
        print_views(found)
        return
    table(
        (tr("name", "名称"), tr("version", "版本"), tr("type", "类型"), tr("changed", "修改时间")),
        ((one.name, one.version, one.kind, moment(one.created_at)) for one in found),
    )


@app.command(
    help=tr("one template: its words, where it is used, its versions", "显示模板的内容、用处和版本")
)
def show(
    name: Name,
    version: Annotated[
        int | None,
        typer.Option("--version", min=1, max=2**31 - 1, help=tr("as it was then", "指定版本")),
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show one template."""
    from dingbell.operations import templates

    found = run(asked(lambda ops: templates.show(ops, name, version))).to_json()
    if as_json:
        print_json(found)
    else:
        table(("", ""), [*found.items()])


@app.command(
    help=tr(
        "save words under a name; a repeat makes a new version", "保存模板; 再次保存会产生新版本"
    )
)
def put(
    name: Name,
    text: Words = None,
    markdown: Markdown = None,
    title: Title = None,
    message: AnyType = None,
    image: Image = None,
    attach: File = None,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Save a template."""
    from dingbell.errors import DingBellError
    from dingbell.operations import templates

    try:
        said = content(
            text=text, markdown=markdown, title=title, message=message, image=image, file=attach
        )
    except DingBellError as error:
        guard(error)
    version = run(asked(lambda ops: templates.put(ops, name, said.content, said.files), by))
    if as_json:
        print_json({"template": name, "version": version, "changed": version is not None})
    elif version is None:
        typer.echo(tr("nothing to change", "没有变化"))
    else:
        typer.echo(f"{name}: {tr('version', '版本')} {version}")


@app.command(help=tr("forget a template that no schedule uses", "删除没有日程使用的模板"))
def delete(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Delete."""
    from dingbell.operations import templates

    run(asked(lambda ops: templates.delete(ops, name), by))
    if as_json:
        print_json({"template": name, "done": "delete"})
    else:
        typer.echo(f"{name}: {tr('deleted', '已删除')}")
