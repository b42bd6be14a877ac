"""YAML that is written is read back as it was, and reads as people write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dingbell.config.document import read
from dingbell.config.sheet import Sheet
from dingbell.config.writing import comment, written

TEXTS = st.text(
    st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=40
) | st.sampled_from(
    [
        "15.60",
        "0012",
        "1_000",
        "0x1F",
        "null",
        "~",
        "Yes",
        "on",
        "<<",
        "- a",
        "a: b",
        "#",
        "@a",
        "%",
        "${A}",
        "$${A}",
        "$$${A}",
        "${",
        "$${ x",
        "a\nb",
        "a\n b\n",
        "\ta\n",
        "a\n\n",
        "'",
        '"',
        "é\u2028",
    ]
)
VALUES = st.recursive(
    TEXTS | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, width=32) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written") / "dingbell.yaml"


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), st.integers(0, 3))
@example({"form": {"日期": "11-26"}, "text": "1\n2"}, 1)
def test_whatever_is_written_is_read_back(file: Path, content: dict[str, Any], below: int) -> None:
    file.write_text(written(content, below=below), encoding="utf-8", newline="")
    assert read(file, {}).content == content


def test_what_is_short_stands_on_one_line_and_lines_of_text_stand_below_one_another() -> None:
    schedule = {
        "when": {"daily": "16:00"},
        "to": {"departments": [1, 2], "except": {"users": ["manager4220"]}},
        "message": {"markdown": {"title": "早上好", "text": "# 今天\n- 一\n- 二\n"}},
        "secret": Sheet("UTC").secret(1, name="hr_app_secret", otherwise=""),
    }
    assert written({"schedules": {"off-work": schedule}}, below=3) == (
        "schedules:\n"
        "  off-work:\n"
        '    when: {daily: "16:00"}\n'
        "    to: {departments: [1, 2], except: {users: [manager4220]}}\n"
        "    message:\n"
        "      markdown:\n"
        "        title: 早上好\n"
        "        text: |\n"
        "          # 今天\n"
        "          - 一\n"
        "          - 二\n"
        "    secret: ${HR_APP_SECRET}\n"
    )


def test_each_secret_has_a_variable_of_its_own() -> None:
    sheet = Sheet("UTC")
    names = [
        sheet.secret(owner, name=name, otherwise=f"APP_{owner}_SECRET")
        for owner, name in (
            (1, "hr-x_SECRET"),
            (2, "hr.x_SECRET"),
            (1, "hr-x_SECRET"),
            (3, "人事_S"),
        )
    ]
    assert names == ["${HR_X_SECRET}", "${HR_X_SECRET_2}", "${HR_X_SECRET}", "${APP_3_SECRET}"]
    assert list(sheet.variables) == ["HR_X_SECRET", "HR_X_SECRET_2", "APP_3_SECRET"]


def test_a_comment_is_one_in_every_line() -> None:
    assert comment("a\n\nb: c\n") == "# a\n#\n# b: c\n"
