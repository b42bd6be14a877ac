"""A world per test, closed whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from actors import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def open_world(people: int, **options: str) -> World:
        worlds.append(World(tmp_path, people=people, **options))
        return worlds[-1]

    yield open_world
    for opened in worlds:
        opened.close()
