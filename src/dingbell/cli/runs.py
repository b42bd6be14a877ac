"""`dingbell runs …`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from dingbell.cli import private
from dingbell.cli.following import engine_if_needed, finish, follow, open_all
from dingbell.cli.frame import (
    EXIT_FAILED,
    EXIT_PARTLY,
    Account,
    After,
    Departments,
    Json,
    asked,
    because,
    explained,
    fail,
    moment,
    more,
    print_json,
    print_views,
    run,
    table,
    totals,
)
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.errors import Text
    from dingbell.operations.context import Operations
    from dingbell.operations.run_views import BatchView, RunReport

__all__ = ["app"]

app = typer.Typer(
    help=tr("see, watch, cancel, recall and export runs", "查看、跟踪、取消、撤回、导出发送"),
    no_args_is_help=True,
)

# How many batches and people of a run are shown where nothing is said.
_PEOPLE_READ, _PROGRAMS_READ = 100, 10_000
Id = Annotated[int, typer.Argument(help=tr("id of the run", "发送的 id"), min=1, max=2**63 - 1)]

State = Annotated[
    str | None,
    typer.Option("--state", help=tr("only people in this state", "只看处于此状态的人")),
]


@app.command("list", help=tr("the newest runs first", "最新的发送在前"))
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
            help=tr("only with people of whom nobody knows", "只看有结果未知者的发送"),
        ),
    ] = False,
    after: After = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """List runs."""
    from dingbell.operations import runs

    page = run(
        asked(
            lambda ops: runs.listed(
                ops, limit=limit, after=after, schedule=schedule, state=state, unknown=unknown
            )
        )
    )
    if as_json:
        print_views(page.items)
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
            (one.id, one.label, moment(one.due_at), one.state, totals(one.totals), because(one))
            for one in page.items
        ),
    )
    more(page.next)


@app.command(help=tr("one run: its batches and its people", "一次发送: 批次与每个人"))
def show(
    run_id: Id,
    state: State = None,
    departments: Departments = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            max=10_000,
            help=tr(
                "how many batches and people: 100, with --json 10,000",
                "批次与人员的数量: 100; 配合 --json 为 10,000",
            ),
        ),
    ] = None,
    after: After = None,
    after_batch: Annotated[
        int | None,
        typer.Option(
            "--after-batch",
            min=0,
            max=2**31 - 1,
            help=tr("batches behind this one", "此批次之后的批次"),
        ),
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show one run."""
    from dingbell.operations import runs

    people = runs.People(state, tuple(departments or ()))
    found = run(
        asked(
            lambda ops: runs.show(
                ops,
                run_id,
                people,
                limit=limit or (_PROGRAMS_READ if as_json else _PEOPLE_READ),
                after=after,
                after_batch=after_batch,
            )
        )
    )
    if as_json:
        print_json(found.to_json())
        return
    reason = f" ({because(found)})" if found.cause else ""
    typer.echo(f"{tr('run', '发送')} {run_id} · {found.label} · {found.state}{reason}")
    typer.echo(f"{tr('due', '应发')} {moment(found.due_at)} · {totals(found.totals)}")
    if found.rows_version is not None:
        typer.echo(f"{tr('rows', '数据')} {found.rows} v{found.rows_version}")
    if found.cause and (trace := found.cause.params.get("trace")):
        typer.echo(trace)
    if found.template is not None:
        version = f"{tr('version', '版本')} {found.template_version}"
        typer.echo(f"{tr('template', '模板')} {found.template}, {version}")
    _show_forecast(found)
    if after is None:
        _show_batches(found)
    _show_people(found)


def _show_batches(found: RunReport) -> None:
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
                b.ordinal,
                b.state,
                b.task_id,
                moment(b.slot_at),
                moment(b.sent_at),
                b.size,
                _told(b.code, b.words),
            )
            for b in found.batches
        ),
    )
    more(found.next_batch, "--after-batch")


def _show_people(found: RunReport) -> None:
    table(
        ("userid", tr("name", "姓名"), tr("state", "状态"), tr("code", "代码"), tr("read", "已读")),
        (
            (d.userid, d.name, d.state, _told(d.code, d.words, d.state), moment(d.read_at))
            for d in found.deliveries
        ),
    )
    more(found.next)


def _told(code: str | None, words: Text | None, state: str | None = None) -> str:
    """The code of a batch or a person, and what exactly is wrong where that is known."""
    return f"{code or ''} {say(words)}".strip() if words else explained(code, state)


