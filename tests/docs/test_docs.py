"""What the docs say exists, loads, parses and resolves."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from dingbell.config.schema import load

ROOT = Path(__file__).resolve().parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_UsageError = typer.BadParameter.__mro__[1]  # what click raises for every kind of misuse
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_INLINE = re.compile(r"`((?:dingbell|make) [^`]+)`")


def blocks(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of one language, without their indentation."""
    for indent, found, body in _FENCE.findall(page.read_text(encoding="utf-8")):
        if found == language:
            yield re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)


def all_blocks(language: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}-{place}")
        for page in PAGES
        for place, block in enumerate(blocks(page, language))
    ]


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands_in(block: str) -> Iterator[list[str]]:
    """The words of every `dingbell …` and `make …` of a block of bash."""
    for line in block.replace("\\\n", " ").splitlines():
        if not re.search(r"(^|\s)(dingbell|make)\s", line):
            continue
        words = shlex.split(line, comments=True)
        if words and words[0] in ("dingbell", "make"):
            yield words[: next((i for i, word in enumerate(words) if word in ">&|"), None)]


def commands_of(page: Path) -> Iterator[list[str]]:
    for block in blocks(page, "bash"):
        yield from commands_in(block)
    for inline in [] if page.parent.name == "reference" else _INLINE.findall(prose(page)):
        yield shlex.split(inline)


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.fixture(scope="module")
def command_line() -> Any:
    return get_command(importlib.import_module("dingbell.cli.main").app)


def problem(command: Any, words: list[str]) -> str | None:
    """What is wrong with the words after `dingbell`; a command that is only named lacks nothing."""
    below = getattr(command, "commands", None)
    if not words or "…" in words:
        return None
    if below is None:
        return _refused(command, words)
    options = {name: one for one in command.params for name in one.opts}
    if words[0] in options:
        return problem(command, words[1 if options[words[0]].is_flag else 2 :])
    if words[0] not in below:
        return f"there is no command {words[0]!r}"
    return problem(below[words[0]], words[1:])


def _refused(command: Any, words: list[str]) -> str | None:
    """What the command's own parser says; the callback is not run."""
    try:
        command.make_context(command.name, ["1" if word == "ID" else word for word in words])
    except _UsageError as error:
        return repr(error)
    return None


YAML_BLOCKS = [
    param for param in all_blocks("yaml") if str(param.values[0]).startswith("# dingbell.yaml")
]


@pytest.mark.parametrize("block", YAML_BLOCKS)
def test_every_dingbell_yaml_loads(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _VARIABLE.findall(block):
        monkeypatch.setenv(name, "1")
    path = tmp_path / "dingbell.yaml"
    path.write_text(block, encoding="utf-8")
    assert load(path).schedules


def test_both_readmes_show_a_dingbell_yaml() -> None:
    pages = [str(param.id) for param in YAML_BLOCKS]
    assert all(any(page.startswith(readme.name) for page in pages) for readme in READMES)


@pytest.mark.parametrize("block", all_blocks("python"))
def test_every_python_block_compiles_and_imports_what_it_names(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            missing = [one.name for one in node.names if not hasattr(module, one.name)]
            assert not missing, f"{node.module} has no {missing}"
        elif isinstance(node, ast.Import):
            for one in node.names:
                importlib.import_module(one.name)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_examples_of_the_library_register_their_schedules(
    readme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example", "figures": lambda: 7}
    for block in blocks(readme, "python"):
        exec(compile(block, readme.name, "exec"), names)
    assert names["off_work"]() == names["text"]("Hello! 下午好!下班奥里给666!")
    assert names["report"](datetime(2026, 11, 24, 16, tzinfo=UTC)).startswith("16:00: 7")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(page: Path, command_line: Any) -> None:
    for program, *words in commands_of(page):
        if program == "make":
            unknown = [w for w in words if "=" not in w and w not in targets()]
            assert not unknown, f"make has no target {unknown}"
            continue
        assert problem(command_line, words) is None, f"dingbell {' '.join(words)}"


@pytest.mark.parametrize(
    "words",
    [
        "nosuch",
        "db nosuch",
        "send --nosuch",
        "send --to users:a --text",
        "runs show eleven",
        "db backup a b",
        "serve --port",
    ],
)
def test_a_wrong_command_is_noticed(words: str, command_line: Any) -> None:
    assert problem(command_line, words.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    links = [link for link in _LINK.findall(prose(page)) if not re.match(r"\w+:|#", link)]
    broken = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_is_an_orphan(page: Path) -> None:
    if page.parent == ROOT:
        return
    linked = {
        (other.parent / link.partition("#")[0]).resolve()
        for other in PAGES
        for link in _LINK.findall(other.read_text(encoding="utf-8"))
        if not re.match(r"\w+:|#", link)
    }
    assert page in linked


def test_the_generated_pages_are_current() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_stale_page_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    generate_docs = importlib.import_module("generate_docs")
    monkeypatch.setattr(generate_docs, "FOLDER", tmp_path)
    found = generate_docs.pages()
    for name, text in found.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert generate_docs.check(found) == 0
    (tmp_path / "codes.md").write_text("old", encoding="utf-8")
    (tmp_path / "gone.md").write_text("old", encoding="utf-8")
    assert generate_docs.check(found) == 1
    told = capsys.readouterr().err
    assert "docs/reference/codes.md" in told
    assert "docs/reference/gone.md" in told


def test_the_readmes_have_the_same_sections() -> None:
    english, chinese = (
        [line.partition(" ")[0] for line in prose(readme).splitlines() if line.startswith("#")]
        for readme in READMES
    )
    assert english == chinese
    assert len(english) > 5


def test_the_readmes_show_the_same_commands() -> None:
    english, chinese = (
        [words for words in commands_of(readme) if "--lang" not in words] for readme in READMES
    )
    shown = [[word for word in words if word.isascii()] for words in english]
    assert shown == [[word for word in words if word.isascii()] for words in chinese]
