"""DingTalk's documented limits: each with its page in the official docs and the date it was read.

`[D0769]` is page 0769 of the server API docs. All were read on 2026-11-23 (docs of 2026-08-22).
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION_BUTTONS_CHARS",
    "ACTION_BUTTON_TITLE_CHARS",
    "ACTION_BUTTON_URL_CHARS",
    "ACTION_CARD_MARKDOWN_ADVISED_CHARS",
    "ACTION_SINGLE_TITLE_CHARS",
    "ACTION_SINGLE_URL_CHARS",
    "ACTION_TITLE_CHARS",
    "ANSWER_BYTES",
    "ANSWER_VALUES",
    "BAN_SECONDS",
    "DEPARTMENTS_PER_ANSWER",
    "DEPARTMENTS_PER_CALL",
    "GLOBAL_THROTTLE_MAX_SECONDS",
    "LINK_TEXT_ADVISED_CHARS",
    "LINK_TITLE_ADVISED_CHARS",
    "LISTED_ANSWER_BYTES",
    "LONG_BAN_SECONDS",
    "MARKDOWN_TEXT_CHARS",
    "MEMBERS_PER_PAGE",
    "MESSAGE_BYTES",
    "MESSAGE_FILE_BYTES",
    "MINUTE_SECONDS",
    "NOT_FINISHED_SECONDS",
    "OA_FORM_SHOWN",
    "OA_TITLE_ADVISED_CHARS",
    "PAGES_PER_LIST",
    "QPS_SECONDS",
    "ROLES_PER_PAGE",
    "ROLE_MEMBERS_PER_PAGE",
    "ROWS_PER_PAGE_FACTOR",
    "STATUS_BAR_USERIDS",
    "TEXT_ADVISED_CHARS",
    "TOKEN_REJECTED_SECONDS",
    "TOKEN_RENEW_EARLY_SECONDS",
    "TOKEN_RENEW_RETRY_SECONDS",
    "TOKEN_SECONDS",
    "UPLOAD_BYTES",
    "USERIDS_PER_CALL",
    "VOICE_SECONDS",
]

# Calls -------------------------------------------------------------------------------------------

USERIDS_PER_CALL: Final = 100
"""Userids in one send. [D0769]"""

DEPARTMENTS_PER_CALL: Final = 20
"""Department ids in one send. [D0769]"""

STATUS_BAR_USERIDS: Final = 5
"""Userids in one send of an OA message with a status bar. [D0775]"""

MEMBERS_PER_PAGE: Final = 100
"""People per page of `user/listsimple` [D0066]; `v2/user/list` prints no limit [D0062]."""

ROLES_PER_PAGE: Final = 200
"""Roles per page of `role/list`. [D0089]"""

ROLE_MEMBERS_PER_PAGE: Final = 100
"""People per page of `role/simplelist`. [D0096]"""

UPLOAD_BYTES: Final = {
    "image": 20 * 1024 * 1024,
    "voice": 2 * 1024 * 1024,
    "file": 20 * 1024 * 1024,
    "video": 20 * 1024 * 1024,
}
"""Bytes per upload, by kind [D0646]. A *message* takes files up to 10 MB only [D0775]."""

MESSAGE_FILE_BYTES: Final = 10 * 1024 * 1024
"""Bytes of a file that a message refers to. [D0775]"""

# Answers -----------------------------------------------------------------------------------------

ANSWER_BYTES: Final = 256 * 1024
"""Ours: the longest answer that is read, unpacked; a result for 100 people has some 20 KB."""

LISTED_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Ours: the same for lists of the address book; `user/listid` names all members at once."""

ANSWER_VALUES: Final = 200_000
"""Ours: an answer with more values, lists and objects than this is not read: it would take long."""

ROWS_PER_PAGE_FACTOR: Final = 10
"""Ours: a page may have this many times the lines that were asked for, where it must."""

DEPARTMENTS_PER_ANSWER: Final = 10_000
"""Ours: departments right below one; `department/listsub` has no pages."""

PAGES_PER_LIST: Final = 1_000
"""Ours: a list of more pages than this does not end."""

# Messages ----------------------------------------------------------------------------------------

MESSAGE_BYTES: Final = 2048
"""Bytes of a message's JSON in UTF-8. [D0769]"""

TEXT_ADVISED_CHARS: Final = 500
"""Recommended length of `text.content`. [D0775]"""

VOICE_SECONDS: Final = 60
"""A voice lasts less than this many seconds. [D0775]"""

LINK_TITLE_ADVISED_CHARS: Final = 100
"""Recommended length of `link.title`. [D0775]"""

LINK_TEXT_ADVISED_CHARS: Final = 500
"""Recommended length of `link.text`. [D0775]"""

OA_TITLE_ADVISED_CHARS: Final = 50
"""Recommended length of `oa.body.title`. [D0775]"""

OA_FORM_SHOWN: Final = 6
"""Lines of an OA form that are shown, the rest is hidden. [D0775]"""

MARKDOWN_TEXT_CHARS: Final = 5000
"""Characters of `markdown.text`. [D0775]"""

ACTION_CARD_MARKDOWN_ADVISED_CHARS: Final = 1000
"""Recommended length of `action_card.markdown`. [D0775]"""

ACTION_TITLE_CHARS: Final = 64
"""Characters of `action_card.title`. [D0013, code 34016]"""

ACTION_SINGLE_TITLE_CHARS: Final = 20
"""Characters of `action_card.single_title`. [D0775]"""

ACTION_SINGLE_URL_CHARS: Final = 500
"""Characters of `action_card.single_url`. [D0775]"""

ACTION_BUTTON_TITLE_CHARS: Final = 20
"""Characters of a button's title. [D0775]"""

ACTION_BUTTON_URL_CHARS: Final = 700
"""Characters of a button's address. [D0775]"""

ACTION_BUTTONS_CHARS: Final = 1000
"""Characters of `btn_json_list` as compact JSON. [D0775]"""

# Tokens ------------------------------------------------------------------------------------------

TOKEN_SECONDS: Final = 7200
"""Life of an app token; used where the answer does not say. [D1444]"""

TOKEN_RENEW_EARLY_SECONDS: Final = 600
"""A token is renewed this long before it expires. [D0001]"""

TOKEN_RENEW_RETRY_SECONDS: Final = 30
"""Ours: wait this long after an early renewal failed; the old token still works meanwhile."""

TOKEN_REJECTED_SECONDS: Final = 5
"""Ours: wait this long when a token was rejected that had been fetched a moment ago."""

# Waiting -----------------------------------------------------------------------------------------

QPS_SECONDS: Final = 1
"""Pause after too many calls in a second. [D1433]"""

MINUTE_SECONDS: Final = 60
"""Pause after a limit that is counted per minute. [D0013]"""

BAN_SECONDS: Final = 300
"""An address is banned this long after 10,000 calls in 20 s. [D1433]"""

LONG_BAN_SECONDS: Final = 300
"""Ours: pause after a ban (90001, 90003-90017) whose end DingTalk does not publish. [D0013]"""

GLOBAL_THROTTLE_MAX_SECONDS: Final = 300
"""Ours: longest pause taken from a 90002 text, whose end is compared with our own clock."""

NOT_FINISHED_SECONDS: Final = 5
"""Ours: pause before a status bar is tried again while its send is not finished. [D0771]"""
