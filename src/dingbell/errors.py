"""Every error DingBell raises: your input, a conflict, a permission, the outside world.

The class answers who has to act; the message says what is wrong, where, and what to do. Messages
are bilingual `Text`: `str(error)` is English, `error.message.zh` is Chinese.
"""

from __future__ import annotations

from typing import Self

__all__ = [
    "ConflictError",
    "DatabaseError",
    "DatabaseUnavailable",
    "DingBellError",
    "InputError",
    "NotFoundError",
    "OutsideError",
    "PermissionDenied",
    "Text",
    "sentence",
]


class Text(str):
    """An English string that carries its Chinese twin in `zh`."""

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        """Make a text of its two languages."""
        text = super().__new__(cls, en)
        text.zh = zh
        return text

    def __reduce__(self) -> tuple[type[Text], tuple[str, str]]:
        """What a copy is made of."""
        return Text, (str(self), self.zh)

    def format(self, *args: object, **values: object) -> Text:
        """Fill in both languages; `Text` values keep theirs."""

        def chinese(value: object) -> object:
            return value.zh if isinstance(value, Text) else value

        return Text(
            super().format(*args, **values),
            self.zh.format(
                *(chinese(a) for a in args), **{k: chinese(v) for k, v in values.items()}
            ),
        )


def sentence(message: str) -> Text:
    """Make a `Text` of any string; one without a Chinese twin reads the same in both."""
    return message if isinstance(message, Text) else Text(message, message)


class DingBellError(Exception):
    """Something went wrong in DingBell."""

    exit_code = 1
    status = 500

    def __init__(self, message: str | None = None, *, where: str | None = None) -> None:
        self.message = sentence(message or (type(self).__doc__ or "").partition("\n")[0])
        self.where = where
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.where}: {self.message:s}" if self.where else f"{self.message:s}"

    def in_chinese(self) -> str:
        """The same message in Chinese."""
        return f"{self.where}: {self.message.zh}" if self.where else self.message.zh


class InputError(DingBellError, ValueError):
    """What was asked for cannot be done as written; change the input."""

    exit_code = 2
    status = 422


class NotFoundError(InputError):
    """There is no such thing."""

    status = 404


class ConflictError(InputError):
    """It cannot be done in the present state."""

    exit_code = 1
    status = 409


class PermissionDenied(DingBellError):  # noqa: N818  the refusal, not a mistake
    """Whoever asks may not do this."""

    status = 403


class OutsideError(DingBellError):
    """Something outside DingBell (network, DingTalk, operating system) failed."""

    status = 503


class DatabaseError(OutsideError):
    """PostgreSQL cannot be reached or started."""


class DatabaseUnavailable(DatabaseError):  # noqa: N818  the condition, not a mistake
    """PostgreSQL cannot be reached right now; what was being done can be done again."""
