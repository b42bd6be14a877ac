"""`dingbell firings …`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from dingbell.cli import private
from dingbell.cli.following import engine_if_needed, finish, follow, open_all
from dingbell.cli.frame import (
    EXIT_FAILED,
    EXIT_PARTLY,
    Json,
    at_desk,
    explained,
    fail,
    moment,
    print_json,
    run,
    table,
    totals,
)
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.operations.desk import Desk

__all__ = ["app"]

app = typer.Typer(
    help=tr("see, watch, cancel, recall and export firings", "查看、跟踪、取消、撤回、导出触发"),
    no_args_is_help=True,
)

Id = Annotated[int, typer.Argument(help=tr("id of the firing", "触发的 id"), min=1, max=2**63 - 1)]


@app.command("list", help=tr("the newest firings first", "最新的触发在前"))
def list_(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help=tr("how many", "数量"))
    ] = 20,
    schedule: Annotated[
        str | None, typer.Option("--schedule", help=tr("only of this schedule", "只看此日程"))
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", help=tr("only in this state", "只看此状态"))
    ] = None,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help=tr("only with people of whom nobody knows", "只看有结果未知者的触发"),
        ),
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """List firings."""
    found = run(
        at_desk("reports", "listed", limit=limit, schedule=schedule, state=state, unknown=unknown)
    )
    if as_json:
        print_json(found)
        return
    table(
        (
            "id",
            tr("schedule", "日程"),
            tr("due", "应发时间"),
            tr("state", "状态"),
            tr("people", "人数"),
            tr("reason", "原因"),
        ),
        (
            (
                one["id"],
                one["schedule"] or one["kind"],
                moment(one["due_at"]),
                one["state"],
                totals(one["totals"]),
                say(one["reason"] or ""),
            )
            for one in found
        ),
    )


@app.command(help=tr("one firing: its batches and its people", "一次触发: 批次与每个人"))
def show(firing_id: Id, as_json: Annotated[bool, Json] = False) -> None:
    """Show one firing."""
    found = run(at_desk("reports", "show", firing_id))
    if as_json:
        print_json(found)
        return
    reason = f" ({say(found['reason'])})" if found["reason"] else ""
    label = found["schedule"] or found["kind"]
    typer.echo(f"{tr('firing', '触发')} {firing_id} · {label} · {found['state']}{reason}")
    typer.echo(f"{tr('due', '应发')} {found['due_at']} · {totals(found['totals'])}")
    if trace := (found["cause"] or {}).get("trace"):
        typer.echo(trace)
    _show_forecast(found)
    table(
        (
            "#",
            tr("state", "状态"),
            "task_id",
            tr("slot", "时隙"),
            tr("sent", "发出"),
            tr("size", "人数"),
            tr("code", "代码"),
        ),
        (
            (
                b["ordinal"],
                b["state"],
                b["task_id"],
                moment(b["slot_at"]),
                moment(b["sent_at"]),
                b["size"],
                _told(b),
            )
            for b in found["batches"]
        ),
    )
    table(
        ("userid", tr("name", "姓名"), tr("state", "状态"), tr("code", "代码"), tr("read", "已读")),
        (
            (
                d["userid"],
                d["name"],
                d["state"],
                _told(d, d["state"]),
                moment(d["read_at"]),
            )
            for d in found["deliveries"]
        ),
    )


def _told(row: dict[str, Any], state: str | None = None) -> str:
    """The code of a batch or a person, and what exactly is wrong where that is known."""
    words = row["words"]
    return f"{row['code'] or ''} {say(words)}".strip() if words else explained(row["code"], state)


def _show_forecast(found: dict[str, Any]) -> None:
    """What was expected, and where that was wrong."""
    forecast = found["forecast"]
    if forecast is None:
        return
    finish = moment(forecast["finish_at"])
    typer.echo(
        f"{tr('expected', '预计')} {totals(forecast['totals'])} · "
        f"{forecast['calls']} {tr('calls, the last at', '次调用, 最后一次')} {finish}"
    )
    wrong = found["surprises"]
    if wrong:
        named = ", ".join(f"{one['userid']} {one['expected']}→{one['state']}" for one in wrong[:10])
        more = f" +{len(wrong) - 10}" if len(wrong) > 10 else ""
        typer.echo(f"{tr('not as expected', '与预计不符')}: {named}{more}")


@app.command(help=tr("follow a firing until it is final", "跟踪直到有最终结果"))
def watch(firing_id: Id, as_json: Annotated[bool, Json] = False) -> None:
    """Follow one firing."""

    async def follow_it() -> dict[str, Any]:
        from dingbell.bootstrap import open_desk
        from dingbell.settings import Settings

        async with open_desk(Settings.load()) as desk:
            return await follow(desk, firing_id, quiet=as_json)

    finish(run(follow_it()), as_json=as_json)


@app.command(help=tr("cancel what has not been sent yet", "取消尚未发出的部分"))
def cancel(
    firing_id: Annotated[
        int | None,
        typer.Argument(help=tr("id of the firing", "触发的 id"), min=1, max=2**63 - 1),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help=tr("stop every firing on its way", "停止所有进行中的触发")),
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Cancel."""
    if (firing_id is None) is not everything:
        fail(tr("name a firing, or say --all", "请给出触发 id, 或使用 --all"))
    if firing_id is None:
        stopped = run(at_desk("reports", "cancel_all"))
        if as_json:
            print_json({"canceled": stopped})
        else:
            typer.echo(f"{tr('canceled', '已取消')}: {', '.join(map(str, stopped)) or '-'}")
        return
    found = run(at_desk("reports", "cancel", firing_id))
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{tr('canceled', '已取消')}: {totals(found['totals'])}")


