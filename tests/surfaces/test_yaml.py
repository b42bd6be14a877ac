"""`dingbell.yaml`: every problem is told at once, each with its place."""

from __future__ import annotations

from textwrap import dedent

import pytest

from dingbell.config.document import ProblemsError
from dingbell.config.schema import load
from dingbell.errors import InputError

GOOD = "to: {users: [a]}, message: {text: x}"


def problems(tmp_path, text):
    """What is said of a file: (line, column, path, message)."""
    file = tmp_path / "dingbell.yaml"
    file.write_text(dedent(text), encoding="utf-8")
    with pytest.raises(ProblemsError) as refused:
        load(file)
    told = str(refused.value).splitlines()
    assert all(line.startswith(f"{file}:") for line in told)
    assert len(refused.value.message.zh.splitlines()) == len(told)
    return [(p.line, p.column, p.path, str(p.message)) for p in refused.value.problems]


def problem(tmp_path, text):
    (only,) = problems(tmp_path, text)
    return only


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ('{cron: "0 0 0 1 1 * 2026"}', "has 7 fields"),
        ('{cron: "99 * * * *"}', "is not valid"),
        ('{daily: "25:00"}', "not a time of day"),
        ('{once: "tomorrow"}', "not an instant"),
        ('{every: "soon"}', "not a duration"),
        ('{every: "0s"}', "shortest interval"),
        ('{daily: "16:00", every: "1h"}', "exactly one of"),
        ("{}", "exactly one of"),
        ('{hourly: "1"}', "exactly one of"),
    ],
)
def test_a_rule_that_cannot_be_is_told_where_it_stands(tmp_path, when, words):
    line, _, path, said = problem(
        tmp_path,
        f"""\
        schedules:
          x:
            when: {when}
            to: {{users: [a]}}
            message: {{text: x}}
        """,
    )
    assert line in (2, 3)
    assert path.startswith("schedules.x")
    assert words in said


def test_a_zone_that_does_not_exist_is_told(tmp_path):
    found = problems(
        tmp_path,
        f"""\
        timezone: Asia/Peking
        schedules:
          x: {{when: {{daily: "16:00"}}, timezone: Mars/Base, {GOOD}}}
        """,
    )
    assert any("Mars/Base" in said for *_, said in found)


def test_the_files_own_zone_is_told_once_at_its_place(tmp_path):
    assert problem(tmp_path, "timezone: Asia/Peking")[:3] == (1, 1, "timezone")


def test_every_problem_is_told_at_once_in_order_of_lines(tmp_path):
    found = problems(
        tmp_path,
        """\
        apps:
          hr: {agent_id: many, app_key: k}
        colour: red
        schedules:
          one:
            when: {daily: "26:00"}
            to: {users: [a]}
            message: {text: x}
          two:
            when: {daily: "16:00"}
            to: {}
            message: {fax: x}
            overlap: maybe
        """,
    )
    lines = [line for line, *_ in found]
    assert lines == sorted(lines)
    paths = {path for _, _, path, _ in found}
    assert {"apps.hr.agent_id", "apps.hr.app_secret", "colour"} <= paths
    assert any(path.startswith("schedules.one") for path in paths)
    assert {"schedules.two.to", "schedules.two.message", "schedules.two.overlap"} <= paths


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: b: c", 1, "mapping values"),
        ("a: [1", 1, ""),
        ("- 1\n- 2\n", 1, "must be a mapping"),
        ("just words", 1, "must be a mapping"),
        ("schedules: {}\nschedules: {}\n", 2, "duplicate"),
        ("schedules: []", 1, "must be a mapping"),
        ("shedules: {}", 1, "not known here"),
        ("schedules: {'bad name!': {}}", 1, ""),
        ("audiences: {x: {users: ['a b']}}", 1, ""),
        ("audiences: {x: {audience: y}}", 1, "no audience 'y'"),
        ("audiences: {x: {audience: x}}", 1, "contains itself"),
    ],
)
def test_a_file_of_the_wrong_shape_is_told_where(tmp_path, text, line, words):
    found = problems(tmp_path, text)
    assert words in found[0][3]
    assert found[0][0] == line
    assert found[0][1] >= 1


def test_an_unset_variable_is_told_where_it_is_used_and_a_set_one_never_shows(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HR_KEY", "geheim")
    monkeypatch.delenv("HR_SECRET", raising=False)
    line, _, path, said = problem(
        tmp_path,
        """\
        apps:
          hr:
            agent_id: 7
            app_key: ${HR_KEY}
            app_secret: ${HR_SECRET}
        """,
    )
    assert (line, path) == (5, "apps.hr.app_secret")
    assert said == "the environment variable HR_SECRET is not set"
    assert "geheim" not in said


def test_a_secret_of_the_wrong_kind_is_not_repeated(tmp_path):
    found = problems(tmp_path, "apps: {hr: {agent_id: 7, app_key: k, app_secret: [geheim]}}")
    assert all("geheim" not in said for *_, said in found)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('{text: "' + "x" * 2049 + '"}', "2048"),
        ("{text: ''}", "text.content"),
        ('{text: "{{ nobody }}"}', "unknown template variable nobody"),
        ('{text: "{{ person.name"}', "template"),
        ("{text: a, link: {}}", "exactly one of"),
        ("[]", "mapping"),
    ],
)
def test_a_message_dingtalk_would_refuse_is_told(tmp_path, message, words):
    line, _, path, said = problem(
        tmp_path,
        f"""\
        schedules:
          x:
            when: {{daily: "16:00"}}
            to: {{users: [a]}}
            message: {message}
        """,
    )
    assert (line, path) == (5, "schedules.x.message")
    assert words in said


def test_an_app_that_is_not_in_the_file_is_told(tmp_path):
    _, _, path, said = problem(
        tmp_path,
        f"""\
        apps: {{hr: {{agent_id: 7, app_key: k, app_secret: s}}}}
        schedules:
          x: {{app: it, when: {{daily: "16:00"}}, {GOOD}}}
        """,
    )
    assert (path, said) == ("schedules.x.app", "there is no app 'it'")


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "nothing")
    with pytest.raises(InputError, match="Is a directory"):
        load(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        load(binary)


def test_an_empty_file_says_nothing(tmp_path):
    file = tmp_path / "dingbell.yaml"
    file.write_text("# nothing\n")
    config = load(file)
    assert (config.apps, config.schedules) == ({}, {})
