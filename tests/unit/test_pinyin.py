"""Names are found by the letters somebody types for them."""

import pytest

from dingbell.directory.pinyin import SURNAMES, spelled


@pytest.mark.parametrize(
    ("name", "pinyin", "initials"),
    [
        ("王芳", "wangfang", "wf"),
        ("单小明", "shanxiaoming", "sxm"),
        ("仇英", "qiuying", "qy"),
        ("解缙", "xiejin", "xj"),
        ("区亮", "ouliang", "ol"),
        ("查良镛", "zhaliangyong", "zly"),
        ("曾国藩", "zengguofan", "zgf"),
        ("缪昌期", "miaochangqi", "mcq"),
        ("朴树", "piaoshu", "ps"),
        ("翟天", "zhaitian", "zt"),
        ("盖叫天", "gejiaotian", "gjt"),
        ("万俟明", "moqiming", "mqm"),
        ("欧阳修", "ouyangxiu", "oyx"),
        ("吕后", "lvhou", "lh"),
        ("吕后", "luhou", "lh"),
        ("张Tom", "zhangtom", "zt"),
        ("John Smith", "johnsmith", "js"),
        ("大客户部 2", "dakehubu2", "dkhb2"),
    ],
)
def test_a_name_is_found_by_pinyin_and_by_initials(name: str, pinyin: str, initials: str) -> None:
    full, short = spelled(name)
    assert pinyin in full.split()
    assert initials in short.split()


@pytest.mark.parametrize("surname", list(SURNAMES))
def test_a_surname_is_read_as_a_surname_first(surname: str) -> None:
    full, _ = spelled(surname + "伟")
    assert full.split()[0] == SURNAMES[surname][0].replace(" ", "") + "wei"


def test_a_name_of_many_readings_is_bounded() -> None:
    full, short = spelled("乐" * 40)
    assert len(full.split()) <= 24
    assert len(short.split()) <= 24
    assert spelled("") == ("", "")