@app.command(help=tr("take a firing off the phones, inside 24 hours", "24 小时内从手机上撤回"))
def recall(
    firing_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Recall."""
    if not yes:
        if not sys.stdin.isatty():
            fail(tr("confirm the recall with --yes", "请用 --yes 确认撤回"))
        typer.confirm(
            tr(f"Recall firing {firing_id}?", f"撤回触发 {firing_id}?"), abort=True, err=True
        )
    found = run(_recall(firing_id))
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found['state']}: {totals(found['totals'])}")
        for batch in found["batches"]:
            if batch["recall_code"]:
                typer.echo(f"  #{batch['ordinal']} {explained(batch['recall_code'])}", err=True)
    raise typer.Exit(_recall_code(found))


def _recall_code(found: dict[str, Any]) -> int:
    kept = [batch for batch in found["batches"] if batch["recall_code"]]
    if not kept:
        return 0
    return EXIT_PARTLY if found["state"] == "recalled" else EXIT_FAILED


async def _recall(firing_id: int) -> dict[str, Any]:
    from dingbell.operations import reports

    async with open_all() as (desk, database):
        await reports.recall(desk, firing_id)
        async with engine_if_needed(desk, database):
            await _until_recalled(desk, firing_id)
        return await reports.show(desk, firing_id)


async def _until_recalled(desk: Desk, firing_id: int) -> None:
    from dingbell.errors import OutsideError, Text
    from dingbell.operations import reports

    deadline = desk.clock.monotonic() + 60
    while not await reports.recalled(desk, firing_id):
        if desk.clock.monotonic() > deadline:
            raise OutsideError(Text("the recall goes on in the background", "撤回仍在后台进行"))
        await desk.clock.sleep(0.2)


@app.command(help=tr("write the ledger of a firing to a file", "把明细写入文件"))
def export(
    firing_id: Id,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help=tr("file; standard output if left out", "文件; 省略则输出到标准输出"),
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help=tr("csv, jsonl or xlsx", "csv、jsonl 或 xlsx"))
    ] = "csv",
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Export the ledger."""
    if as_json:
        form = "jsonl"
    if form not in ("csv", "jsonl", "xlsx"):
        fail(tr("--format is csv, jsonl or xlsx", "--format 只能是 csv、jsonl 或 xlsx"))
    if form == "xlsx" and out is None:
        fail(tr("xlsx goes to a file: --out", "xlsx 需写入文件: --out"))
    from dingbell.textfile import reason

    if out is None:
        run(_export(firing_id, form, sys.stdout))
        return
    try:
        with _draft(out, form) as file:
            count = run(_export(firing_id, form, file))
    except OSError as error:
        why = say(reason(error))
        fail(tr(f"cannot write {out}: {why}", f"无法写入 {out}: {why}"))
    typer.echo(f"{out}: {count}", err=True)


async def _export(firing_id: int, form: str, file: IO[Any]) -> int:
    from dingbell.bootstrap import open_desk
    from dingbell.operations import ledger
    from dingbell.settings import Settings

    async with open_desk(Settings.load()) as desk:
        if form == "xlsx":
            return await ledger.export_workbook(desk, firing_id, file)
        return await ledger.export(desk, firing_id, form, file)  # type: ignore[arg-type]  # opened as text


@contextmanager
def _draft(out: Path, form: str) -> Iterator[IO[Any]]:
    """Write beside a file and put it in its place when it is whole; a pipe is written directly."""
    options: dict[str, Any] = {"mode": "wb"}
    if form != "xlsx":
        # Excel reads UTF-8 in CSV only with a mark.
        encoding = "utf-8-sig" if form == "csv" else "utf-8"
        options = {"mode": "w", "encoding": encoding, "newline": ""}
    if out.exists() and not out.is_file():
        with out.open(**options) as file:
            yield file
        return
    draft = out.with_name(f".{out.name}.part")
    try:
        with private.create(draft, **options) as file:
            yield file
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
