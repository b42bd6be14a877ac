"""Reshaping the company: people come and change, departments open and close, roles are given.

Every change returns the events DingTalk would tell of it: (type, data).
"""

from typing import Any

from dingbell.sandbox.company.world import ROOT, Company, Department, Person
from dingbell.sandbox.wire.refusals import MisuseError

Event = tuple[str, dict[str, Any]]

_TEXTS = ("name", "mobile", "title", "job_number")
FACTS = (*_TEXTS, "dept_ids", "manager_userid", "hired_on")
_MOST = 200


def hire(company: Company, wishes: dict[str, Any]) -> tuple[Person, list[Event]]:
    """Let somebody join; what is not said is made up.

    Raises:
        MisuseError: A property is unknown, or has no value that fits.
    """
    number = len(company.people) + 1
    userid = wishes.pop("userid", None) or f"new{number:07d}"
    if not isinstance(userid, str) or userid in company.people:
        raise MisuseError("userid", f"somebody has the userid {userid!r}")
    _check(company, wishes)
    person = Person(
        userid=userid,
        name=wishes.get("name", "新人"),
        mobile=wishes.get("mobile", f"166{number:08d}"),
        unionid=f"new{number}iE",
        job_number=wishes.get("job_number", f"DB{number:06d}"),
        title=wishes.get("title", "专员"),
        hired_on=wishes.get("hired_on", 20_000),
        born_on=10_000,
        dept_ids=tuple(wishes.get("dept_ids", (ROOT,))),
        reading_share=1.0,
        manager_userid=wishes.get("manager_userid"),
    )
    company.enter(person)
    return person, [("user_add_org", {"userId": [userid]})]


def revise(company: Company, person: Person, wishes: dict[str, Any]) -> list[Event]:
    """Change what is known of somebody.

    Raises:
        MisuseError: A property is unknown, or has no value that fits.
    """
    _check(company, wishes)
    before = {name: getattr(person, name) for name in wishes}
    company.leave(person)
    for name, value in wishes.items():
        setattr(person, name, tuple(value) if name == "dept_ids" else value)
    company.enter(person)
    told = {"userid": person.userid, "prev": _plain(before), "curr": _plain(wishes)}
    return [("user_modify_org", {"userId": [person.userid], "diffInfo": [told]})]


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in facts.items()}


def _check(company: Company, wishes: dict[str, Any]) -> None:
    for name, value in wishes.items():
        if name not in FACTS:
            raise MisuseError(name, f"unknown property; known: {', '.join(FACTS)}")
        if name in _TEXTS and not (isinstance(value, str) and 0 < len(value) <= _MOST):
            raise MisuseError(name, f"must be text, got {value!r}")
        if name == "manager_userid" and value is not None and value not in company.people:
            raise MisuseError(name, f"nobody has the userid {value!r}")
        if name == "hired_on" and (not isinstance(value, int) or isinstance(value, bool)):
            raise MisuseError(name, f"must be days since 1970-01-01, got {value!r}")
    for dept_id in _dept_ids(wishes):
        if dept_id not in company.departments:
            raise MisuseError("dept_ids", f"there is no department {dept_id!r}")


def _dept_ids(wishes: dict[str, Any]) -> list[int]:
    found = wishes.get("dept_ids", [ROOT])
    if not isinstance(found, list | tuple) or not found:
        raise MisuseError("dept_ids", f"must be a list of ids, got {found!r}")
    return list(found)


def employment(wishes: dict[str, Any], userid: str, *, was: bool) -> list[Event]:
    """The events of somebody who leaves, comes back, or becomes reachable."""
    told = {"userId": [userid]}
    events: list[Event] = []
    employed = wishes.get("employed")
    if employed is not None and employed != was:
        events.append(("user_add_org" if employed else "user_leave_org", told))
    if wishes.get("active"):
        events.append(("user_active_org", told))
    return events


def open_department(company: Company, wishes: dict[str, Any]) -> tuple[Department, list[Event]]:
    """Open a department below another, below the root if none is named.

    Raises:
        MisuseError: There is no such department above, or the name is none.
    """
    name, parent_id = _name(wishes), wishes.get("parent_id", ROOT)
    if parent_id not in company.departments:
        raise MisuseError("parent_id", f"there is no department {parent_id!r}")
    dept_id = max(company.departments) + 1
    department = Department(dept_id, name, parent_id, len(company.departments))
    company.departments[dept_id] = department
    company.departments[parent_id].children.append(dept_id)
    company.reshaped = True
    return department, [("org_dept_create", {"deptId": [dept_id]})]


def revise_department(
    company: Company, department: Department, wishes: dict[str, Any]
) -> list[Event]:
    """Rename a department, or put it below another.

    Raises:
        MisuseError: It cannot lie there, or the name is none.
    """
    parent_id = wishes.get("parent_id", department.parent_id)
    if parent_id != department.parent_id:
        if parent_id not in company.departments or department.dept_id in company.ancestors(
            parent_id
        ):
            raise MisuseError("parent_id", f"it cannot lie below {parent_id!r}")
        company.departments[department.parent_id].children.remove(department.dept_id)
        company.departments[parent_id].children.append(department.dept_id)
        department.parent_id = parent_id
    if "name" in wishes:
        department.name = _name(wishes)
    company.reshaped = True
    return [("org_dept_modify", {"deptId": [department.dept_id]})]


def close_department(company: Company, department: Department) -> list[Event]:
    """Close a department that is empty.

    Raises:
        MisuseError: Somebody or something is in it.
    """
    if department.members or department.children or department.dept_id == ROOT:
        raise MisuseError("dept_id", "it is not empty")
    company.departments[department.parent_id].children.remove(department.dept_id)
    del company.departments[department.dept_id]
    company.reshaped = True
    return [("org_dept_remove", {"deptId": [department.dept_id]})]


def _name(wishes: dict[str, Any]) -> str:
    name = wishes.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _MOST:
        raise MisuseError("name", f"must be text, got {name!r}")
    return name


def cast(company: Company, role_id: int, wishes: dict[str, Any]) -> list[Event]:
    """Give a role to people, take it from others, or rename it.

    Raises:
        MisuseError: There is no such role or person.
    """
    role = company.roles.get(role_id)
    if role is None:
        raise MisuseError("role_id", f"there is no role {role_id!r}", status=404)
    added, removed = wishes.get("add", []), wishes.get("remove", [])
    for userid in (*added, *removed):
        if userid not in company.people:
            raise MisuseError("userid", f"nobody has the userid {userid!r}")
    company.reshaped = True
    role.userids.update(dict.fromkeys(added))
    for userid in removed:
        role.userids.pop(userid, None)
    events: list[Event] = [
        ("label_user_change", {"userIdList": people, "action": action, "labelIdList": [role_id]})
        for action, people in (("add", added), ("remove", removed))
        if people
    ]
    if "name" in wishes:
        role.name = _name(wishes)
        events.append(("label_conf_modify", {"labelIdList": [role_id]}))
    return events
