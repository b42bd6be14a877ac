"""The address book (通讯录): departments, members, roles, scopes. No I/O.

[D0082] [D0083] [D0081] [D0065] [D0066] [D0062] [D0089] [D0096] [D0053], read 2026-11-23. All of it
is exempt from the monthly quota [D1432].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from dingbell.dingtalk import limits
from dingbell.dingtalk.results import Department, Member, Role, RoleGroup, Scopes, User
from dingbell.dingtalk.wire import fields
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.identity import read_user
from dingbell.dingtalk.wire.request import Call, get, post

__all__ = [
    "Page",
    "department",
    "departments",
    "member_ids",
    "members",
    "members_simple",
    "merged",
    "role_members",
    "roles",
    "scopes",
    "subdepartment_ids",
]

T = TypeVar("T")

_LONGEST = limits.LISTED_ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next` is where the following one begins, None after the last."""

    items: tuple[T, ...]
    next: int | None = None


# Departments -------------------------------------------------------------------------------------


def departments(parent: int) -> Call[list[Department]]:
    """The departments right below one; the root is 1."""
    path = "/topapi/v2/department/listsub"
    return post(path, {"dept_id": parent}, _read_departments, longest=_LONGEST)


def _read_departments(answer: Answer) -> list[Department]:
    rows = _rows(answer, answer.content().get("result"), limits.DEPARTMENTS_PER_ANSWER)
    return [_department(answer, row) for row in rows]


def _rows(answer: Answer, value: object, most: int) -> tuple[Mapping[str, Any], ...]:
    """The lines of a list, if they are no more than anybody has asked for."""
    found = fields.rows(value)
    if len(found) > most:
        answer.unreadable(f"there are {len(found)} lines")
    return found


def _department(answer: Answer, row: Mapping[str, Any]) -> Department:
    dept_id = fields.integer(row.get("dept_id"))
    if dept_id is None:
        answer.unreadable("there is no dept_id")
    return Department(
        id=dept_id,
        name=fields.text(row.get("name")) or "",
        parent_id=fields.integer(row.get("parent_id")),
        order=fields.integer(row.get("order")),
        member_count=fields.integer(row.get("member_count")),
        own_member_count=fields.integer(row.get("owning_member_count")),
        manager_userids=fields.identifiers(row.get("dept_manager_userid_list")),
    )


def subdepartment_ids(dept_id: int) -> Call[list[int]]:
    """The ids right below a department, also those outside the app's scope."""
    path = "/topapi/v2/department/listsubid"
    return post(path, {"dept_id": dept_id}, _read_dept_ids, longest=_LONGEST)


def _read_dept_ids(answer: Answer) -> list[int]:
    return list(fields.integers(answer.result().get("dept_id_list")))


def department(dept_id: int, language: str | None = None) -> Call[Department]:
    """Everything about a department."""
    arguments = {"dept_id": dept_id, "language": language}
    return post("/topapi/v2/department/get", arguments, _read_department)


def _read_department(answer: Answer) -> Department:
    return _department(answer, answer.result())


# Members -----------------------------------------------------------------------------------------


def member_ids(dept_id: int) -> Call[list[str]]:
    """The userids of a department's direct members, all at once."""
    return post("/topapi/user/listid", {"dept_id": dept_id}, _read_userids, longest=_LONGEST)


def _read_userids(answer: Answer) -> list[str]:
    return list(fields.identifiers(answer.result().get("userid_list")))


def members_simple(dept_id: int, cursor: int = 0) -> Call[Page[Member]]:
    """One page of direct members: userid and name."""
    return _member_page("/topapi/user/listsimple", dept_id, cursor, _member)


def members(dept_id: int, cursor: int = 0) -> Call[Page[User]]:
    """One page of direct members with everything about them."""

    def read(row: Mapping[str, Any]) -> User | None:
        user = read_user(row)
        return _leading(user, row, dept_id) if user.userid else None

    return _member_page("/topapi/v2/user/list", dept_id, cursor, read)


def _leading(user: User, row: Mapping[str, Any], dept_id: int) -> User:
    """In a list, `leader` speaks of the department that was asked for."""
    if not fields.flag(row.get("leader")) or dept_id in user.leads_dept_ids:
        return user
    return replace(user, leads_dept_ids=(*user.leads_dept_ids, dept_id))


