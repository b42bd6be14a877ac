"""The JSON Schema of `dingbell.yaml`: it knows every key, takes what loads, and finds mistakes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter, ValidationError

from dingbell.config import document, examples
from dingbell.config.json_schema import example, raw, schema
from dingbell.config.schema import Config, load
from dingbell.dingtalk import messages
from dingbell.dingtalk.messages.fields import TYPES, Field
from dingbell.domain.duration import parse_duration
from dingbell.domain.triggers import notation
from dingbell.errors import InputError, Text

ROOT = Path(__file__).resolve().parents[2]
WHOLE = schema("en")
CHECK = Draft202012Validator(WHOLE)


def check_of(part: dict[str, Any]) -> Draft202012Validator:
    """What checks a part of a file."""
    return Draft202012Validator({"$defs": WHOLE["$defs"], **part})


def models(kind: Any = Config, seen: set[type[BaseModel]] | None = None) -> set[type[BaseModel]]:
    """Every model that a file is read with."""
    seen = set() if seen is None else seen
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        seen.add(kind)
        for field in kind.model_fields.values():
            models(field.annotation, seen)
    for part in get_args(kind):
        models(part, seen)
    return seen


MODELS = sorted(models(), key=lambda model: model.__name__)
KEYS = [
    pytest.param(model, name, id=f"{model.__name__}.{name}")
    for model in MODELS
    for name in model.model_fields
]


def internal(model: type[BaseModel], name: str) -> bool:
    extra = model.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra["internal"])


@pytest.mark.parametrize(("model", "name"), KEYS)
def test_every_key_has_its_meaning_in_both_languages_and_an_example(
    model: type[BaseModel], name: str
) -> None:
    field = model.model_fields[name]
    hint = (
        f"above `class {model.__name__}` in {model.__module__} write: "
        f'@meanings({name}=Meaning(Text("english", "中文"), "an example in YAML"), …)'
    )
    assert isinstance(field.description, Text), hint
    if not internal(model, name):
        assert field.description, hint
        assert re.search("[\u4e00-\u9fff]", field.description.zh), hint
        assert field.examples
        assert field.examples[0], hint


@pytest.mark.parametrize(("model", "name"), KEYS)
def test_every_example_loads_and_is_valid(model: type[BaseModel], name: str) -> None:
    if internal(model, name):
        return
    fields = model.model_fields
    needed = [key for key, field in fields.items() if field.is_required()]
    if {"message", "function"} <= fields.keys():
        needed.append("message")
    if not any(key in fields for key in needed):
        needed = [name]
    given_ = {fields[key].alias or key: example(fields[key].examples[0]) for key in (*needed, name)}
    if list(given_) == ["except"]:
        given_["everyone"] = True
    TypeAdapter(model).validate_python(given_)
    check_of(WHOLE["$defs"].get(model.__name__, WHOLE)).validate(given_)


def test_what_counts_something_says_what_it_counts() -> None:
    def counts(one: Any) -> bool:
        return "integer" in json.dumps(one) or '"type": "number"' in json.dumps(one)

    for name in ("AppSpec", "OrgSpec"):
        for key, one in raw()["$defs"][name]["properties"].items():
            assert counts(one) == ("unit" in one), (name, key)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_a_schema_of_draft_2020_12_in_one_language(language: str) -> None:
    found = schema(language)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    said = [found["title"], found["properties"]["schedules"]["description"]]
    assert all(bool(re.search("[\u4e00-\u9fff]", one)) == (language == "zh") for one in said)
    text = json.dumps(found)
    assert not re.search(r"pydantic|Spec\": \"|BaseModel|\"unit\": \"|\"otherwise\"", text)
    assert "function" not in found["$defs"]["ScheduleSpec"]["properties"]


class _AsWritten(dict[str, str]):
    """Every variable stands for itself, as an editor sees it."""

    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]
        return f"${{{name}}}"


def as_editors_see(path: Path) -> dict[str, Any]:
    return document.read(path, _AsWritten()).content


class _AnyVariable(dict[str, str]):
    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]
        return "1"


_TOP = "|".join(Config.model_fields)
_FILE = re.compile(rf"^({_TOP}|x-\w+):", re.MULTILINE)


def written_files() -> Iterator[str]:
    """Everything in docs and tests that may be a `dingbell.yaml`."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        found = page.read_text(encoding="utf-8")
        yield from re.findall(r"^```yaml\n(.*?)^```$", found, re.MULTILINE | re.DOTALL)
    for file in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    yield examples.YAML


