"""`dingbell.yaml`: what the documents show is read, and every problem is told at once."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from pydantic_core.core_schema import ErrorType

from dingbell.config.document import ProblemsError
from dingbell.config.schema import Config, load
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.operations.apps import AppSpec
from dingbell.validation import told

Loader = Callable[[str], Config]
SECRET = "s3cret-value"

WHOLE = """\
timezone: Asia/Tokyo
orgs:
  default: {people_per_minute: 3000}
apps:
  hr: {agent_id: 781348000, app_key: ${HR_APP_KEY}, app_secret: ${HR_APP_SECRET}}
audiences:
  hangzhou: {departments: [2], except: {users: [manager7675]}}
schedules:
  off-work:
    when: {daily: "16:00"}
    to: {users: [manager4220]}
    message: {text: "Hello! 下午好!下班奥里给666!"}
  payslip:
    app: hr
    timezone: UTC
    when: {cron: "0 10 5 * *"}
    to: {audience: hangzhou}
    message: {markdown: {title: "工资条", text: "**{{ person.name }}**, {{ due|date }}"}}
    misfire: {grace: 2h, catch_up: latest}
"""


@pytest.fixture
def loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    monkeypatch.setenv("HR_APP_KEY", "key")
    monkeypatch.setenv("HR_APP_SECRET", SECRET)

    def loading(text: str) -> Config:
        file = tmp_path / "dingbell.yaml"
        file.write_text(text)
        return load(file)

    return loading


def problems(loading: Loader, text: str) -> list[str]:
    """The lines of the error, without the name of the file."""
    with pytest.raises(ProblemsError) as caught:
        loading(text)
    assert SECRET not in str(caught.value) + caught.value.in_chinese()
    return [line.partition("dingbell.yaml:")[2] for line in str(caught.value).splitlines()]


def test_the_documented_file_is_read(loading: Loader) -> None:
    config = loading(WHOLE)

    app = config.apps["hr"]
    assert (app.agent_id, app.app_key, app.org) == (781348000, "key", "default")
    assert app.app_secret.get_secret_value() == SECRET
    assert config.orgs["default"].people_per_minute == 3_000
    assert config.audiences["hangzhou"] == Audience.model_validate(
        {"departments": [2], "except": {"users": ["manager7675"]}}
    )
    assert config.schedules["off-work"].message == Message({"text": "Hello! 下午好!下班奥里给666!"})
    assert config.schedules["payslip"].misfire.grace == timedelta(hours=2)


def test_no_secret_is_ever_shown(loading: Loader) -> None:
    config = loading(WHOLE)

    assert SECRET not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"
    app = AppSpec.model_validate({"agent_id": 1, "app_key": "k", "app_secret": SECRET})
    assert SECRET not in f"{app!r} {app}"


def test_the_zone_of_the_file_is_that_of_schedules_without_their_own(loading: Loader) -> None:
    schedules = loading(WHOLE).schedules

    assert schedules["off-work"].timezone == "Asia/Tokyo"
    assert schedules["payslip"].timezone == "UTC"


@pytest.mark.parametrize("text", ["", "apps:\naudiences:\n", "schedules: {}\n"])
def test_an_empty_file_or_section_is_no_problem(loading: Loader, text: str) -> None:
    assert loading(text) == Config()


SCHEDULE = "    to: {users: a}\n    message: hi\n"
SCHEDULES = "schedules:\n  x:\n    when: {daily: '16:00'}\n" + SCHEDULE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timezone: Mars\n", "1:1: timezone: unknown time zone 'Mars': use an IANA name"),
        ("timezone: 8\n", "1:1: timezone: must be text (in quotes)"),
        ("colour: red\n", "1:1: colour: is not known here"),
        ("apps: [a]\n", "1:1: apps: must be a mapping"),
        ("apps: {hr: x}\n", "1:8: apps.hr: must be a mapping"),
        ("orgs:\n  a b: {}\n", "2:3: orgs.a b: is no name: use letters, digits"),
        ("orgs: {x: {people_per_minute: 1.5}}\n", "must be a whole number"),
        ("orgs: {x: {people_per_minute: many}}\n", "must be a whole number"),
        ("orgs: {x: {people_per_minute: .inf}}\n", "x.people_per_minute: must be a finite number"),
        ("orgs: {x: {people_per_minute: 0}}\n", "must be at least 1"),
        ("audiences: {x: {}}\n", "1:13: audiences.x: the audience names nobody"),
        ("audiences: {x: {users: [true]}}\n", "audiences.x.users.0: must be text (in quotes)"),
        ("audiences: {x: {users: ['']}}\n", "audiences.x.users.0: must not be empty"),
        ("audiences: {x: {departments: [/]}}\n", "audiences.x.departments.0: is no department"),
        ("audiences: {x: {where: {title: {}}}}\n", "audiences.x.where.title: says no condition"),
        (
            "audiences: {x: {where: {hired_on: {gte: soon}}}}\n",
            "audiences.x.where.hired_on.gte: compare with a number or a date",
        ),
        (
            "audiences: {x: {where: {hired_on: {anniversary: 3}}}}\n",
            "audiences.x.where.hired_on.anniversary: must be true",
        ),
        ("audiences: {x: {http: ftp://a}}\n", "audiences.x.http.0: must be an http or https"),
        (
            f"audiences: {{x: {'{any: [' * 17}{{users: a}}{']}' * 17}}}\n",
            "is nested too deeply",
        ),
        (
            "audiences: {x: {all: [{managers_of: {audience: x}}]}}\n",
            "audiences.x: the audience contains itself",
        ),
        (
            "audiences: {x: {where: {a: {anniversary: true}}}}\ndeny: {any: [{audience: x}]}\n",
            "deny: the deny-list takes no http and no anniversary",
        ),
        ("audiences: {x: {everyone: 3}}\n", "audiences.x.everyone: must be true or false"),
        (
            f"audiences: {{x: {{users: [{'a' * 65}]}}}}\n",
            "audiences.x.users.0: has at most 64 characters",
        ),
        (
            "schedules:\n  x:\n    when: {daily: '25:00'}\n" + SCHEDULE,
            "3:5: schedules.x.when: '25:00' is not a time of day",
        ),
        (
            "schedules:\n  x:\n    when: {cron: '* * * * * * *'}\n" + SCHEDULE,
            "3:5: schedules.x.when: cron expression '* * * * * * *' has 7 fields",
        ),
        (
            "schedules:\n  x:\n    when: daily\n" + SCHEDULE,
            "3:5: schedules.x.when: must be a mapping",
        ),
        ("schedules:\n  x:\n" + SCHEDULE, "2:3: schedules.x.when: is missing"),
        (
            "schedules:\n  x:\n    when: {daily: '9:00'}\n    overlap: no\n" + SCHEDULE,
            "4:5: schedules.x.overlap: must be 'skip', 'queue' or 'allow'",
        ),
        (
            "schedules:\n  x:\n    when: {daily: '9:00'}\n    prepare_ahead: 2d\n" + SCHEDULE,
            "4:5: schedules.x.prepare_ahead: must be at most 1d",
        ),
        (
            "schedules:\n  x:\n    when: {daily: '9:00'}\n    to: {users: a}\n",
            "2:3: schedules.x: write a message",
        ),
        (
            "schedules: {x: {when: {daily: '9:00'}, to: {users: a}, message: " + "字" * 700 + "}}",
            "1:56: schedules.x.message: the message has ",
        ),
    ],
)
def test_a_problem_is_told_in_plain_words_with_its_place(
    loading: Loader, text: str, said: str
) -> None:
    (line,) = problems(loading, text)

    assert said in line
    assert "Value error" not in line


def test_all_problems_are_told_at_once_in_the_order_of_the_file(loading: Loader) -> None:
    text = """\
