"""The address book (通讯录): departments, members, roles, scopes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from dingbell.dingtalk import errors, limits
from dingbell.dingtalk.client.caller import Caller
from dingbell.dingtalk.results import Department, Member, RoleGroup, Scopes, User
from dingbell.dingtalk.wire import Call, directory

__all__ = ["Directory"]

T = TypeVar("T")

ROOT_DEPARTMENT = 1

# Awaited before each request of a list that is cut into pages, so that the caller sets the pace.
Turn = Callable[[], Awaitable[None]]


async def _at_once() -> None:
    """Take no turns."""


class Directory(Caller):
    """The endpoints of the address book: reads, safe to repeat, exempt from the quota [D1432].

    Lists that DingTalk cuts into pages are read to their end, one request per page. Every method
    raises `DingTalkError` (see `errors`).
    """

    async def departments(self, parent: int = ROOT_DEPARTMENT) -> list[Department]:
        """The departments right below `parent`; one level.

        Raises:
            UnknownDepartment: there is no such department.
        """
        return await self._ask(directory.departments(parent))

    async def department(self, dept_id: int, *, language: str | None = None) -> Department:
        """Everything about a department, with its member counts and managers.

        Raises:
            UnknownDepartment: there is no such department.
        """
        return await self._ask(directory.department(dept_id, language))

    async def subdepartment_ids(self, dept_id: int = ROOT_DEPARTMENT) -> list[int]:
        """The ids right below a department, also those outside the app's scope."""
        return await self._ask(directory.subdepartment_ids(dept_id))

    async def member_ids(self, dept_id: int) -> list[str]:
        """The userids of a department's direct members, in one request."""
        return await self._ask(directory.member_ids(dept_id))

    async def members_simple(self, dept_id: int, *, turn: Turn = _at_once) -> list[Member]:
        """Userid and name of a department's direct members, 100 per request."""
        return await self._all(lambda cursor: directory.members_simple(dept_id, cursor), turn)

    async def members(self, dept_id: int, *, turn: Turn = _at_once) -> list[User]:
        """A department's direct members with everything about them, 100 per request."""
        return await self._all(lambda cursor: directory.members(dept_id, cursor), turn)

    async def roles(self, *, turn: Turn = _at_once) -> list[RoleGroup]:
        """All role groups with their roles, 200 per request."""
        return directory.merged(await self._all(directory.roles, turn))

    async def role_members(self, role_id: int, *, turn: Turn = _at_once) -> list[str]:
        """The userids that have a role, 100 per request."""
        return await self._all(lambda offset: directory.role_members(role_id, offset), turn)

    async def scopes(self) -> Scopes:
        """The people and departments that the app may see."""
        return await self._ask(directory.scopes())

    async def _all(self, page_at: Callable[[int], Call[directory.Page[T]]], turn: Turn) -> list[T]:
        """Follow the pages of a list to its end.

        Raises:
            Permanent: it has none: the pages repeat themselves, or there are too many.
        """
        items: list[T] = []
        last: tuple[T, ...] = ()
        call = page_at(0)
        for _ in range(limits.PAGES_PER_LIST):
            await turn()
            page = await self._ask(call)
            items.extend(page.items)
            if page.next is None:
                return items
            if page.items and page.items == last:
                break
            last, call = page.items, page_at(page.next)
        raise errors.Permanent("unreadable", "the list does not end", call.path)