def _show_forecast(found: RunReport) -> None:
    """What was expected, and where that was wrong."""
    forecast = found.forecast
    if forecast is None:
        return
    finish = forecast["finish_at"]
    last = moment(datetime.fromisoformat(finish)) if finish else ""
    typer.echo(
        f"{tr('expected', '预计')} {totals(forecast['totals'])} · "
        f"{forecast['calls']} {tr('calls, the last at', '次调用, 最后一次')} {last}"
    )
    if found.surprised:
        wrong = found.mispredictions[:10]
        named = ", ".join(f"{one.userid} {one.expected}→{one.state}" for one in wrong)
        rest = f" +{found.surprised - len(wrong)}" if found.surprised > len(wrong) else ""
        typer.echo(f"{tr('not as expected', '与预计不符')}: {named}{rest}")


@app.command(help=tr("follow a run until it is final", "跟踪直到有最终结果"))
def watch(run_id: Id, as_json: Annotated[bool, Json] = False) -> None:
    """Follow one run."""
    finish(run(asked(lambda ops: follow(ops, run_id, quiet=as_json))), as_json=as_json)


@app.command(help=tr("cancel what has not been sent yet", "取消尚未发出的部分"))
def cancel(
    run_id: Annotated[
        int | None,
        typer.Argument(help=tr("id of the run", "发送的 id"), min=1, max=2**63 - 1),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help=tr("stop every run on its way", "停止所有进行中的发送")),
    ] = False,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Cancel."""
    from dingbell.operations import runs

    if (run_id is None) is not everything:
        fail(tr("name a run, or say --all", "请给出发送 id, 或使用 --all"))
    if run_id is None:
        stopped = run(asked(runs.cancel_all, by))
        if as_json:
            print_json({"canceled": list(stopped)})
        else:
            typer.echo(f"{tr('canceled', '已取消')}: {', '.join(map(str, stopped)) or '-'}")
        return
    which = run_id
    found = run(asked(lambda ops: runs.cancel(ops, which), by))
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(f"{tr('canceled', '已取消')}: {totals(found.totals)}")


@app.command(help=tr("take a run off the phones, inside 24 hours", "24 小时内从手机上撤回"))
def recall(
    run_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Recall."""
    if not yes:
        if not sys.stdin.isatty():
            fail(tr("confirm the recall with --yes", "请用 --yes 确认撤回"))
        typer.confirm(tr(f"Recall run {run_id}?", f"撤回发送 {run_id}?"), abort=True, err=True)
    found, kept = run(_recall(run_id, by))
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(f"{found.state}: {totals(found.totals)}")
        for batch in kept:
            typer.echo(f"  #{batch.ordinal} {explained(batch.recall_code)}", err=True)
    if kept:
        raise typer.Exit(EXIT_PARTLY if found.was_recalled else EXIT_FAILED)


async def _recall(run_id: int, by: str | None) -> tuple[RunReport, tuple[BatchView, ...]]:
    from dingbell.operations import runs

    async with open_all(by) as (ops, database):
        await runs.recall(ops, run_id)
        async with engine_if_needed(ops, database):
            await _until_recalled(ops, run_id)
        return await runs.show(ops, run_id), await runs.not_recalled(ops, run_id)


async def _until_recalled(ops: Operations, run_id: int) -> None:
    from dingbell.errors import OutsideError, Text
    from dingbell.operations import runs

    deadline = ops.clock.monotonic() + 60
    while not await runs.recalled(ops, run_id):
        if ops.clock.monotonic() > deadline:
            raise OutsideError(Text("the recall goes on in the background", "撤回仍在后台进行"))
        await ops.clock.sleep(0.2)


@app.command(help=tr("write the ledger of a run to a file", "把明细写入文件"))
def export(
    run_id: Id,
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
    state: State = None,
    departments: Departments = None,
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

    wanted = (state, tuple(departments or ()))
    if out is None:
        run(_export(run_id, form, sys.stdout, *wanted))
        return
    try:
        with _draft(out, form) as file:
            count = run(_export(run_id, form, file, *wanted))
    except OSError as error:
        why = say(reason(error))
        fail(tr(f"cannot write {out}: {why}", f"无法写入 {out}: {why}"))
    typer.echo(f"{out}: {count}", err=True)


async def _export(
    run_id: int, form: str, file: IO[Any], state: str | None, departments: tuple[int, ...]
) -> int:
    from dingbell.operations import people, runs

    wanted = runs.People(state, departments)
    headers = [say(header) for header in people.COLUMNS.values()]

    async def write(ops: Operations) -> int:
        if form == "xlsx":
            return await people.export_workbook(ops, run_id, file, wanted, headers=headers)
        return await people.export(ops, run_id, form, cast("TextIO", file), wanted, headers=headers)

    return await asked(write)


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
