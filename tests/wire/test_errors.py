"""Every code of DingTalk's documents has a place in the tree, and the tree answers what now."""

import pickle
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dingbell.dingtalk import errors
from dingbell.dingtalk.codes import CODES, FORBIDDEN, Kind

NOW = 1_800_000_000.0

TOKEN, RETRY, UNKNOWN = errors.TokenRejected, errors.RetryLater, errors.Ambiguous

# Fact sheet §10, row by row.
TABLE: list[tuple[list[object], type[errors.DingTalkError], bool]] = [
    ([-1, 15, 500, "isp.-1", "isp.remote-service-timeout"], UNKNOWN, False),
    ([22, 404, 40, 41], errors.BadRequest, False),
    ([33001, 40001, 40014, 42001], TOKEN, False),
    ([40096, 40089, 40013], errors.BadCredentials, True),
    ([33012, 40003, 60111, 60121], errors.UnknownPerson, False),
    ([40031, 40032], errors.BadRequest, False),
    ([40009, 60003], errors.UnknownDepartment, False),
    ([34004, 40008], errors.BadMessage, False),
    ([34008, 34009, 34010, 34011, 34014], errors.BadMessage, False),
    ([34016, *range(45002, 45008)], errors.BadMessage, False),
    ([40004, 40005, 40006, 40007, 41005, 41006, 44001], errors.BadMedia, False),
    ([40033, 40048, 41049, 885001, 885006], errors.BadMessage, False),
    ([40035, 40038, 400002, 40000, 40068, 40069], errors.BadRequest, False),
    ([40056, 52019, 70003, 70004, 41011], errors.BadCredentials, True),
    ([40078, 41007], errors.SignInExpired, False),
    ([41028, 41044, 48002, 50003, 50005, 60011, 60020, 43007], errors.NotPermitted, True),
    ([50002, 50004], errors.NotPermitted, False),
    ([41029, 41045], errors.LimitReached, False),
    ([41046, 41047, 41048, 41052, 90002, 90018], RETRY, False),
    ([*range(43001, 43007), 43008, 43009], errors.BadRequest, False),
    ([90020, "Forbidden.AccessDenied.ApiCountLimitForOrg"], errors.QuotaExhausted, True),
    ([90001, *range(90003, 90018)], RETRY, True),
    (["InvalidAuthentication", "accesstoken.expired"], TOKEN, False),
    (
        [
            "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
            "Forbidden.AccessDenied.QpsLimitForApi",
            "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi",
            "Forbidden.AccessDenied.QpmLimitForApi",
        ],
        RETRY,
        False,
    ),
    (
        [
            "Forbidden.AccessDenied.AccessTokenPermissionDenied",
            "Forbidden.AccessDenied.IpNotInWhiteList",
        ],
        errors.NotPermitted,
        True,
    ),
]
ROWS = [(str(code), family, alert) for codes, family, alert in TABLE for code in codes]


def made(code: str, text: str = "", now: float = NOW) -> errors.DingTalkError:
    return errors.from_code(code, text, "/topapi/x", "16l4ew3d47pdp", now=now)


@pytest.mark.parametrize(("code", "family", "alert"), ROWS, ids=[row[0] for row in ROWS])
def test_every_documented_code_has_its_family(
    code: str, family: type[errors.DingTalkError], alert: bool
) -> None:
    error = made(code)
    assert type(error) is family
    assert error.alert is alert
    assert error.code == code
    meaning = errors.explain(code)
    assert meaning is not None
    assert all(meaning)
    assert meaning[0] in str(error)
    assert meaning[1] in error.zh


def test_the_table_names_every_code_once_and_every_kind_is_used() -> None:
    assert {row.kind for row in CODES.values()} == set(Kind)
    assert len(ROWS) == len({row[0] for row in ROWS})


def test_every_code_of_the_table_makes_an_error_of_its_kind() -> None:
    for code, row in CODES.items():
        if row.kind is Kind.OK:
            continue
        error = made(code)
        assert type(error) is not errors.Permanent, code
        assert error.alert is (row.alert or type(error).alert), code