timezone: Mars
apps:
  hr: {agent_id: x, app_key: "", app_secret: ${HR_APP_SECRET}}
audiences:
  one: {audience: two}
  two: {audience: [one, three]}
schedules:
  a:
    app: sales
    when: {daily: "25:00"}
    to: {}
    message: {text: ""}
  b:
    app: sales
    when: {daily: "16:00"}
    to: {audience: four}
    message: hi
"""

    told = [line.split(": ", 2) for line in problems(loading, text)]

    assert [(place, path) for place, path, _ in told] == [
        ("1:1", "timezone"),
        ("3:8", "apps.hr.agent_id"),
        ("3:21", "apps.hr.app_key"),
        ("5:3", "audiences.one"),
        ("6:3", "audiences.two"),
        ("6:3", "audiences.two"),
        ("10:5", "schedules.a.when"),
        ("11:5", "schedules.a.to"),
        ("12:5", "schedules.a.message"),
        ("14:5", "schedules.b.app"),
        ("16:5", "schedules.b.to"),
    ]
    said = [message for _, _, message in told]
    assert "the audience contains itself" in said
    assert "there is no audience 'three'" in said
    assert "there is no audience 'four'" in said
    assert "there is no app 'sales'" in said


def test_what_refers_to_a_broken_entry_is_not_blamed(loading: Loader) -> None:
    text = """\
