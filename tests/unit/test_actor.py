"""Who may do what: one table, and every operation asks it before it does anything."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

import dingbell.operations
from dingbell.config import apply as config_apply
from dingbell.errors import PermissionDenied
from dingbell.operations.actor import (
    ENGINE,
    LIBRARY,
    LOCAL_CLI,
    PERMISSIONS,
    Actor,
    Operation,
    Role,
    may,
)
from dingbell.operations.context import Operations

NOBODY = Actor.of("nobody", (), "api")
# Parts of other operations, which have asked already; they are nothing that one can ask for.
PARTS = {
    "accounts.actor_of",
    "apps.chosen",
    "apps.find",
    "apps.introduce",
    "directory.ask_sources",
    "directory.ensure",
    "directory.read_unread",
    "directory.resolve",
    "directory.today",
    "forecasts.of_schedule",
    "forecasts.outlook",
}


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_what_the_table_says_and_nothing_else(operation, role):
    actor = Actor.of("ann", [role], "api")
    if role in PERMISSIONS[operation]:
        may(actor, operation)
        return
    with pytest.raises(PermissionDenied) as refused:
        may(actor, operation)
    assert refused.value.exit_code == 1
    assert refused.value.status == 403
    assert "ann" in str(refused.value)
    assert operation.value in refused.value.message.zh


def test_the_table_names_every_operation_and_an_owner_may_do_them_all():
    assert PERMISSIONS.keys() == set(Operation)
    for operation in Operation:
        may(Actor.of("boss", [Role.OWNER], "api"), operation)
        for one in (LOCAL_CLI, LIBRARY, ENGINE):
            may(one, operation)


def test_who_approves_cannot_write_what_is_approved():
    for write in (Operation.RUNS_SEND, Operation.SCHEDULES_PUT):
        assert Role.APPROVER not in PERMISSIONS[write]


def test_a_token_is_for_its_scopes_only():
    actor = Actor.of("ann", [Role.OWNER], "api", [Operation.RUNS_SEE])
    may(actor, Operation.RUNS_SEE)
    with pytest.raises(PermissionDenied):
        may(actor, Operation.RUNS_SEND)


def _operations() -> Iterator[tuple[str, Any]]:
    """Everything that takes operations first, and no connection of somebody else's."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(
            dingbell.operations.__path__, dingbell.operations.__name__ + "."
        )
    ]
    for module in (*modules, config_apply):
        for name, work in vars(module).items():
            if name.startswith("_") or not inspect.isroutine(work):
                continue
            if work.__module__ != module.__name__ or inspect.iscoroutinefunction(work) is (
                inspect.isasyncgenfunction(work)
            ):
                continue
            taken = list(inspect.signature(work).parameters.values())
            asked = f"{module.__name__.rpartition('.')[2]}.{name}"
            if taken and taken[0].annotation == "Operations" and asked not in PARTS:
                yield asked, work


ALL = dict(_operations())


def _arguments(work: Any) -> dict[str, Any]:
    taken = list(inspect.signature(work).parameters.values())[1:]
    return {one.name: _Untouched() for one in taken if one.default is one.empty}


class _Untouched:
    """An argument, or a pool: whoever touches it has not asked first."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was touched before anybody asked")


def test_there_are_operations_to_look_at():
    assert len(ALL) > 50
    assert "runs.cancel" in ALL
    assert "apply.apply" in ALL


@pytest.mark.parametrize("name", sorted(ALL))
async def test_every_operation_asks_before_it_touches_anything(name):
    given = {field.name: _Untouched() for field in fields(Operations)}
    ops = Operations(**{**given, "actor": NOBODY})
    asked = ALL[name](ops, **_arguments(ALL[name]))
    with pytest.raises(PermissionDenied):
        await (asked if inspect.iscoroutine(asked) else anext(asked))
