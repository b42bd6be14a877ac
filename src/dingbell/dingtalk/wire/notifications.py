"""Work notifications (工作通知): send, progress, result, recall, status bar. No I/O.

All are POSTs on the old API and need an agent id. [D0769]-[D0773], read 2026-11-23.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dingbell.dingtalk import limits
from dingbell.dingtalk.errors import CallError
from dingbell.dingtalk.results import Forbidden, Progress, SendResult, Sent
from dingbell.dingtalk.wire import fields
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.request import Call, post

__all__ = ["SEND", "progress", "recall", "result", "send", "update_status_bar"]

_ROOT: Final = "/topapi/message/corpconversation"
SEND: Final = f"{_ROOT}/asyncsend_v2"


def send(
    agent_id: int,
    body: bytes,
    *,
    userids: Sequence[str] = (),
    dept_ids: Sequence[int] = (),
    to_all: bool = False,
    enable_id_trans: bool = False,
) -> Call[Sent]:
    """Send a message; its bytes go out as they are, inside the JSON of the request.

    Raises:
        CallError: a documented limit of the call is broken.
    """
    _check_recipients(userids, dept_ids, to_all=to_all)
    _check_body(body)
    if _has_status_bar(body):
        _check_status_bar(userids, dept_ids, to_all=to_all)
    arguments: dict[str, Any] = {"agent_id": agent_id}
    if userids:
        arguments["userid_list"] = ",".join(userids)
    if dept_ids:
        arguments["dept_id_list"] = ",".join(str(dept_id) for dept_id in dept_ids)
    arguments["to_all_user"] = to_all
    if enable_id_trans:
        arguments["enable_id_trans"] = True
    opened = json.dumps(arguments, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
    return Call("POST", SEND, _read_sent, body=opened + b',"msg":' + body + b"}")


def _check_recipients(userids: Sequence[str], dept_ids: Sequence[int], *, to_all: bool) -> None:
    for field, ids in (("userids", userids), ("dept_ids", dept_ids)):
        if isinstance(ids, str | bytes):
            raise CallError(field, f"{field} must be a list", f"{field} 必须是列表")
        if any("," in str(one) or not str(one).strip() for one in ids):
            raise CallError(
                field,
                f"{field} has an id that is empty or contains a comma",
                f"{field} 中有空的 id 或含逗号的 id",
            )
    _check_count("userids", len(userids), limits.USERIDS_PER_CALL)
    _check_count("dept_ids", len(dept_ids), limits.DEPARTMENTS_PER_CALL)
    if not (userids or dept_ids or to_all):
        raise CallError(
            "userids",
            "nobody to send to: give userids, dept_ids or to_all",
            "没有接收人: 请给出 userids、dept_ids 或 to_all",
            limit=1,
            found=0,
        )


def _check_count(field: str, found: int, limit: int) -> None:
    if found > limit:
        raise CallError(
            field,
            f"{field} has {found} ids, one call takes at most {limit}",
            f"{field} 有 {found} 个 id, 一次调用最多 {limit} 个",
            limit=limit,
            found=found,
        )


def _check_body(body: bytes) -> None:
    if not (body.startswith(b"{") and body.endswith(b"}")):
        raise CallError(
            "body",
            "body must be the bytes of the message's JSON object",
            "body 必须是消息 JSON 对象的字节",
        )


def _has_status_bar(body: bytes) -> bool:
    """Whether it is an OA message with a status bar; the bytes are only looked at."""
    if b'"status_bar"' not in body:
        return False
    try:
        message = json.loads(body)
    except ValueError:
        raise CallError("body", "body is not valid JSON", "body 不是有效的 JSON") from None
    return "status_bar" in fields.mapping(message.get("oa"))


def _check_status_bar(userids: Sequence[str], dept_ids: Sequence[int], *, to_all: bool) -> None:
    """Demand people only, five at most [D0775]."""
    limit = limits.STATUS_BAR_USERIDS
    if dept_ids or to_all or len(userids) > limit:
        raise CallError(
            "userids",
            f"a message with a status bar goes to at most {limit} userids,"
            f" not to {len(userids)}, to departments or to everyone",
            f"带状态栏的消息最多发给 {limit} 个 userid (现为 {len(userids)} 个),"
            " 不能发给部门或全员",
            limit=limit,
            found=len(userids),
        )


def _read_sent(answer: Answer) -> Sent:
    content = answer.content()
    task_id = fields.integer(content.get("task_id"))
    if task_id is None:
        answer.unreadable("there is no task_id")
    return Sent(task_id, fields.line(content.get("request_id")), answer.server_time)


def progress(agent_id: int, task_id: int) -> Call[Progress]:
    """How far a send is; answered for 7 days (one page says 24 h)."""
    return post(f"{_ROOT}/getsendprogress", _task(agent_id, task_id), _read_progress)


def _task(agent_id: int, task_id: int) -> dict[str, int]:
    return {"agent_id": agent_id, "task_id": task_id}


def _read_progress(answer: Answer) -> Progress:
    found = fields.mapping(answer.content().get("progress"))
    status = fields.integer(found.get("status"))
    if status is None:
        answer.unreadable("there is no progress.status")
    return Progress(fields.integer(found.get("progress_in_percent")) or 0, status)


def result(agent_id: int, task_id: int) -> Call[SendResult]:
    """Who got it; for sends to at most 100 people, within 24 h."""
    return post(f"{_ROOT}/getsendresult", _task(agent_id, task_id), _read_result)


def _read_result(answer: Answer) -> SendResult:
    content = answer.content().get("send_result")
    if not isinstance(content, dict):
        answer.unreadable("there is no send_result")
    return SendResult(
        invalid_userids=fields.identifiers(content.get("invalid_user_id_list")),
        invalid_dept_ids=fields.integers(content.get("invalid_dept_id_list")),
        forbidden=_forbidden(content),
        failed=fields.identifiers(content.get("failed_user_id_list")),
        read=fields.identifiers(content.get("read_user_id_list")),
        unread=fields.identifiers(content.get("unread_user_id_list")),
    )


def _forbidden(content: Mapping[str, Any]) -> tuple[Forbidden, ...]:
    """The dropped, with their codes; those of the plain list that have none come last."""
    coded = [
        Forbidden(userid, fields.line(row.get("code")) or "", fields.integer(row.get("count")) or 0)
        for row in fields.rows(content.get("forbidden_list"))
        if (userid := fields.identifier(row.get("userid")))
    ]
    known = {one.userid for one in coded}
    plain = fields.identifiers(content.get("forbidden_user_id_list"))
    return (*coded, *(Forbidden(userid) for userid in plain if userid not in known))


def recall(agent_id: int, task_id: int) -> Call[None]:
    """Take a whole send back, within 24 h; the parameter is called `msg_task_id` here only."""
    arguments = {"agent_id": agent_id, "msg_task_id": task_id}
    return post(f"{_ROOT}/recall", arguments, _read_nothing)


def update_status_bar(
    agent_id: int, task_id: int, value: str, background: str | None = None
) -> Call[None]:
    """Change the status of an OA message; the background is 0xAARRGGBB."""
    arguments = {**_task(agent_id, task_id), "status_value": value, "status_bg": background}
    return post(f"{_ROOT}/status_bar/update", arguments, _read_nothing)


def _read_nothing(answer: Answer) -> None:
    answer.content()
