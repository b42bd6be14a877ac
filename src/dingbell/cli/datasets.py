"""`dingbell datasets …` and `dingbell audiences import`: tables of people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.domain.datasets import KeyKind
    from dingbell.operations.datasets import DatasetReport, ImportView, NobodysRow
    from dingbell.tables import Table

__all__ = ["Key", "add_to", "app", "key_kind", "table_or_name"]

app = typer.Typer(
    help=tr(
        "tables with a row for each person: import, list, show, delete",
        "每人一行的数据: 导入、列出、查看、删除",
    ),
    no_args_is_help=True,
)

# So many lines are told one by one.
_MOST = 20

App = Annotated[str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))]
Name = Annotated[str, typer.Argument(help=tr("name of the dataset", "数据集名称"))]
File = Annotated[Path, typer.Argument(help=tr("CSV, TSV or XLSX", "CSV、TSV 或 XLSX 文件"))]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="userid|mobile|job_number|name",
        help=tr(
            "what says whose a row is; found by the header if left out",
            "用哪种列识别每行是谁的; 省略则按列名判断",
        ),
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        help=tr(
            "of a CSV; found out if left out: utf-8, gb18030, utf-16, big5",
            "CSV 的编码; 省略则自动判断: utf-8、gb18030、utf-16、big5",
        ),
    ),
]


@app.command(
    "import", help=tr("read a file; a repeat adds a version", "读取文件; 再次导入即新版本")
)
def import_(
    file: File,
    name: Annotated[
        str | None,
        typer.Option("--name", help=tr("of the dataset; the file's", "数据集名称; 默认为文件名")),
    ] = None,
    key: Key = None,
    encoding: Encoding = None,
    app_name: App = None,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Import a dataset."""
    _import(file, name or file.name, key, encoding, app_name, by=by, as_json=as_json)


def add_to(audiences: typer.Typer) -> None:
    """Add the import of a list to the commands on audiences."""
    audiences.command(
        "import",
        help=tr(
            "read a list of people; an audience names it as lists: [NAME]",
            "导入名单; 受众中写 lists: [名称]",
        ),
    )(import_list)


def import_list(
    file: File,
    name: Annotated[str, typer.Option("--name", help=tr("of the list", "名单名称"))],
    key: Key = None,
    encoding: Encoding = None,
    app_name: App = None,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Import a list."""
    _import(file, name, key, encoding, app_name, by=by, as_json=as_json)


def _import(
    file: Path,
    name: str,
    key: str | None,
    encoding: str | None,
    app_name: str | None,
    *,
    by: str | None,
    as_json: bool,
) -> None:
    from dingbell.errors import DingBellError
    from dingbell.operations import datasets
    from dingbell.tables import read_file

    try:
        found, kind = read_file(file, encoding=encoding), key_kind(key)
    except DingBellError as error:
        guard(error)
    done = run(asked(lambda ops: datasets.put(ops, name, found, app=app_name, key=kind), by))
    if as_json:
        print_json(done.to_json())
    else:
        _say(done)


def key_kind(given: str | None) -> KeyKind | None:
    """What says whose a row is.

    Raises:
        InputError: it is none of the four.
    """
    from dingbell.domain.datasets import KeyKind
    from dingbell.errors import InputError, Text

    if given is None:
        return None
    known = [kind.value for kind in KeyKind]
    if given not in known:
        raise InputError(
            Text("--key is one of {known}", "--key 只能是 {known}").format(known=", ".join(known))
        )
    return KeyKind(given)


def table_or_name(given: str | None) -> Table | str | None:
    """The table of a file, where there is one of that name; else the name of a dataset.

    Raises:
        InputError: the file cannot be read.
    """
    from dingbell.tables import read_file

    if given is None or not Path(given).exists():
        return given
    return read_file(Path(given))


def _say(done: ImportView) -> None:
    if done.note is not None:
        typer.echo(say(done.note), err=True)
    for line in done.repeated[:_MOST]:
        typer.echo(
            tr(f"line {line} repeats an earlier one", f"第 {line} 行与之前某行重复"), err=True
        )
    _say_nobodys(done.nobodys, done.unmatched)
    new = "" if done.changed else tr(", unchanged", ", 无变化")
    typer.echo(
        tr(
            f"{done.name} v{done.version}: {done.people} people by {done.key_column}, "
            f"{done.unmatched} rows of nobody's{new}",
            f"{done.name} v{done.version}: 按 {done.key_column} 找到 {done.people} 人, "
            f"{done.unmatched} 行无人对应{new}",
        )
    )


def _say_nobodys(rows: tuple[NobodysRow, ...], count: int) -> None:
    for one in rows[:_MOST]:
        typer.echo(f"{tr('line', '行')} {one.line}: {say(one.reason)}", err=True)
    if count > _MOST:
        rest = count - _MOST
        typer.echo(tr(f"and {rest} more: --json", f"另有 {rest} 行: --json"), err=True)


@app.command("list", help=tr("the newest version of each", "每个数据集的最新版本"))
def list_(as_json: Annotated[bool, Json] = False) -> None:
    """List datasets."""
    from dingbell.operations import datasets

    found = run(asked(datasets.listed))
    if as_json:
        print_views(found)
        return
    table(
        (tr("name", "名称"), tr("version", "版本"), tr("people", "人数"), tr("by", "识别列"),
         tr("imported", "导入时间")),
        (
            (one.name, f"v{one.version}", one.people, one.key_column, moment(one.created_at))
            for one in found
        ),
    )  # fmt: skip


@app.command(help=tr("columns, versions, what uses it", "列、版本及使用情况"))
def show(name: Name, app_name: App = None, as_json: Annotated[bool, Json] = False) -> None:
    """Show a dataset; what it says of people is not shown."""
    from dingbell.operations import datasets

    found = run(asked(lambda ops: datasets.show(ops, name, app=app_name)))
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _show(found: DatasetReport) -> None:
    typer.echo(f"{found.name} v{found.version}")
    typer.echo(f"{tr('columns', '列')}: {', '.join(found.columns)}")
    if found.used_by:
        typer.echo(f"{tr('used by', '使用者')}: {', '.join(found.used_by)}")
    _say_nobodys(found.nobodys, found.unmatched)
    table(
        (
            tr("version", "版本"),
            tr("people", "人数"),
            tr("imported", "导入时间"),
            tr("by", "导入者"),
        ),
        (
            (f"v{one.version}", one.people, moment(one.created_at), one.created_by)
            for one in found.versions
        ),
    )


@app.command(help=tr("forget it with all versions", "删除数据集及其所有版本"))
def delete(
    name: Name, app_name: App = None, by: Account = None, as_json: Annotated[bool, Json] = False
) -> None:
    """Delete a dataset."""
    from dingbell.operations import datasets

    done = run(asked(lambda ops: datasets.delete(ops, name, app=app_name), by))
    if as_json:
        print_json(done.to_json())
    else:
        typer.echo(f"{done.name}: {tr('deleted', '已删除')}")
