"""`dingbell demo | sandbox | serve | doctor`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.frame import (
    EXIT_FAILED,
    Json,
    fail,
    on_loop,
    print_json,
    run,
    table,
    tune_collector,
)
from dingbell.cli.language import say, tr
from dingbell.errors import Text

if TYPE_CHECKING:
    from dingbell.engine.node.node import Role
    from dingbell.operations.doctor import Check

__all__ = ["add_to"]

_ROLES: dict[str, tuple[Role, ...]] = {
    "scheduler": ("scheduler",),
    "worker": ("worker",),
    "api": (),
}
Host = Annotated[str, typer.Option("--host", help=tr("address to listen on", "监听地址"))]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=tr(
            "a sandbox, a service and a company: one notice from end to end",
            "沙箱 + 服务 + 示例公司: 一条通知的全过程",
        )
    )(demo)
    app.command(help=tr("run a node: scheduler and delivery", "运行节点: 调度与投递"))(serve)
    app.command(help=tr("run the pretend DingTalk alone", "单独运行模拟钉钉"))(sandbox)
    app.command(
        help=tr("check credentials, clock, permissions, database", "检查凭据、时钟、权限、数据库")
    )(doctor)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help=tr("tell the story and exit", "演示一次后退出"))
    ] = False,
    people: Annotated[
        int,
        typer.Option("--people", min=2, max=100_000, help=tr("size of the company", "公司人数")),
    ] = 300,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show everything without an account."""
    from dingbell.cli import demo as story

    tune_collector()
    told = run(story.tell(people=people, stay=not once, quiet=as_json))
    if as_json:
        print_json(told.to_dict())
    raise typer.Exit(0 if told.perfect else EXIT_FAILED)


def sandbox(
    host: Host = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help=tr("0 picks a free port", "0 为自动选择")),
    ] = 8600,
    people: Annotated[
        int,
        typer.Option("--people", min=1, max=200_000, help=tr("size of the company", "公司人数")),
    ] = 300,
    seed: Annotated[
        int, typer.Option("--seed", help=tr("same seed, same company", "相同种子, 相同公司"))
    ] = 1,
    faults: Annotated[
        Path | None,
        typer.Option("--faults", help=tr("JSON file of fault rules", "故障规则 JSON 文件")),
    ] = None,
    apps: Annotated[
        int, typer.Option("--apps", min=1, max=10_000, help=tr("how many apps", "应用数量"))
    ] = 1,
) -> None:
    """Run the pretend DingTalk."""
    from dingbell.sandbox import MisuseError, Sandbox, serve

    def announce(running: Sandbox) -> None:
        for name, value in running.env().items():
            typer.echo(f"{name}={value}")
        typer.echo(f"# {tr('phones', '手机')}: {running.url}/")

    tune_collector()
    try:
        on_loop(
            serve(
                host=host,
                port=port,
                people=people,
                seed=seed,
                faults_file=faults,
                apps=apps,
                announce=announce,
            )
        )
    except MisuseError as error:
        fail(str(error))
    except OSError as error:
        fail(_refused(error, host, port))


def _refused(error: OSError, host: str, port: int) -> str:
    """A file that cannot be read, or an address that cannot be listened on."""
    from dingbell.textfile import reason

    if error.filename is not None:
        return f"{error.filename}: {say(reason(error))}"
    why = reason(error)
    return say(
        Text(
            "cannot listen on {host}:{port}: {why}. Choose another with --port",
            "无法监听 {host}:{port}: {why}。请用 --port 换一个",
        ).format(host=host, port=port, why=why)
    )


def serve(
    host: Host = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help=tr("0 picks a free port", "0 为自动选择")),
    ] = 8601,
    console: Annotated[
        bool, typer.Option("--console/--no-console", help=tr("show a page at /", "在 / 显示页面"))
    ] = True,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            help=tr(
                "one role: scheduler (makes runs), worker (plans, sends, polls) or api",
                "只担任一个角色: scheduler (发送)、worker (计划、发送、查询) 或 api",
            ),
        ),
    ] = None,
) -> None:
    """Run a node."""
    if only not in (None, *_ROLES):
        fail(tr(f"--only is one of {', '.join(_ROLES)}", f"--only 只能是 {', '.join(_ROLES)} 之一"))
    tune_collector()
    run(_serve(host, port, console=console, only=only))


async def _serve(host: str, port: int, *, console: bool, only: str | None) -> None:
    from dingbell.api.server import ApiServer, bind, create_app
    from dingbell.bootstrap import Service, open_database, open_desk
    from dingbell.cli.ending import stop_on_signals
    from dingbell.settings import Settings
    from dingbell.telemetry import configure_logging

    settings = Settings.load()
    configure_logging(settings.log)
    bound = bind(host, port)
    stopping = stop_on_signals()
    async with (
        open_database(settings) as database,
        open_desk(settings, database=database) as desk,
    ):
        service = Service(
            desk,
            database,
            keep=timedelta(days=settings.keep_people_days),
            keep_outbox=timedelta(days=settings.keep_outbox_days),
            roles=_ROLES[only] if only else ("scheduler", "worker"),
        )
        api = ApiServer(
            create_app(lambda: service.trouble, service.metrics, console=console), bound
        )
        await api.start()
        try:
            await service.start(sync_first=True)
            typer.echo(f"ready {api.url}")
            await stopping.wait()
        finally:
            await service.stop()
            await api.stop()


def doctor(as_json: Annotated[bool, Json] = False) -> None:
    """Check everything that has to be right."""
    checks = run(_examine())
    if as_json:
        print_json([{"check": c.name, "status": c.status, "detail": str(c.detail)} for c in checks])
    else:
        table(
            (tr("check", "检查项"), tr("status", "结果"), tr("detail", "说明")),
            ((c.name, c.status, say(c.detail)) for c in checks),
        )
    raise typer.Exit(EXIT_FAILED if any(c.status == "fail" for c in checks) else 0)


async def _examine() -> list[Check]:
    from dingbell.bootstrap import open_desk
    from dingbell.operations import doctor as checks
    from dingbell.settings import Settings

    async with open_desk(Settings.load(), any_key=True) as desk:
        return await checks.examine(desk)
