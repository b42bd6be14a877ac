"""The fields of each message type as `parser` reads them: a table for editors and for people.

Every field has its meaning in English and Chinese and an example; `schema` makes a JSON Schema of
the table, in which a meaning is such a pair. A test holds the table to the parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["TYPES", "Field", "schema"]

_TEXT: Final = {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or a type as the field of a message.

    Attributes:
        meaning: in English and in Chinese.
        example: a value as it is written in YAML; of what has parts, they tell it.
        required: whether it must be there.
        others: other names that are read, DingTalk's own among them.
        parts: the fields in it.
        alone: which of its parts may be written by itself in its place.
        form: the JSON Schema of what is neither text nor has parts.
    """

    meaning: tuple[str, str]
    example: str | None = None
    required: bool = False
    others: tuple[str, ...] = ()
    parts: Mapping[str, Field] = field(default_factory=dict)
    alone: str | None = None
    form: Mapping[str, Any] | None = None


_FORM = {
    "anyOf": [
        {"type": "object", "additionalProperties": _TEXT},
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "key": {**_TEXT, "description": ("what stands before", "键")},
                            "value": {**_TEXT, "description": ("what stands after", "值")},
                        },
                        "additionalProperties": False,
                    },
                    {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
                ]
            },
        },
    ]
}
_BUTTONS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "title": {**_TEXT, "description": ("its words", "按钮文字")},
            "url": {**_TEXT, "description": ("what it opens", "打开的网址")},
            "action_url": {**_TEXT, "description": ("the same as `url`", "同 `url`")},
        },
        "required": ["title"],
        "additionalProperties": False,
    },
}

_MEDIA_ID = Field(("what was uploaded", "已上传的素材"), '"@lADOabc"', required=True)
_HEAD = Field(
    ("the coloured head", "彩色标题栏"),
    required=True,
    parts={
        "bgcolor": Field(
            ("its colour, AARRGGBB in hexadecimal", "颜色, 十六进制 AARRGGBB"),
            "FFBBBBBB",
            required=True,
        ),
        "text": Field(
            ("its text; DingTalk may show the app's name instead", "文字; 钉钉可能改为显示应用名"),
            "值班",
            required=True,
        ),
    },
)
_BODY = Field(
    ("the body; every part may be left out", "正文, 各部分均可省略"),
    required=True,
    parts={
        "title": Field(("its title", "标题"), "本周值班"),
        "form": Field(
            (
                "lines of a key and a value; six are shown",
                "若干行 “键: 值”, 显示前 6 行",
            ),
            "{姓名: 张三, 日期: 11-26}",
            form=_FORM,
        ),
        "rich": Field(
            ("a large figure", "大号数字"),
            parts={
                "num": Field(("the figure", "数字"), '"15.60"'),
                "unit": Field(("its unit", "单位"), "元"),
            },
        ),
        "content": Field(("the text below", "下方的文字"), "请提前十分钟到岗"),
        "image": Field(
            ("a picture: what was uploaded, or an address", "图片: 已上传的素材或网址"),
            '"@lADOabc"',
        ),
        "file_count": Field(("how many files are attached", "附件个数"), "3"),
        "author": Field(("who wrote it", "作者"), "人事部"),
    },
)
_STATUS_BAR = Field(
    (
        "a status that can be changed later; five people a call instead of 100",
        "可在事后更新的状态; 每次调用只能发 5 人, 而不是 100 人",
    ),
    parts={
        "value": Field(("its text", "文字"), "待确认", others=("status_value",)),
        "background": Field(
            ("its colour, 0xAARRGGBB", "颜色, 0xAARRGGBB"), '"0xFF78C06E"', others=("status_bg",)
        ),
    },
)

