"""By what a program is known again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WORDS = "from dingbell.arguments import program_of_caller; print(program_of_caller())"
OTHER = f"def report():\n    return 'other'\n{WORDS}"


def known_as(*command: str, folder: Path, words: str = "") -> str:
    """What a program that is started so is known as."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        input=words,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("billing", "canteen"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(WORDS)
    (tmp_path / "current").symlink_to(tmp_path / "billing")
    return tmp_path


def test_a_program_is_known_by_its_file_from_wherever_it_is_started(folder: Path) -> None:
    billing = folder / "billing"
    assert known_as("billing/main.py", folder=folder) == str(billing / "main.py")
    assert known_as("-m", "main", folder=billing) == str(billing / "main.py")
    assert known_as("-c", "import main", folder=billing) == str(billing / "main.py")
    assert known_as("main.py", folder=folder / "canteen") == str(folder / "canteen" / "main.py")


def test_a_release_behind_a_link_is_the_same_program(folder: Path) -> None:
    assert known_as(str(folder / "current" / "main.py"), folder=folder) == str(
        folder / "current" / "main.py"
    )


def test_a_program_without_a_file_is_known_by_its_folder_and_its_words(folder: Path) -> None:
    found = [
        known_as("-c", WORDS, folder=folder),
        known_as("-c", OTHER, folder=folder),
        known_as("-c", WORDS, folder=folder / "canteen"),
        known_as("-", folder=folder, words=WORDS),
        known_as("-", folder=folder, words=OTHER),
    ]
    assert len(set(found)) == 5
    assert known_as("-c", OTHER, folder=folder) == found[1]
    assert all(one.startswith(str(folder)) for one in found)
