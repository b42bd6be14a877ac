"""YAML documents: plain values, variables filled in, every value with its place."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dingbell.config.document import Document, ProblemsError, placed, read
from dingbell.config.tree import FaultError, grown
from dingbell.errors import InputError

Reader = Callable[..., Document]
SECRET = "s3cret"


@pytest.fixture
def reading(tmp_path: Path) -> Reader:
    def reading(text: str | bytes, environment: Mapping[str, str] | None = None) -> Document:
        file = tmp_path / "dingbell.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(file, environment if environment is not None else {})

    return reading


def told(caught: pytest.ExceptionInfo[ProblemsError]) -> list[tuple[int, int, str, str]]:
    return [
        (problem.line, problem.column, problem.path, str(problem.message))
        for problem in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("x", "x"),
        ("'16:00'", "16:00"),
        ("16:00", "16:00"),
        ("yes", "yes"),
        ("true", True),
        ("&anchor true", True),
        ("~", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("[1, [a], {b: c}]", [1, ["a"], {"b": "c"}]),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23 16:00", "2026-11-23 16:00"),
        ("2026-11-23T16:00:00+08:00", "2026-11-23T16:00:00+08:00"),
        ("0x_", "0x_"),
        (".", "."),
        ("1-2", "1-2"),
        ("9" * 5_000, "9" * 5_000),
    ],
)
def test_values_are_plain(reading: Reader, yaml: str, value: object) -> None:
    found = reading(f"a: {yaml}").content["a"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("12", 12),
        ("+8613800138000", 8_613_800_138_000),
        ("-5", -5),
        ("12_345", 12_345),
        ("0x1f", 31),
        ("0o17", 15),
        ("0b11", 3),
        ("007", 7),
        ("15.60", 15.6),
        ("1.10", 1.1),
        ("1e3", 1_000.0),
        ("1_0.5", 10.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", float("-inf")),
    ],
)
def test_a_number_is_one_and_as_text_it_is_what_was_written(
    reading: Reader, yaml: str, value: float
) -> None:
    found = reading(f"a: {yaml}").content["a"]

    assert found == value
    assert str(found) == yaml


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_an_empty_document(reading: Reader, text: str) -> None:
    document = reading(text)

    assert document.content == {}
    assert document.place(("apps", "hr")) == (1, 1)


def test_a_mark_at_the_beginning_is_no_content(reading: Reader) -> None:
    assert reading(b"\xef\xbb\xbfa: 1").content == {"a": 1}


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("${NAME}", "v"),
        ("{b: ${NAME}, c: 'x ${NAME} y'}", {"b": "v", "c": "x v y"}),
        ('"${NAME}${NAME}"', "vv"),
        ("|\n  ${NAME}\n", "v\n"),
        ("$${NAME}", "${NAME}"),
        ("{b: $${NAME}}", {"b": "${NAME}"}),
        ("$$${NAME}", "$${NAME}"),
        ("$${A-B}", "${A-B}"),
        ("$NAME", "$NAME"),
        ("x # ${MISSING}", "x"),
        ("${ODD}", "a$${b} # {c: [${NAME}]\n"),
        ("${EMPTY}", ""),
        ("${NUMBER}", "42"),
    ],
)
def test_variables_are_filled_in_as_they_are(reading: Reader, yaml: str, value: object) -> None:
    environment = {
        "NAME": "v",
        "ODD": "a$${b} # {c: [${NAME}]\n",
        "EMPTY": "",
        "NUMBER": "42",
    }

    assert reading(f"a: {yaml}", environment).content == {"a": value}


def test_the_environment_of_the_process_is_the_default(
    reading: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading("a: ${HR_SECRET}", {"HR_SECRET": ""})
    monkeypatch.setenv("HR_SECRET", SECRET)

    assert read(tmp_path / "dingbell.yaml").content == {"a": SECRET}


def test_every_missing_variable_is_told_where_it_is_needed(reading: Reader) -> None:
    with pytest.raises(ProblemsError) as caught:
        reading("apps:\n  hr: {key: ${B}, secret: ${A}}\nlist:\n  - x\n  - ${C}${D}\n")

    assert told(caught) == [
        (2, 8, "apps.hr.key", "the environment variable B is not set"),
        (2, 19, "apps.hr.secret", "the environment variable A is not set"),
        (5, 5, "list.1", "the environment variable C is not set"),
        (5, 5, "list.1", "the environment variable D is not set"),
    ]


def test_a_place_is_that_of_the_value_or_of_what_is_around_it(reading: Reader) -> None:
    document = reading("apps:\n  hr:\n    agent_id: 1\n  2: x\nlist: [a, {b: c}]\n")

    assert document.place(()) == (1, 1)
    assert document.place(("apps", "hr", "agent_id")) == (3, 5)
    assert document.place(("apps", "hr", "app_key")) == (2, 3)
    assert document.place(("apps", "2")) == (4, 3)
    assert document.place(("apps", "2", "deeper")) == (4, 3)
    assert document.place(("list", 1, "b")) == (5, 12)
    assert document.place(("list", 7)) == (5, 1)
    assert document.place(("list", "x")) == (5, 1)


def test_what_was_merged_in_is_placed_where_it_was_merged(reading: Reader) -> None:
    document = reading("base: &base\n  x: 1\nuser:\n  <<: *base\n  y: 2\n")

    assert document.content["user"] == {"x": 1, "y": 2}
    assert document.place(("user", "x")) == (3, 1)
    assert document.place(("user", "y")) == (5, 3)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("a: [1, 2\n", 2, 1, "expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", 2, 1, "found character"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        ("a: 1\nb:\n  - x\n  y: 1\n", 4, 3, "expected <block end>"),
        ("a: *nobody\n", 1, 4, "found undefined alias"),
        ("- a\n", 1, 1, "the file must be a mapping"),
        ("text\n", 1, 1, "the file must be a mapping"),
        ("a: 1\nb: x\x07y\n", 2, 5, "the character #x0007 is not allowed"),
        ("\x00", 1, 1, "the character #x0000 is not allowed"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, 'found duplicate key "a"'),
    ],
)
def test_what_is_not_yaml_is_told_with_its_place(
    reading: Reader, text: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(ProblemsError) as caught:
        reading(text)

    ((found_line, found_column, path, message),) = told(caught)
    assert (found_line, found_column, path) == (line, column, "")
    assert said in message
    assert caught.value.in_chinese() != str(caught.value)


def test_a_key_that_stands_twice_does_not_show_its_values(reading: Reader) -> None:
    with pytest.raises(ProblemsError) as caught:
        reading(f"app_secret: {SECRET}1\napp_secret: {SECRET}2\n")

    assert SECRET not in str(caught.value) + caught.value.in_chinese()


def test_problems_are_listed_by_place_each_on_a_line_that_editors_understand(
    reading: Reader, tmp_path: Path
) -> None:
    with pytest.raises(ProblemsError) as caught:
        reading("a: {z: ${Z}, y: ${Y}}\n")

    file = tmp_path / "dingbell.yaml"
    assert str(caught.value).splitlines() == [
        f"{file}:1:5: a.z: the environment variable Z is not set",
        f"{file}:1:14: a.y: the environment variable Y is not set",
    ]
    assert caught.value.in_chinese().splitlines()[0] == f"{file}:1:5: a.z: 环境变量 Z 未设置"


def _missing(folder: Path) -> Path:
    return folder / "missing.yaml"


def _folder(folder: Path) -> Path:
    return folder


def _no_text(folder: Path) -> Path:
    file = folder / "latin1.yaml"
    file.write_bytes("a: café\n".encode("latin-1"))
    return file


def _half_of_a_text(folder: Path) -> Path:
    file = folder / "utf16.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    return file


def _endless(folder: Path) -> Path:
    return Path("/dev/zero")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_missing, "No such file or directory"),
        (_folder, "Is a directory"),
        (_no_text, "not UTF-8"),
        (_half_of_a_text, "not UTF-8"),
        (_endless, "larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, make: Callable[[Path], Path], reason: str
) -> None:
    file = make(tmp_path)

    with pytest.raises(InputError, match=f"cannot read {file}: {reason}") as caught:
        read(file)
    assert reason not in caught.value.in_chinese()


def test_a_tag_nobody_knows_breaks_nothing(reading: Reader) -> None:
    content: dict[str, Any] = reading("a: !odd x\nb: !odd {c: 1}\n").content

    assert content == {"a": "x", "b": {"c": 1}}


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [
        ("utf-8", False),
        ("utf-8-sig", False),
        ("utf-16", False),
        ("gbk", True),
        ("gb18030", True),
    ],
)
def test_a_file_is_read_in_whatever_encoding_its_editor_wrote(
    reading: Reader, encoding: str, noted: bool
) -> None:
    document = reading("a: 下班奥里给\r\nb: 1\r\n".encode(encoding))

    assert document.content == {"a": "下班奥里给", "b": 1}
    assert (document.note is not None) is noted


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        (r'"\ud83d\ude00"', "😀"),
        (r'"a\uD83D\uDE00b\ud83d\udc4d"', "a😀b👍"),
        ("\ue000\ue000NAME\ue001", "\ue000\ue000NAME\ue001"),
        ("\ue002${NAME}\ue000", "\ue002v\ue000"),
    ],
)
def test_characters_of_every_kind_are_read_as_they_stand(
    reading: Reader, yaml: str, value: str
) -> None:
    assert reading(f"a: {yaml}", {"NAME": "v"}).content == {"a": value}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (r'a: "\0"', (1, 4), "U+0000"),
        ('a:\n  "b\\0": 1', (2, 3), "U+0000"),
        (r'a: [1, "x\ud83d"]', (1, 8), "U+D83D"),
        (r'a: "\udc00\ud83d"', (1, 4), "U+DC00"),
        (r'a: "\UFFFFFFFF"', (1, 1), "names no character"),
        ("a: ${NAME}", (1, 4), "U+0000"),
    ],
)
def test_what_nothing_could_keep_is_refused_where_it_stands(
    reading: Reader, text: str, place: tuple[int, int], said: str
) -> None:
    with pytest.raises(ProblemsError) as caught:
        reading(text, {"NAME": "\0"})

    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert said in problem.message


def _aliases(each: str) -> str:
    return "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {each.format(', '.join([f'*a{n - 1}'] * 8))}\n" for n in range(1, 30)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_aliases("[{}]"), "unfold to more than"),
        (_aliases("{{<<: [{}]}}"), "unfold to more than"),
        ("a: " + "[" * 3_000, "deeper than 64 levels"),
        ("a: " + "{b: " * 3_000, "deeper than 64 levels"),
        ("- " * 3_000, "deeper than 64 levels"),
        ("? " * 3_000, "deeper than 64 levels"),
        ("a: &a\n  <<: *a\n", "stands inside what it names"),
        ("a: &a {b: {<<: *a}}", "stands inside what it names"),
        ("a: &a [1, [*a]]", "stands inside what it names"),
        ("a: !" + "x" * 1_000_000, "without end"),
        ("%TAG ! " + "x" * 1_000_000, "without end"),
        ("#" * 1_100_000, "larger than"),
        ("<<: 5", "takes a mapping"),
        ("[a]: 5", "a key must be text"),
    ],
)
def test_a_file_that_is_too_much_is_refused_in_seconds(
    reading: Reader, text: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        reading(text)

    assert said in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("text", ["a: [" + "1," * 2_000 + "]", "- 1\n" * 2_000])
def test_a_file_of_too_many_parts_is_refused_before_the_rest_is_read(text: str) -> None:
    with pytest.raises(FaultError, match="more than 1000 parts: divide it"):
        grown(text, most=1_000)


def test_merged_mappings_give_way_to_what_is_written_and_the_nearer_to_the_farther(
    reading: Reader,
) -> None:
    text = """\
