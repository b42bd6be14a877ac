"""Export: what is in force as a file, which then changes nothing, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dingbell.config.apply import apply, plan
from dingbell.config.export import export
from dingbell.config.schema import Config, load
from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations import accounts, schedules
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox

from .given import as_account

FILE = """\
timezone: Asia/Tokyo
orgs:
  acme: {people_per_minute: 3000, monthly_calls: 5000, hold_bulk_at: 0.9}
apps:
  hr:
    agent_id: ${ID}
    app_key: ${KEY}
    app_secret: ${SECRET}
    org: acme
    calls_per_second: 7
  人事: {agent_id: 99, app_key: other, app_secret: "other-${SECRET}", oapi_url: "${URL}/other"}
audiences:
  hz: {departments: [1], except: {users: [manager7675, "007"]}}
  both: {audience: [hz], mobiles: ["+8613800138000"], roles: ["15.60"]}
deny: {users: [chairman1]}
quiet_hours: {from: "22:00", to: "07:30", then: skip}
alerts: {webhook: "https://example.com/?token=${SECRET}", notify: {users: [manager4220]}, app: hr}
schedules:
  off-work:
    {app: hr, when: {daily: "16:00"}, to: {users: manager4220}, message: "export 下班 $${X}"}
  there:
    app: hr
    timezone: Asia/Shanghai
    when: {cron: "0 9 * * 1-5"}
    to: {audience: hz}
    priority: bulk
    misfire: {grace: 2h, catch_up: all}
    quiet_hours: false
    message:
      markdown:
        title: "15.60"
        text: |
          # {{ person.name }}
          - "a": b # no comment
  card:
    app: 人事
    timezone: UTC
    when: {every: 1h30m, from: "2026-01-01 00:00"}
    to: {users: [manager4220]}
    expires_after: 20m
    message:
      oa:
        message_url: https://example.com/?a=1&b=2
        head: {bgcolor: FFBBBBBB, text: 值班}
        body: {title: 0012, form: {姓名: 张三, 日期: 11-26}, rich: {num: 15.60, unit: 元}}
    follow_up:
      unread_after: 4h
      message: {text: "还没有看?"}
      escalate: {unread_after: 8h, to: managers, message: "{{ unread|length }} 人"}
"""


@pytest.fixture
def variables(sandbox: Sandbox) -> dict[str, str]:
    return {
        "ID": str(sandbox.agent_id),
        "KEY": sandbox.app_key,
        "SECRET": sandbox.app_secret,
        "URL": sandbox.url,
    }


@pytest.fixture
async def rich(desk: Operations, tmp_path: Path, variables: dict[str, str]) -> Config:
    """A file with something of every kind, in force."""
    file = tmp_path / "dingbell.yaml"
    file.write_text(FILE, encoding="utf-8")
    config = load(file, variables)
    await apply(desk, config)
    return config


def read(folder: Path, text: str, environment: dict[str, str]) -> Config:
    file = folder / "exported.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment)


@pytest.mark.usefixtures("rich")
async def test_what_is_exported_changes_nothing_and_holds_no_secret(
    desk: Operations, tmp_path: Path, variables: dict[str, str]
) -> None:
    program: dict[str, Any] = {
        "when": {"daily": "08:00"},
        "to": {"users": ["a"]},
        "function": "p:f",
    }
    await schedules.put(desk, "by-python", ScheduleSpec.model_validate(program), source="python")
    found = await export(desk, "zh")
    assert variables["SECRET"] not in found.text
    assert "token" not in found.text
    secret = variables["SECRET"]
    environment = {
        "HR_APP_SECRET": secret,
        "APP_99_SECRET": f"other-{secret}",
        "DINGBELL_ALERTS_WEBHOOK": f"https://example.com/?token={secret}",
        "DINGBELL_APP_SECRET": secret,
        "DEFAULT_APP_SECRET": secret,
    }
    assert {"HR_APP_SECRET", "APP_99_SECRET", "DINGBELL_ALERTS_WEBHOOK"} <= set(found.variables)
    config = read(tmp_path, found.text, environment)
    assert await plan(desk, config, prune=True) == []
    again = await export(desk, "zh")
    assert again.text == found.text
    assert "#   by-python:\n#     from: python" in found.text
    assert "密钥" in found.text.partition("\n\n")[0]
    await schedules.delete(desk, "by-python")


@pytest.mark.usefixtures("rich")
async def test_what_is_exported_reads_as_people_write_it(desk: Operations) -> None:
    text = (await export(desk, "en")).text
    assert text.index("timezone: Asia/Tokyo") < text.index("orgs:") < text.index("schedules:")
    assert '  off-work:\n    app: hr\n    when: {daily: "16:00"}\n' in text
    assert "        text: |\n          # {{ person.name }}\n" in text
    assert "timezone: Asia/Shanghai" in text
    assert "app_secret: ${HR_APP_SECRET}" in text


@pytest.mark.usefixtures("rich")
async def test_who_may_look_may_export(desk: Operations) -> None:
    await accounts.add(desk, "eve", ["viewer"])
    assert "off-work" in (await export(await as_account(desk, "eve"), "en")).text