apps: {hr: {agent_id: 1}}
audiences: {x: {}}
schedules:
  a: {app: hr, when: {daily: "16:00"}, to: {audience: x}, message: hi}
"""

    assert [line.split(": ")[1] for line in problems(loading, text)] == [
        "apps.hr.app_key",
        "apps.hr.app_secret",
        "audiences.x",
    ]


def test_without_apps_in_the_file_one_of_the_environment_may_be_meant(loading: Loader) -> None:
    text = "schedules:\n  a: {app: default, when: {daily: '9:00'}, to: {users: u}, message: hi}\n"

    assert loading(text).schedules["a"].app == "default"


def test_audiences_may_share_others_but_not_contain_themselves(loading: Loader) -> None:
    loading(
        "audiences:\n  a: {users: u}\n  b: {audience: a}\n  c: {audience: [a, b]}\n"
        "  d: {users: u, except: {audience: [b, c]}}\n"
    )

    (told,) = problems(loading, "audiences:\n  a: {users: u, except: {audience: a}}\n")
    assert told == "2:3: audiences.a: the audience contains itself"


def test_ids_and_words_are_what_was_written_even_where_they_look_like_numbers(
    loading: Loader,
) -> None:
    schedule = loading("""\
schedules:
  x:
    when: {every: 1_800}
    to: {users: [12_345, 007, 0o17, 1e3, 1.10, no], mobiles: +8613800138000}
    message:
      oa:
        message_url: https://example.com
        head: {bgcolor: 99112233, text: 15.60}
        body: {form: {价格: 1.10, 时长: 1:30:00, 日期: 2026-11-23, 编号: 0x1F}}
    misfire: {grace: 1_000}
""").schedules["x"]

    assert schedule.to.users == ("12_345", "007", "0o17", "1e3", "1.10", "no")
    assert schedule.to.mobiles == ("13800138000",)
    assert schedule.when == {"every": 1_800}
    assert type(schedule.when["every"]) is int
    assert schedule.misfire.grace == timedelta(seconds=1_000)
    assert schedule.message is not None
    oa = schedule.message.content["oa"]
    assert oa["head"] == {"bgcolor": "99112233", "text": "15.60"}
    assert oa["body"]["form"] == {
        "价格": "1.10",
        "时长": "1:30:00",
        "日期": "2026-11-23",
        "编号": "0x1F",
    }


WRONG = """\
timezone: 8
orgs: {"a b": {}, y: {people_per_minute: 1.5, hold_bulk_at: 2}}
apps: {hr: {agent_id: 0, app_key: 5, app_secret: "a b", org: "/", oapi_url: x, more: 1}}
audiences: {x: {users: [a b], departments: [0], everyone: 3}, y: {roles: [true]}, ~: {users: a}}
deny: 5
quiet_hours: {from: 7, then: ring}
alerts: {webhook: x}
schedules:
  a: {when: {cron: "0 0 12 ? * *"}, to: boss, message: {fax: 1}, priority: high, overlap: no}
  b: {when: daily, to: {users: {}}, message: {image: ./logo.png}, quiet_hours: never, spread: 2d}
  c: {when: {every: soon}, to: {mobiles: "1/2"}, misfire: {grace: x, catch_up: some}}
