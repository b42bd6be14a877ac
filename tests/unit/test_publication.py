"""What is published as a calendar is read into notices, or refused with its place."""

from __future__ import annotations

import json
from datetime import date

import pytest

from dingbell.domain.calendar.notice import Notice
from dingbell.domain.calendar.publication import LARGEST, read
from dingbell.errors import InputError


def published(year: int = 2027, **more: object) -> dict[str, object]:
    days = [
        {"name": "元旦", "date": "2026-12-31", "isOffDay": True},
        {"name": "元旦", "date": "2027-01-01", "isOffDay": True},
        {"name": "元旦", "date": "2027-01-09", "isOffDay": False},
        {"name": "国庆节、中秋节", "date": "2027-10-01", "isOffDay": True},
    ]
    return {"year": year, "papers": ["https://www.gov.cn/x"], "days": days, **more}


def said(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


EXPECTED = Notice(
    2027,
    {
        date(2026, 12, 31): "元旦",
        date(2027, 1, 1): "元旦",
        date(2027, 10, 1): "中秋节、国庆节",
    },
    {date(2027, 1, 9): "元旦"},
)


def event(title: str, first: str, end: str | None = None, more: str = "") -> str:
    ends = f"DTEND;VALUE=DATE:{end}\r\n" if end else ""
    return (
        f"BEGIN:VEVENT\r\nUID:{title}{first}\r\nSUMMARY:{title}\r\n"
        f"DTSTART;VALUE=DATE:{first}\r\n{ends}{more}END:VEVENT\r\n"
    )


def ics(*events: str) -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


YEAR = (
    event("元旦 假期", "20261231", "20270102"),
    event("上班(补元旦)", "20270109"),
    event("春节假期 第1天/共7天", "20270205", "20270212"),
    event("国庆(休)", "20271001", "20271008"),
    event("国庆(班)", "20271009", "20271010"),
)


def test_the_json_of_one_year_or_several_is_read() -> None:
    assert read(said(published())) == [EXPECTED]
    assert read(b"\xef\xbb\xbf" + said([published()])) == [EXPECTED]
    assert Notice.stored(2027, EXPECTED.to_dict()) == EXPECTED


def test_an_ics_calendar_tells_make_up_days_by_their_titles() -> None:
    (found,) = read(ics(*YEAR))

    assert found.year == 2027
    assert found.work == {date(2027, 1, 9): "元旦", date(2027, 10, 9): "国庆节"}
    assert found.off[date(2026, 12, 31)] == "元旦"
    assert found.off[date(2027, 2, 11)] == "春节"
    assert found.off[date(2027, 10, 7)] == "国庆节"
    assert len(found.off) == 2 + 7 + 7


def test_a_year_of_which_an_ics_has_some_days_only_has_not_been_published() -> None:
    (found,) = read(ics(*YEAR, event("元旦 假期", "20280101")))
    assert found.year == 2027

    with pytest.raises(InputError, match="no year that has been published"):
        read(ics(event("元旦 假期", "20280101")))
    (closing,) = read(ics(event("年度检修", "20280701", "20280704")), whole_years=False)
    assert closing.off == {date(2028, 7, day): "年度检修" for day in (1, 2, 3)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither the JSON of holiday-cn nor an ICS"),
        (b"<html>", "neither the JSON"),
        (b"\xff\xfe\x00", "neither the JSON"),
        (b'{"year": 2027,', "is no JSON: line and column 1:"),
        (b"[" * 100_000, "is no JSON"),
        (b"{}", "is not the JSON of holiday-cn"),
        (b"[1]", "is not the JSON of holiday-cn"),
        (said(published(papers=[])), "no year that has been published"),
        (said(published(days=[])), "no year that has been published"),
        (said(published(year="2027")), "is not the JSON of holiday-cn"),
        (said(published(year=2020)), "2026-12-31 is no day of 2020"),
        (said(published(days=[{"date": "2027-01-01"}])), "day 1 of 2027 has no name"),
        (said(published(days=[{"name": "x", "date": "soon", "isOffDay": True}])), "day 1 of 2027"),
        (said(published(days=[{"name": "x", "date": "2027-01-01", "isOffDay": 1}])), "day 1"),
        (said([published(), published()]), "names a year twice"),
        (b" " * (LARGEST + 1), "is larger than"),
        (ics(event("x", "20270101", "20270901")), "event 1 (x): must end after it begins"),
        (ics(event("x", "20270101", "20261201")), "event 1 (x): must end after it begins"),
        (ics(event("x", "2027-13-01")), "event 1 (x): DTSTART cannot be read"),
        (ics(event("x", "20270101", more="RRULE:FREQ=DAILY\r\n")), "RRULE is not supported"),
        (
            ics("BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:x\r\nEND:VEVENT\r\n"),
            "event 1 (x): DTSTART is missing",
        ),
    ],
)
def test_what_is_no_calendar_says_what_is_wrong(content: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert words in str(caught.value)
    assert caught.value.message.zh != str(caught.value)
