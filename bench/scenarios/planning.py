"""One run to a whole company is planned: audience, bodies, slots, batches, ledger."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from baseline import run_baseline
from crowd import put_apps, put_people, put_schedules
from figures import Figure
from options import Options
from processes import Child
from stage import Stage, open_stage, reached

from dingbell.domain.schedule import ScheduleSpec

TITLE = "planning: one run to the whole company, until its ledger is committed"
FLOOR = "render, hash and COPY one row a person; no audience, no slots, no index"
REPEAT = 2
REPEAT_FULL = 1

# Far ahead, so that nothing is sent while it is measured.
_DUE_IN = timedelta(hours=2)
_AHEAD = "3h"
_TEXTS = {
    "one text": "all hands",
    "a text per person": "{{ person.name }}, all hands ({{ person.userid }})",
}


async def measure(options: Options) -> list[Figure]:
    """The same company twice: everybody the same words, everybody their own."""
    size = 100_000 if options.full else 20_000
    figures: list[Figure] = []
    async with open_stage(people=size) as stage:
        ((_, app_id),) = await put_apps(stage)
        await put_people(stage)
        async with stage.node() as node:
            before = node.resident
            for kind, text in _TEXTS.items():
                figures += await _plan(stage, node, app_id, kind, text, size)
            figures.append(Figure(f"{size:,}: RSS before (MB)", before))
        options.remarks.extend(stage.complaints())
    return figures


async def _plan(
    stage: Stage, node: Child, app_id: int, kind: str, text: str, size: int
) -> list[Figure]:
    due = datetime.now(UTC) + _DUE_IN
    spec = ScheduleSpec.model_validate(
        {
            "when": {"once": due.isoformat()},
            "to": {"everyone": True},
            "message": {"text": text},
            "prepare_ahead": _AHEAD,
        }
    )
    cpu, began = node.cpu, time.monotonic()
    await put_schedules(stage, [(kind, app_id, spec.to_dict())], due.timestamp())

    async def planned() -> bool:
        query = "select exists (select from runs where schedule = $1 and state = 'planned')"
        return bool(await stage.value(query, kind))

    if not await reached(planned, within=100):
        raise RuntimeError(f"planning {size:,} people never ended")
    seconds = time.monotonic() - began
    order = {"dsn": stage.dsn, "people": size, "template": text}
    floor = await run_baseline("plan", stage.folder, order)
    name = f"{size:,}, {kind}"
    return [
        Figure(f"{name}: planned after (s)", seconds, floor["seconds"]),
        Figure(f"{name}: CPU of the node (s)", node.cpu - cpu),
        Figure(f"{name}: peak RSS of the node (MB)", node.peak, floor["peak"]),
    ]
