"""An expression that names people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dingbell.domain.conditions import Where
from dingbell.errors import InputError, Text
from dingbell.intake import LARGEST_ID, Identifier, identifier, mobile_number, name
from dingbell.meaning import ONE_OR_MANY, Meaning, meanings
from dingbell.validation import matching, refusal
from dingbell.written import Decimal

__all__ = ["Audience", "Place", "parse_targets", "shown_address", "without_queries"]

_T = TypeVar("_T")
# Where a part stands in an audience: `("any", 0, "departments", 1)`.
Place = tuple[str | int, ...]
_DEEPEST = 16
_MOST_PARTS = 500


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


def _department(value: object) -> int | str:
    """An id, a name, or a path of names; what looks like a number is an id."""
    if isinstance(value, int) and not isinstance(value, bool):
        found: int | str = int(value)
    else:
        found = name(value) if isinstance(value, str) else ""
        if found.isascii() and found.isdecimal():
            found = int(found)
    if isinstance(found, int):
        if not 1 <= found <= LARGEST_ID:
            raise InputError(_NO_DEPARTMENT)
        return found
    if not found.strip("/") or len(found) > _LONGEST_PATH:
        raise InputError(_NO_DEPARTMENT)
    return found


def _address(value: object) -> str:
    """An address of the company's own; whoever may read it is its own affair."""
    found = identifier(value) if isinstance(value, str) and len(value) <= _LONGEST_ADDRESS else ""
    try:
        parts = urlsplit(found)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in found
        fine = fine and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise InputError(_NO_ADDRESS)
    return found


def _once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))


def _named(value: str) -> str:
    found = name(value)
    if not found:
        raise InputError(Text("must not be empty", "不能为空"))
    return found


_LONGEST_PATH = 1_000
_LONGEST_ADDRESS = 2_000
_NO_DEPARTMENT = Text(
    "is no department: write its id, its name, or a path such as 研发中心/平台部",
    "不是部门: 请写部门 id、名称, 或路径, 如 研发中心/平台部",
)
_NO_ADDRESS = Text(
    "must be an http or https address without a user in it",
    "必须是 http 或 https 地址, 且不含用户名",
)
_NOBODY = Text(
    "the audience names nobody: write users, departments, roles, mobiles, everyone or audience",
    "受众里没有人: 请写 users、departments、roles、mobiles、everyone 或 audience",
)
_TOO_DEEP = Text(
    "is nested too deeply or has too many parts: save some of it as audiences of their own",
    "嵌套过深或部分过多: 请把其中一些另存为受众",
)
_NO_ID = Text(
    "is no id: it has a blank, a comma or a bar inside; list several as [a, b]",
    "不是 id: 中间含有空格、逗号或竖线; 多个请写成列表 [a, b]",
)
_Id = Annotated[Identifier, Field(min_length=1, max_length=64), matching(r"[^\s,|]+", _NO_ID)]
_Name = Annotated[str, Field(max_length=255), AfterValidator(_named)]
_Department = Annotated[int | str, BeforeValidator(_department)]
_Address = Annotated[str, BeforeValidator(_address)]
_NO_MOBILE = Text(
    "is no mobile number: write digits, 13800138000 or +852 1234 5678",
    "不是手机号: 请写数字, 例如 13800138000 或 +852 1234 5678",
)


def _dialled(value: object) -> object:
    """A number without its blanks and dashes, as the directory keeps it."""
    return mobile_number(value) if isinstance(value, str) else value


_Mobile = Annotated[
    Identifier,
    Field(max_length=32),
    matching(r"\+?[0-9]{1,31}", _NO_MOBILE),
    BeforeValidator(_dialled),
]
_Ids = Annotated[tuple[_Id, ...], BeforeValidator(_words), AfterValidator(_once), ONE_OR_MANY]
_Mobiles = Annotated[
    tuple[_Mobile, ...], BeforeValidator(_words), AfterValidator(_once), ONE_OR_MANY
]
_Names = Annotated[tuple[_Name, ...], BeforeValidator(_words), AfterValidator(_once), ONE_OR_MANY]
_Departments = Annotated[
    tuple[_Department, ...], BeforeValidator(_listed), AfterValidator(_once), ONE_OR_MANY
]
_Addresses = Annotated[
    tuple[_Address, ...], BeforeValidator(_listed), AfterValidator(_once), ONE_OR_MANY
]


