"""The company: its people, its departments in a tree, its roles."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from dingbell.sandbox.wire.refusals import MisuseError

ROOT = 1
_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
_SHIFT_MS = 8 * 3_600_000  # DingTalk's hired_date is midnight in Beijing


@dataclass(slots=True, eq=False)
class Person:
    """One member of the company.

    Attributes:
        reading_share: Multiples of the median reading time after which notices are opened;
            None for somebody who never opens any.
        visible: Inside the range of people the app may see (可使用范围).
        protected: Under executive protection (高管保护): notices are dropped with 1430004.
        unreachable: Notices end in `failed_user_id_list`.
    """

    userid: str
    name: str
    mobile: str
    unionid: str
    job_number: str
    title: str
    hired_on: int  # days since 1970-01-01
    born_on: int  # days since 1970-01-01
    dept_ids: tuple[int, ...]
    reading_share: float | None
    manager_userid: str | None = None
    active: bool = True
    employed: bool = True
    visible: bool = True
    protected: bool = False
    unreachable: bool = False

    @property
    def reachable(self) -> bool:
        """Whether a notice may be addressed to this person at all."""
        return self.employed and self.active and self.visible

    @property
    def hired_date(self) -> int:
        """The hire date as DingTalk gives it: epoch milliseconds of midnight in Beijing."""
        return self.hired_on * _DAY_MS - _SHIFT_MS

    @property
    def birthday(self) -> str:
        """The birthday as `1990-05-17`."""
        return (_EPOCH + timedelta(days=self.born_on)).isoformat()


@dataclass(slots=True, eq=False)
class Department:
    """One department; `members` are its direct members, in a stable order."""

    dept_id: int
    name: str
    parent_id: int
    order: int
    children: list[int] = field(default_factory=list)
    members: dict[str, Person] = field(default_factory=dict)
    leaders: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Role:
    """One role of a role group, and who plays it."""

    role_id: int
    name: str
    group_id: int
    group_name: str
    userids: dict[str, None] = field(default_factory=dict)


_CHANGES = {
    "active": "active",
    "employed": "employed",
    "visible": "visible",
    "executive_protected": "protected",
    "unreachable": "unreachable",
}


class Company:
    """Everything the directory knows, with constant-time look-ups."""

    def __init__(
        self, people: Iterable[Person], departments: Iterable[Department], roles: Iterable[Role]
    ) -> None:
        self.people = {person.userid: person for person in people}
        self.departments = {department.dept_id: department for department in departments}
        self.roles = {role.role_id: role for role in roles}
        self.reshaped = False
        self._mobiles = {person.mobile: person for person in self.people.values()}
        self._unionids = {person.unionid: person for person in self.people.values()}
        self._changed: set[str] = set()

    def person(self, userid: str) -> Person | None:
        """The employed person with this userid."""
        return _employed(self.people.get(userid))

    def by_mobile(self, mobile: str) -> Person | None:
        """The employed person with this mobile number."""
        return _employed(self._mobiles.get(mobile))

    def by_unionid(self, unionid: str) -> Person | None:
        """The employed person with this unionid."""
        return _employed(self._unionids.get(unionid))

    def staff(self) -> Iterator[Person]:
        """Everybody who is employed."""
        return (person for person in self.people.values() if person.employed)

    def below(self, dept_id: int) -> Iterator[Department]:
        """The department and everything below it."""
        waiting = [dept_id]
        while waiting:
            department = self.departments[waiting.pop()]
            yield department
            waiting.extend(reversed(department.children))

    def members_below(self, dept_id: int) -> dict[str, Person]:
        """The people of a department and its sub-departments, each once."""
        found: dict[str, Person] = {}
        for department in self.below(dept_id):
            found.update(department.members)
        return found

    def ancestors(self, dept_id: int) -> list[int]:
        """The department, its parent, and so on up to the root."""
        path = [dept_id]
        while path[-1] != ROOT:
            path.append(self.departments[path[-1]].parent_id)
        return path

    def enter(self, person: Person) -> None:
        """Know somebody, by everything people are known by, and seat them."""
        self.reshaped = True
        self.people[person.userid] = person
        self._mobiles[person.mobile] = person
        self._unionids[person.unionid] = person
        self._seat(person)

    def leave(self, person: Person) -> None:
        """Take somebody from their seats, so that they may be changed."""
        self._mobiles.pop(person.mobile, None)
        for dept_id in person.dept_ids:
            self.departments[dept_id].members.pop(person.userid, None)

    def change(self, userid: str, wishes: dict[str, Any]) -> Person:
        """Change what is true of a person.

        Raises:
            MisuseError: There is no such person, property or value.
        """
        person = self.people.get(userid)
        if person is None:
            raise MisuseError("userid", f"nobody has the userid {userid!r}", status=404)
        for name, value in wishes.items():
            if name not in _CHANGES:
                raise MisuseError(name, f"unknown property; known: {', '.join(_CHANGES)}")
            if not isinstance(value, bool):
                raise MisuseError(name, f"must be true or false, got {value!r}")
        for name, value in wishes.items():
            setattr(person, _CHANGES[name], value)
        self._changed.add(userid)
        self._seat(person)
        return person

    def restore(self) -> None:
        """Undo every change: all people are employed, active and visible again."""
        for userid in self._changed:
            person = self.people[userid]
            person.active = person.employed = person.visible = True
            person.protected = person.unreachable = False
            self._seat(person)
        self._changed.clear()

    def _seat(self, person: Person) -> None:
        for dept_id in person.dept_ids:
            members = self.departments[dept_id].members
            if not person.employed:
                members.pop(person.userid, None)
            else:
                members.setdefault(person.userid, person)


def _employed(person: Person | None) -> Person | None:
    return person if person is not None and person.employed else None
