"""Names → the letters somebody types for them: pinyin in full, and initials.

Run as a program of its own (names as JSON on standard input, spellings on standard output): the
dictionary takes a second to load and 57 MB, which no node needs to carry. It imports nothing of
ours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice, product

__all__ = ["SURNAMES", "spelled", "spellings"]

# So many ways to read a name are kept: beyond that nobody types them.
_MOST = 24
_LONGEST_NAME = 40

# Surnames that are read otherwise than their characters elsewhere; the likeliest reading first.
SURNAMES: dict[str, tuple[str, ...]] = {
    "万俟": ("mo qi",), "尉迟": ("yu chi",), "单于": ("chan yu",), "长孙": ("zhang sun",),
    "澹台": ("tan tai",), "令狐": ("ling hu",), "宰父": ("zai fu",), "亓官": ("qi guan",),
    "单": ("shan",), "仇": ("qiu",), "解": ("xie",), "区": ("ou",), "查": ("zha",),
    "曾": ("zeng",), "缪": ("miao",), "朴": ("piao",), "翟": ("zhai",), "盖": ("ge", "gai"),
    "任": ("ren",), "华": ("hua",), "覃": ("qin", "tan"), "乐": ("yue", "le"), "员": ("yun",),
    "洗": ("xian",), "冼": ("xian",), "折": ("she",), "黑": ("he",), "秘": ("bi",),
    "重": ("chong",), "种": ("chong",), "繁": ("po",), "葛": ("ge",), "纪": ("ji",),
    "车": ("che",), "能": ("nai",), "隗": ("wei", "kui"), "逄": ("pang",), "过": ("guo",),
    "宁": ("ning",), "呙": ("guo",), "褚": ("chu",), "郇": ("xun", "huan"), "晟": ("cheng",),
    "柏": ("bai", "bo"), "那": ("na",), "訾": ("zi",), "都": ("du",), "谌": ("chen", "shen"),
    "祭": ("zhai",), "燕": ("yan",), "应": ("ying",), "相": ("xiang",), "石": ("shi",),
    "俞": ("yu",), "强": ("qiang",), "卜": ("bu",), "佴": ("nai",), "笪": ("da",),
    "郗": ("xi", "chi"), "牟": ("mu", "mou"), "瞿": ("qu",), "亓": ("qi",), "仉": ("zhang",),
    "阚": ("kan",), "曲": ("qu",), "沈": ("shen",), "贾": ("jia",), "尹": ("yin",),
    "戚": ("qi",), "鲜": ("xian",), "幺": ("yao",), "宓": ("mi", "fu"), "厘": ("li",),
}  # fmt: skip


def spellings(names: Sequence[str]) -> list[tuple[str, str]]:
    """The pinyin and the initials of names, each with all its readings, parted by blanks."""
    return [spelled(name) for name in names]


def spelled(name: str) -> tuple[str, str]:
    """The pinyin and the initials of a name; the likeliest reading stands first."""
    full: dict[str, None] = {}
    short: dict[str, None] = {}
    for reading in islice(product(*_syllables(name[:_LONGEST_NAME])), _MOST):
        full["".join(reading)] = None
        short["".join(syllable[:1] for syllable in reading)] = None
    return " ".join(full), " ".join(short)


def _syllables(name: str) -> Iterator[Sequence[str]]:
    """The readings of each part of a name; a surname's own before all others."""
    surname = next((own for own in (name[:2], name[:1]) if own in SURNAMES), "")
    if len(surname) == 2:
        yield from ((one,) for one in SURNAMES[surname][0].split())
    elif surname:
        yield tuple(dict.fromkeys((*SURNAMES[surname], *_readings(surname))))
    for part in _parts(name[len(surname) :]):
        yield _readings(part) if len(part) == 1 and not part.isascii() else (part,)


def _parts(text: str) -> Iterator[str]:
    """Characters one by one; letters and digits of other scripts by words, small."""
    word = ""
    for character in text.lower():
        if character.isascii() and character.isalnum():
            word += character
            continue
        if word:
            yield word
        word = ""
        if character.isalnum():
            yield character
    if word:
        yield word


def _readings(character: str) -> tuple[str, ...]:
    from pypinyin import Style, pinyin

    found: dict[str, None] = {}
    for one in pinyin(character, style=Style.NORMAL, heteronym=True, v_to_u=True)[0]:
        # ü is typed in three ways.
        for letters in ("v", "u", "yu") if "ü" in one else ("",):
            found[one.lower().replace("ü", letters)] = None
    return tuple(found)


if __name__ == "__main__":
    json.dump(spellings(json.load(sys.stdin)), sys.stdout)
