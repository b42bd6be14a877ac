"""DingTalk's eight message types as immutable values, their canonical bytes and their limits."""

from dingbell.dingtalk.messages.advice import Warning_, warnings
from dingbell.dingtalk.messages.body import canonical, check_size, max_recipients
from dingbell.dingtalk.messages.checks import MessageError
from dingbell.dingtalk.messages.fields import schema
from dingbell.dingtalk.messages.kinds import (
    OA,
    ActionCard,
    Body,
    Button,
    File,
    Head,
    Image,
    Link,
    Markdown,
    Message,
    Rich,
    Single,
    StatusBar,
    Text,
    Voice,
)
from dingbell.dingtalk.messages.parser import parse

__all__ = [
    "OA",
    "ActionCard",
    "Body",
    "Button",
    "File",
    "Head",
    "Image",
    "Link",
    "Markdown",
    "Message",
    "MessageError",
    "Rich",
    "Single",
    "StatusBar",
    "Text",
    "Voice",
    "Warning_",
    "canonical",
    "check_size",
    "max_recipients",
    "parse",
    "schema",
    "warnings",
]
