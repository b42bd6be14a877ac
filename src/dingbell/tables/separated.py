"""CSV and TSV: which encoding, which sign between the cells, and the line of each row."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice

from dingbell.errors import Text
from dingbell.tables.table import Line, TableError

__all__ = ["decoded", "lines"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Decoding and reading give other threads a turn after so many bytes.
_PIECE = 64 * 1024
_SIGNS = ",;\t"
_SNIFFED = 20
_HEAD = 100_000
# So many of a text's characters in UTF-16 are plain ones, with a zero beside them.
_PLAIN = 0.2

_NO_ENCODING = Text(
    "{name} is no encoding: write utf-8, gb18030, utf-16 or big5",
    "{name} 不是编码名称: 请写 utf-8、gb18030、utf-16 或 big5",
)
_NOT_IN = Text("this is not text in {encoding}", "此处不是 {encoding} 文本")
_NEITHER = Text(
    "this is neither UTF-8 nor GB18030: save it as “CSV UTF-8”, or name its encoding "
    "(--encoding big5)",
    "此处既不是 UTF-8 也不是 GB18030: 请另存为 “CSV UTF-8”, 或指定编码 (--encoding big5)",
)
_READ_AS = Text(
    "it is not UTF-8 and was read as {encoding}", "文件不是 UTF-8, 已按 {encoding} 读取"
)
_QUOTES = Text(
    'the quotes of this row are not closed, or something follows them: write " twice inside a '
    "cell in quotes",
    '此行的引号没有闭合, 或引号之后还有内容: 引号内的 " 要写两遍',
)
_LONG = Text("a cell here has no end: is a quote not closed?", "此处单元格过长: 引号没有闭合吗?")


def decoded(content: bytes, name: str, encoding: str | None = None) -> tuple[str, Text | None]:
    """The text of a file, and what its author should know about how it was read.

    Asked in this order: the mark at its beginning, UTF-8, UTF-16 without a mark, GB18030.

    Raises:
        TableError: it is text in none of them, or not in the one that is named.
    """
    if encoding is not None:
        return _named(content, name, encoding), None
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], name, marked), None
    if (utf16 := _utf16(content)) is not None:
        return _strictly(content, name, utf16), _READ_AS.format(encoding=utf16)
    try:
        return _text(content, "utf-8"), None
    except UnicodeDecodeError:
        pass
    try:
        return _text(content, "gb18030"), _READ_AS.format(encoding="GB18030")
    except UnicodeDecodeError as error:
        raise TableError(name, _NEITHER, line=_line(content, error.start)) from None


def _named(content: bytes, name: str, encoding: str) -> str:
    try:
        known = codecs.lookup(encoding)
        if not known._is_text_encoding:  # noqa: SLF001  there is no other way to ask
            raise LookupError
    except (LookupError, ValueError):
        raise TableError(name, _NO_ENCODING.format(name=encoding[:40])) from None
    return _strictly(content, name, known.name).removeprefix("\ufeff")


def _utf16(content: bytes) -> str | None:
    """UTF-16 without a mark: its separators and digits have a zero beside them."""
    head = content[:1000]
    high, low = head[::2].count(0), head[1::2].count(0)
    if len(content) % 2 or max(high, low) < max(1, _PLAIN * len(head) / 2):
        return None
    return "utf-16-le" if low > high else "utf-16-be"


def _strictly(content: bytes, name: str, encoding: str) -> str:
    try:
        return _text(content, encoding)
    except UnicodeDecodeError as error:
        words = _NOT_IN.format(encoding=encoding)
        raise TableError(name, words, line=_line(content, error.start)) from None


def _text(content: bytes, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    pieces, start = [], 0
    try:
        for start in range(0, len(content), _PIECE):
            pieces.append(decoder.decode(content[start : start + _PIECE]))
        pieces.append(decoder.decode(b"", final=True))
    except UnicodeDecodeError as error:
        place = min(start + error.start, len(content))
        raise UnicodeDecodeError(encoding, content, place, len(content), error.reason) from None
    return "".join(pieces)


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def lines(text: str, name: str) -> Iterator[Line]:
    """The rows of a text, each with the line it begins on.

    Raises:
        TableError: its quotes are not sound.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_between(text), strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        words = _LONG if "field larger" in str(error) else _QUOTES
        raise TableError(name, words, line=line) from None


def _between(text: str) -> str:
    """The sign between the cells: the one that cuts the first lines into most parts, all alike."""
    head = list(islice(io.StringIO(text[:_HEAD].lstrip(), newline=""), _SNIFFED))

    def parts(sign: str) -> tuple[int, int]:
        try:
            rows = [row for row in csv.reader(head, delimiter=sign) if any(row)]
        except csv.Error:
            return 0, 0
        widths = [len(row) for row in rows] or [1]
        return widths[0], widths.count(widths[0])

    return max(_SIGNS, key=parts)
