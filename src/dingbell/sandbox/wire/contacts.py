"""The directory's people: one person, members of departments, counts."""

import json
from typing import Any

from dingbell.sandbox.cloud import Answer, Call
from dingbell.sandbox.company.world import ROOT, Company, Department, Person
from dingbell.sandbox.wire import paging
from dingbell.sandbox.wire.refusals import RefusalError, missing


def department_of(call: Call, name: str = "dept_id") -> Department:
    """The department a call names."""
    found = call.cloud.company.departments.get(call.args.need_integer(name))
    if found is None:
        raise RefusalError(60003)
    return found


def describe(company: Company, person: Person) -> dict[str, Any]:
    """Everything the directory tells about a person."""
    told = {
        "userid": person.userid,
        "unionid": person.unionid,
        "name": person.name,
        "avatar": "",
        "state_code": "86",
        "mobile": person.mobile,
        "hide_mobile": False,
        "telephone": "",
        "job_number": person.job_number,
        "title": person.title,
        "exclusive_account": False,
        "dept_id_list": list(person.dept_ids),
        "dept_order_list": [
            {"dept_id": dept_id, "order": 176_000_000_000_000 + order}
            for order, dept_id in enumerate(person.dept_ids)
        ],
        "extension": json.dumps({"生日": person.birthday}, ensure_ascii=False),
        "hired_date": person.hired_date,
        "active": person.active,
        "real_authed": True,
        "senior": person.protected,
        "admin": _level(company, person) > 0,
        "boss": _level(company, person) == 1,
        "leader_in_dept": [
            {"dept_id": dept_id, "leader": _leads(company, person, dept_id)}
            for dept_id in person.dept_ids
        ],
        "role_list": [
            {"id": role.role_id, "name": role.name, "group_name": role.group_name}
            for role in company.roles.values()
            if person.userid in role.userids
        ],
    }
    if person.manager_userid is not None:
        told["manager_userid"] = person.manager_userid
    return told


def _leads(company: Company, person: Person, dept_id: int) -> bool:
    return person.userid in company.departments[dept_id].leaders


def _level(company: Company, person: Person) -> int:
    """1 for the main administrator, 2 for a sub-administrator, 0 for everybody else."""
    levels = {"主管理员": 1, "子管理员": 2}
    found = (
        levels[role.name]
        for role in company.roles.values()
        if role.name in levels and person.userid in role.userids
    )
    return next(found, 0)


def _person(call: Call) -> Person:
    person = call.cloud.company.person(call.args.need_text("userid"))
    if person is None:
        raise RefusalError(60121)
    return person


def get(call: Call) -> Answer:
    """`v2/user/get`."""
    return {"result": describe(call.cloud.company, _person(call))}


def get_by_mobile(call: Call) -> Answer:
    """`v2/user/getbymobile`: current staff only."""
    mobile = call.args.need_text("mobile").removeprefix("+86-")
    if not mobile.isdecimal() or len(mobile) < 5:
        raise RefusalError(40104)
    person = call.cloud.company.by_mobile(mobile)
    if person is None:
        raise RefusalError(60121)
    return {"result": {"userid": person.userid}}


def get_by_unionid(call: Call) -> Answer:
    """`user/getbyunionid`."""
    person = call.cloud.company.by_unionid(call.args.need_text("unionid"))
    if person is None:
        raise RefusalError(60121)
    return {"result": {"contact_type": 0, "userid": person.userid}}


def get_user_info(call: Call) -> Answer:
    """`v2/user/getuserinfo`: who signed in inside DingTalk (免登); a code works once."""
    sign_in = call.cloud.login_codes.spend(call.args.need_text("code"), call.received_at)
    person = call.cloud.company.person(sign_in.userid) if sign_in else None
    if person is None:
        raise RefusalError(40078)
    level = _level(call.cloud.company, person)
    told = {
        "userid": person.userid,
        "unionid": person.unionid,
        "associated_unionid": person.unionid,
        "device_id": f"sandbox-{person.job_number}",
        "name": person.name,
        "sys": level > 0,
        "sys_level": level,
    }
    return {"result": told}


def list_ids(call: Call) -> Answer:
    """`user/listid`: all direct members at once."""
    return {"result": {"userid_list": list(department_of(call).members)}}


def list_simple(call: Call) -> Answer:
    """`user/listsimple`: direct members, by cursor."""
    people, following = paging.by_cursor(call.args, list(department_of(call).members.values()))
    rows = [{"userid": person.userid, "name": person.name} for person in people]
    return {"result": _cursor_page(rows, following)}


def list_full(call: Call) -> Answer:
    """`v2/user/list`: direct members in full, by cursor."""
    department = department_of(call)
    people, following = paging.by_cursor(call.args, list(department.members.values()))
    company = call.cloud.company
    rows = [
        {
            **describe(company, person),
            "dept_order": 176_000_000_000_000,
            "leader": person.userid in department.leaders,
        }
        for person in people
    ]
    return {"result": _cursor_page(rows, following)}


def _cursor_page(rows: list[dict[str, Any]], following: int | None) -> dict[str, Any]:
    page: dict[str, Any] = {"has_more": following is not None, "list": rows}
    if following is not None:
        page["next_cursor"] = following
    return page


def count(call: Call) -> Answer:
    """`user/count`."""
    if call.args.raw("only_active") is None:
        raise missing("only_active")
    only_active = call.args.boolean("only_active")
    staff = call.cloud.company.staff()
    return {"result": {"count": sum(1 for p in staff if p.active or not only_active)}}


def list_admins(call: Call) -> Answer:
    """`user/listadmin`."""
    company = call.cloud.company
    levels = {"主管理员": 1, "子管理员": 2}
    rows = [
        {"userid": userid, "sys_level": levels[role.name]}
        for role in company.roles.values()
        if role.name in levels
        for userid in role.userids
    ]
    return {"result": rows}


def scopes(call: Call) -> Answer:
    """`GET /auth/scopes`: the app may see the whole company."""
    return {
        "auth_user_field": ["name", "mobile", "email", "userid", "unionid"],
        "condition_field": [],
        "auth_org_scopes": {"authed_user": [], "authed_dept": [ROOT]},
    }


ENDPOINTS = {
    "/topapi/v2/user/get": get,
    "/topapi/v2/user/getuserinfo": get_user_info,
    "/topapi/v2/user/getbymobile": get_by_mobile,
    "/topapi/user/getbyunionid": get_by_unionid,
    "/topapi/user/listid": list_ids,
    "/topapi/user/listsimple": list_simple,
    "/topapi/v2/user/list": list_full,
    "/topapi/user/count": count,
    "/topapi/user/listadmin": list_admins,
}
