"""What import-linter cannot say of the house: where a thing may stand, and where it may not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dingbell.domain.alarms import AlarmKind
from dingbell.domain.causes import CauseKind
from dingbell.domain.lifecycle import Batch, Delivery, Run
from dingbell.telemetry import Event

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dingbell"
# Strangers to the product's words: the client speaks DingTalk's, the sandbox its own.
STRANGERS = ("dingtalk", "sandbox")
STATES = {state.value for kind in (Run, Batch, Delivery) for state in kind}
# Words that are states and something else besides: a kind of resend, an outcome of a call.
AMBIGUOUS = {"failed", "unknown", "sent", "read"}


def modules(*, without: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product: its path below `src/dingbell`, and what it says."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith((*STRANGERS, "store/migrations", *without)):
            continue
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def docstrings(tree: ast.AST) -> set[int]:
    """The strings of a module that are documentation, by id."""
    found = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            found.add(id(body[0].value))
    return found


def texts(tree: ast.AST) -> Iterator[str]:
    """The strings of a module that are no documentation."""
    documentation = docstrings(tree)
    for node in ast.walk(tree):
        text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if text and id(node) not in documentation:
            yield node.value


def faults(found: Iterator[tuple[str, str]]) -> str:
    return "\n".join(f"{name}: {what[:100]!r}" for name, what in found)


def test_no_sql_spells_a_state() -> None:
    literal = re.compile(rf"'({'|'.join(STATES)})'")
    # What a call came to, and what holds a schedule, are no states of these tables.
    other = re.compile(r"outcome (=|is distinct from) '\w+'")
    assert not faults(
        (name, text)
        for name, tree in modules(without=("domain/lifecycle.py",))
        for text in texts(tree)
        if name.startswith("store/") and literal.search(other.sub("", text))
    )


def test_no_comparison_spells_a_state() -> None:
    def compared(tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                for side in (node.left, *node.comparators):
                    if isinstance(side, ast.Constant) and side.value in STATES - AMBIGUOUS:
                        yield ast.unparse(node)

    assert not faults((name, said) for name, tree in modules() for said in compared(tree))


def test_a_state_is_changed_in_one_place_only() -> None:
    change = re.compile(r"update\s+(runs|batches|deliveries)\b[^;]*\bset\s+state\b", re.IGNORECASE)
    assert not faults(
        (name, text)
        for name, tree in modules(without=("store/transitions.py",))
        for text in texts(tree)
        if change.search(text)
    )


def test_sql_stands_in_the_store_only() -> None:
    statement = re.compile(
        r"^\s*(select\s+\S+.*\sfrom\s|insert into |update \w+ set |delete from |with \w+ as)",
        re.DOTALL,
    )
    assert not faults(
        (name, text)
        for name, tree in modules(without=("store/",))
        for text in texts(tree)
        if statement.search(text)
    )


def test_statements_are_made_in_the_store_only() -> None:
    verbs = {"fetch", "fetchrow", "fetchval", "executemany", "copy_records_to_table", "execute"}

    def made(tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                on = ast.unparse(node.func.value)
                if node.func.attr in verbs and on.endswith("connection"):
                    yield ast.unparse(node)

    assert not faults(
        (name, said) for name, tree in modules(without=("store/",)) for said in made(tree)
    )


def test_jobs_are_named_where_wake_ups_are_made() -> None:
    def made(tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Job", "jobs.Job"):
                yield ast.unparse(node)

    assert not faults(
        (name, said)
        for name, tree in modules(without=("planning/wakeups.py",))
        for said in made(tree)
    )


def test_what_a_run_is_to_do_is_asked_by_name() -> None:
    asked = re.compile(r"\bspec(\[\"|\.get\()")
    assert not faults(
        (name, found[0])
        for name, tree in modules(without=("store/schedules.py",))
        if (found := asked.search(ast.unparse(tree).replace("'", '"')))
    )


def test_advisory_locks_are_duties() -> None:
    assert not faults(
        (name, text)
        for name, tree in modules(without=("store/duty.py", "store/migrate.py"))
        for text in texts(tree)
        if "pg_advisory" in text or "pg_try_advisory" in text
    )


# A column of such a name explains something to a person.
EXPLAINS = r"(^|_)(reason|detail|problem|error|why|cause_text|sentence|explanation|said|note)s?$"
EXPLAINING = {
    "apps.paused_reason",  # a code of DingTalk's
    "schedules.problem",  # why a rule raised, in the words of what raised it
}


async def test_no_table_keeps_a_sentence(dsn: str) -> None:
    """Why something stands as it does is a kind and its parameters, in every table there is."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "select table_name as t, column_name as c, data_type as kind "
            "from information_schema.columns where table_schema = 'dingbell'"
        )
    finally:
        await connection.close()
    kinds = {f"{row['t']}.{row['c']}": row["kind"] for row in rows}
    texts = {column for column, kind in kinds.items() if kind in ("text", "character varying")}
    explaining = {c for c in texts if re.search(EXPLAINS, c.partition(".")[2])}
    assert explaining == EXPLAINING
    causes = {column for column in kinds if re.search(r"\.cause$", column)}
    assert {"runs.cause", "outbox.cause"} <= causes
    assert {kinds.get(f"{cause}_params") for cause in causes} == {"jsonb"}


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_documented(event: Event) -> None:
    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    assert f"`{event.value}`" in page


def test_every_cause_and_alarm_is_somewhere_decided() -> None:
    said = "\n".join(
        ast.unparse(tree) for _, tree in modules(without=("domain/causes.py", "domain/alarms.py"))
    )
    causes = (SOURCE / "domain/causes.py").read_text(encoding="utf-8")
    for kind in CauseKind:
        assert (
            f"CauseKind.{kind.name}" in said
            or f"Cause(CauseKind.{kind.name}" in causes
            or (causes.count(f"CauseKind.{kind.name}") > 1)
        ), kind
    # Only the upgrade of older tables makes notes.
    assert {kind for kind in AlarmKind if f"AlarmKind.{kind.name}" not in said} == {AlarmKind.NOTE}


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "common", "manager", "managers", "core", "misc"}
    assert not [name for name, _ in modules() if Path(name).stem in drawers]


def test_tests_do_not_sleep() -> None:
    pause = re.compile(r"(?<!pg_)sleep\((\d+(?:\.\d+)?)\)")
    found = {
        f"{path.relative_to(ROOT)}: {seconds}"
        for path in (ROOT / "tests").rglob("*.py")
        for seconds in pause.findall(path.read_text(encoding="utf-8"))
        if float(seconds) > 1 and "crash" not in path.parts
    }
    assert not found
