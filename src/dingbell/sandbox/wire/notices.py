"""Work notifications (工作通知): send, progress, result, recall, status bar."""

from typing import Any

from dingbell.sandbox.cloud import Answer, Call
from dingbell.sandbox.rules.delivery import deliver
from dingbell.sandbox.rules.tasks import SendCall, Task
from dingbell.sandbox.wire import messages, refusals
from dingbell.sandbox.wire.refusals import RefusalError

PREFIX = "/topapi/message/corpconversation/"
MOST_TRACKED = 100  # getsendresult times out for tasks with more recipients


def send(call: Call) -> Answer:
    """`asyncsend_v2`: accept a notice; whom it reaches is told by the result only."""
    record = SendCall(call.received_at, msg=call.args.raw("msg"))
    call.cloud.post.calls.append(record)
    try:
        return {"task_id": _accept(call, record).task_id}
    except RefusalError as refusal:
        record.errcode = refusal.code
        raise


def _accept(call: Call, record: SendCall) -> Task:
    cloud, args = call.cloud, call.args
    record.userids = args.items("userid_list") or []
    record.dept_ids = _departments(call)
    record.agent_id = agent_id = args.need_integer("agent_id")
    record.msg = msg = args.nested("msg")
    record.to_all = args.boolean("to_all_user")
    args.boolean("enable_id_trans")
    if agent_id != call.app.agent_id:
        raise RefusalError(400002, "agentId 不存在")
    _check_audience(call, record)
    text = messages.canonical(msg)
    media = cloud.media if cloud.limits.strict_media else None
    messages.check(msg, text, lenient_bytes=cloud.limits.lenient_bytes, media=media)
    if messages.has_status_bar(msg):
        _check_status_bar(record)
    if record.to_all:
        _count_to_all(call)
    outcome = deliver(call, record, text)
    return cloud.post.accept(record, agent_id, outcome, cloud.limits)


def _departments(call: Call) -> list[int]:
    ids = call.args.items("dept_id_list") or []
    if not all(item.removeprefix("-").isdecimal() and len(item) < 20 for item in ids):
        raise refusals.invalid("dept_id_list")
    return [int(item) for item in ids]


def _check_audience(call: Call, record: SendCall) -> None:
    limits = call.cloud.limits
    if not record.to_all and not record.userids and not record.dept_ids:
        raise RefusalError(400002, "userid_list, dept_id_list 与 to_all_user 不能同时为空")
    for name in ("userid_list", "dept_id_list"):
        if not record.to_all and call.args.items(name) == []:
            raise RefusalError(400002, f"{name} 不能为空")
    if len(record.userids) > limits.userids_per_call:
        raise RefusalError(40032)
    if len(record.dept_ids) > limits.departments_per_call:
        raise RefusalError(400002, "dept_id_list 超过上限")


def _check_status_bar(record: SendCall) -> None:
    most = messages.MOST_STATUS_BAR_PEOPLE
    if record.to_all or record.dept_ids or len(record.userids) > most:
        raise RefusalError(400002, f"带有 status_bar 的消息最多发送给 {most} 人")


def _count_to_all(call: Call) -> None:
    counts = call.cloud.ledger.day(call.received_at).to_all
    if counts[call.app.agent_id] >= call.cloud.limits.to_all_per_day:
        raise RefusalError(41045)
    counts[call.app.agent_id] += 1


def template(call: Call) -> Answer:
    """`sendbytemplate`: internal apps have no templates."""
    call.args.need_integer("agent_id")
    call.args.need_text("template_id")
    raise RefusalError(885001)


def _task(call: Call, name: str, *, agent: int, task: int, young: float) -> Task:
    """The task a call is about: `agent` and `task` are the codes for what does not fit."""
    if call.args.need_integer("agent_id") != call.app.agent_id:
        raise RefusalError(agent, "agentId 不存在")
    found = call.cloud.post.tasks.get(call.args.need_integer(name))
    if found is None or found.agent_id != call.app.agent_id:
        raise RefusalError(task, "taskId 不存在")
    if call.received_at - found.accepted_at >= young:
        raise RefusalError(task, "taskId 已过期")
    return found


