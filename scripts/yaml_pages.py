"""The reference of `dingbell.yaml`, in either language, made of its JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dingbell.config.json_schema import raw
from dingbell.errors import Text

__all__ = ["page"]

Schema = Mapping[str, Any]

_INTRO = Text(
    "Every key that may stand in `dingbell.yaml`. `dingbell schema` prints the same for editors. "
    "`${NAME}` in a value is filled in from the environment or from `.env`; `$${NAME}` stays "
    "`${NAME}`. One value may stand where a list is meant. What looks like a number keeps its "
    "characters where text is meant. Keys at the top that begin with `x-` may hold anything, for "
    "anchors (`&`) of YAML.",
    "`dingbell.yaml` 中可以写的所有键。`dingbell schema` 输出同样内容, 供编辑器使用。值中的 "
    "`${NAME}` 取自环境变量或 `.env`; `$${NAME}` 保留为 `${NAME}`。应写列表之处可以只写一个值。"
    "应写文本之处, 像数字的内容保持原样。顶层以 `x-` 开头的键内容不限, 供 YAML 锚点 (`&`) 使用。",
)
_TITLE = Text("dingbell.yaml", "dingbell.yaml 参考")
_TOP = Text("The file", "文件")
_COLUMNS = (
    Text("key", "键"),
    Text("what it takes", "取值"),
    Text("default", "默认"),
    Text("example", "示例"),
    Text("meaning", "含义"),
)
_NEEDED = Text("required", "必填")
_ONE_OF = Text("Exactly one of {names}.", "只能写其中一个: {names}。")
_WORDS = {
    "string": Text("text", "文本"),
    "integer": Text("whole number", "整数"),
    "number": Text("number", "数字"),
    "boolean": Text("`true` / `false`", "`true` / `false`"),
    "object": Text("mapping", "映射"),
}
_LIST = Text("list of {one}", "列表: {one}")
_NAMED = Text("{one}, by name", "{one}, 按名称")
_UNIT = Text("{meaning} ({unit})", "{meaning} ({unit})")


def page(language: str) -> tuple[str, ...]:
    """Title, introduction and sections."""
    return _Page(language).parts()


class _Page:
    """One language; every part of the file has one section, however often it is named."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._definitions: Schema = raw()["$defs"]
        self._headings: dict[str, str] = {}
        self._sections: list[tuple[str, Schema]] = []
        self._find("", raw())

    def parts(self) -> tuple[str, ...]:
        sections = [self._section(path, one) for path, one in self._sections]
        return self._say(_TITLE), self._say(_INTRO), *sections

    def _say(self, text: str) -> str:
        return text.zh if self._language == "zh" and isinstance(text, Text) else str(text)

    # Sections

    def _find(self, path: str, one: Schema) -> None:
        """Note the section of a part, and of all below it."""
        for form in _forms(one):
            if "$ref" in form:
                name = form["$ref"].rpartition("/")[2]
                if name not in self._headings:
                    self._headings[name] = path
                    self._find(path, self._definitions[name])
            elif "properties" in form:
                self._sections.append((path, form))
                for key, below in form["properties"].items():
                    self._find(f"{path}.{key}" if path else key, below)
            elif "items" in form:
                self._find(path, form["items"])
            elif "patternProperties" in form:
                for below in form["patternProperties"].values():
                    self._find(f"{path}.NAME", below)

    def _section(self, path: str, one: Schema) -> str:
        keys = sorted(one["properties"], key=lambda key: not _is_required(key, one))
        rows = [self._row(path, key, one["properties"][key], one) for key in keys]
        head = [self._say(column) for column in _COLUMNS]
        lines = [head, ["---"] * len(head), *rows]
        table = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
        parts = [f"## {path or self._say(_TOP)}", *self._one_of(one), table]
        return "\n\n".join(parts)

    def _one_of(self, one: Schema) -> Iterator[str]:
        if "oneOf" in one:
            names = ", ".join(f"`{form['required'][0]}`" for form in one["oneOf"])
            yield self._say(_ONE_OF.format(names=names))

    def _row(self, path: str, key: str, one: Schema, around: Schema) -> tuple[str, ...]:
        meaning = self._say(one.get("description", ""))
        if "unit" in one:
            meaning = self._say(_UNIT.format(meaning=meaning, unit=self._say(one["unit"])))
        takes = " / ".join(dict.fromkeys(self._words(f"{path}.{key}" if path else key, one)))
        example = one["examples"][0] if one.get("examples") else ""
        shown = f"`{example}`" if example else ""
        return f"`{key}`", takes, self._default(key, one, around), shown, meaning

    def _default(self, key: str, one: Schema, around: Schema) -> str:
        if _is_required(key, around):
            return self._say(_NEEDED)
        if "otherwise" in one:
            return self._say(one["otherwise"])
        if "default" not in one:
            return ""
        value = one["default"]
        return f"`{value if isinstance(value, str) else json.dumps(value)}`"

    # What a key takes

    def _words(self, path: str, one: Schema) -> Iterator[str]:
        """What may stand there, in words; how else a number may be written goes without saying."""
        if isinstance(title := one.get("title"), Text):
            yield self._say(title)
        elif "anyOf" in one:
            forms = one["anyOf"]
            told = any("enum" in form or _kind(form) in _WORDS for form in forms)
            listed = [form["items"] for form in forms if "items" in form]
            for form in forms:
                # That one may stand for a list is said once for all.
                if form not in listed and not (told and _is_notation(form)):
                    yield from self._words(path, form)
        else:
            yield from self._plain(path, one)

    def _plain(self, path: str, one: Schema) -> Iterator[str]:
        kind = _kind(one)
        if "$ref" in one:
            yield self._link(self._headings[one["$ref"].rpartition("/")[2]])
        elif "enum" in one or "const" in one:
            for value in one.get("enum", [one.get("const")]):
                yield f"`{value if isinstance(value, str) else json.dumps(value)}`"
        elif "patternProperties" in one:
            for below in one["patternProperties"].values():
                named = " / ".join(dict.fromkeys(self._words(f"{path}.NAME", below)))
                yield self._say(_NAMED.format(one=named))
        elif "properties" in one:
            yield self._link(path)
        elif kind == "array":
            items = " / ".join(dict.fromkeys(self._words(path, one["items"])))
            yield self._say(_LIST.format(one=items))
        else:
            if kind in _WORDS:
                yield self._say(_WORDS[kind])

    def _link(self, path: str) -> str:
        heading = path or self._say(_TOP)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        return f"[{heading}](#{anchor})"


def _forms(one: Schema) -> Iterator[Schema]:
    """The forms that a part may have."""
    if "anyOf" in one:
        for form in one["anyOf"]:
            yield from _forms(form)
    else:
        yield one


def _kind(form: Schema) -> str:
    """What kind of value it is; the first of several, the others are notations of it."""
    kind = form.get("type", "")
    return kind if isinstance(kind, str) else kind[0]


def _is_notation(form: Schema) -> bool:
    """Whether it is another way to write what is told already."""
    return set(form) == {"type", "pattern"} or form in ({"enum": [0, 1]}, {"type": "number"})


def _is_required(key: str, around: Schema) -> bool:
    """Whether a key must be there, or one of its other names."""
    names = [form["anyOf"][0]["required"][0] for form in around.get("allOf", ())]
    return key in (*around.get("required", ()), *names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
