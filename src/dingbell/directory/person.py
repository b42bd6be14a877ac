"""A person as DingTalk tells of them → a person of the directory, with typed attributes."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from typing import Any

from dingbell.dingtalk import User
from dingbell.intake import cleaned, mobile_number
from dingbell.store.directory import Person

__all__ = ["person_of"]

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CHINA = "86"


def person_of(user: User, departments: Collection[int]) -> Person:
    """Somebody of the directory.

    Args:
        user: what DingTalk said.
        departments: where they belong, as far as that was seen.
    """
    return Person(
        userid=user.userid,
        name=cleaned(user.name),
        mobile=_mobile(user),
        active=user.active,
        departments=tuple(sorted(departments)),
        attributes=_attributes(user),
    )


def _mobile(user: User) -> str | None:
    """The number as it is looked up: with its country only where that is not China."""
    number = cleaned(user.mobile)
    country = str(user.raw.get("state_code") or _CHINA).lstrip("+")
    if not number or country == _CHINA or number.startswith("+"):
        return mobile_number(number) if number else None
    return mobile_number(f"+{country}{number}")


def _attributes(user: User) -> dict[str, Any]:
    """What templates see beside userid, name and mobile."""
    found = {
        "title": user.title,
        "email": user.email,
        "job_number": user.job_number,
        "unionid": user.unionid,
        "manager": user.manager_userid,
        "senior": user.senior,
        "hired_on": user.hired_on,
    }
    own = {key: _typed(value) for key, value in user.extension.items()}
    known = {**own, **{key: value for key, value in found.items() if value}}
    return {cleaned(key): cleaned(value) for key, value in known.items()}


def _typed(value: object) -> object:
    """A value of a company's own field: a day that is written as `1990-05-17` is that day.

    It reads the same where it is written out. Digits stay text: they may be a number of a badge.
    """
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value