@meanings(
    users=Meaning(Text("people by userid", "按 userid 指定的人"), "[manager4220, manager7675]"),
    departments=Meaning(
        Text(
            "departments by id, name or path, all below them included",
            "部门的 id、名称或路径, 含下级部门",
        ),
        "[2, 研发中心/平台部]",
    ),
    only_departments=Meaning(
        Text("departments without those below them", "部门本身, 不含下级部门"), "[2]"
    ),
    roles=Meaning(Text("roles by id or name", "角色的 id 或名称"), "[主管]"),
    mobiles=Meaning(
        Text(
            "people by mobile number, looked up in the directory", "按手机号指定的人, 从通讯录查找"
        ),
        '["13800138000"]',
    ),
    everyone=Meaning(Text("everybody in the directory", "通讯录中的所有人"), "true"),
    audience=Meaning(Text("saved audiences by name", "已保存受众的名称"), "[hangzhou]"),
    lists=Meaning(
        Text("imported lists by name: everybody who has a row", "导入的名单: 其中的所有人"),
        "[on-call]",
    ),
    managers_of=Meaning(
        Text("the managers of these people, each once", "这些人的主管, 每人一次"),
        "{departments: [2]}",
    ),
    http=Meaning(
        Text(
            "addresses of your own that answer with a JSON list of userids",
            "企业自己的地址, 返回 userid 的 JSON 列表",
        ),
        '["https://hr.example.com/on-duty"]',
    ),
    any_=Meaning(
        Text("everybody who is in one of these audiences", "属于其中任一受众的人"),
        "[{departments: [2]}, {roles: [主管]}]",
    ),
    all_=Meaning(
        Text("everybody who is in each of these audiences", "同时属于这些受众的人"),
        "[{departments: [2]}, {roles: [主管]}]",
    ),
    where=Meaning(
        Text(
            "what has to be true of a person: attributes with a value, a list, a comparison or an "
            "anniversary",
            "对人的要求: 属性等于某值、属于列表、比较, 或周年",
        ),
        "{title: 工程师, hired_on: {anniversary: true}}",
    ),
    except_=Meaning(
        Text("who is left out: an audience itself", "排除哪些人, 写法与受众相同"),
        "{users: [manager7675]}",
    ),
)
class Audience(BaseModel):
    """Everybody named by any part, of those whom `where` fits, minus those named by `except`.

    Attributes:
        users: userids.
        departments: departments with all below them, by id, name or path of names.
        only_departments: the same without those below them.
        roles: roles, by id or name.
        mobiles: mobile numbers, looked up in the directory.
        everyone: everybody in the directory who is active.
        audience: names of saved audiences.
        lists: names of datasets: everybody who has a row in the newest version.
        managers_of: the managers of an audience, each once.
        http: addresses of the company's own that answer with userids.
        any_: audiences; everybody in one of them. Written `any`.
        all_: audiences; everybody who is in each of them. Written `all`.
        where: what has to be true of a person; alone it is asked of everybody who is active.
        except_: who to leave out, written `except`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    users: _Ids = ()
    departments: _Departments = ()
    only_departments: _Departments = ()
    roles: _Names = ()
    mobiles: _Mobiles = ()
    everyone: bool = False
    audience: _Ids = ()
    lists: _Names = ()
    managers_of: Audience | None = None
    http: _Addresses = ()
    any_: Annotated[tuple[Audience, ...], BeforeValidator(_listed)] = Field(default=(), alias="any")
    all_: Annotated[tuple[Audience, ...], BeforeValidator(_listed)] = Field(default=(), alias="all")
    where: Where | None = None
    except_: Audience | None = Field(default=None, alias="except")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.parts():
            raise InputError(_NOBODY)
        if self.depth() > _DEEPEST or sum(1 for _ in self.walk()) > _MOST_PARTS:
            raise InputError(_TOO_DEEP)
        return self

    def parts(self) -> dict[str, Any]:
        """What is said, by the names it is written under, without the exception."""
        return {
            name.rstrip("_"): value
            for name, value in self
            if name != "except_" and value not in ((), False, None)
        }

    def inner(self) -> Iterator[tuple[Place, Audience]]:
        """The audiences this one is directly built from, with their places in it."""
        for key, one in (("managers_of", self.managers_of), ("except", self.except_)):
            if one is not None:
                yield (key,), one
        for key, several in (("any", self.any_), ("all", self.all_)):
            yield from (((key, place), one) for place, one in enumerate(several))

    def depth(self) -> int:
        """How deep it is nested; what is inside has been measured before."""
        return 1 + max((one.depth() for _, one in self.inner()), default=0)

    def walk(self) -> Iterator[tuple[Place, Audience]]:
        """This audience and all that stand inside it, each with its place."""
        ahead: list[tuple[Place, Audience]] = [((), self)]
        while ahead:
            place, one = ahead.pop()
            yield place, one
            ahead += [((*place, *step), inner) for step, inner in one.inner()]

    def needs_directory(self) -> bool:
        """Whether userids alone are not enough to know who is meant."""
        return self.parts().keys() != {"users"} or bool(
            self.except_ and self.except_.needs_directory()
        )

    def depends_on_day(self) -> bool:
        """Whether it means others on other days; saved audiences are not looked into."""
        return any(
            condition.depends_on_day
            for _, one in self.walk()
            for condition in (one.where or {}).values()
        )

    def saved(self) -> set[str]:
        """Names of the saved audiences this one is built from."""
        return {name for _, one in self.walk() for name in one.audience}

    def listed(self) -> set[str]:
        """Names of the lists it is built from; those of saved audiences are not among them."""
        return {name for _, one in self.walk() for name in one.lists}

    def addresses(self) -> set[str]:
        """The addresses it asks; those of saved audiences are not among them."""
        return {address for _, one in self.walk() for address in one.http}

    def to_dict(self) -> dict[str, Any]:
        """The form it is stored and compared in."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def without_queries(written: Any) -> Any:
    """What an audience, or anything with one inside, says; the query of an address may be secret.

    Args:
        written: the form it is stored in.
    """
    if isinstance(written, Mapping):
        return {
            key: [shown_address(one) for one in value]
            if key == "http" and isinstance(value, list | tuple)
            else without_queries(value)
            for key, value in written.items()
        }
    return [without_queries(one) for one in written] if isinstance(written, list) else written


