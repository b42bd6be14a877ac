"""Founding the company: the same number of people and the same seed give the same company."""

import math
import random
from itertools import islice

from dingbell.sandbox.company import names
from dingbell.sandbox.company.world import ROOT, Company, Department, Person, Role

WELL_KNOWN = ("manager4220", "manager7675")
MOST_DEPARTMENTS = 60
NEVER_READS = 0.1
_TEAMS = 20
_ROLE_BASE = 1_507_113_500
_PREFIXES = ("138", "139", "150", "158", "176", "186", "188", "199")
_UNIONID_LETTERS = "iSnWkPzqLt"
_HIRED_FROM, _HIRED_DAYS = 15_706, 4_700  # 2013-01-01 and the years after it
_BORN_FROM, _BORN_DAYS = 1_826, 10_957  # 1975 to 2004
_COPRIME = 7_368_787  # shares no factor with a power of ten: multiples never collide


def found(people: int, seed: int, count: int | None = None) -> Company:
    """Make a company of `people` persons, in `count` departments below the root."""
    dice = random.Random(f"company:{people}:{seed}")  # noqa: S311 - it must repeat
    departments = _departments(count or department_count(people), dice)
    staff = _staff(people, [d.dept_id for d in departments[1:]], dice)
    _seat(staff, departments)
    _appoint(staff, {department.dept_id: department for department in departments})
    company = Company(staff, departments, _roles())
    _cast(company)
    return company


def department_count(people: int) -> int:
    """How many departments lie below the root; grows slowly, for clients walk them all."""
    return max(2, min(MOST_DEPARTMENTS, round(12 * math.pow(people / 300, 0.38))))


def _departments(count: int, dice: random.Random) -> list[Department]:
    first_id = 400_000_000 + dice.randrange(10_000_000)
    tops = min(count, max(2, round(count * 0.45)), len(names.DEPARTMENTS))
    planned = [(name, ROOT) for name, _ in names.DEPARTMENTS[:tops]]
    ids = {name: first_id + number * 1_117 for number, (name, _) in enumerate(planned)}
    rows = zip(*(_padded(groups) for _, groups in names.DEPARTMENTS[:tops]), strict=True)
    groups = (
        (group, ids[names.DEPARTMENTS[top][0]])
        for row in rows
        for top, group in enumerate(row)
        if group
    )
    planned.extend(islice(groups, count - tops))
    departments = [Department(ROOT, names.COMPANY, 0, 0)]
    departments.extend(
        Department(first_id + number * 1_117, name, parent, number + 1)
        for number, (name, parent) in enumerate(planned)
    )
    for number in range(len(planned), count):
        # More than there are names for: teams below what there is, some twenty below each.
        parent = departments[1 + (number - len(planned)) // _TEAMS].dept_id
        departments.append(
            Department(first_id + number * 1_117, f"第{number}班组", parent, number + 1)
        )
    known = {department.dept_id: department for department in departments}
    for department in departments[1:]:
        known[department.parent_id].children.append(department.dept_id)
    return departments


def _padded(groups: tuple[str, ...]) -> tuple[str, ...]:
    return (groups + ("",) * 6)[:6]


def _staff(count: int, dept_ids: list[int], dice: random.Random) -> list[Person]:
    weights = [0.4 + dice.random() for _ in dept_ids]
    homes = dept_ids[:count] + dice.choices(dept_ids, weights, k=max(0, count - len(dept_ids)))
    offset = dice.randrange(10**9)
    return [_person(number, homes[number], dept_ids, offset, dice) for number in range(count)]


def _person(
    number: int, home: int, dept_ids: list[int], offset: int, dice: random.Random
) -> Person:
    roll = dice.random
    mark = (number * _COPRIME + offset) % 10**10
    seats: tuple[int, ...] = (home,)
    if roll() < 0.04:
        second = dept_ids[int(roll() * len(dept_ids))]
        seats = (home,) if second == home else (home, second)
    return Person(
        userid=WELL_KNOWN[number] if number < len(WELL_KNOWN) else f"0{mark:010d}{number:07d}",
        name=_name(dice),
        mobile=_PREFIXES[number % len(_PREFIXES)] + f"{(number * _COPRIME + offset) % 10**8:08d}",
        unionid="".join(_UNIONID_LETTERS[int(d)] for d in f"{mark:010d}") + f"{number:x}iE",
        job_number=f"DB{number + 1:06d}",
        title=names.TITLES[int(roll() * len(names.TITLES))],
        hired_on=_HIRED_FROM + int(roll() * _HIRED_DAYS),
        born_on=_BORN_FROM + int(roll() * _BORN_DAYS),
        dept_ids=seats,
        reading_share=_reading_share(roll(), roll()),
    )


def _name(dice: random.Random) -> str:
    roll = dice.random
    surname = names.SURNAMES[int(roll() * len(names.SURNAMES))]
    given = names.GIVEN[int(roll() * len(names.GIVEN))]
    if roll() < 0.7:
        given += names.GIVEN[int(roll() * len(names.GIVEN))]
    return surname + given


def _reading_share(reads: float, delay: float) -> float | None:
    if reads < NEVER_READS:
        return None
    return -math.log2(1.0 - delay)  # exponential, median one


def _seat(staff: list[Person], departments: list[Department]) -> None:
    known = {department.dept_id: department for department in departments}
    for person in staff:
        for dept_id in person.dept_ids:
            known[dept_id].members[person.userid] = person


def _appoint(staff: list[Person], departments: dict[int, Department]) -> None:
    for department in departments.values():
        department.leaders.extend(islice(department.members, 1))
    boss = staff[0] if staff else None
    for person in staff:
        home = departments[person.dept_ids[0]]
        if person.userid in home.leaders:
            person.title = f"{home.name}负责人"
            home = departments[home.parent_id]
        if person is not boss and boss is not None:
            person.manager_userid = home.leaders[0] if home.leaders else boss.userid


def _roles() -> list[Role]:
    roles: list[Role] = []
    for number, (group_name, role_names) in enumerate(names.ROLE_GROUPS):
        group_id = _ROLE_BASE + number * 100
        roles.extend(
            Role(group_id + 1 + index, name, group_id, group_name)
            for index, name in enumerate(role_names)
        )
    return roles


def _cast(company: Company) -> None:
    players = {
        "负责人": dict.fromkeys(
            userid for department in company.departments.values() for userid in department.leaders
        ),
        "主管理员": dict.fromkeys(WELL_KNOWN[:1]),
        "子管理员": dict.fromkeys(WELL_KNOWN[1:]),
    }
    tops = {d.name: d.dept_id for d in company.departments.values() if d.parent_id == ROOT}
    for role in company.roles.values():
        cast = players.get(role.name)
        if cast is None:
            home = tops.get(names.ROLE_HOMES[role.name])
            cast = dict.fromkeys(company.members_below(home) if home else ())
        role.userids = dict.fromkeys(userid for userid in cast if userid in company.people)
