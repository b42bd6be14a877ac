"""Searching people and departments by name (`/v1.0/contact/.../search`)."""

from collections.abc import Iterable

from dingbell.sandbox.cloud import Answer, Call
from dingbell.sandbox.wire.refusals import ApiRefusalError, RefusalError

MOST = 100


def find(call: Call, what: str) -> Answer:
    """The ids of `users` or `departments` whose name contains the word (or equals it)."""
    try:
        word = call.args.need_text("queryWord")
        offset, size = call.args.need_integer("offset"), call.args.need_integer("size")
        whole = call.args.integer("fullMatchField") == 1
    except RefusalError as refusal:
        raise ApiRefusalError(400, "parameter.error", refusal.text) from None
    if offset < 0 or not 0 < size <= MOST:
        raise ApiRefusalError(400, "parameter.error", "offset 或 size 不合法")
    hits = [key for key, name in _names(call, what) if (name == word if whole else word in name)]
    return {
        "hasMore": offset + size < len(hits),
        "totalCount": len(hits),
        "list": hits[offset : offset + size],
    }


def _names(call: Call, what: str) -> Iterable[tuple[str | int, str]]:
    company = call.cloud.company
    if what == "users":
        return ((person.userid, person.name) for person in company.staff())
    return ((d.dept_id, d.name) for d in company.departments.values())
