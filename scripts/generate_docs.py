"""Write the generated pages of docs/reference, or compare them with the code (`--check`).

Every page is made from what the product runs on: the commands, the settings, the catalogue of log
events, the table of DingTalk's codes, the table of moves. English, whatever the locale.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

os.environ["DINGBELL_LANG"] = "en"  # help texts are made at import

import yaml_pages
from typer.main import get_command

from dingbell.dingtalk import codes, errors
from dingbell.dingtalk.errors import _OURS as CLIENT_CODES
from dingbell.domain import lifecycle
from dingbell.operations.codes import _OURS as OUR_CODES
from dingbell.settings import Settings
from dingbell.telemetry import Event, Metrics

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
SOURCES = ROOT / "src" / "dingbell"

_NOTE = "<!-- Written by scripts/generate_docs.py from the code: `make docs`. Do not edit. -->"
_COMPLETION = {"install_completion", "show_completion"}
_TYPES = {bool: "", int: "number", str: "text", Path: "path", list[str]: "text, repeatable"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when stale")
    found = pages()
    return check(found) if parser.parse_args(arguments).check else write(found)


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "events.md": events_page(),
        "codes.md": codes_page(),
        "states.md": states_page(),
        "yaml.md": _page(*yaml_pages.page("en")),
        "yaml.zh-CN.md": _page(*yaml_pages.page("zh")),
    }


def write(found: Mapping[str, str]) -> int:
    """Write the pages that changed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        path = FOLDER / name
        if _read(path) != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return 0


def check(found: Mapping[str, str]) -> int:
    """Name the pages that do not say what the code says."""
    stale = [name for name, text in found.items() if _read(FOLDER / name) != text]
    stale += sorted(path.name for path in FOLDER.glob("*.md") if path.name not in found)
    for name in stale:
        why = "differs from the code" if name in found else "is not generated any more: delete it"
        print(f"stale: docs/reference/{name} {why}", file=sys.stderr)
    if stale:
        print("`make docs` writes the pages again", file=sys.stderr)
    return 1 if stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _page(title: str, intro: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _NOTE, intro, *parts)) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: object) -> str:
    return f"`{text}`"


def _summary(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


# The commands


def cli_page() -> str:
    """Every command with its arguments and options."""
    root = command_line()
    intro = (
        "Exit codes: 0 done, 1 failed, 2 your input, 3 partly delivered. With `--json` the result "
        "is one JSON document."
    )
    return _page("Commands", intro, *(_command(path, one) for path, one in walk(root)))


def command_line() -> Any:
    """The root of the command line, as click sees it."""
    return get_command(importlib.import_module("dingbell.cli.main").app)


def walk(command: Any, path: tuple[str, ...] = ("dingbell",)) -> Iterator[tuple[str, Any]]:
    """The command and all below it, each with its full name."""
    yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*path, name))


def _command(path: str, command: Any) -> str:
    params = [one for one in command.params if one.name not in _COMPLETION and not one.hidden]
    arguments = [one for one in params if one.param_type_name == "argument"]
    options = [one for one in params if one.param_type_name == "option"]
    below = getattr(command, "commands", {})
    parts = [f"## {path}", _sentence(command.help), _code(_usage(path, arguments, options, below))]
    if below:
        parts.append(_table(("command", "what it does"), _listed(below)))
    if arguments:
        parts.append(_table(("argument", "type", "default", "meaning"), map(_argument, arguments)))
    if options:
        parts.append(_table(("option", "type", "default", "meaning"), map(_option, options)))
    return "\n\n".join(parts)


def _sentence(text: str | None) -> str:
    plain = (text or "").strip()
    return plain[:1].upper() + plain[1:] + ("" if plain.endswith(".") else ".")


def _usage(path: str, arguments: list[Any], options: list[Any], below: object) -> str:
    words = [path]
    if options:
        words.append("[OPTIONS]")
    words += [one.name.upper() if one.required else f"[{one.name.upper()}]" for one in arguments]
    return " ".join([*words, *(["COMMAND …"] if below else [])])


