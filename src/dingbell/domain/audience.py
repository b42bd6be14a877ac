"""An expression that names people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dingbell.errors import InputError, Text
from dingbell.intake import LARGEST_ID, Identifier, name
from dingbell.validation import matching, refusal
from dingbell.written import Decimal

__all__ = ["Audience", "parse_targets"]

_T = TypeVar("_T")


def _listed(value: object) -> Sequence[object]:
    """One value where a list is meant."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else [value]


def _words(value: object) -> object:
    """Numbers are ids, too, as they were written; true and false are not."""
    return [
        str(item) if isinstance(item, int | Decimal) and not isinstance(item, bool) else item
        for item in _listed(value)
    ]


def _numbers(value: object) -> object:
    return ["" if isinstance(item, bool) else item for item in _listed(value)]


def _once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))


def _named(value: str) -> str:
    found = name(value)
    if not found:
        raise InputError(Text("must not be empty", "不能为空"))
    return found


_NO_ID = Text(
    "is no id: it has a blank, a comma or a bar inside; list several as [a, b]",
    "不是 id: 中间含有空格、逗号或竖线; 多个请写成列表 [a, b]",
)
_Id = Annotated[Identifier, Field(min_length=1, max_length=64), matching(r"[^\s,|]+", _NO_ID)]
_Name = Annotated[str, Field(max_length=255), AfterValidator(_named)]
_Number = Annotated[int, Field(ge=1, le=LARGEST_ID)]
_Ids = Annotated[tuple[_Id, ...], BeforeValidator(_words), AfterValidator(_once)]
_Names = Annotated[tuple[_Name, ...], BeforeValidator(_words), AfterValidator(_once)]
_Numbers = Annotated[tuple[_Number, ...], BeforeValidator(_numbers), AfterValidator(_once)]


_NOBODY = Text(
    "the audience names nobody: write users, departments, roles, mobiles, lists, everyone or "
    "audience",
    "受众里没有人: 请写 users、departments、roles、mobiles、lists、everyone 或 audience",
)


class Audience(BaseModel):
    """Everybody named by any part, minus those named by `except`.

    Attributes:
        users: userids.
        departments: department ids; sub-departments are included.
        roles: role ids or role names.
        mobiles: mobile numbers, looked up in the directory.
        everyone: everybody in the directory.
        audience: names of saved audiences.
        lists: names of datasets: everybody who has a row in the newest version.
        except_: who to leave out, written `except`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    users: _Ids = ()
    departments: _Numbers = ()
    roles: _Names = ()
    mobiles: _Ids = ()
    everyone: bool = False
    audience: _Ids = ()
    lists: _Names = ()
    except_: Audience | None = Field(default=None, alias="except")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.parts():
            raise InputError(_NOBODY)
        return self

    def parts(self) -> dict[str, Any]:
        """What is said, without the exception."""
        return {
            name: value for name, value in self if name != "except_" and value not in ((), False)
        }

    def needs_directory(self) -> bool:
        """Whether userids alone are not enough to know who is meant."""
        return self.parts().keys() != {"users"} or bool(
            self.except_ and self.except_.needs_directory()
        )

    def saved(self) -> set[str]:
        """Names of the saved audiences this one is built from."""
        return set(self.audience) | (self.except_.saved() if self.except_ else set())

    def to_dict(self) -> dict[str, Any]:
        """The form it is stored and compared in."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


_KINDS = ("users", "departments", "roles", "mobiles", "audience", "lists")


def parse_targets(targets: Iterable[str]) -> Audience:
    """Read `users:a,b`, `departments:1,2`, `roles:…`, `mobiles:…`, `lists:…` and the like.

    Raises:
        InputError: a target is not of that form, or there is none.
    """
    parts: dict[str, list[str]] = {}
    everyone = False
    for target in targets:
        kind, _, rest = target.strip().partition(":")
        values = [value.strip() for value in rest.split(",") if value.strip()]
        if kind == "everyone" and not rest:
            everyone = True
        elif kind in _KINDS and values:
            _check_target(target, kind, values)
            parts.setdefault(kind, []).extend(values)
        else:
            raise InputError(_not_a_target(target))
    if not parts and not everyone:
        raise InputError(_NOBODY)
    return Audience.model_validate({**parts, "everyone": everyone})


def _check_target(target: str, kind: str, values: list[str]) -> None:
    if kind == "departments" and not all(value.isdecimal() for value in values):
        raise InputError(
            Text("departments are numbers: departments:1,2", "部门是数字: departments:1,2")
        )
    try:
        Audience.model_validate({kind: values})
    except ValidationError as error:
        raise InputError(
            Text("{target!r} is not a target: {said}", "{target!r} 不是收件目标: {said}").format(
                target=target, said=refusal(error).message
            )
        ) from None


def _not_a_target(target: str) -> Text:
    return Text(
        "{target!r} is not a target: write users:a,b, departments:1,2, roles:…, mobiles:…, "
        "audience:NAME, lists:NAME or everyone",
        "{target!r} 不是收件目标: 请写 users:a,b、departments:1,2、roles:…、mobiles:…、"
        "audience:名称、lists:名称 或 everyone",
    ).format(target=target)
