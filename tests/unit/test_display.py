"""What comes from outside cannot steer the terminal that shows it."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.cli import screen
from dingbell.display import visible

_ANY = st.text(st.characters())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(_ANY)
def test_nothing_that_is_shown_is_a_control_character(text: str) -> None:
    shown = visible(text)

    assert not [
        mark
        for mark in shown
        if unicodedata.category(mark) in ("Cc", "Cs", "Zl", "Zp") and mark not in "\t\n"
    ]
    assert "\n" not in visible(text, one_line=True)


@given(_ANY)
def test_json_that_is_shown_is_the_same_json(text: str) -> None:
    assert json.loads(visible(json.dumps([text], ensure_ascii=False))) == [text]


@pytest.mark.parametrize("text", ["张三\t李四\n", "👨‍👩‍👧", "é", "\ufeff", "العربية"])
def test_what_people_write_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("stream", [io.StringIO, _Terminal])
def test_after_the_guard_no_escape_sequence_reaches_a_stream(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    out, err = stream(), stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    screen.guard()
    screen.guard()

    for to in (sys.stdout, sys.stderr):
        print("a\x1b]0;title\x07b\x1b[2Jc", file=to)
        to.writelines(["\x9b", "\u202e"])

    assert out.getvalue() == err.getvalue() == "a\\u001b]0;title\\u0007b\\u001b[2Jc\n\\u009b\\u202e"
    assert screen.bare(sys.stdout) is out
    assert screen.bare(out) is out


def test_the_log_keeps_its_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = _Terminal(), _Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    screen.guard()

    for to in (sys.stdout, sys.stderr):
        print("\x1b[1;32mready\x1b[0m", file=to, end="")

    assert err.getvalue() == "\x1b[1;32mready\x1b[0m"
    assert out.getvalue() == "\\u001b[1;32mready\\u001b[0m"
