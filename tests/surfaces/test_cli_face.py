"""The command line itself: cheap to load, in two languages, JSON for machines."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dingbell.version import __version__

COMMANDS = [
    *("demo", "serve", "sandbox", "doctor"),
    *("init", "schema", "plan", "apply", "send", "export", "import"),
    *("schedules", "runs", "directory", "db"),
]
HEAVY = {"asyncpg", "aiohttp", "pydantic", "sqlalchemy", "fastapi", "pgqueuer", "dingbell.bell"}


def test_loading_the_commands_loads_nothing_heavy():
    code = "import sys, dingbell.cli.main; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert HEAVY & set(done.stdout.split()) == set()


def test_a_page_of_help_takes_neither_rich_nor_an_event_loop():
    code = (
        "import atexit, sys; sys.argv = ['dingbell', '--help']\n"
        "atexit.register(lambda: print(' '.join(sys.modules), file=sys.stderr))\n"
        "from dingbell.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "send a notice now" in done.stdout
    assert {"rich", "asyncio", "ssl", *HEAVY} & set(done.stderr.split()) == set()


def test_help_names_every_command_in_english_and_in_chinese(nowhere):
    english, chinese = nowhere.done("--help"), nowhere.done("--lang", "zh", "--help")
    assert all(command in english and command in chinese for command in COMMANDS)
    assert "send a notice now" in english
    assert "立即发送通知" in chinese
    assert not (nowhere.folder / "data").exists()


@pytest.mark.parametrize("variable", ["LC_ALL", "DINGBELL_LANG"])
def test_the_language_follows_the_environment(nowhere, variable):
    assert "立即发送通知" in nowhere.done("--help", **{variable: "zh_CN.UTF-8"})


def test_the_version_is_told(nowhere):
    assert nowhere.done("--version").strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lang", "fr", "doctor"], "--lang is zh or en"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["send", "--frobnicate"], "No such option: --frobnicate"),
        (["send", "--text", "x"], "the audience names nobody"),
        (["runs", "show", "abc"], "valid integer"),
        (["runs", "show", "0"], "greater than or equal to 1"),
        (["runs", "show", "9" * 30], "less than or equal to"),
        (["runs", "list", "--limit", "0"], "greater than or equal to 1"),
        (["schedules", "preview", "x", "--count", "0"], "greater than or equal to 1"),
        (["schedules", "list", "--limit", "0"], "greater than or equal to 1"),
        (["alerts", "--limit", "0"], "greater than or equal to 1"),
        (["sandbox", "--port", "70000"], "less than or equal to 65535"),
        (["sandbox", "--people", "0"], "greater than or equal to 1"),
        (["serve", "--port", "-1"], "greater than or equal to 0"),
        (["demo", "--people", "1"], "greater than or equal to 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_argument_that_makes_no_sense_is_refused_at_once(nowhere, arguments, words):
    assert words in nowhere.refused(*arguments)
    assert not (nowhere.folder / "data").exists()