TYPES: Final[Mapping[str, Field]] = {
    "text": Field(
        ("plain text", "纯文本"),
        alone="content",
        parts={"content": Field(("the text", "文本"), "下午好!", required=True)},
    ),
    "image": Field(("a picture", "图片"), alone="media_id", parts={"media_id": _MEDIA_ID}),
    "voice": Field(
        ("a recording", "语音"),
        parts={
            "media_id": _MEDIA_ID,
            "duration": Field(
                ("its length in whole seconds, 1 to 59", "时长, 整数秒, 1 到 59"),
                "10",
                required=True,
            ),
        },
    ),
    "file": Field(
        ("a file of at most 10 MB", "文件, 至多 10 MB"),
        alone="media_id",
        parts={"media_id": _MEDIA_ID},
    ),
    "link": Field(
        ("a card with a picture that opens an address", "带图片的链接卡片"),
        parts={
            "title": Field(("its title", "标题"), "体检通知", required=True),
            "text": Field(("its text", "文字"), "请选择日期", required=True),
            "message_url": Field(
                ("what it opens", "打开的网址"),
                "https://example.com/",
                required=True,
                others=("messageUrl",),
            ),
            "pic_url": Field(
                ("its picture: what was uploaded, or an address", "图片: 已上传的素材或网址"),
                '"@lADOabc"',
                required=True,
                others=("picUrl",),
            ),
        },
    ),
    "oa": Field(
        ("a structured card", "结构化的 OA 卡片"),
        parts={
            "message_url": Field(("what it opens", "打开的网址"), "https://example.com/", True),
            "pc_message_url": Field(
                ("what it opens on a computer", "在电脑上打开的网址"), "https://example.com/pc"
            ),
            "head": _HEAD,
            "body": _BODY,
            "status_bar": _STATUS_BAR,
        },
    ),
    "markdown": Field(
        ("text in DingTalk's part of Markdown", "Markdown 文本 (钉钉支持的子集)"),
        parts={
            "title": Field(
                ("what the list of conversations shows", "会话列表中显示的标题"),
                "早上好",
                required=True,
            ),
            "text": Field(
                ("the text, at most 5,000 characters", "正文, 至多 5000 个字符"),
                '"**早上好**"',
                required=True,
            ),
        },
    ),
    "action_card": Field(
        (
            "a card of Markdown with one link (`single`) or several `buttons`",
            "Markdown 卡片, 带一个链接 (`single`) 或多个按钮 (`buttons`)",
        ),
        parts={
            "title": Field(
                ("what the list of conversations shows", "会话列表中显示的标题"), "审批"
            ),
            "markdown": Field(("the text", "正文"), "请在今天处理", required=True),
            "single": Field(
                ("the one link", "唯一的链接"),
                parts={
                    "title": Field(("its words", "链接文字"), "查看", required=True),
                    "url": Field(("what it opens", "打开的网址"), "https://example.com/", True),
                },
            ),
            "single_title": Field(
                ("words of the link, in DingTalk's notation", "链接文字 (钉钉的写法)"), "查看"
            ),
            "single_url": Field(
                ("what the link opens, in DingTalk's notation", "链接网址 (钉钉的写法)"),
                "https://example.com/",
            ),
            "buttons": Field(
                ("buttons of a `title` and a `url`", "按钮, 每个有 `title` 和 `url`"),
                '[{title: 同意, url: "https://example.com/yes"}]',
                others=("btn_json_list",),
                form=_BUTTONS,
            ),
            "orientation": Field(
                ("whether buttons stand below or beside one another", "按钮竖排或横排"),
                "vertical",
                others=("btn_orientation",),
                form={"enum": ["vertical", "horizontal", "0", "1", 0, 1]},
            ),
        },
    ),
}


def schema() -> dict[str, Any]:
    """The JSON Schema of a message; each `description` is a pair of English and Chinese."""
    return {
        "type": "object",
        "properties": {
            "msgtype": {"enum": list(TYPES), "description": _MSGTYPE},
            **{name: _described(one) for name, one in TYPES.items()},
        },
        "oneOf": [{"required": [name]} for name in TYPES],
        "additionalProperties": False,
    }


_MSGTYPE = ("the type, in DingTalk's notation", "类型 (钉钉的写法)")


def _described(one: Field) -> dict[str, Any]:
    found = {**_form(one), "description": one.meaning}
    return found if one.example is None else {**found, "examples": [one.example]}


def _form(one: Field) -> dict[str, Any]:
    if one.form is not None:
        return dict(one.form)
    if not one.parts:
        return dict(_TEXT)
    parts = _parts(one)
    return parts if one.alone is None else {"anyOf": [_TEXT, parts]}


def _parts(one: Field) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for key, part in one.parts.items():
        properties[key] = _described(part)
        for other in part.others:
            same = (f"the same as `{key}`", f"同 `{key}`")
            properties[other] = {**_form(part), "description": same}
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    required = [key for key, part in one.parts.items() if part.required and not part.others]
    if required:
        found["required"] = required
    several = [
        {"anyOf": [{"required": [name]} for name in (key, *part.others)]}
        for key, part in one.parts.items()
        if part.required and part.others
    ]
    return {**found, "allOf": several} if several else found