def test_every_file_in_docs_and_tests_that_loads_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "dingbell.yaml"
    loaded = 0
    for text in {one for one in written_files() if _FILE.search(one)}:
        try:
            file.write_text(text, encoding="utf-8")
            load(file, _AnyVariable())
        except (InputError, UnicodeError):
            continue
        loaded += 1
        errors = [error.message for error in CHECK.iter_errors(as_editors_see(file))]
        assert not errors, (text, errors)
    assert loaded > 20


def schedule(**more: Any) -> dict[str, Any]:
    whole = {"when": {"daily": "16:00"}, "to": {"users": ["a"]}, "message": {"text": "x"}}
    return {"schedules": {"s": {**whole, **more}}}


ALSO = [
    {"x-common": {"anything": [1, None]}, "apps": None},
    schedule(message="only a text"),
    schedule(to={"users": "a"}),
    schedule(to={"users": 123, "departments": "7"}),
    schedule(to={"everyone": "yes", "except": {"roles": "主管"}}),
    schedule(misfire={"grace": 90}, spread="1h30m", finish_by="2 h", expires_after="${LATE}"),
    schedule(when={"daily": ["09:00", "16:00:30"]}),
    schedule(when={"every": 90, "from": "2026-01-01 08:00"}),
    schedule(when={"cron": "0 0 9 * * MON-FRI"}),
    schedule(quiet_hours=False),
    schedule(message={"msgtype": "markdown", "markdown": {"title": "t", "text": 15.6}}),
    schedule(
        message={"oa": {"message_url": "u", "head": {"bgcolor": 10000000, "text": "t"}, "body": {}}}
    ),
    {"apps": {"人事": {"agent_id": "${ID}", "app_key": "k", "app_secret": "${S}"}}},
]


@pytest.mark.parametrize("content", ALSO, ids=str)
def test_every_notation_that_is_read_is_valid(content: dict[str, Any]) -> None:
    assert not list(CHECK.iter_errors(content))
    named = json.loads(json.dumps(content).replace("${LATE}", "1h").replace("${ID}", "7"))
    Config.model_validate({k: v for k, v in named.items() if v and not k.startswith("x-")})


MISTAKES = [
    {"shedules": {}},
    {"schedules": []},
    {"timezone": 8},
    {"apps": {"a b": {"agent_id": 1, "app_key": "k", "app_secret": "s"}}},
    {"apps": {"hr": {"agent_id": "many", "app_key": "k", "app_secret": "s"}}},
    {"apps": {"hr": {"agent_id": 1, "app_key": "k"}}},
    {"orgs": {"default": {"hold_bulk_at": 90}}},
    {"quiet_hours": {"from": "22:00"}},
    {"quiet_hours": {"from": "22:00", "to": "7:30"}},
    {"audiences": {"x": {"users": ["a b"]}}},
    {"audiences": {"x": {"department": [1]}}},
    schedule(when={"daily": "25:00"}),
    schedule(when={"daily": "16:00", "cron": "0 9 * * *"}),
    schedule(when={}),
    schedule(when={"hourly": "1"}),
    schedule(when={"cron": "0 9 * *"}),
    schedule(when={"once": "tomorrow"}),
    schedule(when={"every": "soon"}),
    schedule(overlap="maybe"),
    schedule(misfire={"grace": "soon"}),
    schedule(misfire={"grace": -1}),
    schedule(misfire=[]),
    schedule(message={"text": "a", "markdown": {"title": "t", "text": "x"}}),
    schedule(message={"fax": "x"}),
    schedule(message={"markdown": {"title": "t"}}),
    schedule(message={"markdown": {"title": "t", "text": "x", "colour": "red"}}),
    schedule(message={"voice": "@abc"}),
    schedule(function="a:b"),
    {"schedules": {"s": {"when": {"daily": "16:00"}, "message": "x"}}},
]


@pytest.mark.parametrize("content", MISTAKES, ids=str)
def test_a_typical_mistake_is_found_as_the_file_finds_it(
    content: dict[str, Any], tmp_path: Path
) -> None:
    assert list(CHECK.iter_errors(content))
    file = tmp_path / "dingbell.yaml"
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(InputError):
        load(file)


