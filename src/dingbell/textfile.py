"""Files with text that people write: read whole, up to a limit, whatever editor wrote them."""

from __future__ import annotations

import codecs
import errno
from dataclasses import dataclass
from pathlib import Path

from dingbell.errors import InputError, Text

__all__ = ["TextFile", "decoded", "read", "reason"]

_LARGEST = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF8 = "utf-8"
_GB18030 = "gb18030"

_REASONS = {
    errno.ENOENT: Text("No such file or directory", "文件或文件夹不存在"),
    errno.EISDIR: Text("Is a directory", "是文件夹"),
    errno.ENOTDIR: Text("Not a directory", "上级不是文件夹"),
    errno.EEXIST: Text("File exists", "已存在同名文件"),
    errno.EACCES: Text("Permission denied", "没有权限"),
    errno.EPERM: Text("Operation not permitted", "不允许此操作"),
    errno.EROFS: Text("Read-only file system", "文件系统只读"),
    errno.ENOSPC: Text("No space left on device", "磁盘已满"),
    errno.ENAMETOOLONG: Text("File name too long", "文件名过长"),
    errno.ELOOP: Text("Too many levels of symbolic links", "符号链接层数过多"),
    errno.EMFILE: Text("Too many open files", "打开的文件过多"),
    errno.EADDRINUSE: Text("Address already in use", "地址已被占用"),
    errno.EADDRNOTAVAIL: Text("Cannot assign requested address", "本机没有此地址"),
    errno.EBUSY: Text("Device or resource busy", "正被占用"),
    errno.EIO: Text("Input/output error", "读写错误"),
}


@dataclass(frozen=True, slots=True)
class TextFile:
    """What stands in a file.

    Attributes:
        text: without the mark at its beginning.
        note: what its author should know about how it was read; None where there is nothing.
    """

    text: str
    note: Text | None = None


def read(path: Path, *, largest: int = _LARGEST) -> TextFile:
    """Read a file of text; UTF-8, what has a mark of its encoding, or GB18030.

    Raises:
        InputError: it cannot be read, is larger than allowed, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:
        raise InputError(_unreadable(path, reason(error))) from error
    if len(content) > largest:
        raise InputError(
            _unreadable(
                path,
                Text("larger than {n} bytes", "超过 {n} 字节").format(n=largest),
            )
        )
    found = decoded(content)
    if found is None:
        raise InputError(_unreadable(path, Text("not UTF-8", "不是 UTF-8 文本")))
    return found


def decoded(content: bytes) -> TextFile | None:
    """Read bytes as text; None where they are none."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _as(encoding, content[len(mark) :])
    return _as(_UTF8, content) or _as(_GB18030, content, _NOT_UTF8)


_NOT_UTF8 = Text(
    "it is not UTF-8 and was read as GB18030: save it as UTF-8",
    "文件不是 UTF-8, 已按 GB18030 读取: 请另存为 UTF-8",
)


def _as(encoding: str, content: bytes, note: Text | None = None) -> TextFile | None:
    try:
        return TextFile(content.decode(encoding).replace("\r\n", "\n"), note)
    except UnicodeDecodeError:
        return None


def _unreadable(path: Path, why: Text) -> Text:
    return Text("cannot read {path}: {why}", "无法读取 {path}: {why}").format(path=path, why=why)


def reason(error: Exception) -> Text:
    """Why the operating system refused, in both languages."""
    number = error.errno if isinstance(error, OSError) else None
    known = _REASONS.get(number) if number is not None else None
    if known is not None:
        return known
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return Text(said, f"系统错误 {number}" if number is not None else "名称无效")
