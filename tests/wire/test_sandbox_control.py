"""The sandbox's control API, its scripted faults, its company and its page."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dingbell import sandbox as face
from dingbell.sandbox import MisuseError, Sandbox, serve

SEND = "/topapi/message/corpconversation/asyncsend_v2"
LIST_SUB = "/topapi/v2/department/listsub"


class Onlooker:
    """Somebody outside who scripts the sandbox and then asks it for the truth."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.token = ""

    async def raw(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        async with self.session.request(method, self.sandbox.url + path, **options) as answer:
            return answer.status, await answer.text()

    async def order(self, path: str, body: Any = None, method: str = "") -> Any:
        chosen = method or ("GET" if body is None else "POST")
        status, told = await self.raw(chosen, "/_sandbox/" + path, json=body)
        assert status == 200, told
        return json.loads(told)

    async def misuse(self, path: str, body: Any) -> tuple[int, str]:
        status, told = await self.raw("POST", "/_sandbox/" + path, json=body)
        return status, json.loads(told)["field"]

    async def sign_in(self) -> None:
        given = {"appkey": self.sandbox.app_key, "appsecret": self.sandbox.app_secret}
        _, told = await self.raw("GET", "/gettoken", params=given)
        self.token = json.loads(told)["access_token"]

    async def send(self, userids: str, content: str = "你好") -> tuple[int, str]:
        body = {
            "agent_id": self.sandbox.agent_id,
            "userid_list": userids,
            "msg": {"msgtype": "text", "text": {"content": content}},
        }
        return await self.raw("POST", SEND, params={"access_token": self.token}, json=body)

    async def tasks(self) -> int:
        return sum(call["accepted"] for call in await self.order("calls"))


@pytest.fixture
async def onlooker() -> AsyncIterator[Onlooker]:
    async with Sandbox(people=30, seed=7) as sandbox, aiohttp.ClientSession() as session:
        outside = Onlooker(sandbox, session)
        await outside.sign_in()
        yield outside


# --- the contract -------------------------------------------------------------------------------


async def test_the_control_api_speaks_its_contract(onlooker: Onlooker) -> None:
    before = time.time()
    await onlooker.send("manager4220,nobody")
    (call,) = await onlooker.order("calls")
    assert {
        "task_id": call["task_id"],
        "agent_id": onlooker.sandbox.agent_id,
        "userids": ["manager4220", "nobody"],
        "dept_ids": [],
        "to_all": False,
        "msg": {"msgtype": "text", "text": {"content": "你好"}},
        "accepted": True,
        "delivered": ["manager4220"],
        "dropped": {},
        "invalid": ["nobody"],
    }.items() <= call.items()
    assert before <= call["received_at"] <= time.time()
    (notice,) = await onlooker.order("inbox/manager4220")
    assert {"task_id", "agent_id", "msg", "delivered_at", "read_at"} <= set(notice)
    stats = await onlooker.order("stats")
    assert stats["calls"] == {"/gettoken": 1, SEND: 1}
    assert (stats["delivered"], stats["people"]) == (1, 30)
    assert (stats["errors"], stats["dropped"]) == ({}, {})


async def test_calls_can_be_asked_from_a_number_on(onlooker: Onlooker) -> None:
    for number in range(3):
        await onlooker.send("manager4220", str(number))
    later = await onlooker.order("calls?since=2")
    assert [call["msg"]["text"]["content"] for call in later] == ["2"]


async def test_reset_forgets_everything_but_the_company_and_the_tokens(onlooker: Onlooker) -> None:
    await onlooker.order("limits", {"people_per_minute": 1})
    await onlooker.order("faults", {"path": "/nowhere", "ban": True})
    await onlooker.order("people/manager4220", {"employed": False})
    await onlooker.send("manager7675")
    await onlooker.order("reset", {})
    assert await onlooker.order("calls") == []
    assert await onlooker.order("faults") == []
    assert await onlooker.order("inbox/manager7675") == []
    assert (await onlooker.order("limits"))["people_per_minute"] == 5_000
    await onlooker.send("manager7675,manager4220")
    (call,) = await onlooker.order("calls")
    assert call["delivered"] == ["manager7675", "manager4220"]


async def test_people_per_minute_sets_the_organisation_as_well(onlooker: Onlooker) -> None:
    limits = await onlooker.order("limits", {"people_per_minute": 7})
    assert (limits["people_per_minute"], limits["org_people_per_minute"]) == (7, 7)
    limits = await onlooker.order("limits", {"people_per_minute": 8, "org_people_per_minute": 9})
    assert (limits["people_per_minute"], limits["org_people_per_minute"]) == (8, 9)
    assert limits["monthly_calls"] is None


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("limits", {"nonsense": 1}, 400, "nonsense"),
        ("limits", {"people_per_minute": -1}, 400, "people_per_minute"),
        ("limits", {"people_per_minute": 1.5}, 400, "people_per_minute"),
        ("limits", {"completion_seconds": "1"}, 400, "completion_seconds"),
        ("limits", {"lenient_bytes": 1}, 400, "lenient_bytes"),
        ("limits", [1], 400, "body"),
        ("faults", {"times": 1}, 400, "path"),
        ("faults", {"path": "/x"}, 400, "rule"),
        ("faults", {"path": "/x", "reset": "during"}, 400, "reset"),
        ("faults", {"path": "/x", "bann": True}, 400, "bann"),
        ("faults", {"path": "/x", "bomb": 0}, 400, "bomb"),
        ("faults", {"path": "/x", "bomb": 1, "packing": "br"}, 400, "packing"),
        ("faults", {"path": "/x", "replace": {}}, 400, "replace"),
        ("faults", {"path": "/x", "body": 5}, 400, "body"),
        ("faults", [{"path": "/x", "ban": True}, 5], 400, "rule"),
        ("faults", {"path": "/x", "probability": 2, "ban": True}, 400, "probability"),
        ("people/nobody", {"active": False}, 404, "userid"),
        ("people/manager4220", {"height": False}, 400, "height"),
        ("codes", {"userid": "nobody"}, 404, "userid"),
        ("clock", {"advance": -1}, 400, "advance"),
        ("nothing", {}, 404, "path"),
    ],
)
async def test_misuse_of_the_control_api_names_the_field(
    onlooker: Onlooker, path: str, body: Any, status: int, field: str
) -> None:
    assert await onlooker.misuse(path, body) == (status, field)
    assert await onlooker.order("faults") == []