DURATION = check_of(WHOLE["$defs"]["Misfire"]["properties"]["grace"])


@given(st.text("0123456789dhmsDHMS. -", max_size=8) | st.integers(-2, 10) | st.floats(0, 1e9))
def test_a_duration_that_is_read_is_valid(value: object) -> None:
    try:
        parse_duration(value)
    except InputError:
        return
    assert DURATION.is_valid(value), value


# Messages: the table says what the parser reads.


def value_of(one: Field) -> Any:
    if one.example is not None:
        return example(one.example)
    return {key: value_of(part) for key, part in one.parts.items() if key not in _EITHER}


_EITHER = {"single_title", "single_url", "buttons", "orientation"}
MESSAGE = check_of(WHOLE["$defs"]["ScheduleSpec"]["properties"]["message"])


def fields(one: Field, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    for key, part in one.parts.items():
        yield (*path, key), part
        yield from fields(part, (*path, key))


def without(content: Any, path: tuple[str, ...]) -> Any:
    key, *rest = path
    if not rest:
        return {name: item for name, item in content.items() if name != key}
    return {**content, key: without(content[key], tuple(rest))}


def renamed(content: Any, path: tuple[str, ...], name: str) -> Any:
    key, *rest = path
    if not rest:
        return {name if old == key else old: item for old, item in content.items()}
    return {**content, key: renamed(content[key], tuple(rest), name)}


@pytest.mark.parametrize("kind", TYPES)
def test_of_each_type_all_fields_are_read_and_only_these(kind: str) -> None:
    whole = value_of(TYPES[kind])
    messages.parse({kind: whole})
    assert MESSAGE.is_valid({kind: whole})
    assert not MESSAGE.is_valid({kind: {**whole, "nosuch": 1}})
    for path, one in fields(TYPES[kind]):
        if path[-1] in _EITHER:
            continue
        less = {kind: without(whole, path)}
        if one.required:
            with pytest.raises(messages.MessageError):
                messages.parse(less)
            assert not MESSAGE.is_valid(less), path
        for name in one.others:
            also = {kind: renamed(whole, path, name)}
            messages.parse(also)
            assert MESSAGE.is_valid(also), path
    if (alone := TYPES[kind].alone) is not None:
        assert messages.parse({kind: whole[alone]}) == messages.parse({kind: whole})


def test_an_action_card_has_one_link_or_buttons_in_both_notations() -> None:
    card = {"title": "t", "markdown": "x"}
    parts = TYPES["action_card"].parts
    buttons = example(parts["buttons"].example or "")
    for more in (
        {"single_title": "t", "single_url": "u"},
        {"buttons": buttons, "orientation": "horizontal"},
        {"btn_json_list": [{"title": "a", "action_url": "u"}], "btn_orientation": 1},
    ):
        content = {"action_card": {**card, **more}}
        messages.parse(content)
        assert MESSAGE.is_valid(content)


@pytest.mark.parametrize("name", notation.RULES)
def test_the_sample_of_a_rule_is_its_example_and_valid(name: str) -> None:
    rule = notation.RULES[name]
    assert example(rule.meaning.example) == rule.sample
    assert not list(CHECK.iter_errors(schedule(when={name: rule.sample})))


def test_editors_are_offered_the_rules_that_are_read_and_no_others() -> None:
    offered = WHOLE["$defs"]["ScheduleSpec"]["properties"]["when"]["properties"]
    assert {"daily", "cron", "every", "once", "from"} <= offered.keys()
    for name in offered.keys() & notation.RULES.keys():
        Config.model_validate(schedule(when={name: notation.RULES[name].sample}))
    for name in notation.RULES.keys() - offered.keys():
        with pytest.raises(ValidationError):
            Config.model_validate(schedule(when={name: notation.RULES[name].sample}))


def properties(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        for name, one in part.get("properties", {}).items():
            yield f"{path}.{name}", one
        for key, below in part.items():
            yield from properties(below, f"{path}.{key}")
    elif isinstance(part, list):
        for place, below in enumerate(part):
            yield from properties(below, f"{path}.{place}")


def test_nothing_in_it_is_without_a_meaning() -> None:
    for path, one in properties(raw()):
        if path not in (".$defs", ".properties"):
            said = one.get("description")
            assert isinstance(said, Text), path
            assert said, path
