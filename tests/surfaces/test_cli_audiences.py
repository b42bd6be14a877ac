"""`dingbell audiences …`, and audiences in `dingbell.yaml` that only the directory can judge."""

from __future__ import annotations

import pytest

BELL = '{"where": {"job_number": {"known": true}}, "except": {"users": ["manager7675"]}}'


@pytest.fixture
def read(place):
    """The directory has been read."""
    place.done("directory", "sync")
    return place


def test_an_audience_is_saved_shown_previewed_and_deleted(read):
    saved = read.json("audiences", "put", "cli-bell", "--to", BELL)
    assert saved["spec"]["any"][0]["except"] == {"users": ["manager7675"]}
    read.done("audiences", "put", "cli-outer", "--to", "audience:cli-bell", "--to", "users:zoe")
    assert read.json("audiences", "show", "cli-bell")["used_by"] == ["audience:cli-outer"]
    names = [one["name"] for one in read.json("audiences", "list")]
    assert {"cli-bell", "cli-outer"} <= set(names)

    found = read.json("audiences", "preview", "cli-outer", "--on", "2027-03-01", "--sample", "2")
    assert found["day"] == "2027-03-01"
    assert found["people"] == found["reachable"] + sum(found["reasons"].values())
    assert len(found["sample"]) == min(2, found["reachable"])
    assert [one["userid"] for one in found["unreachable"]] == ["zoe"]
    assert found["unreachable"][0]["reason"] == "is not in the directory"
    told = read.done("--lang", "zh", "audiences", "preview", "--to", "users:zoe")
    assert "不在通讯录中" in told

    assert "cli-outer" in read.refused("audiences", "delete", "cli-bell", code=1)
    read.done("audiences", "delete", "cli-outer")
    read.done("audiences", "delete", "cli-bell")
    assert "no saved audience" in read.refused("audiences", "show", "cli-bell")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("preview",), "write the name of a saved audience, or --to"),
        (("preview", "x", "--to", "everyone"), "write the name of a saved audience, or --to"),
        (("preview", "cli-none"), "there is no saved audience 'cli-none'"),
        (("preview", "--to", "everyone", "--on", "soon"), "write a date such as 2026-12-01"),
        (("preview", "--to", "departments:cli-none"), "does not have departments: cli-none"),
        (("put", "cli-x", "--to", "audience:cli-none"), "there is no saved audience 'cli-none'"),
        (("put", "cli-x", "--to", "audience:cli-x"), "contains itself"),
    ],
)
def test_what_cannot_be_meant_is_refused(read, words, told):
    assert told in read.refused("audiences", *words)


def test_a_department_that_is_not_there_is_told_with_its_line_and_column(read):
    file = """\
schedules:
  cli-places:
    when: {daily: "16:00"}
    to:
      departments:
        - 1
        - cli-none
    message: {text: "cli-places"}
"""
    read.write("dingbell.yaml", file)
    for command in ("plan", "apply"):
        told = read.refused(command)
        assert "dingbell.yaml:7:" in told
        assert "schedules.cli-places.to.departments.1" in told
