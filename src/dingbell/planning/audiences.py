"""Audiences: from what was written to userids; what cannot be found is told, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from dingbell.domain.audience import Audience, Place
from dingbell.domain.sources import SourceTrouble
from dingbell.errors import InputError, NotFoundError, Text
from dingbell.planning.sources import SourceFailed
from dingbell.store import audience_members, datasets, rules
from dingbell.store.audience_members import Found, Named
from dingbell.store.audience_sql import Circumstances
from dingbell.store.connection import Connection
from dingbell.store.directory import last_sync

__all__ = [
    "DENY_IS_FIXED",
    "Expanded",
    "UnresolvedError",
    "check",
    "check_deny",
    "demand_directory",
    "department_ids",
    "expand",
    "find",
    "plain",
]

_MOST_SAVED = 200
DENY_IS_FIXED = Text(
    "the deny-list takes no http and no anniversary: it is asked for just before each call",
    "拒发名单不能使用 http 或 anniversary: 每次调用之前都要查询它",
)
_MOST_CANDIDATES = 5
# How what is named in words is told of; ids that are unknown are told apart.
_KINDS = {
    "departments": Text("department", "部门"),
    "only_departments": Text("department", "部门"),
    "roles": Text("role", "角色"),
}


class UnresolvedError(InputError):
    """An audience names what the directory does not have, or has several of.

    Attributes:
        place: where in the audience that stands.
    """

    def __init__(self, message: Text, place: Place) -> None:
        self.place = place
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Expanded:
    """An audience and every saved one it reaches, what others are built from first."""

    audience: Audience
    saved: Mapping[str, Audience]

    def addresses(self) -> set[str]:
        """Every source that has to be asked."""
        return {address for _, one in self.all() for address in one.addresses()}

    def depends_on_day(self) -> bool:
        """Whether it means others on other days."""
        return any(one.depends_on_day() for _, one in self.all())

    def all(self) -> Iterator[tuple[str | None, Audience]]:
        """The audience, and the saved ones with their names."""
        yield None, self.audience
        yield from self.saved.items()


async def expand(connection: Connection, audience: Audience) -> Expanded:
    """Read the saved audiences that one reaches.

    Raises:
        NotFoundError: one of them does not exist.
        InputError: one of them contains itself, or they are too many.
    """
    found: dict[str, Audience] = {}
    ahead = audience.saved()
    while ahead:
        read = await audience_members.saved(connection, sorted(ahead))
        if missing := sorted(ahead - read.keys()):
            raise NotFoundError(
                Text("there is no saved audience {name!r}", "没有名为 {name!r} 的受众").format(
                    name=missing[0]
                )
            )
        found |= read
        if len(found) > _MOST_SAVED:
            raise InputError(
                Text("reaches more than {most} saved audiences", "引用的受众超过 {most} 个").format(
                    most=_MOST_SAVED
                )
            )
        ahead = {name for one in read.values() for name in one.saved()} - found.keys()
    return Expanded(audience, _in_order(found))


def _in_order(saved: Mapping[str, Audience]) -> dict[str, Audience]:
    """What others are built from first.

    Raises:
        InputError: one contains itself.
    """
    done: dict[str, Audience] = {}
    while len(done) < len(saved):
        ready = [
            name for name, one in saved.items() if name not in done and one.saved() <= done.keys()
        ]
        if not ready:
            raise InputError(
                Text(
                    "the saved audience {chain} contains itself", "受众 {chain} 包含了它自己"
                ).format(chain=" → ".join(_circle(saved, done)))
            )
        done |= {name: saved[name] for name in sorted(ready)}
    return done


def _circle(saved: Mapping[str, Audience], done: Mapping[str, Audience]) -> list[str]:
    """A way from an audience to itself, among those that cannot be put in order."""
    way = [min(saved.keys() - done.keys())]
    while True:
        following = min(saved[way[-1]].saved() - done.keys())
        if following in way:
            return [*way[way.index(following) :], following]
        way.append(following)


def plain(audience: Audience) -> list[str]:
    """Whom an audience of userids alone names."""
    left_out = set(audience.except_.users) if audience.except_ else set()
    return sorted(set(audience.users) - left_out)


async def demand_directory(connection: Connection, org: str) -> None:
    """See that the directory of an org has been read.

    Raises:
        InputError: it never was.
    """
    if await last_sync(connection, org) is None:
        raise InputError(
            Text(
                "the directory of org {org} has not been read yet: run `dingbell directory sync`",
                "组织 {org} 的通讯录尚未同步: 请运行 `dingbell directory sync`",
            ).format(org=org)
        )


async def find(
    connection: Connection,
    org: str,
    audience: Audience | Expanded,
    *,
    day: date | None,
    fetched: Mapping[str, Sequence[str]],
) -> Found:
    """Whom an audience means, by the directory as it is known.

    Args:
        connection: any.
        org: whose directory.
        audience: who is meant; expanded already or not.
        day: the due day; without one nothing has its anniversary.
        fetched: what the sources have answered.

    Raises:
        NotFoundError: a saved audience or a list does not exist.
        UnresolvedError: a name or path means no department or role, or several.
        SourceFailed: a source has not been asked.
    """
    whole = await expand(connection, audience) if isinstance(audience, Audience) else audience
    departments, roles = await _looked_up(connection, org, whole)
    for address in sorted(whole.addresses() - fetched.keys()):
        raise SourceFailed(address, SourceTrouble.NOT_ASKED)
    around = Circumstances(day, departments, roles, fetched)
    return await audience_members.found(connection, org, whole.audience, whole.saved, around)


async def check_deny(connection: Connection) -> None:
    """See that the deny-list means the same on every day, and without asking anybody.

    It is asked for at every claim, where nothing may be waited for.

    Raises:
        InputError: it asks a source, or has an anniversary in it.
    """
    deny = await rules.deny(connection)
    if deny is None:
        return
    with suppress(NotFoundError):
        whole = await expand(connection, deny)
        if whole.addresses() or whole.depends_on_day():
            raise InputError(DENY_IS_FIXED)


async def department_ids(connection: Connection, org: str, audience: Audience) -> list[int]:
    """The departments that an audience names itself, each once.

    Raises:
        UnresolvedError: a name or path means none, or several.
    """
    known, _ = await _looked_up(connection, org, Expanded(audience, {}))
    ids = [
        dept_id
        for one in audience.departments
        for dept_id in ([one] if isinstance(one, int) else known[one])
    ]
    return list(dict.fromkeys(ids))


async def check(connection: Connection, org: str, audience: Audience) -> Expanded:
    """See that everything an audience names exists, and only once.

    Raises:
        NotFoundError: a saved audience or a list does not exist.
        UnresolvedError: the directory does not have a department, role or mobile number, or has
            several of a name.
    """
    whole = await expand(connection, audience)
    await _looked_up(connection, org, whole)
    await _check_ids(connection, org, whole)
    return whole


_Ids = dict[str, list[int]]


async def _looked_up(connection: Connection, org: str, whole: Expanded) -> tuple[_Ids, _Ids]:
    """What names, paths and roles stand for; a role's id that is unknown is nobody's."""
    if lists := sorted({name for _, one in whole.all() for name in one.listed()}):
        await datasets.demand(connection, org, lists)
    named = [
        one
        for kind in ("departments", "only_departments")
        for one in _written(whole, kind)
        if isinstance(one.text, str)
    ]
    roles = _written(whole, "roles")
    departments: dict[str, list[Named]] = {}
    if named:
        departments = await audience_members.departments_named(
            connection, org, sorted({str(one.text) for one in named})
        )
    known_roles: dict[str, list[Named]] = {}
    if roles:
        known_roles = await audience_members.roles_named(
            connection, org, sorted({str(one.text) for one in roles})
        )
    for one in named:
        one.check(departments.get(str(one.text), []))
    for one in roles:
        if not str(one.text).isdecimal():
            one.check(known_roles.get(str(one.text), []))
    return (
        {word: [one.id for one in found] for word, found in departments.items()},
        {str(one.text): [r.id for r in known_roles.get(str(one.text), [])] for one in roles},
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """One department, role or number where it was written; `saved` is in which saved audience."""

    text: int | str
    kind: str
    saved: str | None
    place: Place

    def check(self, found: Sequence[Named]) -> None:
        """See that it means one thing.

        Raises:
            UnresolvedError: it means nothing, or several.
        """
        if not found:
            raise self.unknown()
        if len(found) > 1:
            listed = ", ".join(f"{one.words} ({one.id})" for one in found[:_MOST_CANDIDATES])
            raise self._error(
                Text(
                    "there are {count} {kind}s {text!r}: {listed}. Write the id, or more of the "
                    "path",
                    "有 {count} 个{kind} {text!r}: {listed}。请写 id, 或更完整的路径",
                ).format(
                    count=len(found), kind=_KINDS[self.kind], text=str(self.text), listed=listed
                )
            )

    def unknown(self) -> UnresolvedError:
        """It is not in the directory."""
        return self._error(
            Text(
                "the directory does not have {kind}: {text}. If they are new, run "
                "`dingbell directory sync`",
                "通讯录中没有 {kind}: {text}。如为新增, 请运行 `dingbell directory sync`",
            ).format(kind=self.kind, text=self.text)
        )

    def _error(self, said: Text) -> UnresolvedError:
        if self.saved is not None:
            said = Text(
                "{said} (in the saved audience {name!r})", "{said} (在受众 {name!r} 中)"
            ).format(said=said, name=self.saved)
        return UnresolvedError(said, self.place)


def _written(whole: Expanded, kind: str) -> list[_Written]:
    """Everything of a kind, with its place; that of a saved audience is where it is named."""
    return [
        _Written(text, kind, saved, (*place, kind, number) if saved is None else ("audience",))
        for saved, audience in whole.all()
        for place, one in audience.walk()
        for number, text in enumerate(getattr(one, kind))
    ]


async def _check_ids(connection: Connection, org: str, whole: Expanded) -> None:
    ids = [
        one
        for kind in ("departments", "only_departments")
        for one in _written(whole, kind)
        if isinstance(one.text, int)
    ]
    mobiles = _written(whole, "mobiles")
    departments, numbers = await audience_members.unknown(
        connection,
        org,
        departments=[int(one.text) for one in ids],
        mobiles=[str(one.text) for one in mobiles],
    )
    roles = [one for one in _written(whole, "roles") if str(one.text).isdecimal()]
    known = await audience_members.roles_named(connection, org, [str(one.text) for one in roles])
    for one in [
        *(one for one in ids if one.text in departments),
        *(one for one in mobiles if one.text in numbers),
        *(one for one in roles if str(one.text) not in known),
    ]:
        raise one.unknown()
