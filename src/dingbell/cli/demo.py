"""The demo: a sandbox, a service and a company; the story of two notices, checked at the end."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import aiohttp
import typer

from dingbell.bootstrap import Service, open_database, open_desk
from dingbell.cli.ending import stop_on_signals
from dingbell.cli.frame import totals
from dingbell.cli.language import tr
from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations import runs, schedules
from dingbell.sandbox import Sandbox
from dingbell.settings import Settings

if TYPE_CHECKING:
    from dingbell.operations.context import Operations
    from dingbell.operations.run_views import RunReport

__all__ = ["Told", "tell"]

# As many people as a demo can have.
_MOST = 100_000
_AHEAD = timedelta(seconds=3)
_POLLS = tuple(timedelta(seconds=5 * step) for step in range(1, 400))
_SEED_PERSON = "manager4220"


@dataclass(frozen=True, slots=True)
class Told:
    """How the story ended, by what the phones show.

    Attributes:
        people: how many people the company has.
        runs: how many notices were fired.
        delivered: how many people got every notice meant for them, exactly once.
        twice: how many notices rang twice on a phone.
        missing: how many notices did not reach a phone.
        calls: how many send calls it took.
        lateness_ms: from the instant a call was meant for to its arrival at DingTalk.
        agrees: whether the ledger says the same as the phones.
    """

    people: int
    runs: int
    delivered: int
    twice: int
    missing: int
    calls: int
    lateness_ms: dict[str, float]
    agrees: bool

    @property
    def perfect(self) -> bool:
        """Whether every person got every notice exactly once and the totals add up."""
        return self.agrees and not self.twice and not self.missing and self.delivered == self.people

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` ends with."""
        return asdict(self)


async def tell(*, people: int, stay: bool, quiet: bool) -> Told:
    """Run the story; stay until interrupted when asked to."""
    folder = Path(tempfile.mkdtemp(prefix="dingbell-demo-"))
    stopping = stop_on_signals()
    try:
        async with Sandbox(people=people, seed=1) as sandbox:
            settings = _settings(sandbox, folder)
            async with (
                open_database(settings) as database,
                open_desk(settings, database=database) as desk,
            ):
                service = Service(desk, database, polls=_POLLS)
                await service.start(sync_first=True)
                try:
                    story = _Story(desk, sandbox, people, quiet=quiet)
                    told = await story.tell()
                    if stay and not quiet:
                        await story.stay(stopping)
                finally:
                    await service.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return told


def _settings(sandbox: Sandbox, folder: Path) -> Settings:
    """Settings of the demo alone: nothing of the environment's is used."""
    return Settings.load(
        _env_file=None,
        database_url=None,
        data_dir=folder,
        oapi_url=sandbox.url,
        api_url=sandbox.url,
        app_key=sandbox.app_key,
        app_secret=sandbox.app_secret,
        agent_id=sandbox.agent_id,
        secret_key=None,
        people_per_minute=5_000,
        calls_per_second=20,
    )


