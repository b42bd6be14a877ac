"""Programs that use the library, each a process, and what the command line says of them."""

from __future__ import annotations

import pytest

PROGRAM = """\
import asyncio
from dingbell import DingBell, InputError, users

bell = DingBell.from_env()
WHO = users("manager4220")

{functions}

async def main():
    try:
        async with bell:
            print("open", flush=True)
            await asyncio.Event().wait()
    except InputError as error:
        print(error, flush=True)

asyncio.run(main())
"""
REPORT = """
@bell.daily("16:00", to=WHO)
def report():
    return {words!r}
"""
BROKEN = """
@bell.daily("17:00", to=WHO)
def broken():
    raise RuntimeError("no data")
"""


STUCK = """
import threading

@bell.daily("18:00", to=WHO)
def stuck():
    print("called", flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def write(place):
    """Write a program of these functions into a folder of its own."""

    def write(folder, *functions):
        return place.write(f"{folder}/main.py", PROGRAM.format(functions="\n".join(functions)))

    return write


def states(place):
    return {one["name"]: one["state"] for one in place.json("schedules", "list")}


def checked(place):
    """What the doctor says of functions: the line in which it does."""
    lines = place.run("doctor").out.splitlines()
    return " ".join(line.strip() for line in lines if "functions" in line)


def test_a_schedule_belongs_to_the_program_that_has_its_function(place, write, company):
    billing = write("billing", REPORT.format(words="billing"), BROKEN)
    canteen = write("canteen", REPORT.format(words="canteen"))
    with place.program(billing) as program:
        assert program.line() == "open"
        assert states(place) == {"report": "active", "broken": "active"}
        assert "ok" in checked(place)
        with place.program(canteen) as other:
            said = other.line()
            assert f"belongs to another program, {billing}" in said
            assert str(canteen) in said
        assert place.json("schedules", "run", "report", "--wait")["state"] == "settled"
        texts = company.texts("manager4220")
        assert "billing" in texts
        assert "canteen" not in texts
        assert place.json("schedules", "show", "report")["program"] == str(billing)

        failed = place.run("schedules", "run", "broken", "--wait", "--json")
        assert failed.code == 1
        shown = place.done("runs", "show", failed.json["id"])
        assert "RuntimeError: no data" in shown
        assert f'File "{billing}"' in shown
        assert 'raise RuntimeError("no data")' in shown
    said = place.refused("schedules", "run", "report", "--wait", code=1)
    assert f"from the program {billing}, which is not running" in said
    assert "not running" in checked(place)
    write("billing", REPORT.format(words="billing"))
    with place.program(billing) as program:
        assert program.line() == "open"
        assert states(place) == {"report": "active", "broken": "orphaned"}
        assert "broken" in checked(place)
        assert "is orphaned" in place.refused("schedules", "run", "broken", "--wait", code=1)
        assert "已成孤立" in place.refused("--lang", "zh", "schedules", "run", "broken", code=1)
    assert states(place) == {"report": "active", "broken": "orphaned"}
    place.done("schedules", "delete", "broken")
    place.done("schedules", "delete", "report")
    with place.program(canteen) as program:
        assert program.line() == "open"
        assert place.json("schedules", "show", "report")["program"] == str(canteen)


def test_a_function_that_never_returns_keeps_no_program_from_ending(place, write):
    with place.program(write("stuck", STUCK)) as program:
        assert program.line() == "open"
        started = place.json("schedules", "run", "stuck")
        assert program.line() == "called"
    assert program.process.returncode is not None
    assert place.json("runs", "show", started["id"])["state"] == "due"
