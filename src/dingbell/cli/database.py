"""`dingbell db …`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dingbell.cli.frame import Json, fail, print_json, run
from dingbell.cli.language import tr

__all__ = ["app"]

app = typer.Typer(
    help=tr("upgrade, back up, restore, prune", "升级、备份、恢复、清理"), no_args_is_help=True
)


@app.command(help=tr("bring the database to the newest schema", "升级数据库结构"))
def upgrade(as_json: Annotated[bool, Json] = False) -> None:
    """Run migrations."""
    revision = run(_upgrade())
    if as_json:
        print_json({"revision": revision})
    else:
        typer.echo(tr(f"the schema is at {revision}", f"结构版本 {revision}"))


async def _upgrade() -> str | None:
    from dingbell.bootstrap import open_database
    from dingbell.settings import Settings
    from dingbell.store.migrate import current_revision

    async with open_database(Settings.load()) as database:
        return await current_revision(database.dsn)


@app.command(
    help=tr("write everything to one file, while the service runs", "备份到一个文件, 服务无需停止")
)
def backup(
    file: Annotated[Path, typer.Argument(help=tr("the file to write", "写入的文件"))],
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Back up."""
    if file.exists():
        fail(tr(f"{file} exists already", f"{file} 已存在"))
    if not file.parent.is_dir():
        fail(tr(f"there is no folder {file.parent}", f"没有文件夹 {file.parent}"))
    run(_backup(file))
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        typer.echo(f"{file}: {size} bytes")


async def _backup(file: Path) -> None:
    from dingbell.bootstrap import open_database
    from dingbell.settings import Settings
    from dingbell.store.server import backup

    async with open_database(Settings.load()) as database:
        await backup.write(database.dsn, file)


@app.command(
    help=tr("replace everything by a backup; no node may run", "用备份替换全部数据; 需先停止节点")
)
def restore(
    file: Annotated[Path, typer.Argument(help=tr("the file to read", "读取的文件"))],
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Restore."""
    if not file.is_file():
        fail(tr(f"there is no file {file}", f"没有文件 {file}"))
    if not _is_backup(file):
        fail(
            tr(
                f"{file} is not a file that `dingbell db backup` wrote",
                f"{file} 不是 `dingbell db backup` 生成的文件",
            )
        )
    if not yes:
        if not sys.stdin.isatty():
            fail(tr("confirm the restore with --yes", "请用 --yes 确认恢复"))
        typer.confirm(tr("Replace everything?", "替换全部数据?"), abort=True, err=True)
    run(_restore(file))
    if as_json:
        print_json({"restored": str(file)})
    else:
        typer.echo(tr("restored", "已恢复"))


def _is_backup(file: Path) -> bool:
    """Whether a file begins as `pg_dump` begins its own."""
    try:
        with file.open("rb") as content:
            return content.read(5) == b"PGDMP"
    except OSError as error:
        fail(f"{file}: {error.strerror}")


async def _restore(file: Path) -> None:
    from dingbell.bootstrap import open_database
    from dingbell.settings import Settings
    from dingbell.store import migrate
    from dingbell.store.server import backup

    async with open_database(Settings.load()) as database:
        await _without_nodes(database.dsn)
        await backup.read(database.dsn, file)
        # One of the version before is brought up to this one.
        await migrate.upgrade(database.dsn)


async def _without_nodes(dsn: str) -> None:
    """See that no node runs.

    Raises:
        ConflictError: one does.
    """
    from dingbell.errors import ConflictError, Text
    from dingbell.store import nodes
    from dingbell.store.connection import connect

    connection = await connect(dsn)
    try:
        if await nodes.alive(connection):
            raise ConflictError(Text("a node is running: stop it first", "有节点在运行: 请先停止"))
    finally:
        await connection.close()


@app.command(
    help=tr(
        "take the secret key that is here, where that of the database is lost",
        "数据库原有的密钥丢失时, 改用此处的密钥",
    )
)
def rekey(
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Take another secret key."""
    if not yes:
        if not sys.stdin.isatty():
            fail(tr("confirm with --yes", "请用 --yes 确认"))
        question = tr("Forget what the lost key has locked?", "忘记由丢失的密钥加密的内容?")
        typer.confirm(question, abort=True, err=True)
    forgotten = run(_rekey())
    if as_json:
        print_json({"secrets_to_give_again": forgotten})
    elif forgotten:
        names = ", ".join(forgotten)
        typer.echo(tr(f"give the secrets of {names} again", f"请重新提供 {names} 的密钥"))
    else:
        typer.echo(tr("nothing was lost", "没有丢失任何密钥"))


async def _rekey() -> list[str]:
    from dingbell.bootstrap import open_database, open_desk
    from dingbell.operations import keys
    from dingbell.settings import Settings
    from dingbell.store.connection import transaction

    settings = Settings.load()
    async with open_database(settings) as database:
        await _without_nodes(database.dsn)
        async with (
            open_desk(settings, database=database, any_key=True) as desk,
            transaction(desk.pool) as connection,
        ):
            return await keys.rebind(connection, desk.vault, desk.clock.now())


@app.command(
    help=tr("forget the people of old runs; their totals stay", "清理旧发送的人员明细; 合计保留")
)
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help=tr("age, such as 180d", "时长, 例如 180d"))
    ] = "180d",
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Prune."""
    count = run(_prune(older_than))
    if as_json:
        print_json({"runs": count})
    else:
        typer.echo(tr(f"{count} runs forgotten", f"已清理 {count} 次发送"))


async def _prune(older_than: str) -> int:
    from dingbell.bootstrap import open_desk
    from dingbell.domain.duration import parse_duration
    from dingbell.errors import InputError, Text
    from dingbell.settings import Settings
    from dingbell.store.connection import transaction
    from dingbell.store.ledger import retention

    age = parse_duration(older_than)
    if age < retention.YOUNGEST:
        raise InputError(
            Text(
                "--older-than is at least {days}d: recalls, resends and the pace need what is "
                "younger",
                "--older-than 至少为 {days}d: 撤回、重发与限速需要更近的记录",
            ).format(days=retention.YOUNGEST.days)
        )
    total = 0
    async with open_desk(Settings.load()) as desk:
        before = desk.clock.now() - age
        while True:
            async with transaction(desk.pool) as connection:
                count = await retention.forget(connection, before)
            total += count
            if count == 0:
                return total
