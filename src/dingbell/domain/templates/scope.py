"""What one rendering sees, and how much it may still do.

No template can run for long: a rendering that has spent its work or written too much ends with an
error, whatever the template says and however large the data is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dingbell.domain.templates.faults import TemplateError
from dingbell.errors import Text

__all__ = ["MOST_TEXT", "Scope", "bounded", "check_length"]

# Far more than fits into a notice (2,048 bytes), and little enough to be made at once.
MOST_TEXT = 20_000
# Steps of about 0.1 µs: a rendering that uses them up has held the loop for 10 to 20 ms.
_MOST_WORK = 100_000

_TOO_MUCH_TEXT = Text(
    "it writes more than {most} characters", "生成的内容超过 {most} 个字符"
).format(most=MOST_TEXT)
_TOO_MUCH_WORK = Text(
    "it does too much work: go through fewer people, as with unread[:20]",
    "计算量过大: 请减少遍历的人数, 例如 unread[:20]",
)


class Scope:
    """The variables of one rendering, what it has written, and the work it has left.

    Attributes:
        names: the variables; a loop puts its own among them.
        write: puts a text at the end of what is written.
    """

    __slots__ = ("_work", "_written", "names", "write")

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.names = dict(variables)
        self._written: list[str] = []
        self.write = self._written.append
        self._work = _MOST_WORK

    def taken(self) -> str:
        """What was written since the last time.

        Raises:
            TemplateError: it is too much; the pieces were not put together then.
        """
        check_length(sum(map(len, self._written)))
        text = "".join(self._written)
        self._written.clear()
        return text

    def spend(self, work: int) -> None:
        """Take work off what is left.

        Raises:
            TemplateError: nothing is left.
        """
        self._work -= work
        if self._work < 0:
            raise TemplateError(_TOO_MUCH_WORK)


def bounded(text: str) -> str:
    """A text that something has made, if it is not too long.

    Raises:
        TemplateError: it is.
    """
    check_length(len(text))
    return text


def check_length(length: int) -> None:
    """Refuse a text of some length, best before it is made.

    Raises:
        TemplateError: it is too long.
    """
    if length > MOST_TEXT:
        raise TemplateError(_TOO_MUCH_TEXT)