def _listed(commands: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((_code(name), one.help or "") for name, one in commands.items())


def _argument(param: Any) -> tuple[str, ...]:
    return _code(param.name.upper()), _type(param), _default(param), param.help or ""


def _option(param: Any) -> tuple[str, ...]:
    names = ", ".join(map(_code, (*param.opts, *param.secondary_opts)))
    return names, _type(param), _default(param), param.help or ""


def _type(param: Any) -> str:
    kind = param.type_descriptor.annotation
    word = _TYPES.get(kind, "text")
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is None and high is None:
        return word
    return f"{word} {low}–{high}" if high is not None else f"{word} ≥ {low}"


def _default(param: Any) -> str:
    if param.required:
        return "required"
    if isinstance(param.default, bool):
        return _code(param.opts[0]) if param.default else ""
    return "" if param.default is None else _code(param.default)


# The settings


def settings_page() -> str:
    """Every variable of the environment."""
    intro = (
        "Read once at the start, from the environment and from `.env` in the working directory; "
        "the environment wins. `DINGBELL_LANG` (`zh` or `en`) chooses the language of the command "
        "line, as `--lang` does."
    )
    meanings = _attributes(Settings)
    rows = [
        (_code(f"DINGBELL_{name.upper()}"), _setting_default(name), meanings[name])
        for name in Settings.model_fields
    ]
    return _page("Settings", intro, _table(("variable", "default", "meaning"), rows))


def _attributes(thing: type) -> dict[str, str]:
    """The `Attributes:` of a Google docstring."""
    section = (inspect.getdoc(thing) or "").partition("Attributes:\n")[2]
    joined = re.sub(r"\n {8,}", " ", section)
    found = re.findall(r"^ {4}(\w+): (.+)$", joined, re.MULTILINE)
    return dict(found)


def _setting_default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "root: `/var/lib/dingbell`; others: the platform's data folder"
    return "" if field.default is None else _code(field.default)


# What is logged and measured


def events_page() -> str:
    """The catalogue of events and the metrics."""
    intro = (
        "The log goes to standard error: lines for people on a terminal, one JSON object a line "
        "elsewhere. `event` is one of these names and nothing else; what is bound to it depends on "
        "the place that says it."
    )
    said = _said()
    rows = [(_code(event.value), *_place(said.get(event.name, []))) for event in Event]
    events = _table(("event", "level", "bound", "said by"), rows)
    metrics = _table(("metric", "kind", "labels", "meaning"), _metrics())
    return _page("Events and metrics", intro, events, "## Metrics at `/metrics`", metrics)


def _said() -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """Where each event is logged: (module, level, bound names), by the event's name."""
    found: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := _event_of(node)):
                found.setdefault(name, []).append((path.stem, *_bound(node)))
            elif isinstance(node, ast.Tuple) and (row := _row_of(node)):
                name, level = row
                noun = name.partition("_")[0].lower()
                found.setdefault(name, []).append((path.stem, level, (noun, "cause", "reason")))
    return found


def _row_of(row: ast.Tuple) -> tuple[str, str] | None:
    """An event and its level, as a table of the code has them for changes of states."""
    match row.elts:
        case [
            ast.Attribute(value=ast.Name(id="Event"), attr=name),
            ast.Attribute(value=ast.Name(id="logging"), attr=level),
        ]:
            return name, level.lower()
    return None


def _event_of(call: ast.Call) -> str | None:
    if not (isinstance(call.func, ast.Name) and call.func.id == "log" and call.args):
        return None
    first = call.args[0]
    return first.attr if isinstance(first, ast.Attribute) else None


def _bound(call: ast.Call) -> tuple[str, tuple[str, ...]]:
    level = "info"
    names = []
    for keyword in call.keywords:
        if keyword.arg == "level" and isinstance(keyword.value, ast.Attribute):
            level = keyword.value.attr.lower()
        elif keyword.arg:
            names.append(keyword.arg)
    return level, tuple(names)


