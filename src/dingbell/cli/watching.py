"""`dingbell budget | alerts` and `dingbell people | accounts …`: what to keep an eye on."""

from __future__ import annotations

from typing import Annotated

import typer

from dingbell.cli.frame import (
    Account,
    After,
    Json,
    asked,
    explained,
    moment,
    more,
    print_json,
    print_views,
    run,
    table,
)
from dingbell.cli.language import say, tr

__all__ = ["accounts", "add_to", "nodes", "people"]

people = typer.Typer(
    help=tr("all that one person was sent", "查看某个人收到的全部通知"), no_args_is_help=True
)
nodes = typer.Typer(help=tr("what is running", "运行中的节点"), no_args_is_help=True)
accounts = typer.Typer(
    help=tr("who may approve what others ask for", "可以审批他人请求的账户"), no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=tr(
            "the month's calls: used, on what, and how many it will be",
            "本月调用次数: 已用、用途与预测",
        )
    )(budget)
    app.command(help=tr("what needs a person", "需要人工处理的告警"))(alerts)


def budget(
    org: Annotated[
        str | None, typer.Option("--org", help=tr("only this org", "只看此组织"))
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show the budget."""
    from dingbell.operations import budgets

    found = run(asked(lambda ops: budgets.overview(ops, org)))
    if as_json:
        print_views(found)
        return
    for one in found:
        limit, used, coming = one.limit, one.used, one.forecast.calls
        of_ = tr("no limit set", "未设上限") if limit is None else tr(f"of {limit}", f"共 {limit}")
        typer.echo(
            tr(
                f"{one.org} {one.month}: {used} used ({of_}), about {coming} by its end",
                f"{one.org} {one.month}: 已用 {used} ({of_}), 预计月底共 {coming}",
            )
        )
        if one.warning:
            typer.echo(f"  ! {say(one.warning)}", err=True)
        table(
            (tr("endpoint", "接口"), tr("calls", "次数")),
            one.by_endpoint.items(),
        )
        table(
            (tr("schedule", "日程"), tr("runs", "发送"), tr("calls", "次数")),
            ((s.schedule, s.runs, s.calls) for s in one.by_schedule),
        )


def alerts(
    everything: Annotated[
        bool, typer.Option("--all", help=tr("also those that are over", "包括已结束的"))
    ] = False,
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, max=10_000, help=tr("how many", "数量")),
    ] = 100,
    after: After = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """List alerts."""
    from dingbell.operations import alerts as operations

    page = run(
        asked(lambda ops: operations.page(ops, limit=limit, after=after, only_open=not everything))
    )
    if as_json:
        print_views(page.items)
        more(page.next)
        return
    table(
        (
            tr("since", "开始"),
            tr("until", "结束"),
            tr("alert", "告警"),
            tr("about", "对象"),
            tr("detail", "说明"),
        ),
        (
            (moment(a.began_at), moment(a.ended_at), a.kind, f"{a.noun} {a.subject}", say(a.detail))
            for a in page.items
        ),
    )
    more(page.next)


@nodes.command("list", help=tr("all nodes, and whether they are alive", "所有节点及是否存活"))
def list_nodes(as_json: Annotated[bool, Json] = False) -> None:
    """List nodes."""
    from dingbell.operations import nodes as operations

    found = run(asked(operations.listed))
    if as_json:
        print_views(found)
        return
    table(
        (
            "id",
            tr("host:process", "主机:进程"),
            tr("version", "版本"),
            tr("roles", "角色"),
            tr("since", "启动"),
            tr("alive", "存活"),
            tr("calls", "调用中"),
            tr("clock off by", "时钟偏差"),
        ),
        (
            (
                one.id,
                one.name,
                one.version,
                ", ".join(one.roles),
                moment(one.started_at),
                tr("yes", "是") if one.alive else tr("no", "否"),
                one.calls,
                f"{one.clock_offset:+.1f} s",
            )
            for one in found
        ),
    )


@people.command(help=tr("all that one person was sent, newest first", "某人的通知, 最新在前"))
def show(
    userid: Annotated[str, typer.Argument(help="userid")],
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help=tr("how many", "数量"))
    ] = 50,
    after: After = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show what one person was sent."""
    from dingbell.operations import people as operations

    page = run(asked(lambda ops: operations.of_person(ops, userid, limit=limit, after=after)))
    if as_json:
        print_views(page.items)
        return
    table(
        (
            tr("run", "发送"),
            tr("schedule", "日程"),
            tr("sent", "发出"),
            tr("state", "状态"),
            tr("code", "代码"),
            tr("read", "已读"),
        ),
        (
            (
                one.run,
                one.schedule or one.kind,
                moment(one.sent_at),
                one.state,
                explained(one.code, one.state),
                moment(one.read_at),
            )
            for one in page.items
        ),
    )
    more(page.next)


Name = Annotated[str, typer.Argument(help=tr("name of the account", "账户名称"))]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help=tr(
            "owner, author, sender, approver or viewer; repeatable; owner if left out",
            "owner、author、sender、approver 或 viewer; 可多次使用; 省略则为 owner",
        ),
    ),
]


@accounts.command("list", help=tr("all accounts", "所有账户"))
def list_(as_json: Annotated[bool, Json] = False) -> None:
    """List accounts."""
    from dingbell.operations import accounts as operations

    found = run(asked(operations.listed))
    if as_json:
        print_json([one.name for one in found])
    else:
        for one in found:
            typer.echo(f"{one.name}  {', '.join(one.roles)}")


@accounts.command(help=tr("add an account", "添加账户"))
def add(
    name: Name,
    roles: Roles = None,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Add an account."""
    from dingbell.operations import accounts as operations

    run(asked(lambda ops: operations.add(ops, name, roles or ("owner",)), by))
    _say(name, "add", as_json=as_json)


@accounts.command(help=tr("remove an account", "删除账户"))
def remove(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Remove an account."""
    from dingbell.operations import accounts as operations

    run(asked(lambda ops: operations.remove(ops, name), by))
    _say(name, "remove", as_json=as_json)


def _say(name: str, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"account": name, "done": done})
    else:
        typer.echo(name)
