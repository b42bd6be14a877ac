"""The page of messages: every example loads and makes what DingTalk takes, every field is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dingbell.config.schema import load

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text("utf-8")
AMR = b"#!AMR\n" + (b"\x3c" + b"\0" * 31) * 120
VALUES = {"person": {"userid": "u1", "name": "王芳"}, "vars": {"net": "15.60"}}
# Every field of every type, as DingTalk spells it (page 0775 of its documents).
FIELDS = {
    "text": {"content"},
    "markdown": {"title", "text"},
    "image": {"media_id"},
    "voice": {"media_id", "duration"},
    "file": {"media_id"},
    "link": {"messageUrl", "picUrl", "title", "text"},
    "action_card": {
        *("title", "markdown", "single_title", "single_url", "btn_orientation", "btn_json_list"),
        "action_url",
    },
    "oa": {
        *("message_url", "pc_message_url", "head", "bgcolor", "text", "status_bar"),
        *("status_value", "status_bg", "body", "title", "form", "key", "value", "rich", "num"),
        *("unit", "content", "image", "file_count", "author"),
    },
}


def examples() -> dict[str, Any]:
    """Every message of the page, by heading and name."""
    found = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title = part.split()[0]
        for block in re.findall(r"```yaml\n(.*?)```", part, re.DOTALL):
            if not block.startswith("# dingbell.yaml"):
                for name, message in YAML(typ="safe", pure=True).load(block).items():
                    found[f"{title}.{name}"] = message
    return found


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_every_message_of_the_page_is_taken_and_every_field_of_every_type_is_shown(
    tmp_path: Path,
) -> None:
    for name, content in {"poster.png": b"png", "hello.amr": AMR, "plan.pdf": b"%PDF"}.items():
        (tmp_path / name).write_bytes(content)
    rest = {"when": {"daily": "16:00"}, "to": {"users": ["a"]}}
    shown = {name: {**rest, "message": message} for name, message in examples().items()}
    file = tmp_path / "dingbell.yaml"
    file.write_text(json.dumps({"schedules": shown}, ensure_ascii=False), encoding="utf-8")
    bodies: dict[str, list[Any]] = {}
    for name, spec in load(file).schedules.items():
        assert spec.message is not None
        body = json.loads(spec.message.body(VALUES))
        bodies.setdefault(name.partition(".")[0], []).append(body)
    for kind, fields in FIELDS.items():
        wire = [body[kind] for body in bodies[kind]]
        assert {body["msgtype"] for body in bodies[kind]} == {kind}
        assert keys(wire) >= fields, f"{kind}: {fields - keys(wire)}"
        section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
        prose = next(part for part in section if part.startswith(kind))
        missing = {one for one in fields if one not in prose}
        assert not missing, f"{kind}: {missing}"


def test_short_and_long_forms_are_the_same_message(tmp_path: Path) -> None:
    (tmp_path / "poster.png").write_bytes(b"png")
    (tmp_path / "hello.amr").write_bytes(AMR)
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    rest = 'when: {daily: "16:00"}, to: {users: [a]}'
    found = examples()
    names = [f"{kind}.{form}" for kind in ("image", "voice", "file") for form in ("short", "long")]
    lines = [f"  {n}: {{{rest}, message: {json.dumps(found[n])}}}" for n in names]
    lines.append(f"  text.alone: {{{rest}, message: {json.dumps(found['text.alone'])}}}")
    lines.append(f"  text.short: {{{rest}, message: {json.dumps(found['text.short'])}}}")
    file = tmp_path / "dingbell.yaml"
    file.write_text("schedules:\n" + "\n".join(lines), encoding="utf-8")
    made = {
        name: spec.message.body({}) for name, spec in load(file).schedules.items() if spec.message
    }
    for kind in ("image", "voice", "file"):
        assert made[f"{kind}.short"] == made[f"{kind}.long"]
    assert made["text.alone"] == made["text.short"]