a: &a {x: 1, y: 1, z: 1}
b: &b {<<: *a, y: 2}
c: {z: 3, <<: [*b, {x: 9, w: 9}]}
"""
    assert reading(text).content["c"] == {"x": 1, "y": 2, "z": 3, "w": 9}


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: {b: 1",
        "a: b: c",
        "a: 1\n\tb: 2",
        'a: "x',
        "a: @x",
        "a: 'x' y",
        'a: "\\q"',
        "a: |9x",
        "a: !x!y z",
        "%FOO\na: 1",
        "a: - b",
        "a\nb: 1\n",
        "a: & x",
        "a: &x &y z",
        "a: >\n    b\n  c\n",
        "a: }",
        "%YAML 3.0\n---\na: 1",
        "a: *nobody",
        "a: 1\na: 2",
        "a: x\x07",
        "- a",
    ],
)
def test_no_english_and_no_name_of_a_token_reaches_who_reads_chinese(
    reading: Reader, tmp_path: Path, text: str
) -> None:
    with pytest.raises(ProblemsError) as caught:
        reading(text)

    said = caught.value.in_chinese().removeprefix(str(tmp_path))
    assert re.search("[\u4e00-\u9fff]", said)
    words = set(re.findall("[A-Za-z]{3,}", said)) - {"dingbell", "yaml", "YAML"}
    assert words <= {"apps", "audiences", "schedules", "nobody"}


def test_what_is_refused_later_is_told_with_its_place_too(reading: Reader) -> None:
    document = reading("schedules:\n  v1:\n    x: 1\n  v1.2:\n    when: {once: x}\n    to: [a]\n")

    for where, line, column in [
        ("schedules.v1.2.when", 5, 5),
        ("schedules.v1.2.app", 4, 3),
        ("schedules.v1", 2, 3),
        ("schedules.v1.2.to.0", 6, 10),
        ("elsewhere", 1, 1),
    ]:
        with pytest.raises(ProblemsError) as caught, placed(document):
            raise InputError("no", where=where)
        assert told(caught) == [(line, column, where, "no")]


def test_what_says_not_what_it_means_keeps_its_words(reading: Reader) -> None:
    document = reading("a: 1\n")
    with pytest.raises(InputError) as caught, placed(document):
        raise InputError("no")

    assert not isinstance(caught.value, ProblemsError)
    with pytest.raises(ProblemsError) as again, placed(document):
        raise ProblemsError("other", [])
    assert again.value.file == "other"
