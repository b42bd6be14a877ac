"""What DingTalk answers, as immutable typed values.

Instants are aware and in UTC. Lists are tuples. A field that DingTalk leaves out (no permission,
no value) is None or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

__all__ = [
    "Department",
    "Forbidden",
    "Media",
    "Member",
    "Profile",
    "Progress",
    "Role",
    "RoleGroup",
    "Scopes",
    "SendResult",
    "Sent",
    "SignedIn",
    "User",
    "UserToken",
]


@dataclass(frozen=True, slots=True)
class Sent:
    """A send was accepted, which says nothing yet about who gets it.

    `task_id` is a 64-bit integer; `server_time` is DingTalk's clock (the `Date` header).
    """

    task_id: int
    request_id: str | None = None
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a send is: `status` 0 not begun, 1 under way, 2 done."""

    percent: int
    status: int

    @property
    def done(self) -> bool:
        """Whether the results are complete."""
        return self.status == _DONE


_DONE: Final = 2


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A person whose notice was dropped.

    `code` is a key of `codes.FORBIDDEN`, "" where DingTalk names none; `count` is the threshold.
    """

    userid: str
    code: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class SendResult:
    """Where each recipient stands. Somebody in no list is not finished yet."""

    invalid_userids: tuple[str, ...] = ()
    invalid_dept_ids: tuple[int, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    failed: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Media:
    """An uploaded file; `media_id` may be used again and does not expire."""

    media_id: str
    kind: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who opened our page inside DingTalk (免登)."""

    userid: str
    unionid: str | None = None
    name: str | None = None
    is_admin: bool = False
    level: int = 0
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class UserToken:
    """A user's own token after a web sign-in; both tokens are hidden in the `repr`.

    `expires_at` in epoch seconds; the refresh token lives 30 days.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    corp_id: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a user tells about themselves after a web sign-in; there is no userid in it."""

    unionid: str
    openid: str | None = None
    nick: str | None = None
    mobile: str | None = None
    email: str | None = None
    avatar: str | None = None
    state_code: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """A role; `group` is the name of its group where it is known."""

    id: int
    name: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class RoleGroup:
    """A group of roles."""

    id: int
    name: str
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A direct member of a department, in short."""

    userid: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person of the address book; `raw` is everything DingTalk said."""

    userid: str
    name: str
    unionid: str | None = None
    mobile: str | None = None
    email: str | None = None
    org_email: str | None = None
    title: str | None = None
    job_number: str | None = None
    avatar: str | None = None
    manager_userid: str | None = None
    dept_ids: tuple[int, ...] = ()
    leads_dept_ids: tuple[int, ...] = ()
    roles: tuple[Role, ...] = ()
    active: bool = True
    admin: bool = False
    boss: bool = False
    senior: bool = False
    hired_on: date | None = None
    extension: Mapping[str, str | int | Decimal] = field(default_factory=dict, compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Department:
    """A department; what is after `parent_id` is known from `Client.department` only.

    `member_count` includes sub-departments, `own_member_count` does not.
    """

    id: int
    name: str
    parent_id: int | None = None
    order: int | None = None
    member_count: int | None = None
    own_member_count: int | None = None
    manager_userids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scopes:
    """The part of the organisation that the app may see."""

    userids: tuple[str, ...] = ()
    dept_ids: tuple[int, ...] = ()
    user_fields: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
