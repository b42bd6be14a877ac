"""The JSON Schema of `dingbell.yaml`, made of the models: editors complete and check with it.

It accepts whatever loads, in every notation that is read, also `${NAME}` in place of a value. What
no schema can say (a template that does not work, a name that is not there) `plan` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from ruamel.yaml import YAML

from dingbell.config.schema import FREE, Config
from dingbell.domain.duration import format_duration
from dingbell.errors import Text

__all__ = ["DIALECT", "example", "raw", "schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TITLE = Text("DingBell: what is sent to whom, when", "DingBell 叮铃: 何时、给谁、发什么")
_FREE = Text("anything: for anchors (&) of YAML", "任意内容: 供 YAML 锚点 (&) 使用")
# `${NAME}` may stand anywhere, and is known when the file is read only.
_VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
_WRITTEN_WHOLE = {"type": "string", "pattern": r"^\s*[-+]?[0-9][0-9_]*(\.0*)?\s*$"}
_WRITTEN_NUMBER = {"type": "string", "pattern": r"^\s*[-+]?[0-9.][0-9_.eE+-]*\s*$"}
_WRITTEN_TRUTH = {
    "type": "string",
    "pattern": r"^([Tt]|[Tt]rue|TRUE|[Yy]|[Yy]es|YES|[Oo]n|ON|1|[Ff]|[Ff]alse|FALSE|[Nn]|[Nn]o|NO"
    r"|[Oo]ff|OFF|0)$",
}


def schema(language: str) -> dict[str, Any]:
    """The schema with its descriptions in one language, `en` or `zh`."""
    found: dict[str, Any] = _spoken(raw(), language)
    return found


@cache
def raw() -> dict[str, Any]:
    """The schema with its texts in both languages, and `unit` and `examples` as they are written.

    Not to be changed: all callers share it.
    """
    found = Config.model_json_schema(schema_generator=_Generator)
    for name, section in found["properties"].items():
        found["properties"][name] = _or_nothing(section)
    named: dict[str, Any] = {}
    found = _hoisted(found, named)
    found["$defs"] |= named
    found["patternProperties"] = {f"^{FREE}": {"description": _FREE}}
    return {"$schema": DIALECT, **found, "title": _TITLE}


def _hoisted(part: Any, into: dict[str, Any]) -> Any:
    """A part in which what has a name of its own stands among the definitions, once."""
    if isinstance(part, Mapping):
        if isinstance(name := part.get("named"), str):
            into[name] = {key: item for key, item in part.items() if key != "named"}
            return {"$ref": f"#/$defs/{name}"}
        return {key: _hoisted(item, into) for key, item in list(part.items())}
    return [_hoisted(item, into) for item in part] if isinstance(part, list) else part


def _or_nothing(section: JsonSchemaValue) -> JsonSchemaValue:
    """A section of which only the key stands in the file, too."""
    said = {word: section[word] for word in _SAID if word in section}
    form = {word: part for word, part in section.items() if word not in said}
    forms = form.get("anyOf", [form])
    return {**_any(*forms, *([] if _NULL in forms else [_NULL])), **said}


_NULL = {"type": "null"}
_SAID = ("description", "examples", "default", "unit", "otherwise")


def example(written: str) -> Any:
    """The value of an example that is written in YAML."""
    return YAML(typ="safe", pure=True).load(written)


def _spoken(part: Any, language: str) -> Any:
    """A part of the schema in one language, in the vocabulary of JSON Schema alone."""
    if isinstance(part, Text):
        return part.zh if language == "zh" else str(part)
    if isinstance(part, Mapping):
        return {key: _spoken(item, language) for key, item in _standard(part)}
    return [_spoken(item, language) for item in part] if isinstance(part, list) else part


def _standard(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in part.items():
        if key in _OURS and isinstance(item, Text):
            continue
        if key == "description" and isinstance(unit := part.get("unit"), Text):
            yield key, Text("{said} ({unit})", "{said} ({unit})").format(said=item, unit=unit)
        elif key == "examples" and isinstance(item, list):
            yield key, [example(one) if isinstance(one, str) else one for one in item]
        else:
            yield key, item


class _Generator(GenerateJsonSchema):
    """What pydantic says of the models, with all notations and without names of classes."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return _any(super().int_schema(schema), _WRITTEN_WHOLE, _VARIABLE)

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return _any(super().float_schema(schema), _WRITTEN_NUMBER, _VARIABLE)

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return _any(super().bool_schema(schema), _WRITTEN_TRUTH, {"enum": [0, 1]}, _VARIABLE)

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        found = super().literal_schema(schema)
        return _any({"enum": found.get("enum", [found.get("const")])}, _VARIABLE)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        # Where keys have a form, no others are known.
        return {**found, "additionalProperties": False} if "patternProperties" in found else found

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        # Nothing is said by what stands for "not given".
        return {k: v for k, v in found.items() if k != "default" or not _is_nothing(v)}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        properties = found.get("properties", {})
        for name, field in model.model_fields.items():
            key = field.alias or name
            said = properties.pop(key)
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            if extra.get("internal"):
                continue
            properties[key] = {
                **_without_names(said),
                **({"description": field.description} if field.description else {}),
                **({"examples": field.examples} if field.examples else {}),
                **{word: extra[word] for word in _OURS if extra.get(word)},
            }
            if extra.get("otherwise"):
                properties[key].pop("default", None)
        return {key: part for key, part in found.items() if key not in ("title", "description")}


# Words that the pages of the reference read, and editors do not know.
_OURS = ("unit", "otherwise")
_OF_FIELDS = ("description", "examples", "internal", *_OURS)


def _without_names(said: JsonSchemaValue) -> JsonSchemaValue:
    """What pydantic says of a field, without titles that are made of its name."""
    return {
        word: part
        for word, part in said.items()
        if word not in _OF_FIELDS and (word != "title" or isinstance(part, Text))
    }


def _is_nothing(default: object) -> bool:
    """Whether a default is told by the keys below, or says nothing."""
    return default is None or isinstance(default, list | dict)


def _any(*forms: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": list(forms)}