def _place(said: list[tuple[str, str, tuple[str, ...]]]) -> tuple[str, str, str]:
    levels = dict.fromkeys(level for _, level, _ in said)
    names = dict.fromkeys(name for _, _, bound in said for name in bound)
    modules = dict.fromkeys(module for module, _, _ in said)
    return ", ".join(levels), ", ".join(map(_code, names)), ", ".join(modules)


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    metrics = Metrics()
    own = {id(one): one for one in vars(metrics).values() if hasattr(one, "describe")}
    for one in own.values():
        for family in one.describe():
            suffix = "_total" if family.type == "counter" else ""
            labels = ", ".join(getattr(one, "_labelnames", ()))
            yield _code(family.name + suffix), family.type, labels, family.documentation


# DingTalk's codes


def codes_page() -> str:
    """Every code, what it means and what it asks of the caller."""
    intro = (
        "`code` of a batch or a delivery is one of these. `runs show` prints the meaning beside "
        "it. `recall_code` says why a batch could not be recalled; an HTTP status "
        "without a code of DingTalk's is `http.` and the status."
    )
    answers = _table(("code", "kind", "what now", "pause", "alert", "meaning", "意思"), _answers())
    dropped = _table(("code", "action", "meaning", "意思"), _dropped())
    ours = _table(("code", "meaning", "意思"), _ours())
    return _page(
        "Codes",
        intro,
        "## Of an answer",
        "Of any call. *alert*: it does not heal by itself, a person must act.",
        answers,
        "## Of a dropped delivery",
        "DingTalk said yes to the call and dropped the notice of one person. "
        + " ".join(_body(errors.forbidden_action)),
        dropped,
        "## Ours",
        "Where DingTalk gave no code.",
        ours,
    )


def _answers() -> Iterator[tuple[str, ...]]:
    for code, row in codes.CODES.items():
        pause = f"{row.after:g} s" if row.after else ""
        alert = "yes" if row.alert else ""
        yield _code(code), row.kind.value, _what_now(code, row), pause, alert, row.en, row.zh


def _what_now(code: str, row: codes.Code) -> str:
    if row.kind is codes.Kind.OK:
        return "Go on."
    return _summary(type(errors.from_code(code, "", "", None, now=0.0)))


def _dropped() -> Iterator[tuple[str, ...]]:
    for code, row in codes.FORBIDDEN.items():
        yield _code(code), row.action, row.en, row.zh


def _ours() -> Iterator[tuple[str, ...]]:
    for code, meaning in {**OUR_CODES, **CLIENT_CODES}.items():
        yield _code(code), *meaning


def _body(thing: object) -> list[str]:
    """A docstring without its first line."""
    return (inspect.getdoc(thing) or "").split("\n")[2:]


# The states


def states_page() -> str:
    """The table of moves, drawn and written."""
    intro = (
        "The one table that the code and these diagrams obey. Every move names the states it may "
        "start from, and counts only if the row was still in one of them."
    )
    machines = (
        ("Run", lifecycle.Run, lifecycle.RUN_MOVES),
        ("Batch", lifecycle.Batch, lifecycle.BATCH_MOVES),
        ("Delivery", lifecycle.Delivery, lifecycle.DELIVERY_MOVES),
    )
    return _page("States", intro, *(_machine(*machine) for machine in machines))


def _machine(title: str, states: Any, moves: Mapping[Any, frozenset[Any]]) -> str:
    rows = [
        (_code(state), ", ".join(map(_code, _in_order(states, moves[state]))), _final(state))
        for state in states
    ]
    return "\n\n".join(
        (
            f"## {title}",
            f"{_summary(states)}\n\n```mermaid\n{lifecycle.mermaid(moves)}\n```",
            _table(("state", "may move to", "final"), rows),
            f"Final: {_lower(_summary(states.final))}",
        )
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _in_order(states: Iterable[StrEnum], some: Iterable[StrEnum]) -> list[StrEnum]:
    return [state for state in states if state in set(some)]


def _final(state: Any) -> str:
    return "yes" if state.final else ""


if __name__ == "__main__":
    sys.exit(main())
