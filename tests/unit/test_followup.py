"""Follow-up rules, and the schedules that have one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from dingbell.domain.followup import FollowUp
from dingbell.domain.schedule import ScheduleSpec

REMIND = {"unread_after": "4h", "message": {"text": "reminder"}}
ESCALATE = {"unread_after": "8h", "to": "managers", "message": {"text": "{{ unread|length }}"}}


def schedule(**options: Any) -> ScheduleSpec:
    given = {"when": {"daily": "10:00"}, "to": {"users": ["a"]}, "message": {"text": "x"}}
    return ScheduleSpec.model_validate({**given, **options})


def test_a_rule_survives_being_stored() -> None:
    spec = schedule(follow_up={**REMIND, "escalate": ESCALATE})
    assert ScheduleSpec.model_validate(spec.to_dict()) == spec
    assert spec.follow_up is not None
    assert spec.follow_up.steps() == [
        ("remind", timedelta(hours=4)),
        ("escalate", timedelta(hours=8)),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {**REMIND, "unread_after": "24h"},
        {**REMIND, "unread_after": "0"},
        {**REMIND, "escalate": {**ESCALATE, "unread_after": "4h"}},
        {**REMIND, "escalate": {**ESCALATE, "to": "nobody"}},
        {"unread_after": "4h"},
        {**REMIND, "message": {"text": "{{ unread }}"}},
    ],
)
def test_a_rule_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FollowUp.model_validate(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"follow_up": {**REMIND, "message": {"text": "x"}}},
        {"follow_up": REMIND, "tracking": "coarse"},
    ],
)
def test_a_reminder_needs_other_words_and_receipts(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schedule(**options)