def test_an_unknown_code_is_permanent_and_has_no_explanation() -> None:
    error = made("987654321", "something new")
    assert type(error) is errors.Permanent
    assert errors.explain("987654321") is None
    assert "something new" in str(error)


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        ("90018", 1),
        ("41046", 60),
        ("41047", 60),
        ("41048", 60),
        ("90001", 300),
        ("90017", 300),
        ("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", 1),
        ("Forbidden.AccessDenied.QpmLimitForAppkeyAndApi", 60),
    ],
)
def test_a_throttle_says_how_long(code: str, seconds: float) -> None:
    error = made(code)
    assert isinstance(error, errors.RetryLater)
    assert (error.after, error.retry_at) == (seconds, None)


@pytest.mark.parametrize("word", ["限制", "处罚"])
def test_the_end_of_a_global_throttle_is_read_in_beijing_time(word: str) -> None:
    end = datetime(2026, 9, 3, 0, 1, 3, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()
    text = (
        "发送全局限制, apiPath(dingtalk.oapi.v2.department.listsub), 从 2026-09-03 00:01:02 到 "
        f"2026-09-03 00:01:02 请求总次数超过 1200 次, {word}将在 2026-09-03 00:01:03 结束."
    )
    error = made("90002", text, now=end - 7)
    assert isinstance(error, errors.RetryLater)
    assert error.retry_at == end
    assert error.after == 7
    for odd_clock, pause in ((end + 50, 1), (end - 90_000, 300)):
        skewed = made("90002", text, now=odd_clock)
        assert isinstance(skewed, errors.RetryLater)
        assert skewed.after == pause


@pytest.mark.parametrize("text", ["", "english", "限制将在 2026-99-03 00:01:03 结束"])
def test_a_global_throttle_without_a_readable_end_waits_a_second(text: str) -> None:
    error = made("90002", text)
    assert isinstance(error, errors.RetryLater)
    assert (error.after, error.retry_at) == (1, None)


def test_a_blank_token_is_a_token_error_but_another_40000_is_not() -> None:
    assert isinstance(made("40000", "access_token is blank"), errors.TokenRejected)
    assert isinstance(made("40000", "参数错误"), errors.BadRequest)


def test_only_token_errors_and_a_missing_permission_renew_the_token() -> None:
    renewing = {code for code in CODES if code != "0" and made(code).renews_token}
    tokens = {code for code, row in CODES.items() if row.kind is Kind.TOKEN}
    assert renewing == tokens | {"60011"}


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("143103", "pace"),
        ("143104", "pace"),
        ("143105", "daily"),
        ("143106", "duplicate"),
        ("143203", "pace"),
        ("143204", "pace"),
        ("143205", "daily"),
        ("143206", "duplicate"),
        ("1430000", "other"),
        ("1430001", "other"),
        ("1430002", "content"),
        ("1430003", "protected"),
        ("1430004", "protected"),
        ("", "other"),
        ("7", "other"),
    ],
)
def test_every_reason_for_a_drop_has_an_action(code: str, action: str) -> None:
    assert errors.forbidden_action(code) == action
    if code in FORBIDDEN:
        meaning = errors.explain(code)
        assert meaning is not None
        assert all(meaning)


def test_errors_survive_pickling_with_what_they_know() -> None:
    error = made("90001", "x")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.after, copy.alert, str(copy)) == (
        errors.RetryLater,
        300,
        True,
        str(error),
    )


def test_our_own_codes_are_explained_in_both_languages() -> None:
    for code in ("timeout", "disconnected", "unreadable", "unreachable", "banned", "redirected"):
        meaning = errors.explain(code)
        assert meaning is not None
        assert meaning[0] != meaning[1]


def test_families_are_strangers_to_one_another() -> None:
    families = [
        errors.Permanent,
        errors.RetryLater,
        errors.TokenRejected,
        errors.Ambiguous,
        errors.NotSent,
        errors.Banned,
        errors.QuotaExhausted,
    ]
    for family in families:
        assert [other for other in families if issubclass(family, other)] == [family]
