"""What the keys of a model mean: in both languages, with an example and a unit.

The reference of `dingbell.yaml` and its JSON Schema are made from these; a test names the keys that
have none. The texts live in the field itself, so that a model that inherits a key inherits them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from dingbell.errors import Text

__all__ = ["INTERNAL", "ONE_OR_MANY", "VARIABLE", "Meaning", "Notation", "meanings"]

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key means.

    Attributes:
        text: one sentence without its full stop.
        example: a value as people write it in YAML.
        unit: what a number counts.
        default: what holds where it is left out, if that is no fixed value.
        internal: whether it is no key of the file.
    """

    text: Text
    example: str = ""
    unit: Text | None = None
    default: Text | None = None
    internal: bool = False


# In a pattern: `${NAME}` may stand in place of a text, and is known when the file is read only.
VARIABLE = r"|\$\{[A-Za-z_][A-Za-z0-9_]*\}"

# A field that a file cannot have.
INTERNAL = Meaning(Text("", ""), internal=True)


def meanings(**of: Meaning) -> Callable[[type[Model]], type[Model]]:
    """Say what fields of a model mean, by the names they have in Python.

    Raises:
        TypeError: the model has no such field.
    """

    def add(model: type[Model]) -> type[Model]:
        for name, meaning in of.items():
            field = model.model_fields.get(name)
            if field is None:
                raise TypeError(f"{model.__name__} has no field {name}")
            field.description = meaning.text
            field.examples = [meaning.example]
            field.json_schema_extra = {
                "unit": meaning.unit,
                "otherwise": meaning.default,
                "internal": meaning.internal,
            }
        return model

    return add


@dataclass(frozen=True, slots=True)
class Notation:
    """The JSON Schema of something that a parser of ours reads, for `Annotated`.

    Attributes:
        schema: makes it; texts of it may be in both languages.
    """

    schema: Callable[[], Mapping[str, Any]]

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Stand in for what pydantic would say."""
        return dict(self.schema())


class _OneOrMany:
    """A list of texts or numbers for which one of them may stand."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        listed = handler(core)
        one = listed["items"]
        if one.get("type") == "string":
            one = {"anyOf": [one, {"type": "number"}]}
        return {"anyOf": [one, {**listed, "items": one}, {"type": "null"}]}


ONE_OR_MANY = _OneOrMany()