def _member(row: Mapping[str, Any]) -> Member | None:
    userid = fields.identifier(row.get("userid"))
    return Member(userid, fields.text(row.get("name")) or "") if userid else None


def _page(
    answer: Answer, value: object, size: int, read: Callable[[Mapping[str, Any]], T | None]
) -> tuple[T, ...]:
    """The lines of a page; one without an id is nobody and nothing."""
    rows = _rows(answer, value, size * limits.ROWS_PER_PAGE_FACTOR)
    return tuple(item for row in rows if (item := read(row)) is not None)


def _member_page(
    path: str, dept_id: int, cursor: int, read: Callable[[Mapping[str, Any]], T | None]
) -> Call[Page[T]]:
    def read_page(answer: Answer) -> Page[T]:
        found = answer.result()
        items = _page(answer, found.get("list"), limits.MEMBERS_PER_PAGE, read)
        if not fields.flag(found.get("has_more")):
            return Page(items)
        following = fields.integer(found.get("next_cursor"))
        if following is None or following <= cursor:
            answer.unreadable("next_cursor does not go on")
        return Page(items, following)

    arguments = {"dept_id": dept_id, "cursor": cursor, "size": limits.MEMBERS_PER_PAGE}
    return post(path, arguments, read_page, longest=_LONGEST)


# Roles -------------------------------------------------------------------------------------------


def roles(offset: int = 0) -> Call[Page[RoleGroup]]:
    """One page of role groups and their roles."""
    return _role_page("/topapi/role/list", {}, offset, limits.ROLES_PER_PAGE, _role_group)


def role_members(role_id: int, offset: int = 0) -> Call[Page[str]]:
    """One page of the userids that have a role."""
    arguments = {"role_id": role_id}
    size = limits.ROLE_MEMBERS_PER_PAGE
    return _role_page("/topapi/role/simplelist", arguments, offset, size, _role_member)


def _role_page(
    path: str,
    arguments: Mapping[str, int],
    offset: int,
    size: int,
    read: Callable[[Mapping[str, Any]], T | None],
) -> Call[Page[T]]:
    def read_page(answer: Answer) -> Page[T]:
        found = answer.result()
        items = _page(answer, found.get("list"), size, read)
        more = fields.flag(found.get("hasMore", found.get("has_more")))
        if more and not items:
            answer.unreadable("hasMore with an empty page")
        return Page(items, offset + size if more else None)

    asked = {**arguments, "size": size, "offset": offset}
    return post(path, asked, read_page, longest=_LONGEST)


def _role_member(row: Mapping[str, Any]) -> str | None:
    return fields.identifier(row.get("userid"))


def _role_group(row: Mapping[str, Any]) -> RoleGroup:
    name = fields.text(row.get("name")) or ""
    found = tuple(
        Role(role_id, fields.text(one.get("name")) or "", name)
        for one in fields.rows(row.get("roles"))
        if (role_id := fields.integer(one.get("id"))) is not None
    )
    return RoleGroup(fields.integer(row.get("groupId")) or 0, name, found)


def merged(groups: list[RoleGroup]) -> list[RoleGroup]:
    """Join the parts of groups that pages have cut in two."""
    whole: dict[int, RoleGroup] = {}
    for group in groups:
        known = whole.get(group.id)
        whole[group.id] = replace(group, roles=known.roles + group.roles) if known else group
    return list(whole.values())


# Scopes ------------------------------------------------------------------------------------------


def scopes() -> Call[Scopes]:
    """The people and departments that the app may see."""
    return get("/auth/scopes", _read_scopes, longest=_LONGEST)


def _read_scopes(answer: Answer) -> Scopes:
    content = answer.content()
    org = fields.mapping(content.get("auth_org_scopes"))
    return Scopes(
        userids=fields.identifiers(org.get("authed_user")),
        dept_ids=fields.integers(org.get("authed_dept")),
        user_fields=fields.texts(content.get("auth_user_field")),
        conditions=fields.texts(content.get("condition_field")),
    )