class _Story:
    """Tells what happens while it happens."""

    def __init__(self, desk: Operations, sandbox: Sandbox, people: int, *, quiet: bool) -> None:
        self._desk = desk
        self._sandbox = sandbox
        self._people = people
        self._quiet = quiet
        self._expected: dict[str, set[str]] = {}

    def _say(self, line: str) -> None:
        if not self._quiet:
            typer.echo(line)

    async def tell(self) -> Told:
        self._say(
            tr(
                f"1. A company of {self._people} people opens its phones: {self._sandbox.url}/",
                f"1. 一家 {self._people} 人的公司, 手机在这里: {self._sandbox.url}/",
            )
        )
        due = self._desk.clock.now() + _AHEAD
        await self._schedule(due)
        ids = await self._fired()
        found = [await self._follow(run_id) for run_id in ids]
        return await self._check(found)

    async def _schedule(self, due: datetime) -> None:
        """The seed's own notice, and one in markdown to the whole company."""
        at = due.astimezone(SHANGHAI)
        when = {"once": at.isoformat()}
        await schedules.put(
            self._desk,
            "off-work",
            ScheduleSpec(
                when=when,
                to=Audience(users=(_SEED_PERSON,)),
                message=Message({"text": "Hello! 下午好!下班奥里给666!"}),
            ),
            source="yaml",
        )
        await schedules.put(
            self._desk,
            "all-hands",
            ScheduleSpec(
                when=when,
                to=Audience(departments=(1,)),
                message=Message(
                    {
                        "markdown": {
                            "title": "全员通知",
                            "text": "### 叮铃 DingBell\n\n这条通知定于 "
                            f"**{at:%H:%M:%S}**, 每人只会收到一次。",
                        }
                    }
                ),
            ),
            source="yaml",
        )
        self._say(
            tr(
                f"2. Two schedules fire at {at:%H:%M:%S}: 'off-work' to {_SEED_PERSON}, "
                "'all-hands' to department 1",
                f"2. 两个日程将于 {at:%H:%M:%S} 发送: 'off-work' 给 {_SEED_PERSON}, "
                "'all-hands' 给部门 1",
            )
        )

    async def _fired(self) -> list[int]:
        """Wait until both schedules have become runs; the ids, in order."""
        while len(found := (await runs.listed(self._desk)).items) < 2:
            await self._desk.clock.sleep(0.05)
        self._say(tr("3. Fired and planned ahead of time", "3. 已发送, 并提前备好"))
        return sorted(one.id for one in found)

    async def _follow(self, run_id: int) -> RunReport:
        async for found in runs.watch(self._desk, run_id):
            self._say(f"   {found.label:<10} {found.state:<9} {totals(found.totals)}")
        return await runs.show(self._desk, run_id, limit=_MOST)

    async def _check(self, found: list[RunReport]) -> Told:
        """Compare the ledger with what the phones show."""
        async with aiohttp.ClientSession(self._sandbox.url) as session:
            calls = await _get(session, "/_sandbox/calls")
            rung = Counter(
                (call["task_id"], userid) for call in calls for userid in call["delivered"]
            )
        slots = {batch.task_id: batch.slot_at for run in found for batch in run.batches}
        by_run = [{row.userid: row.task_id for row in run.deliveries} for run in found]
        told = self._count(found, by_run, rung, _lateness(calls, slots), len(calls))
        self._say(_summary(told))
        return told

    def _count(
        self,
        found: list[RunReport],
        by_run: list[dict[str, int | None]],
        rung: Counter[tuple[int | None, str]],
        lateness: dict[str, float],
        calls: int,
    ) -> Told:
        wanted = Counter(userid for people in by_run for userid in people)
        got = Counter[str]()
        for (_, userid), times in rung.items():
            got[userid] += times
        agrees = all(
            sum(run.totals.values()) == len(people)
            and all(
                (row.state in ("unread", "read")) == bool(rung[row.task_id, row.userid])
                for row in run.deliveries
            )
            for run, people in zip(found, by_run, strict=True)
        )
        return Told(
            people=self._people,
            runs=len(found),
            delivered=sum(got[userid] == times for userid, times in wanted.items()),
            twice=sum(max(got[userid] - times, 0) for userid, times in wanted.items()),
            missing=sum(max(times - got[userid], 0) for userid, times in wanted.items()),
            calls=calls,
            lateness_ms=lateness,
            agrees=agrees,
        )

    async def stay(self, stopping: asyncio.Event) -> None:
        """Say who has read, until interrupted."""
        self._say(
            tr(
                f"Phones: {self._sandbox.url}/   (Ctrl-C ends the demo)",
                f"手机: {self._sandbox.url}/   (Ctrl-C 结束演示)",
            )
        )
        last = ""
        while not stopping.is_set():
            found = (await runs.listed(self._desk)).items[0]
            line = tr("read so far", "目前已读") + f": {found.totals.get('read', 0)}"
            if line != last:
                self._say(line)
            last = line
            waited = asyncio.ensure_future(stopping.wait())
            await asyncio.wait({waited}, timeout=1.0)
            waited.cancel()


async def _get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as answer:
        return await answer.json()


def _lateness(calls: list[dict[str, Any]], slots: dict[int | None, datetime]) -> dict[str, float]:
    late = [
        (call["received_at"] - slots[call["task_id"]].timestamp()) * 1000
        for call in calls
        if call["task_id"] in slots
    ]
    return {"p50": round(median(late), 1), "max": round(max(late), 1)} if late else {}


def _summary(told: Told) -> str:
    late = told.lateness_ms
    return tr(
        f"4. Delivered {told.delivered}/{told.people}, twice {told.twice}, missing {told.missing}, "
        f"{told.calls} calls, lateness p50 {late.get('p50')} ms, max {late.get('max')} ms; "
        + ("ledger and phones agree" if told.agrees else "LEDGER AND PHONES DISAGREE"),
        f"4. 送达 {told.delivered}/{told.people}, 重复 {told.twice}, 缺失 {told.missing}, "
        f"{told.calls} 次调用, 延迟 p50 {late.get('p50')} ms, 最大 {late.get('max')} ms; "
        + ("台账与手机一致" if told.agrees else "台账与手机不一致"),
    )
