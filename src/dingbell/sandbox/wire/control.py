"""The control API under `/_sandbox/`: the truth about what happened, and the levers."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dingbell.sandbox.cloud import Cloud
from dingbell.sandbox.company import reshaping
from dingbell.sandbox.company.world import Department, Person
from dingbell.sandbox.rules import faults
from dingbell.sandbox.wire import contacts, envelopes
from dingbell.sandbox.wire.refusals import MisuseError


@dataclass(frozen=True, slots=True)
class Ask:
    """One question or order: the rest of the path, the query, the body."""

    cloud: Cloud
    tail: str
    query: Mapping[str, str]
    body: Any


async def handle(cloud: Cloud, request: web.BaseRequest) -> web.Response:
    """Answer one request to the control API."""
    name, _, tail = request.path.removeprefix("/_sandbox/").partition("/")
    try:
        order = _ORDERS.get((request.method, name))
        if order is None:
            raise MisuseError("path", f"no such order: {request.method} {request.path}", status=404)
        return envelopes.answer(order(Ask(cloud, tail, request.query, await _body(request))))
    except MisuseError as misuse:
        told = {"error": str(misuse), "field": misuse.field}
        return envelopes.answer(told, status=misuse.status)


async def _body(request: web.BaseRequest) -> Any:
    text = await request.read()
    if not text:
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MisuseError("body", f"is not JSON: {error}") from None


def _object(ask: Ask) -> dict[str, Any]:
    if not isinstance(ask.body, dict):
        raise MisuseError("body", "must be a JSON object")
    return ask.body


def _number(ask: Ask, name: str, default: int) -> int:
    given = ask.query.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit()):
        raise MisuseError(name, f"must be a whole number, got {given!r}")
    return int(given)


def _person(ask: Ask, userid: object) -> Person:
    person = ask.cloud.company.people.get(userid) if isinstance(userid, str) else None
    if person is None:
        raise MisuseError("userid", f"nobody has the userid {userid!r}", status=404)
    return person


def _calls(ask: Ask) -> Any:
    return [call.as_json() for call in ask.cloud.post.calls[_number(ask, "since", 0) :]]


def _inbox(ask: Ask) -> Any:
    recalled = ask.query.get("recalled") in ("1", "true")
    now = ask.cloud.clock.now()
    return ask.cloud.post.inbox(_person(ask, ask.tail), now, recalled=recalled)


def _stats(ask: Ask) -> Any:
    cloud = ask.cloud
    return {
        "calls": cloud.calls,
        "errors": cloud.errors,
        "delivered": cloud.post.delivered,
        "dropped": {str(code): count for code, count in cloud.post.dropped.items()},
        "people": sum(1 for _ in cloud.company.staff()),
        "now": cloud.clock.now(),
    }


def _people(ask: Ask) -> Any:
    company = ask.cloud.company
    word = ask.query.get("q", "")
    most = _number(ask, "limit", len(company.people))
    hits = [
        person
        for person in company.people.values()
        if word in person.name or word in person.userid or word in person.mobile
    ]
    return {
        "total": len(hits),
        "people": [_told(ask, person) for person in hits[:most]],
        "departments": [
            {
                "dept_id": department.dept_id,
                "name": department.name,
                "parent_id": department.parent_id,
                "userids": list(department.members),
                "leaders": department.leaders,
            }
            for department in company.departments.values()
        ]
        if "q" not in ask.query
        else [],
    }


def _told(ask: Ask, person: Person) -> dict[str, Any]:
    return {
        **contacts.describe(ask.cloud.company, person),
        "birthday": person.birthday,
        "department": ask.cloud.company.departments[person.dept_ids[0]].name,
        "employed": person.employed,
        "visible": person.visible,
        "executive_protected": person.protected,
        "unreachable": person.unreachable,
        "never_reads": person.reading_share is None,
    }


def _change_person(ask: Ask) -> Any:
    """Change somebody, or let somebody join where nobody is named; apps are told of it."""
    company, wishes = ask.cloud.company, dict(_object(ask))
    if not ask.tail:
        person, events = reshaping.hire(company, wishes)
        return _announced(ask, events, _told(ask, person))
    facts = {name: value for name, value in wishes.items() if name in reshaping.FACTS}
    states = {name: value for name, value in wishes.items() if name not in facts}
    before = company.people.get(ask.tail)
    was = before is not None and before.employed
    person = company.change(ask.tail, states)
    events = reshaping.employment(states, ask.tail, was=was)
    events += reshaping.revise(company, person, facts) if facts else []
    return _announced(ask, events, _told(ask, person))


def _announced(ask: Ask, events: list[reshaping.Event], answer: Any) -> Any:
    for kind, data in events:
        ask.cloud.hub.publish(ask.cloud.apps, kind, data)
    return answer


def _department(ask: Ask) -> Department:
    found = ask.cloud.company.departments.get(int(ask.tail)) if ask.tail.isdecimal() else None
    if found is None:
        raise MisuseError("dept_id", f"there is no department {ask.tail!r}", status=404)
    return found


def _change_department(ask: Ask) -> Any:
    company, wishes = ask.cloud.company, _object(ask)
    if ask.tail:
        department = _department(ask)
        events = reshaping.revise_department(company, department, wishes)
    else:
        department, events = reshaping.open_department(company, wishes)
    told = {
        "dept_id": department.dept_id, "name": department.name, "parent_id": department.parent_id
    }  # fmt: skip
    return _announced(ask, events, told)


def _close_department(ask: Ask) -> Any:
    events = reshaping.close_department(ask.cloud.company, _department(ask))
    return _announced(ask, events, {"closed": int(ask.tail)})


def _roles(ask: Ask) -> Any:
    return [
        {"role_id": r.role_id, "name": r.name, "group": r.group_name, "userids": list(r.userids)}
        for r in ask.cloud.company.roles.values()
    ]


def _change_role(ask: Ask) -> Any:
    role_id = int(ask.tail) if ask.tail.isdecimal() else 0
    events = reshaping.cast(ask.cloud.company, role_id, _object(ask))
    return _announced(ask, events, {"role_id": role_id})


def _stream(ask: Ask) -> Any:
    return ask.cloud.hub.as_json()


def _change_stream(ask: Ask) -> Any:
    ask.cloud.hub.order(_object(ask))
    return _stream(ask)


def _apps(ask: Ask) -> Any:
    return [
        {
            "app_key": app.app_key,
            "app_secret": app.app_secret,
            "agent_id": app.agent_id,
            "corp_id": app.org,
        }
        for app in ask.cloud.apps
    ]


def _limits(ask: Ask) -> Any:
    return ask.cloud.limits.as_json()


def _set_limits(ask: Ask) -> Any:
    ask.cloud.limits = ask.cloud.limits.changed(_object(ask))
    return ask.cloud.limits.as_json()


def _faults(ask: Ask) -> Any:
    return [rule.as_json() for rule in ask.cloud.faults.rules]


def _add_faults(ask: Ask) -> Any:
    ask.cloud.faults.add(faults.parse(ask.body))
    return _faults(ask)


def _clear_faults(ask: Ask) -> Any:
    ask.cloud.faults.clear()
    return []


def _revoke(ask: Ask) -> Any:
    return {"revoked": ask.cloud.tokens.revoke()}


def _reset(ask: Ask) -> Any:
    ask.cloud.reset()
    return {"ok": True}


def _mint(ask: Ask) -> Any:
    person = _person(ask, _object(ask).get("userid"))
    return {"code": ask.cloud.login_codes.mint(person.userid, ask.cloud.clock.now())}


def _advance(ask: Ask) -> Any:
    seconds = _object(ask).get("advance")
    real = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not real or not math.isfinite(seconds) or seconds < 0:  # type: ignore[arg-type,operator]
        raise MisuseError("advance", f"must be seconds, zero or more, got {seconds!r}")
    return {"now": ask.cloud.clock.advance(seconds)}  # type: ignore[arg-type]


_ORDERS: dict[tuple[str, str], Callable[[Ask], Any]] = {
    ("GET", "calls"): _calls,
    ("GET", "inbox"): _inbox,
    ("GET", "stats"): _stats,
    ("GET", "people"): _people,
    ("POST", "people"): _change_person,
    ("POST", "departments"): _change_department,
    ("DELETE", "departments"): _close_department,
    ("GET", "roles"): _roles,
    ("POST", "roles"): _change_role,
    ("GET", "stream"): _stream,
    ("POST", "stream"): _change_stream,
    ("GET", "apps"): _apps,
    ("GET", "limits"): _limits,
    ("POST", "limits"): _set_limits,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "revoke-tokens"): _revoke,
    ("POST", "reset"): _reset,
    ("POST", "codes"): _mint,
    ("POST", "clock"): _advance,
}
