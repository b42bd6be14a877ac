"""An audience as one statement: sets of userids, united, narrowed, and taken from one another.

Whatever was written is a parameter. What stands in the text are columns, and numbers of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dingbell.domain.audience import Audience
from dingbell.store.condition_sql import demand

__all__ = ["Circumstances", "Statement"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which an audience means whom it means.

    Attributes:
        day: the due day; without one nothing has its anniversary.
        departments: of each department that is named in words, its ids.
        roles: of each role that is written, its ids.
        fetched: of each address, the userids it answered with.
    """

    day: date | None = None
    departments: Mapping[str, Collection[int]] = field(default_factory=dict)
    roles: Mapping[str, Collection[int]] = field(default_factory=dict)
    fetched: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Statement:
    """Builds the statement of an audience; `arguments` belong to it."""

    def __init__(self, org: str, circumstances: Circumstances) -> None:
        self.arguments: list[Any] = [org]
        self._around = circumstances
        self._saved: dict[str, str] = {}

    def text(self, audience: Audience, saved: Mapping[str, Audience]) -> str:
        """A relation of userids.

        Args:
            audience: who is meant.
            saved: every saved audience that is reached, what others are built from first.
        """
        parts = []
        for place, (name, one) in enumerate(saved.items()):
            parts.append(f"saved_{place} as ({self._audience(one)})")
            self._saved[name] = f"saved_{place}"
        ahead = f"with {', '.join(parts)} " if parts else ""
        return f"{ahead}{self._audience(audience)}"

    def _bind(self, value: Any, kind: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{kind}"

    def _audience(self, one: Audience) -> str:
        found = self._named(one)
        if one.where is not None:
            demands = " and ".join(
                f"({demand(name, condition, self._around.day, self._bind)})"
                for name, condition in one.where.items()
            )
            whom = f"({found}) n join people p on p.userid = n.userid" if found else "people p"
            active = "" if found else "and p.active"
            found = f"""select p.userid from {whom}
                where p.org = $1 and p.left_at is null {active} and {demands}"""
        if one.except_ is not None:
            found = f"({found}) except ({self._audience(one.except_)})"
        return found

    def _named(self, one: Audience) -> str:
        """Everybody named by any part; empty where only conditions are given."""
        makers: list[tuple[Any, Callable[[Any], str]]] = [
            (one.users, self._users),
            (one.departments, self._departments),
            (one.only_departments, self._only_departments),
            (one.roles, self._roles),
            (one.mobiles, self._mobiles),
            (one.lists, self._lists),
            (one.everyone, self._everyone),
            (one.audience, self._of_saved),
            (one.managers_of, self._managers_of),
            (one.http, self._http),
            (one.any_, self._any),
            (one.all_, self._all),
        ]
        return " union ".join(f"({make(value)})" for value, make in makers if value)

    def _users(self, userids: Sequence[str]) -> str:
        return f"select unnest({self._bind(list(userids), 'text[]')}) as userid"

    def _dept_ids(self, written: Sequence[int | str]) -> str:
        ids = {
            dept_id
            for one in written
            for dept_id in ([one] if isinstance(one, int) else self._around.departments[one])
        }
        return self._bind(sorted(ids), "bigint[]")

    def _departments(self, written: Sequence[int | str]) -> str:
        return f"""
            with recursive tree (dept_id) as (
                select unnest({self._dept_ids(written)})
                union
                select d.dept_id from departments d join tree t on d.parent_id = t.dept_id
                where d.org = $1
            )
            select m.userid from memberships m join tree t on m.dept_id = t.dept_id
            where m.org = $1"""

    def _only_departments(self, written: Sequence[int | str]) -> str:
        ids = self._dept_ids(written)
        return f"select userid from memberships where org = $1 and dept_id = any({ids})"

    def _roles(self, written: Sequence[str]) -> str:
        ids = sorted({role_id for one in written for role_id in self._around.roles[one]})
        bound = self._bind(ids, "bigint[]")
        return f"select userid from role_members where org = $1 and role_id = any({bound})"

    def _mobiles(self, mobiles: Sequence[str]) -> str:
        bound = self._bind(list(mobiles), "text[]")
        return (
            f"select userid from people where org = $1 and mobile = any({bound}) "
            "and left_at is null"
        )

    def _lists(self, names: Sequence[str]) -> str:
        bound = self._bind(list(names), "text[]")
        return f"""
            select r.userid from dataset_rows r join datasets d on d.id = r.dataset_id
            where d.org = $1 and d.name = any({bound}) and r.userid is not null
              and not exists (select from datasets n where n.org = d.org and n.name = d.name
                              and n.version > d.version)"""

    def _everyone(self, _: bool) -> str:
        return "select userid from people where org = $1 and left_at is null and active"

    def _of_saved(self, names: Sequence[str]) -> str:
        return " union ".join(f"select userid from {self._saved[name]}" for name in names)

    def _managers_of(self, people: Audience) -> str:
        return f"""
            select distinct p.attributes ->> 'manager' as userid
            from ({self._audience(people)}) n join people p on p.userid = n.userid
            where p.org = $1 and p.left_at is null and p.attributes ->> 'manager' <> ''"""

    def _http(self, addresses: Sequence[str]) -> str:
        answers = (self._around.fetched[address] for address in addresses)
        return self._users(sorted({userid for answer in answers for userid in answer}))

    def _any(self, several: Sequence[Audience]) -> str:
        return " union ".join(f"({self._audience(one)})" for one in several)

    def _all(self, several: Sequence[Audience]) -> str:
        return " intersect ".join(f"({self._audience(one)})" for one in several)
