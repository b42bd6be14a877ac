"""The directory's departments and roles."""

from typing import Any

from dingbell.sandbox.cloud import Answer, Call
from dingbell.sandbox.company.world import ROOT, Department, Role
from dingbell.sandbox.wire import paging
from dingbell.sandbox.wire.contacts import department_of
from dingbell.sandbox.wire.refusals import RefusalError


def list_sub(call: Call) -> Answer:
    """`v2/department/listsub`: one level below a department, below the root if none is given."""
    company = call.cloud.company
    named = call.args.integer("dept_id") is not None
    parent = department_of(call) if named else company.departments[ROOT]
    children = (company.departments[dept_id] for dept_id in parent.children)
    return {"result": [_brief(department) for department in children]}


def _brief(department: Department) -> dict[str, Any]:
    return {
        "dept_id": department.dept_id,
        "name": department.name,
        "parent_id": department.parent_id,
        "create_dept_group": True,
        "auto_add_user": True,
    }


def list_sub_ids(call: Call) -> Answer:
    """`v2/department/listsubid`."""
    return {"result": {"dept_id_list": list(department_of(call).children)}}


def get(call: Call) -> Answer:
    """`v2/department/get`; `member_count` includes sub-departments."""
    department = department_of(call)
    told = _brief(department) | {
        "order": department.order,
        "member_count": len(call.cloud.company.members_below(department.dept_id)),
        "owning_member_count": len(department.members),
        "dept_manager_userid_list": list(department.leaders),
        "hide_dept": False,
        "outer_dept": False,
    }
    if department.dept_id == ROOT:
        del told["parent_id"]
    return {"result": told}


def list_parents(call: Call) -> Answer:
    """`v2/department/listparentbydept`: the department itself first, the root last."""
    path = call.cloud.company.ancestors(department_of(call).dept_id)
    return {"result": {"parent_id_list": path}}


def list_parents_of_person(call: Call) -> Answer:
    """`v2/department/listparentbyuser`: one path for each of the person's departments."""
    company = call.cloud.company
    person = company.person(call.args.need_text("userid"))
    if person is None:
        raise RefusalError(33012)
    paths = [{"parent_dept_id_list": company.ancestors(dept_id)} for dept_id in person.dept_ids]
    return {"result": {"parent_list": paths}}


def _groups(call: Call) -> dict[int, list[Role]]:
    groups: dict[int, list[Role]] = {}
    for role in call.cloud.company.roles.values():
        groups.setdefault(role.group_id, []).append(role)
    return groups


def list_roles(call: Call) -> Answer:
    """`role/list`: role groups with their roles."""
    page, following = paging.by_offset(call.args, list(_groups(call).values()), 200)
    rows = [
        {
            "groupId": roles[0].group_id,
            "name": roles[0].group_name,
            "roles": [{"id": role.role_id, "name": role.name} for role in roles],
        }
        for roles in page
    ]
    return {"result": {"hasMore": following is not None, "list": rows}}


def _role(call: Call, name: str) -> Role:
    role = call.cloud.company.roles.get(call.args.need_integer(name))
    if role is None:
        raise RefusalError(33011)
    return role


def list_players(call: Call) -> Answer:
    """`role/simplelist`: who plays a role."""
    role = _role(call, "role_id")
    people = [p for u in role.userids if (p := call.cloud.company.person(u)) is not None]
    page, following = paging.by_offset(call.args, people, 100)
    rows = [{"userid": person.userid, "name": person.name} for person in page]
    result: dict[str, Any] = {"hasMore": following is not None, "list": rows}
    if following is not None:
        result["nextCursor"] = following
    return {"result": result}


def get_role(call: Call) -> Answer:
    """`role/getrole`: answers with a top-level `role`."""
    role = _role(call, "roleId")
    return {"role": {"name": role.name, "groupId": role.group_id}}


def get_role_group(call: Call) -> Answer:
    """`role/getrolegroup`: answers with a top-level `role_group`."""
    roles = _groups(call).get(call.args.need_integer("group_id"))
    if roles is None:
        raise RefusalError(400002, "角色组不存在")
    told = [{"role_id": role.role_id, "role_name": role.name} for role in roles]
    return {"role_group": {"group_name": roles[0].group_name, "roles": told}}


ENDPOINTS = {
    "/topapi/v2/department/listsub": list_sub,
    "/topapi/v2/department/listsubid": list_sub_ids,
    "/topapi/v2/department/get": get,
    "/topapi/v2/department/listparentbydept": list_parents,
    "/topapi/v2/department/listparentbyuser": list_parents_of_person,
    "/topapi/role/list": list_roles,
    "/topapi/role/simplelist": list_players,
    "/topapi/role/getrole": get_role,
    "/topapi/role/getrolegroup": get_role_group,
}
