"""What commands write for people, only those who ran them can read."""

from __future__ import annotations

import stat
import subprocess

import pytest
from tests.surfaces.conftest import DINGBELL


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


def unhidden(place, *arguments):
    """Run a command where nothing is hidden from others by itself; what it says."""
    script = 'umask 0 && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *DINGBELL, *map(str, arguments)],
        cwd=place.folder,
        env=place.environment({}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture(scope="module")
def sent(place):
    place.done("send", "--to", "users:manager4220", "--text", "x", "--wait")
    return place.json("runs", "list")[0]["id"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
def test_an_export_is_for_its_owner_alone_whatever_stood_there(place, sent, form):
    out = place.folder / f"ledger.{form}"
    for path in (out, out.with_name(f".{out.name}.part")):
        path.write_text("old")
        path.chmod(0o666)
    unhidden(place, "runs", "export", sent, "--format", form, "--out", out)
    assert rights(out) == 0o600
    assert out.stat().st_size > 3


def test_an_export_may_go_into_a_pipe(place, sent):
    assert "manager4220" in unhidden(place, "runs", "export", sent, "--out", "/dev/stdout")


def test_examples_and_backups_are_for_their_owner_alone(place):
    folder = place.folder / "new"
    unhidden(place, "init", folder)
    assert rights(folder / ".env.example") == 0o600
    (folder / ".env.example").chmod(0o666)
    unhidden(place, "init", "--force", folder)
    assert rights(folder / ".env.example") == 0o600
    unhidden(place, "db", "backup", folder / "x.dump")
    assert rights(folder / "x.dump") == 0o600
