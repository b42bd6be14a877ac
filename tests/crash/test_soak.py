"""A node that sends twenty notices a second for an hour keeps nothing of them.

`make chaos` has it do so for an hour, or for `--chaos-soak` minutes; `make test` does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import psutil
import pytest
from actors import World

OpenWorld = Callable[..., World]
# Each has an app, and is due every second.
_SCHEDULES = 20
# So long caches and pools fill, then nothing may grow.
_WARM_UP = 600.0
_FLAT = 0.05
_SAMPLE = 1.0
_PART = 60.0


def schedules(world: World) -> str:
    """Schedules of many apps, every second, with words of their own each time."""
    people = [one["userid"] for one in world.ask("people")["people"]]
    apps, due = ["apps:"], ["schedules:"]
    for number, app in enumerate(world.ask("apps")):
        apps.append(
            f"  a{number}: {{agent_id: {app['agent_id']}, app_key: {app['app_key']}, "
            f"app_secret: {app['app_secret']}, org: o{number}}}"
        )
        due += [
            f"  n{number}:",
            f"    app: a{number}",
            "    when: {every: 1s}",
            f"    to: {{users: [{people[number]}]}}",
            f'    message: {{text: "{number} {{{{ due }}}}"}}',
        ]
    return "\n".join([*apps, *due])


def sizes(node: psutil.Process, seconds: float) -> list[float]:
    """The memory of a process in MB, for so long, minute by minute; or by quarters of less."""
    parts = max(int(seconds / _PART), 4)
    return [_size(node, seconds / parts) for _ in range(parts)]


def _size(node: psutil.Process, seconds: float) -> float:
    samples = []
    for _ in range(max(int(seconds / _SAMPLE), 1)):
        time.sleep(_SAMPLE)
        samples.append(node.memory_info().rss / 1e6)
    return median(samples)


def test_a_node_that_is_busy_for_long_does_not_grow(
    world: OpenWorld, request: pytest.FixtureRequest
) -> None:
    seconds = 60.0 * request.config.getoption("--chaos-soak")
    if not seconds:
        pytest.skip("an hour of `make chaos`")
    here = world(_SCHEDULES, apps=_SCHEDULES)
    here.ask("limits", {"daily_per_person": None})
    node = here.node()
    here.apply(schedules(here))
    process = psutil.Process(node.process.pid)
    warm_up = min(_WARM_UP, seconds / 2)

    sizes(process, warm_up)
    first, *later = sizes(process, seconds - warm_up)

    told = [round(size, 1) for size in (first, *later)]
    assert max(later) <= first * (1 + _FLAT), told
    assert min(later) >= first * (1 - _FLAT), told
    assert here.ask("stats")["delivered"] >= 0.9 * _SCHEDULES * seconds
