"""Tables: exact text with its lines, whatever program wrote it; what cannot be read says where."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.errors import InputError
from dingbell.tables import LARGEST_FILE, MOST_ROWS, TableError, read, read_file, shaped
from dingbell.tables.table import letters

TEXT = '工号,姓名,实发\n0012,王芳,8000.10\n\n330102199001011234, 李雷 ,"1,234.50"\n'
ROWS = [(2, ("0012", "王芳", "8000.10")), (4, ("330102199001011234", "李雷", "1,234.50"))]


def found(content: bytes, **options: Any) -> list[tuple[int, tuple[str, ...]]]:
    return [(row.line, row.cells) for row in read(content, "p.csv", **options).rows]


def said(content: bytes, **options: Any) -> str:
    with pytest.raises(TableError) as refused:
        read(content, "p.csv", **options)
    assert refused.value.message.zh != str(refused.value)
    assert refused.value.exit_code == 2
    return str(refused.value)


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("gbk", "GB18030"),
        ("utf-16", None),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_of_an_office_is_found_out(
    encoding: str, note: str | None, end: str
) -> None:
    content = TEXT.replace("\n", end).encode(encoding)
    assert found(content) == ROWS
    told = read(content, "p.csv").note
    assert (told is None) == (note is None)
    assert note is None or note in str(told)


def test_an_encoding_that_is_named_is_taken_and_no_other() -> None:
    big5 = "userid,姓名\nu1,陳大文\n".encode("big5")
    assert found(big5, encoding="big5") == [(2, ("u1", "陳大文"))]
    assert said(TEXT.encode("gbk"), encoding="utf-8") == "p.csv, line 1: this is not text in utf-8"
    assert "no encoding: write utf-8" in said(b"a\n1\n", encoding="klingon")
    assert "no encoding" in said(b"a\n1\n", encoding="zlib")


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_the_sign_between_cells_is_the_one_that_cuts_all_lines_alike(sign: str) -> None:
    text = sign.join(("userid", "net")) + "\n" + sign.join(("u1", '"8,1;0\t2"')) + "\n"
    assert found(text.encode()) == [(2, ("u1", "8,1;0\t2"))]


CELL = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), include_characters="\n"),
    max_size=8,
).map(str.strip)


@settings(max_examples=40)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8))
def test_what_a_spreadsheet_writes_is_read_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("userid", "a", "b"), *rows])
    kept = [row for row in rows if any(row)]
    if not kept or any(cell.startswith(("=", "#")) for row in rows for cell in row):
        return
    for encoding in ("utf-8", "utf-16"):
        assert [cells for _, cells in found(out.getvalue().encode(encoding))] == kept


def test_a_row_over_several_lines_is_told_by_the_first() -> None:
    assert found(b'a,b\n1,"x\ny"\n2,z\n') == [(2, ("1", "x\ny")), (4, ("2", "z"))]
    assert found(b'a\n="0012"\n') == [(2, ("0012",))]
    assert found(b"a,,b\n1,,2\n") == [(2, ("1", "2"))]


WRONG = {
    b"": "p.csv: it is empty: the first line names the columns",
    b"\n,,\n": "p.csv: it is empty",
    b"userid,net\n": "p.csv, line 1: below the line with the names of the columns there is no row",
    b"a,a\n1,2": "p.csv, line 1, column a: there are two columns of this name",
    b"a,b\n1,2,3": "p.csv, line 2, column C: this column has no name: write one in line 1",
    b"\na,,b\n1,2,3": "p.csv, line 3, column B: this column has no name: write one in line 2",
    b'a,b\n\n1,"2\n3,4': "p.csv, line 3: the quotes of this row are not closed",
    b'a,b\n1,"2"x': "p.csv, line 2: the quotes of this row are not closed, or something follows",
    b"a,b\n1,#N/A": "p.csv, line 2, column b: the cell is the error #N/A: mend the formula",
    b"a,b\n1,x\x01y": "p.csv, line 2, column b: the cell has the character U+0001",
    b"a\n" + b"x" * 2_001: "p.csv, line 2, column a: the cell has more than 2000 characters",
    b"x" * 101 + b"\n1": "p.csv, line 1: the name of a column has at most 100 characters",
    b",".join(b"%d" % n for n in range(201)): "p.csv, line 1: there are more than 200 columns",
    "工号\n".encode() + b"\xff\xff": "p.csv, line 2: this is neither UTF-8 nor GB18030",
    b"\xff\xfea\x00\n": "p.csv, line 1: this is not text in utf-16-le",
    b"PK\x03\x04nothing": "p.csv: it is no sound workbook",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "p.csv: it is an old or a locked workbook",
    b"a\n" + b'"' + b"x" * 200_000: "p.csv, line 2: a cell here has no end",
    b"a" * (LARGEST_FILE + 1): "p.csv: it has more than 32 MB",
}


@pytest.mark.parametrize("content", WRONG, ids=lambda content: WRONG[content][:60])
def test_what_is_wrong_says_where_and_what_to_do(content: bytes) -> None:
    assert WRONG[content] in said(content)


def test_a_table_of_too_many_rows_is_refused_at_the_first_too_many() -> None:
    lines = ((line, ("1",)) for line in range(1, MOST_ROWS + 10))
    with pytest.raises(TableError, match="line 200002: there are more than 200000 rows: divide"):
        shaped("p.csv", lines)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none.csv: No such file"):
        read_file(tmp_path / "none.csv")
    with pytest.raises(InputError, match="Is a directory"):
        read_file(tmp_path)


def workbook(fill: Callable[[Any], None]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        fill(book.add_worksheet())
        book.add_worksheet("other").write(0, 0, "not this one")
    return out.getvalue()


def test_a_workbook_gives_what_is_seen_in_it() -> None:
    def fill(sheet: Any) -> None:
        sheet.write_row(3, 1, ["工号", "数", "算", "真", "小", "大"])
        sheet.write_row(4, 1, ["0012", 8000.1, None, True, 1e-7, 123456789012345])
        sheet.write_formula(4, 3, "=1.1+0.2", None, 1.3000000000000003)
        sheet.write_row(6, 1, ["330102199001011234", 5000])

    table = read(workbook(fill), "p.xlsx")
    assert table.columns == ("工号", "数", "算", "真", "小", "大")
    assert [(row.line, row.cells) for row in table.rows] == [
        (5, ("0012", "8000.1", "1.3", "TRUE", "0.0000001", "123456789012345")),
        (7, ("330102199001011234", "5000", "", "", "", "")),
    ]


def test_dates_of_a_workbook_are_iso() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "b", "c"])
        for place, (value, form) in enumerate(
            [
                (date(2026, 11, 5), "yyyy-mm-dd"),
                (datetime.combine(date(2026, 11, 5), time(9, 30)), "yyyy-mm-dd hh:mm"),
                (time(9, 30), "hh:mm"),
            ]
        ):
            sheet.write_datetime(1, place, value, book.add_format({"num_format": form}))
    (row,) = read(out.getvalue(), "p.xlsx").rows
    assert row.cells == ("2026-11-05", "2026-11-05 09:30:00", "09:30:00")


def test_a_number_that_excel_has_shortened_is_refused_not_passed_on() -> None:
    def fill(sheet: Any) -> None:
        sheet.write_row(0, 0, ["userid", "身份证"])
        sheet.write_row(1, 0, ["u1", 330102199001011234])

    assert said(workbook(fill)) == (
        "p.csv, line 2, column B: a number has more than 15 digits, of which Excel keeps 15: "
        "format the column as text and type it again"
    )


def test_a_cell_in_the_last_column_ends_nothing_but_the_reading() -> None:
    def far(sheet: Any) -> None:
        sheet.write(0, 0, "userid")
        sheet.write(1_048_575, 16_383, "x")

    def wide(sheet: Any) -> None:
        sheet.write(0, 0, "userid")
        sheet.write(1, 16_383, "x")

    assert "does a cell far to the right or far below hold something?" in said(workbook(far))
    assert "more than 200 columns" in said(workbook(wide))


def packed(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("_", "/") + ".xml", content)
    return out.getvalue()


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed(xl_workbook=b"<a/>", xl_sheet=b"0" * 30_000_000)
    assert len(bomb) < 100_000
    assert "unpacked it has more than 200 MB" in said(bomb)
    lying = bomb.replace((30_000_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little"))
    assert "p.csv: " in said(lying)


def test_a_broken_workbook_is_told() -> None:
    whole = workbook(lambda sheet: sheet.write_column(0, 0, ["userid", "u1"]))
    assert found(whole) == [(2, ("u1",))]
    broken = "it is no sound workbook: open it and save it again as .xlsx"
    assert broken in said(whole[: len(whole) // 2])
    assert broken in said(packed(xl_workbook=b"<a/>"))
    assert broken in said(packed(hello=b"no workbook at all"))


def test_columns_are_called_as_in_a_spreadsheet() -> None:
    assert [letters(place) for place in (0, 25, 26, 701, 702, 16_383)] == [
        "A", "Z", "AA", "ZZ", "AAA", "XFD",
    ]  # fmt: skip
