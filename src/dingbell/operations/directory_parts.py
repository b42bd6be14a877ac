"""Operations that look at parts of the directory: its departments, its roles, one person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from dingbell.errors import NotFoundError, Text
from dingbell.operations import apps, directory
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View
from dingbell.store import directory_parts
from dingbell.store.connection import acquire
from dingbell.store.directory_parts import WholePerson

__all__ = [
    "AttributeKind",
    "AttributeView",
    "DepartmentPage",
    "DepartmentView",
    "Named",
    "RoleView",
    "WholePersonView",
    "departments",
    "roles",
    "show",
]

AttributeKind = Literal["text", "number", "date", "yes or no", "list", "record"]
_NAME = re.compile(r"[^\W\d]\w*")
# Departments on one page of a list.
_A_PAGE = 5_000


class DepartmentView(View):
    """A department; `path` leads to it from below the root, `people` are its own."""

    dept_id: int
    name: str
    path: str
    parent_id: int | None
    depth: int
    people: int


class DepartmentPage(View):
    """Departments in the order of their tree; `cursor` asks for those after them."""

    items: tuple[DepartmentView, ...]
    cursor: str | None


class RoleView(View):
    """A role and how many have it."""

    role_id: int
    name: str
    group: str
    people: int


class Named(View):
    """Something that has an id and a name."""

    id: int | str
    name: str


class AttributeView(View):
    """A value templates may use.

    Attributes:
        name: of the attribute.
        kind: what it is.
        value: as JSON has it; exact decimals are text.
        example: how a template writes it.
    """

    name: str
    kind: AttributeKind
    value: Any
    example: str


class WholePersonView(View):
    """Everything that is known of a person; `left_at` says that they are not there any more."""

    userid: str
    name: str
    mobile: str | None
    active: bool
    left_at: Instant | None
    departments: tuple[Named, ...]
    roles: tuple[Named, ...]
    manager: Named | None
    attributes: tuple[AttributeView, ...]


async def departments(
    ops: Operations, app: str | None, *, after: str | None = None, limit: int = _A_PAGE
) -> DepartmentPage:
    """Departments of an org, as they lie in one another."""
    ops.may(Operation.DIRECTORY_SEE)
    found = await apps.chosen(ops, app)
    await directory.ensure(ops, found)
    async with acquire(ops.pool) as connection:
        rows = await directory_parts.departments(
            connection, found.org, after=after or "", limit=limit + 1
        )
    items = tuple(
        DepartmentView(
            dept_id=one.dept_id, name=one.name, path=one.path, parent_id=one.parent_id,
            depth=one.depth, people=one.people,
        )
        for one in rows[:limit]
    )  # fmt: skip
    return DepartmentPage(items=items, cursor=_place(items[-1]) if len(rows) > limit else None)


def _place(one: DepartmentView) -> str:
    """Where a department stands in the order of the tree."""
    return f"{one.path if one.depth else ''}/{one.dept_id}"


async def roles(ops: Operations, app: str | None) -> tuple[RoleView, ...]:
    """All roles of an org, by their groups."""
    ops.may(Operation.DIRECTORY_SEE)
    found = await apps.chosen(ops, app)
    await directory.ensure(ops, found)
    async with acquire(ops.pool) as connection:
        rows = await directory_parts.roles(connection, found.org)
    return tuple(
        RoleView(role_id=one.role_id, name=one.name, group=one.group, people=one.people)
        for one in rows
    )


async def show(ops: Operations, app: str | None, userid: str) -> WholePersonView:
    """Everything about a person, also of one who has left.

    Raises:
        NotFoundError: the directory never had them.
    """
    ops.may(Operation.DIRECTORY_SEE)
    found = await apps.chosen(ops, app)
    await directory.ensure(ops, found)
    async with acquire(ops.pool) as connection:
        person = await directory_parts.person(connection, found.org, userid.strip())
    if person is None:
        raise NotFoundError(
            Text(
                "nobody in the directory has the userid {userid!r}: look for the name with "
                "`dingbell directory find`",
                "通讯录中没有 userid {userid!r}: 请用 `dingbell directory find` 按姓名查找",
            ).format(userid=userid.strip())
        )
    return _whole(person)


def _whole(person: WholePerson) -> WholePersonView:
    return WholePersonView(
        userid=person.userid,
        name=person.name,
        mobile=person.mobile,
        active=person.active,
        left_at=person.left_at,
        departments=tuple(Named(id=one, name=path) for one, path in person.departments),
        roles=tuple(Named(id=one, name=name) for one, name in person.roles),
        manager=_manager(person),
        attributes=tuple(_attributes(person)),
    )


def _manager(person: WholePerson) -> Named | None:
    if person.manager is None:
        return None
    userid, name = person.manager
    return Named(id=userid, name=name or "")


def _attributes(person: WholePerson) -> list[AttributeView]:
    """What templates see, in the order in which they are documented: the company's own last."""
    seen: dict[str, Any] = {
        "userid": person.userid,
        "name": person.name,
        "mobile": person.mobile,
        "departments": [path for _, path in person.departments],
        **{name: value for name, value in person.attributes.items() if name != "manager"},
    }
    shown = [_attribute(name, value) for name, value in seen.items() if value is not None]
    if person.manager is not None:
        example = "{{ person.manager.name }}"
        value = {"userid": person.manager[0], "name": person.manager[1]}
        shown.append(AttributeView(name="manager", kind="record", value=value, example=example))
    return shown


def _attribute(name: str, value: Any) -> AttributeView:
    kind = _kind(value)
    way = (
        f"person.{name}" if _NAME.fullmatch(name) and name.isidentifier() else (f"person['{name}']")
    )
    filters = {"date": "|date('%Y-%m-%d')", "list": "|join('、')", "number": ""}
    shown = f"{{{{ {way}{filters.get(kind, '')} }}}}"
    return AttributeView(name=name, kind=kind, value=_plain(value), example=shown)


def _kind(value: Any) -> AttributeKind:
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | Decimal):
        return "number"
    if isinstance(value, date):
        return "date"
    if isinstance(value, Mapping):
        return "record"
    return "list" if isinstance(value, list | tuple) else "text"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