def progress(call: Call) -> Answer:
    """`getsendprogress`: 0 not begun, 1 under way, 2 done."""
    young = call.cloud.limits.progress_window_seconds
    percent = _task(call, "task_id", agent=40035, task=40035, young=young).percent(call.received_at)
    status = 2 if percent == 100 else int(percent > 0)
    return {"progress": {"progress_in_percent": percent, "status": status}}


def result(call: Call) -> Answer:
    """`getsendresult`: everybody in exactly one list, once the task is done."""
    limits = call.cloud.limits
    young = limits.result_window_seconds
    task = _task(call, "task_id", agent=400002, task=400002, young=young)
    if task.outcome.size > MOST_TRACKED:
        raise RefusalError(
            15,
            "调用超时",
            sub_code="isp.remote-service-timeout",
            hold=limits.large_result_hold_seconds,
        )
    lists: dict[str, list[Any]] = {
        "invalid_user_id_list": [],
        "forbidden_list": [],
        "failed_user_id_list": [],
        "read_user_id_list": [],
        "unread_user_id_list": [],
        "invalid_dept_id_list": [],
    }
    if limits.include_forbidden_user_id_list:
        lists["forbidden_user_id_list"] = []
    if task.percent(call.received_at) == 100:
        _fill(lists, call, task)
    return {"send_result": lists}


def _fill(lists: dict[str, list[Any]], call: Call, task: Task) -> None:
    outcome = task.outcome
    lists["invalid_user_id_list"] = outcome.invalid
    lists["invalid_dept_id_list"] = outcome.invalid_depts
    lists["failed_user_id_list"] = outcome.failed
    limits = call.cloud.limits
    thresholds = {
        143103: limits.people_per_minute,
        143104: limits.org_people_per_minute,
        143105: limits.daily_per_person,
        143106: 1,
    }
    lists["forbidden_list"] = [
        {"code": str(code), "count": thresholds.get(code, 0), "userid": userid}
        for userid, code in outcome.dropped.items()
    ]
    if "forbidden_user_id_list" in lists:
        lists["forbidden_user_id_list"] = list(outcome.dropped)
    for person in outcome.delivered:
        read = task.read_at(person, call.received_at) is not None
        lists["read_user_id_list" if read else "unread_user_id_list"].append(person.userid)


def recall(call: Call) -> Answer:
    """`recall`: take a young notice off every phone; doing it twice changes nothing."""
    young = call.cloud.limits.result_window_seconds
    task = _task(call, "msg_task_id", agent=400002, task=400002, young=young)
    if task.recalled_at is None:
        task.recalled_at = call.received_at
    return {}


def update_status_bar(call: Call) -> Answer:
    """`status_bar/update`: change the bar of an oa notice that was sent with one."""
    young = call.cloud.limits.status_bar_window_seconds
    task = _task(call, "task_id", agent=40056, task=40035, young=young)
    value = call.args.need_text("status_value")
    if not messages.has_status_bar(task.msg):
        raise RefusalError(40035, "该消息没有 status_bar")
    if task.percent(call.received_at) < 100:
        raise RefusalError(41052)
    bar = {"status_value": value}
    if background := call.args.text("status_bg"):
        messages.check_status_colour(background)
        bar["status_bg"] = background
    task.status_bar = bar
    return {}


ENDPOINTS = {
    PREFIX + "asyncsend_v2": send,
    PREFIX + "getsendprogress": progress,
    PREFIX + "getsendresult": result,
    PREFIX + "recall": recall,
    PREFIX + "status_bar/update": update_status_bar,
    PREFIX + "sendbytemplate": template,
}