def shown_address(address: object) -> object:
    """An address without its query, which may hold a secret."""
    if not isinstance(address, str):
        return address
    plain, mark, _ = address.partition("?")
    return f"{plain}?…" if mark else plain


_KINDS = (
    "users",
    "departments",
    "only_departments",
    "roles",
    "mobiles",
    "audience",
    "lists",
)


def parse_targets(targets: Iterable[str]) -> Audience:
    """Read `users:a,b`, `departments:1,研发中心/平台部`, `roles:…`, `where:title=…`, `everyone` ….

    A target may also be a whole expression as JSON: `{"all": […]}`. Several targets together are
    everybody whom one of them names; those that say `where` narrow that.

    Raises:
        InputError: a target is not of that form, or there is none.
    """
    parts: dict[str, Any] = {}
    for target in targets:
        kind, _, rest = target.strip().partition(":")
        if kind.startswith("{"):
            parts.setdefault("any", []).append(_expression(target))
        elif kind == "everyone" and not rest:
            parts["everyone"] = True
        elif kind == "where":
            parts.setdefault("where", {}).update(_condition(target, rest))
        elif kind == "managers_of" and rest:
            _manages(parts, rest)
        elif kind == "http" and rest:
            parts.setdefault("http", []).append(_checked(target, kind, rest.strip()))
        else:
            parts.setdefault(kind, []).extend(_listed_values(target, kind, rest))
    if not parts:
        raise InputError(_NOBODY)
    return _read(parts)


def _read(parts: Mapping[str, Any]) -> Audience:
    try:
        return Audience.model_validate(parts)
    except ValidationError as error:
        raise refusal(error) from None


def _listed_values(target: str, kind: str, rest: str) -> list[str]:
    values = [value.strip() for value in rest.split(",") if value.strip()]
    if kind not in _KINDS or not values:
        raise InputError(_not_a_target(target))
    _checked(target, kind, values)
    return values


def _checked(target: str, kind: str, value: _T) -> _T:
    """See that a part can be read, and say of which target it is."""
    try:
        Audience.model_validate({kind: value})
    except ValidationError as error:
        raise InputError(
            Text("{target!r} is not a target: {said}", "{target!r} 不是收件目标: {said}").format(
                target=target, said=refusal(error).message
            )
        ) from None
    return value


def _manages(parts: dict[str, Any], rest: str) -> None:
    """Add those whose managers are meant to the others of whom that was said."""
    people = parse_targets([rest])
    before = parts.get("managers_of")
    parts["managers_of"] = people if before is None else {"any": [before, people]}


def _condition(target: str, rest: str) -> dict[str, Any]:
    attribute, mark, values = rest.partition("=")
    listed = [value.strip() for value in values.split(",") if value.strip()]
    if not mark or not attribute.strip() or not listed:
        raise InputError(_not_a_target(target))
    return _checked(target, "where", {attribute.strip(): listed})


def _expression(target: str) -> Audience:
    try:
        return _read(json.loads(target))
    except (json.JSONDecodeError, RecursionError):
        raise InputError(
            Text("{target!r} is no JSON", "{target!r} 不是 JSON").format(target=target[:200])
        ) from None


def _not_a_target(target: str) -> Text:
    return Text(
        "{target!r} is not a target: write users:a,b, departments:1,2, roles:…, mobiles:…, "
        "audience:NAME, lists:NAME, managers_of:users:a, where:title=…, everyone, or an expression "
        "as JSON",
        "{target!r} 不是收件目标: 请写 users:a,b、departments:1,2、roles:…、mobiles:…、"
        "audience:名称、lists:名称、managers_of:users:a、where:title=…、everyone, 或 JSON 表达式",
    ).format(target=target)