async def test_broken_json_is_misuse_too(onlooker: Onlooker) -> None:
    status, told = await onlooker.raw("POST", "/_sandbox/limits", data=b"{")
    assert (status, json.loads(told)["field"]) == (400, "body")


async def test_a_changed_person_is_told_apart_in_the_result(onlooker: Onlooker) -> None:
    people = [person["userid"] for person in (await onlooker.order("people"))["people"]][:5]
    changes = ("active", "employed", "visible")
    for userid, name in zip(people, changes, strict=False):
        await onlooker.order(f"people/{userid}", {name: False})
    await onlooker.order(f"people/{people[3]}", {"executive_protected": True})
    await onlooker.order(f"people/{people[4]}", {"unreachable": True})
    await onlooker.send(",".join(people))
    (call,) = await onlooker.order("calls")
    assert call["invalid"] == people[:3]
    assert call["dropped"] == {people[3]: 1430004}
    assert call["failed"] == [people[4]]
    assert (await onlooker.order("stats"))["people"] == 29


# --- faults -------------------------------------------------------------------------------------


async def test_a_reset_before_leaves_no_task_and_a_reset_after_leaves_one(
    onlooker: Onlooker,
) -> None:
    for side, tasks in (("before", 0), ("after", 1)):
        await onlooker.order("faults", {"path": SEND, "times": 1, "reset": side})
        with pytest.raises(aiohttp.ClientConnectionError):
            await onlooker.send("manager4220")
        assert await onlooker.tasks() == tasks
    assert json.loads((await onlooker.send("manager7675"))[1])["errcode"] == 0


async def test_a_truncated_answer_is_no_json_but_the_task_is_made(onlooker: Onlooker) -> None:
    await onlooker.order("faults", {"path": SEND, "times": 1, "truncate": True})
    status, told = await onlooker.send("manager4220")
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(told)
    assert await onlooker.tasks() == 1


async def test_http_errors_come_before_processing_unless_told_otherwise(onlooker: Onlooker) -> None:
    await onlooker.order(
        "faults",
        [
            {"path": SEND, "times": 1, "http_status": 502},
            {"path": SEND, "times": 1, "http_status": 504, "when": "after"},
        ],
    )
    answers = [await onlooker.send("manager4220") for _ in range(2)]
    assert [status for status, _ in answers] == [502, 504]
    assert "<html>" in answers[0][1]
    assert await onlooker.tasks() == 1


