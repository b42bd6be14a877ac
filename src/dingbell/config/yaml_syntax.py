"""What is wrong with the YAML of a file, in both languages."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from dingbell.errors import Text

__all__ = ["told"]

# What the parser says of a fault, and how it is said in Chinese; the first that fits counts.
_CHINESE = (
    ("mapping values are not allowed", "此处不能再写 “键: 值”; 含冒号的文本请加引号"),
    ("sequence entries are not allowed", "此处不能写列表项 “- ”"),
    (r"character '\\t'", "缩进请用空格, 不能用制表符"),
    ("cannot start any token", "文本不能以这个字符开头, 请加引号"),
    ("unexpected end of stream", "引号没有闭合"),
    ("unexpected document separator", "引号没有闭合"),
    (r"expected ',' or '\]'", "列表 […] 缺少逗号或右括号"),
    (r"expected ',' or '\}'", "映射 {…} 缺少逗号或右括号"),
    ("expected <block end>", "缩进与上文不一致, 或上一行的引号、括号没有写完"),
    ("could not find expected ':'", "键后面缺少冒号"),
    ("escape", "双引号中的转义 “\\” 有误: 请改用单引号, 或写成 “\\\\”"),
    ("indentation|chomping|more indented", "块文本 “|” 或 “>” 的写法有误"),
    ("comment or a line break", "这一行末尾有多余的内容"),
    ("node content", "此处缺少内容"),
    ("URI|tag", "标签 “!” 的写法有误"),
    ("alphabetic or numeric", "锚点 “&” 或别名 “*” 的名称有误"),
    ("anchor", "一处只能有一个锚点 “&”"),
    ("document|directive|version", "文档标记 “---” 或 “%” 的写法有误"),
)
_OTHERWISE = "此处无法解析"


def told(error: Exception, text: str) -> tuple[int, int, Text]:
    """Line and column of a fault, counted from 1, and what it is."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        words = Text("the character {point} is not allowed", "不允许字符 {point}")
        return line, column, words.format(point=f"#x{int(error.character):04x}")
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        said = str(error.problem).partition("\n")[0]
        return mark.line + 1, mark.column + 1, Text(said, f"YAML 语法错误: {_in_chinese(said)}")
    # A character beyond those that there are, written as an escape.
    words = Text("an escape in this file names no character", "文件中有一处转义不是任何字符")
    return 1, 1, words


def _in_chinese(said: str) -> str:
    fitting = (words for pattern, words in _CHINESE if re.search(pattern, said))
    return next(fitting, _OTHERWISE)