"""


def test_no_pattern_no_class_and_no_english_reaches_who_reads_chinese(loading: Loader) -> None:
    with pytest.raises(ProblemsError) as caught:
        loading(WRONG)

    assert len(caught.value.problems) > 30
    for problem in caught.value.problems:
        text = problem.message.zh
        assert re.search("[\u4e00-\u9fff]", text), problem
        assert not re.search(r"\^|\\w|\[\^|QuietHours|Audience|literal|function-", text), problem
        assert not re.search("Audience|QuietHours|literal", problem.path), problem
        # Words of the file, of DingTalk and of the syntax are no English.
        assert not re.search("[a-z]+ [a-z]+ [a-z]+", re.sub("'[^']*'", "", text)), problem


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_whatever_pydantic_finds_is_told_in_words_of_ours(kind: str) -> None:
    context = dict.fromkeys(("ge", "gt", "le", "lt", "expected", "max_length"), 1)
    said = told({"type": kind, "loc": (), "msg": "Input", "input": None, "ctx": context})

    assert re.search("[\u4e00-\u9fff]", said.zh)
    assert "Input" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quiet_hours: always", "1:1: quiet_hours: must be a mapping"),
        (
            SCHEDULES + "    quiet_hours: always\n",
            "6:5: schedules.x.quiet_hours: must be a mapping or false",
        ),
        (
            SCHEDULES + "    quiet_hours: {from: '25:00', to: '07:30'}\n",
            "6:19: schedules.x.quiet_hours.from: must be a time of day",
        ),
        (
            SCHEDULES
            + "    follow_up: {unread_after: 1h, message: y,"
            + " escalate: {unread_after: 2h, to: boss, message: z}}\n",
            "schedules.x.follow_up.escalate.to: must be a mapping or 'managers'",
        ),
        (
            SCHEDULES
            + "    follow_up: {unread_after: 1h, message: y,"
            + " escalate: {unread_after: 2h, to: {users: [a, b c]}, message: z}}\n",
            "schedules.x.follow_up.escalate.to.users.1: is no id",
        ),
    ],
)
def test_of_a_choice_that_is_wrong_what_comes_nearest_is_told(
    loading: Loader, text: str, said: str
) -> None:
    (line,) = problems(loading, text)

    assert said in line


_ONE_MESSAGE = "schedules:\n  x:\n    when: {daily: '9:00'}\n    to: {users: a}\n    message:"
_BLOCK = """
      markdown:
        title: t
        text: |
          first
          {{ person.name }}
          {{ persn.name }}
"""
_WHOLE_BLOCK = """ |
      first
      {% if person %}
"""
_CARD = "{message_url: u, head: {bgcolor: FFFFFFFF, text: h}, body: {form: [{key: a, value: %s}]}}"
_NO_WORK = "schedules.x.message: the template does not work: "


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (_BLOCK, f"11:1: {_NO_WORK}markdown.text line 3: unknown template variable persn"),
        (_WHOLE_BLOCK, f"7:1: {_NO_WORK}text line 2: {{% if %}} is not closed"),
        (" {text: '{{ due|dat }}'}", f"5:15: {_NO_WORK}text line 1: there is no filter dat"),
        (
            f" {{oa: {_CARD % repr('{{ 1 ** 2 }}')}}}",
            f"{_NO_WORK}oa.body.form.0.value line 1: ** is",
        ),
        (
            " hi\n    follow_up: {unread_after: 1h, message: '{{ unread }}'}\n",
            "schedules.x.follow_up.message: the template does not work: text line 1: unknown",
        ),
    ],
)
def test_a_template_that_does_not_work_is_told_with_its_own_line(
    loading: Loader, message: str, said: str
) -> None:
    (told,) = problems(loading, _ONE_MESSAGE + message)
    assert said in told
    with pytest.raises(ProblemsError) as caught:
        loading(_ONE_MESSAGE + message)
    assert "模板有误" in caught.value.in_chinese()
    assert "line" not in caught.value.in_chinese()
    assert "Error" not in str(caught.value)


APPS = "apps:\n  hr: {agent_id: 7, app_key: k, app_secret: s}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{APPS}alerts:\n  app: it\n", "4:3: alerts.app: there is no app 'it'"),
        ("alerts:\n  notify: {audience: y}\n", "2:3: alerts.notify: there is no audience 'y'"),
        (
            SCHEDULES + "    follow_up:\n      unread_after: 1h\n      message: again\n"
            "      escalate: {unread_after: 2h, message: x, to: {audience: y}}\n",
            "9:48: schedules.x.follow_up.escalate.to: there is no audience 'y'",
        ),
        (
            "schedules:\n  x:\n    when: {daily: '16:00'}\n    to: {users: a}\n    function: a:b\n",
            "5:5: schedules.x.function: belongs to schedules that a Python program registers",
        ),
        (
            f"{APPS}  it: {{agent_id: 7, app_key: k, app_secret: other}}\n",
            "3:3: apps.it: is the same app as 'hr' (agent_id 7) and says something else",
        ),
    ],
)
def test_what_would_go_wrong_later_is_told_at_once(loading: Loader, text: str, said: str) -> None:
    (line,) = problems(loading, text)
    assert line.startswith(said)


def test_an_app_may_have_two_names(loading: Loader) -> None:
    assert len(loading(f"{APPS}  it: {{agent_id: 7, app_key: k, app_secret: s}}\n").apps) == 2