async def test_error_codes_come_in_the_envelope_of_their_family(onlooker: Onlooker) -> None:
    async def struck(path: str, code: int, **options: Any) -> tuple[int, dict[str, Any]]:
        await onlooker.order("faults", {"path": path, "times": 1, "errcode": code})
        status, told = await onlooker.raw("POST", path, **options)
        return status, json.loads(told)

    for code in (40014, 90018, 60011):
        _, told = await struck(SEND, code)
        assert (told["errcode"], told["sub_code"]) == (88, str(code))
    _, told = await struck(LIST_SUB, 90002)
    pattern = r"dingtalk\.oapi\.v2\.department\.listsub\).*限制将在 \d{4}-\d\d-\d\d \S{8} 结束"
    assert re.search(pattern, told["sub_msg"])
    assert (await struck(SEND, -1))[1]["errcode"] == -1
    assert (await struck(SEND, 15))[1]["sub_code"] == "isp.-1"
    assert (await struck("/gettoken", 90002))[1]["errcode"] == 90002
    status, told = await struck("/v1.0/oauth2/accessToken", 90018)
    assert (status, told["code"]) == (403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi")
    assert await onlooker.order("calls") == []
    assert (await onlooker.order("stats"))["errors"]["60011"] == 1


async def test_a_ban_alternates_between_a_page_and_json(onlooker: Onlooker) -> None:
    await onlooker.order("faults", {"path": "*", "ban": True})
    bodies = [(await onlooker.send("manager4220"))[1] for _ in range(2)]
    assert "<html>" in bodies[0]
    assert json.loads(bodies[1])["status"] == 1111
    await onlooker.order("faults", method="DELETE")
    assert json.loads((await onlooker.send("manager4220"))[1])["errcode"] == 0


async def test_a_delay_alone_answers_late_but_works_at_once(onlooker: Onlooker) -> None:
    await onlooker.order("faults", {"path": SEND, "times": 1, "delay": 0.3})
    sending = asyncio.create_task(onlooker.send("manager4220"))
    deadline = time.monotonic() + 0.25
    while not await onlooker.tasks():
        assert time.monotonic() < deadline
    assert not sending.done()
    assert json.loads((await sending)[1])["errcode"] == 0


async def test_a_delay_joins_the_fault_that_comes_after_it(onlooker: Onlooker) -> None:
    rules = [{"path": "*", "delay": 0.05}, {"path": SEND, "errcode": -1}]
    await onlooker.order("faults", rules)
    started = time.monotonic()
    assert json.loads((await onlooker.send("manager4220"))[1])["errcode"] == -1
    assert time.monotonic() - started >= 0.05
    assert [rule["fired"] for rule in await onlooker.order("faults")] == [1, 1]


async def test_rules_skip_run_out_and_match_prefixes(onlooker: Onlooker) -> None:
    rule = {"path": "/topapi/message/*", "times": 2, "skip": 1, "errcode": -1}
    await onlooker.order("faults", rule)
    codes = [
        json.loads((await onlooker.send("manager4220", str(n)))[1])["errcode"] for n in range(4)
    ]
    assert codes == [0, -1, -1, 0]


async def test_chance_repeats_with_the_seed() -> None:
    runs = []
    for _ in range(2):
        rule = {"path": "/gettoken", "probability": 0.5, "errcode": -1}
        async with (
            Sandbox(people=3, seed=5, faults=rule) as sandbox,
            aiohttp.ClientSession() as session,
        ):
            onlooker = Onlooker(sandbox, session)
            answers = [await onlooker.raw("GET", "/gettoken") for _ in range(30)]
            runs.append([json.loads(told)["errcode"] for _, told in answers])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {-1, 40035}


async def test_revoked_tokens_are_invalid_while_still_cached(onlooker: Onlooker) -> None:
    old = onlooker.token
    assert (await onlooker.order("revoke-tokens", {}))["revoked"] == 1
    assert json.loads((await onlooker.send("manager4220"))[1])["sub_code"] == "40014"
    await onlooker.sign_in()
    assert onlooker.token != old
    assert json.loads((await onlooker.send("manager4220"))[1])["errcode"] == 0


# --- the company and the face -------------------------------------------------------------------


async def test_the_same_seed_gives_the_same_company_and_credentials() -> None:
    told = []
    for seed in (1, 1, 2):
        async with Sandbox(people=50, seed=seed) as sandbox, aiohttp.ClientSession() as session:
            people = await Onlooker(sandbox, session).order("people")
            told.append((people, sandbox.apps))
    assert told[0] == told[1]
    assert told[0][0] != told[2][0]
    assert told[0][1] != told[2][1]


@pytest.mark.parametrize("count", [0, 1, 2, 300])
async def test_a_company_of_any_size_hangs_together(count: int) -> None:
    async with Sandbox(people=count) as sandbox, aiohttp.ClientSession() as session:
        told = await Onlooker(sandbox, session).order("people")
    people, departments = told["people"], told["departments"]
    assert len({person["mobile"] for person in people}) == count
    assert len({person["unionid"] for person in people}) == count
    assert [p["userid"] for p in people[:2]] == ["manager4220", "manager7675"][:count]
    assert {u for d in departments for u in d["userids"]} == {p["userid"] for p in people}
    first = next(d for d in departments if d["parent_id"] == 1)
    assert bool(first["userids"]) == bool(count)
    known = {person["userid"] for person in people}
    assert all(person.get("manager_userid", "manager4220") in known for person in people)


def test_env_points_at_the_sandbox() -> None:
    sandbox = Sandbox(people=1)
    assert set(sandbox.env()) == {
        "DINGBELL_OAPI_URL",
        "DINGBELL_API_URL",
        "DINGBELL_APP_KEY",
        "DINGBELL_APP_SECRET",
        "DINGBELL_AGENT_ID",
    }
    assert sandbox.agent_id > 2**31


def test_importing_the_sandbox_does_not_load_the_server() -> None:
    code = "import sys, dingbell.sandbox; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = face.nonsense


async def test_a_port_in_use_is_an_os_error() -> None:
    async with Sandbox(people=1) as first:
        with pytest.raises(OSError, match="in use"):
            async with Sandbox(people=1, port=first.port):
                pass


async def test_serving_ends_with_a_signal(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    faults = tmp_path / "faults.json"
    faults.write_text('[{"path": "/gettoken", "errcode": -1}]')
    script.write_text(
        "import asyncio, pathlib\n"
        "from dingbell.sandbox import serve\n"
        f"file = pathlib.Path({str(faults)!r})\n"
        "say = lambda s: print(s.url, flush=True)\n"
        "asyncio.run(serve(port=0, people=3, faults_file=file, announce=say))\n"
    )
    running = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    url = (await running.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as session, session.get(url + "/gettoken") as answer:
        assert json.loads(await answer.text())["errcode"] == -1
    running.terminate()
    assert await running.wait() == 0


async def test_a_faults_file_that_is_not_json_is_misuse(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text("{")
    with pytest.raises(MisuseError, match=r"faults\.json: is not JSON"):
        await serve(people=1, faults_file=file, announce=print)


# --- the page -----------------------------------------------------------------------------------


async def test_the_page_may_run_and_load_nothing_but_its_own_lines(onlooker: Onlooker) -> None:
    for path in ("/", "/_sandbox", "/_sandbox/"):
        async with onlooker.session.get(onlooker.sandbox.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            page = await answer.text()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
        assert nonce is not None
        assert page.count(f'nonce="{nonce[1]}"') == 2
    sinks = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://")
    assert [sink for sink in sinks if sink in page] == []


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
async def test_hostile_messages_are_shown_as_text(onlooker: Onlooker, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=\"document.title='pwned'\">[x](javascript:alert(1))"
    await onlooker.send("manager4220", hostile)
    body = {
        "agent_id": onlooker.sandbox.agent_id,
        "userid_list": "manager4220",
        "msg": {"msgtype": "markdown", "markdown": {"title": "t", "text": "# " + hostile}},
    }
    await onlooker.raw("POST", SEND, params={"access_token": onlooker.token}, json=body)
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000"]
    browser = await asyncio.create_subprocess_exec(
        "chromium",
        *arguments,
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        onlooker.sandbox.url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    shown, _ = await browser.communicate()
    page = shown.decode()
    assert page.count("&lt;img src=x") == 2
    assert "<img" not in page
    assert "<title>pwned" not in page
    assert 'href="javascript' not in page
