"""Filters for notices in China: money, dates, masks, and addresses that open inside DingTalk."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.dingtalk import links
from dingbell.domain import templates
from dingbell.domain.templates import MissingError, TemplateError

DUE = datetime(2026, 11, 23, 16, 5, tzinfo=UTC)


def rendered(source: str, **variables: Any) -> str:
    return templates.read(source).render(templates.Scope({"due": DUE, **variables}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "零元整"),
        ("0.00", "零元整"),
        (Decimal("-0.001"), "零元整"),
        ("0.05", "伍分"),
        ("0.5", "伍角整"),
        ("0.15", "壹角伍分"),
        (1, "壹元整"),
        (10, "壹拾元整"),
        ("1234.5", "壹仟贰佰叁拾肆元伍角整"),
        ("1,409.50", "壹仟肆佰零玖元伍角整"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
        ("107000.53", "壹拾万柒仟元伍角叁分"),
        (100_050, "壹拾万零伍拾元整"),
        (10_000_001, "壹仟万零壹元整"),
        (100_000_000, "壹亿元整"),
        (100_010_000, "壹亿零壹万元整"),
        (1_000_000_000_001, "壹万亿零壹元整"),
        (-1_234, "负壹仟贰佰叁拾肆元整"),
        (
            "9999999999999999.99",
            "玖仟玖佰玖拾玖万玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分",
        ),
        ("0.005", "壹分"),
    ],
)
def test_sums_are_written_as_on_a_cheque(value: object, text: str) -> None:
    assert rendered("{{ value|rmb }}", value=value) == text


@pytest.mark.parametrize("value", [10**16, "9999999999999999.995", -(10**16)])
def test_a_sum_that_nobody_writes_is_refused(value: object) -> None:
    with pytest.raises(TemplateError, match="10\\^16"):
        rendered("{{ value|rmb }}", value=value)


_VALUES = {sign: value for value, sign in enumerate("零壹贰叁肆伍陆柒捌玖")}
_UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def _read_whole(text: str) -> int:
    """Reads characters by another way than they were written: from the largest unit down."""
    for name, unit in (("亿", 10**8), ("万", 10**4)):
        if name in text:
            high, _, low = text.rpartition(name)
            return _read_whole(high) * unit + _read_whole(low)
    total = digit = 0
    for sign in text:
        if sign in _UNITS:
            total, digit = total + digit * _UNITS[sign], 0
        else:
            digit = _VALUES[sign]
    return total + digit


def _read_sum(text: str) -> Decimal:
    found = re.fullmatch(r"(负?)(?:(.+)元)?(?:零|(.)角)?(?:(.)分)?整?", text)
    assert found
    yuan, jiao, fen = found[2] or "", found[3] or "零", found[4] or "零"
    amount = Decimal(_read_whole(yuan) * 100 + _VALUES[jiao] * 10 + _VALUES[fen]) / 100
    return -amount if found[1] else amount


@given(st.integers(-(10**18) + 1, 10**18 - 1) | st.integers(-(10**7), 10**7))
def test_written_sums_read_back_and_have_no_two_zeros_side_by_side(fen: int) -> None:
    text = rendered("{{ value|rmb }}", value=Decimal(fen) / 100)
    assert _read_sum(text) == Decimal(fen) / 100
    assert "零零" not in text
    assert text.endswith("整") is not text.endswith("分")
    assert not re.search(r"零[拾佰仟万亿元]", text.removeprefix("零元"))


@pytest.mark.parametrize(
    ("source", "value", "text"),
    [
        ("money", "1234.5", "¥1,234.50"),
        ("money", Decimal("8000.10"), "¥8,000.10"),
        ("money", 0.1, "¥0.10"),
        ("money", " 1,000 ", "¥1,000.00"),
        ("money", "-0.005", "-¥0.01"),
        ("money", "-0.001", "¥0.00"),
        ("money", 999_999_999_999_999_999, "¥999,999,999,999,999,999.00"),
        ("money('$', 0)", "2.5", "$3"),
        ("money('')", 12, "12.00"),
    ],
)
def test_money_has_thousands_apart_and_is_exact(source: str, value: object, text: str) -> None:
    assert rendered(f"{{{{ value|{source} }}}}", value=value) == text


@pytest.mark.parametrize("name", ["money", "rmb"])
def test_what_is_no_number_is_refused_and_what_is_missing_is_missing(name: str) -> None:
    with pytest.raises(TemplateError, match=f"{name} takes"):
        rendered(f"{{{{ value|{name} }}}}", value="twelve")
    with pytest.raises(MissingError):
        rendered(f"{{{{ person.net|{name} }}}}", person={})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("due|cn_date", "2026年11月23日"),
        ("due|cn_date('short')", "11月23日"),
        ("due|cn_date('words')", "二〇二六年十一月二十三日"),
        ("'2020-10-10'|cn_date('words')", "二〇二〇年十月十日"),
        ("due|weekday", "星期一"),
        ("'2026-11-29'|weekday('short')", "周日"),
        ("due|weekday('en')", "Monday"),
        ("due|lunar", "十月十五"),
        ("due|lunar('long')", "丙午年十月十五"),
        ("due|lunar('animal')", "马"),
        ("'2025-07-25'|lunar", "闰六月初一"),
        ("'2027-02-05'|lunar('long')", "丙午年腊月廿九"),
        ("'2026-02-16'|lunar", "腊月廿九"),
        ("'2026-02-17'|lunar('year')", "丙午年"),
        ("'2026-03-18'|lunar", "正月三十"),
    ],
)
def test_dates_are_said_as_in_china(source: str, text: str) -> None:
    assert rendered(f"{{{{ {source} }}}}") == text


def test_dates_that_are_none_and_forms_that_nobody_knows_are_refused() -> None:
    with pytest.raises(TemplateError, match="cn_date takes a date, not text"):
        rendered("{{ 'soon'|cn_date }}")
    with pytest.raises(TemplateError, match="weekday knows zh, short, en"):
        rendered("{{ due|weekday('de') }}")
    with pytest.raises(TemplateError, match="1900 to 2100"):
        rendered("{{ day|lunar }}", day=date(2999, 1, 1))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("'王芳'|mask_name", "王*"),
        ("'张三丰'|mask_name", "张*丰"),
        ("'阿'|mask_name", "*"),
        ("'330106199003071234'|mask_id", "330***********1234"),
        ("'E12345678'|mask_id", "E******78"),
        ("'13800138000'|mask_mobile", "138****8000"),
        ("13800138000|mask_mobile", "138****8000"),
        ("'+86 138-0013-8000'|mask_mobile", "138****8000"),
        ("'0571 8888'|mask_mobile", "0*****88"),
        ("'12'|mask_mobile", "**"),
    ],
)
def test_masks_show_the_ends_only(source: str, text: str) -> None:
    assert rendered(f"{{{{ {source} }}}}") == text


@given(st.text(min_size=1, max_size=40), st.sampled_from(["mask_name", "mask_id", "mask_mobile"]))
def test_no_mask_shows_everything(words: str, name: str) -> None:
    text = rendered(f"{{{{ value|{name} }}}}", value=words)
    assert "*" in text or not text


def test_links_open_where_they_are_wanted() -> None:
    page = "https://example.com/pay?id=7&月=1"
    side = urlsplit(rendered("{{ page|side_panel }}", page=page))
    assert (side.scheme, side.netloc, side.path) == ("dingtalk", "dingtalkclient", "/page/link")
    assert parse_qs(side.query) == {"url": [page], "pc_slide": ["true"]}
    assert rendered("{{ page|browser }}", page=page).endswith("&pc_slide=false")
    bench = urlsplit(rendered("{{ page|workbench('ding1', 781348000) }}", page=page))
    assert parse_qs(bench.query) == {
        "corpid": ["ding1"],
        "container_type": ["work_platform"],
        "app_id": ["0_781348000"],
        "redirect_type": ["jump"],
        "redirect_url": [page],
    }
    assert rendered("{{ 'pages/a'|mini_program({'id': 7}) }}") == "eapp://pages/a?id=7"
    assert links.mini_program("eapp://pages/a?b=1", {"c": "&"}) == "eapp://pages/a?b=1&c=%26"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("'/pay'|side_panel", "begins with https://"),
        ("'https://a.cn'|workbench('', 1)", "CorpId is missing"),
        ("'https://a.cn'|workbench('ding1', 'x')", "the AgentId is a number"),
        ("'https://a.cn'|mini_program", "pages/index/index"),
        ("'pages/a'|mini_program('id=7')", "mini_program takes a record"),
    ],
)
def test_links_that_would_not_open_are_refused(source: str, words: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(words)):
        rendered(f"{{{{ {source} }}}}")
