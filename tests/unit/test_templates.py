"""Templates: a small part of Jinja's notation, exact with numbers, that can neither escape nor run
for long."""

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dingbell.domain import templates
from dingbell.domain.message import Message, Roster
from dingbell.domain.templates import MissingError, TemplateError
from dingbell.domain.templates.catalogue import FILTERS
from dingbell.domain.templates.filters import TESTS
from dingbell.errors import InputError

DUE = datetime(2026, 11, 23, 16, 5, tzinfo=UTC)
PERSON: dict[str, Any] = {
    "userid": "u1",
    "name": "王芳",
    "title": "经理",
    "mobile": None,
    "hired_on": date(2020, 2, 29),
    "contract_until": "2027-03-01",
    "seen": "2026-11-20T09:30:00+08:00",
    "salary": Decimal("8000.10"),
    "days": 5,
    "tags": ["b", "a", "b"],
    "rate": 0.1,
}
TEAM = [
    {"userid": "u2", "name": "Li", "days": 3, "manager": "u1"},
    {"userid": "u3", "name": "Wu", "days": 10, "manager": None},
    {"userid": "u4", "name": "An", "days": 1},
]
VARIABLES: dict[str, Any] = {"person": PERSON, "due": DUE, "schedule": "payslip", "unread": TEAM}


def rendered(source: str, **variables: Any) -> str:
    return templates.read(source).render(templates.Scope({**VARIABLES, **variables}))


def refused(source: str, **variables: Any) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        rendered(source, **variables)
    return caught.value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # what is there
        ("{{ person.name }}/{{ person['name'] }}/{{ person.name[0] }}", "王芳/王芳/王"),
        ("{{ person.name[:1] }}{{ person.tags[0] }}{{ person.tags[-1] }}", "王bb"),
        ("{{ person.tags[1:]|join }}{{ [1, 2, 3][::2]|join }}", "ab13"),
        ("{{ {'经理': '您', 'x': '你'}[person.title] }}", "您"),
        ("{{ due.year }}-{{ due.month }} {{ due.hour }}:{{ due.minute }}", "2026-11 16:5"),
        ("{{ person.hired_on.day }}", "29"),
        ("{{ due }}", "2026-11-23 16:05:00+00:00"),
        ("{{ true }}{{ 'a' 'b' }}", "Trueab"),
        ("{# nothing #}{{ person.days }}{% raw %}{{ x }}{% endraw %}", "5{{ x }}"),
        # what is not
        ("{{ person.nickname|default('朋友') }}", "朋友"),
        ("{{ person.mobile|default('-') }}{{ person.mobile|d }}.", "-."),
        ("{{ person.nickname|default(default_value='x') }}", "x"),
        ("{{ ''|default('x') }}{{ ''|default('y', true) }}{{ 5|default(6) }}", "y5"),
        ("{{ ''|default('y', boolean=true) }}", "y"),
        ("{{ person.nickname is defined }}{{ person.name is defined }}", "FalseTrue"),
        ("{{ person.nickname is undefined }}{{ person.mobile is none }}", "TrueTrue"),
        ("{{ person.a.b.c|default('deep') }}", "deep"),
        ("{{ person.tags[7]|default('short') }}{{ []|first|default('none') }}", "shortnone"),
        # numbers
        ("{{ person.salary }} {{ person.salary * 2 }} {{ person.salary + 0.9 }}",
         "8000.10 16000.20 8001.00"),
        ("{{ 0.1 + 0.2 }} {{ person.rate + 0.2 }} {{ 1 - 5 }} {{ -5 }} {{ +5 }}",
         "0.3 0.3 -4 -5 5"),
        ("{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ -7.5 % 3 }} {{ 10 / 4 }} {{ 10 / 5 }}",
         "3 -4 2 1.5 2.5 2"),
        ("{{ 2.5|round }} {{ person.salary|round(1) }} {{ 1234|round(-2) }}", "3 8000.1 1200"),
        ("{{ 2.1|round(0, 'ceil') }} {{ 2.9|round(method='floor') }}", "3 2"),
        ("{{ '1,234.50'|float }} {{ '12.9'|int }} {{ (0 - 3)|abs }} {{ 1e3 }} {{ 5.7|int }}",
         "1234.50 12 3 1000.0 5"),
        # text
        ("{{ 'aB'|upper }}{{ 'aB'|lower }}{{ 'ab cd'|title }}{{ 'ab'|capitalize }}", "ABabAb CdAb"),
        ("{{ ' a '|trim }}{{ 'abc'|replace('b', '-') }}{{ 'abc'|reverse }}{{ 5|string }}",
         "aa-ccba5"),
        ("{{ 'abcdef'|truncate(4) }}{{ 'abc'|truncate(3) }}{{ 'abcd'|truncate(3, '') }}",
         "abc…abcabc"),
        ("{{ 'a' + 'b' ~ 1 ~ person.salary }}{{ 'abc'|length }}", "ab18000.103"),
        # dates
        ("{{ due|date }} {{ due|date('%-m月%-d日') }} {{ due|time }} {{ due|time('%H时') }}",
         "2026-11-23 11月23日 16:05 16时"),
        ("{{ person.hired_on|date }} {{ person.contract_until|date('%Y年') }}",
         "2020-02-29 2027年"),
        ("{{ person.seen|date }} {{ person.seen|time }} {{ due|date('%d%%') }}",
         "2026-11-20 09:30 23%"),
        ("{{ person.mobile|date }}{{ person.mobile|time }}.", "."),
        ("{{ person.hired_on < due }}{{ due >= person.hired_on }}", "TrueTrue"),
        # choices
        ("{% if person.days > 9 %}a{% elif person.days > 4 %}b{% else %}c{% endif %}", "b"),
        ("{% if person.mobile %}a{% endif %}.", "."),
        ("{{ 'a' if person.days == 5 else 'b' }}{{ 'a' if false }}.", "a."),
        ("{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 != 2 }}{{ 1 <= 1 >= 1 }}", "TrueFalseTrueTrue"),
        ("{{ not false and true or false }}{{ person.mobile or '-' }}", "True-"),
        ("{{ 'a' in person.tags }}{{ 'c' not in 'abc' }}{{ 'name' in person }}", "TrueFalseTrue"),
        ("{{ 4 is even }}{{ 3 is odd }}{{ 9 is divisibleby(3) }}{{ 'a' is string }}", "True" * 4),
        ("{{ 1 is number }}{{ true is number }}{{ 3 is gt(2) }}{{ 2 is in([1]) }}",
         "TrueFalseTrueFalse"),
        ("{{ 1 is lt(2) }}{{ 1 is le(1) }}{{ 1 is ge(2) }}{{ 1 is ne(2) }}{{ 1 is eq(1.0) }}",
         "TrueTrueFalseTrueTrue"),
        # lists
        ("{{ unread|map(attribute='name')|join('、') }} {{ unread|length }}", "Li、Wu、An 3"),
        ("{{ unread|join(', ', attribute='userid') }}", "u2, u3, u4"),
        ("{{ (unread|sort(attribute='days'))[:2]|join('/', 'name') }}", "An/Li"),
        ("{{ unread|sort(reverse=true, attribute='days')|map(attribute='days')|join(' ') }}",
         "10 3 1"),
        ("{{ unread|sum(attribute='days') }}{{ [1, 2]|sum(start=4) }}", "147"),
        ("{{ (unread|max(attribute='days')).name }}{{ [3, 1]|min }}", "Wu1"),
        ("{{ person.tags|unique|join }}{{ person.tags|count }}{{ [1, 2]|last }}", "ba32"),
        ("{{ unread|selectattr('manager')|join(',', 'name') }}", "Li"),
        ("{{ unread|rejectattr('manager')|join(',', 'name') }}", "Wu,An"),
        ("{{ unread|selectattr('days', 'gt', 2)|join(',', 'name') }}", "Li,Wu"),
        ("{{ unread|selectattr('manager', 'undefined')|join(',', 'name') }}", "An"),
        ("{{ unread|map(attribute='manager', default='-')|selectattr(none)|list }}"
         .replace("|list", "|join"), "u1-"),
        # loops
        ("{% for a in unread %}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}",
         "1,2,3"),
        ("{% for one in unread if one.days > 2 %}{{ loop.index0 }}{{ loop.length }}{% endfor %}",
         "0212"),
        ("{% for one in [] %}x{% else %}nobody{% endfor %}", "nobody"),
        ("{% for person in unread %}{{ person.name }}{% endfor %}{{ person.name }}", "LiWuAn王芳"),
    ],
)  # fmt: skip
def test_what_a_template_writes(source: str, text: str) -> None:
    assert rendered(source) == text


def test_loops_two_deep_each_know_their_own_turns() -> None:
    inner = "{% for b in ['x', 'y'] %}{{ a }}{{ b }}{{ loop.first }} {% endfor %}"
    source = f"{{% for a in [1, 2] %}}{inner}{{{{ loop.index }}}};{{% endfor %}}"
    assert rendered(source) == "1xTrue 1yFalse 1;2xTrue 2yFalse 2;"


# Each of these burned, or broke out of, what templates were rendered with before.
_TEN = "0123456789"
BOMBS: dict[str, str] = {
    "repeated text": "{{ 'x' * 10**9 }}",
    "repeated text without a power": "{{ 'x' * 1000000000 }}",
    "repeated list": "{{ [0] * 1000000000 }}",
    "format width": "{{ '%1000000000d'|format(1) }}",
    "format width by a sign": "{{ '%1000000000d' % 1 }}",
    "centred": "{{ 'x'|center(1000000000) }}",
    "power": "{{ 9**9**9**9 }}",
    "nested ranges":
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "recursive macro": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "doubling": "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "recursive loop": "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "replaced by more": "{{ 'xx'" + "|replace('x', 'xxxxxxxxxx')" * 60 + " }}",
    "nothing replaced": "{{ ('" + _TEN * 400 + "')|replace('', '" + _TEN * 400 + "') }}",
    "joined": "{{ ['a','b','c','d','e','f','g','h']|join('" + _TEN * 900 + "') }}",
    "date as wide as the sea": "{{ due|date('%1000000000Y') }}",
    "date of dates": "{{ due|date('" + "%A" * 4000 + "') }}",
    "indent": "{{ 'x'|indent(1000000000) }}",
    "lorem": "{{ lipsum(1000000) }}",
    "cycler": "{{ cycler.__init__.__globals__ }}",
    "namespace": "{{ namespace(a=1) }}",
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class by item": "{{ person['__class__'] }}",
    "class by filter": "{{ ''|attr('__class__') }}",
    "class by format": "{{ '{0.__class__}'.format(due) }}",
    "mapped": "{{ [due]|map(attribute='__class__')|join }}",
    "deep map": "{{ [person]|map(attribute='name.__class__')|join }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os }}",
    "extends": "{% extends 'base' %}",
    "block": "{% block a %}{% endblock %}",
    "900 parentheses": "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
    "300 nested ifs": "{% if 1 %}" * 300 + "x" + "{% endif %}" * 300,
    "60 nested ifs": "{% if 1 %}" * 60 + "x" + "{% endif %}" * 60,
    "three loops": "{% for a in [1] %}{% for b in [1] %}{% for c in [1] %}x" + "{% endfor %}" * 3,
    "5,000 digits": "{{ " + "7" * 5_000 + " }}",
    "4,000 digits": "{{ " + "7" * 4_000 + " }}",
    "hexadecimal": "{{ 0x" + "f" * 5_000 + " }}",
    "endless float": "{{ 1e999999 }}",
    "large float": "{{ 1e300 }}",
    "product": "{{ 999999999999 * 999999999999 * 999999999999 }}",
    "negations": "{{ " + "not " * 2_000 + "1 }}",
    "conditions": "{{ 1" + " if 1 else 1" * 800 + " }}",
    "a long sum": "{{ 1" + "+1" * 4_000 + " }}",
    "a long way": "{{ person" + ".a" * 4_000 + " }}",
    "many parts": "{{ [" + "1," * 4_000 + "1] }}",
    "a long template": "{{ 1 }}" + "x" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS)
def test_whatever_would_burn_or_escape_is_refused_in_words_and_at_once(source: str) -> None:
    began = time.process_time()
    with pytest.raises(InputError) as caught:
        Message({"text": source}).body(VARIABLES)
    # A parser that goes through 10,000 characters is the slowest of it.
    assert time.process_time() - began < 0.5
    assert caught.value.message.zh != str(caught.value)
    assert len(str(caught.value)) < 600


HEAVY: dict[str, str] = {
    "two loops": "{% for a in unread %}{% for b in unread %}{% endfor %}{% endfor %}",
    "two loops that write":
        "{% for a in unread %}{% for b in unread %}{{ a.name }}{% endfor %}{% endfor %}",
    "a loop that picks": "{% for a in unread if a.name in 'x' %}x{% endfor %}",
    "sorted in a loop":
        "{% for a in unread %}{{ (unread|sort(attribute='name'))[0].name }}{% endfor %}",
    "compared in a loop":
        "{% for a in unread %}{% if unread|reverse == unread %}{% endif %}{% endfor %}",
    "sought in a loop": "{% for a in unread %}{% if a in unread[1:] %}{% endif %}{% endfor %}",
    "copied in a loop": "{% for a in unread %}{% if unread[1:] %}{% endif %}{% endfor %}",
    "long text in a loop":
        "{% for a in unread %}{% if 'x' in due ~ schedule %}{% endif %}{% endfor %}",
    "joined in a loop": "{% for a in unread %}{% if schedule ~ schedule %}{% endif %}{% endfor %}",
    "added in a loop": "{% for a in unread %}{% if schedule + schedule %}{% endif %}{% endfor %}",
    "upper in a loop": "{% for a in unread %}{% if schedule|upper|lower %}{% endif %}{% endfor %}",
    "written again and again": "{% for a in unread %}{{ schedule }}{% endfor %}",
    "all names": "{{ unread|map(attribute='name')|join(', ') }}",
    "summed in a loop": "{% for a in unread %}{{ unread|sum(attribute='days') }}{% endfor %}",
}  # fmt: skip


@pytest.mark.parametrize("source", HEAVY.values(), ids=HEAVY)
def test_however_large_the_data_a_rendering_ends_soon(source: str) -> None:
    everybody = [{"name": f"n{n}", "userid": f"u{n}", "days": n} for n in range(30_000)]
    variables = {**VARIABLES, "unread": everybody, "schedule": "x" * 9_000}
    message = Roster({"text": source})
    began = time.process_time()
    with pytest.raises(TemplateError, match=r"too much work|more than 20000"):
        message.body(variables)
    assert time.process_time() - began < 0.5


def test_the_length_and_the_beginning_of_any_list_cost_nothing() -> None:
    everybody = [{"name": f"n{n}"} for n in range(300_000)]
    source = "{{ unread|length }}: {{ unread[:3]|join(', ', 'name') }}, {{ (unread|last).name }}"
    assert rendered(source, unread=everybody) == "300000: n0, n1, n2, n299999"


@pytest.mark.parametrize(
    ("source", "what", "zh"),
    [
        ("{{ person.name", "something is not closed", "未闭合"),
        ("{% if person %}", "{% if %} is not closed by {% endif %}", "没有对应的 {% endif %}"),
        ("{% for a in unread %}{% endif %}", "{% for %} is not closed by {% endfor %}", "endfor"),
        ("{# x {{ 1 }}", "something is not closed", "未闭合"),
        ("{% foo %}", "{% foo %} is not known here: there are if", "可用 if"),
        ("{% if %}x{% endif %}", "%} is not expected here", "此处不应出现 %}"),
        ("{{ }}", "}} is not expected here", "此处不应出现 }}"),
        ("{{ a b }}", "b is not expected here", "b"),
        ("{{ 1 ? 2 }}", "? is not expected here", "?"),
        ("{{ 'abc }}", "' is not expected here", "'"),
        ("{{ a( }}", "} is not expected here", "}"),
        ("{{ a", "something is not closed", "未闭合"),
        ("{{ '\\x' }}", "it cannot be read here", "此处无法识别"),
        ("{% set a = 1 %}", "{% set %} is not available", "不支持 {% set %}"),
        ("{% with %}{% endwith %}", "{% with %} is not available", "{% with %}"),
        ("{{ 2 ** 3 }}", "** is not available", "**"),
        ("{{ due.strftime('%d') }}", "use a filter, such as |date", "请用过滤器"),
        ("{{ due|center(5) }}", "there is no filter center: there are abs,", "没有过滤器 center"),
        ("{{ due is sameas(1) }}",
         "there is no test sameas: there are defined,", "没有测试 sameas"),
        ("{{ due|date(1, 2, 3) }}", "date is given too much or too little", "参数数量不对"),
        ("{{ unread|map('upper')|join }}", "map is given too much", "参数数量不对"),
        ("{{ due|date(*[1]) }}", "date is given too much", "参数数量不对"),
        ("{% for a, b in unread %}{% endfor %}", "{% for one in list %}", "{% for one in list %}"),
        ("{{ _x }}", "_x: names that begin with _", "不能使用以 _ 开头"),
        # while it is rendered
        ("{{ person.nickname }}", "there is no nickname: write |default", "没有 nickname"),
        ("{{ person['nick'] }}", "there is no nick", "没有 nick"),
        ("{{ person.mobile }}", "there is nothing to write", "没有可写的内容"),
        ("{{ person.name.first }}", "text has no first", "文本没有 first"),
        ("{{ person.tags[9] }}", "there is no [9]", "没有 [9]"),
        ("{{ person.tags[1.5] }}", "a list has no [a number]", "列表没有"),
        ("{{ due.week }}", "a date has no week", "日期没有 week"),
        ("{{ person.hired_on.hour }}", "a date has no hour", "日期没有 hour"),
        ("{{ person }}", "a record with fields cannot be written out", "无法直接写出"),
        ("{{ unread }}", "a list cannot be written out", "无法直接写出列表"),
        ("{{ 1 / 0 }}", "divided by zero", "除数为零"),
        ("{{ 1 % 0 }}", "divided by zero", "除数为零"),
        ("{{ person.name + 1 }}", "+ takes numbers, not text", "+ 只用于数字, 不能用于文本"),
        ("{{ unread * 2 }}", "* takes numbers, not a list", "不能用于列表"),
        ("{{ true + 1 }}", "+ takes numbers, not true or false", "真假值"),
        ("{{ 999999999999 * 999999999999 }}", "the number is too large", "数字过大"),
        ("{{ 5|date }}", "date takes a date, not a number", "date 需要日期, 而不是数字"),
        ("{{ 'soon'|date }}", "date takes a date, not text", "而不是文本"),
        ("{{ '2026-13-40'|date }}", "date takes a date, not text", "而不是文本"),
        ("{{ person.hired_on|time }}", "a date with a time, not a date", "带时间的日期"),
        ("{{ due|date('%9d') }}", "is not a form of dates", "不是日期格式"),
        ("{{ due|date(5) }}", "'5' is not a form of dates", "不是日期格式"),
        ("{% if person.tags[::0] %}{% endif %}", "this cannot be worked out", "无法计算"),
        ("{{ 'x'|int }}", "int takes a number, not text", "int 需要数字"),
        ("{{ 1|round(99) }}", "round takes a small whole number", "较小的整数"),
        ("{{ 1|round(1, 'up') }}", "common, ceil and floor", "common、ceil、floor"),
        ("{{ unread|upper }}", "upper takes text, not a list", "upper 需要文本"),
        ("{{ 'abc'|sort }}", "sort takes a list, not text", "sort 需要列表"),
        ("{{ [1, 'a']|sort|join }}",
         "a number and text cannot be compared", "数字与文本不能用 < 比较"),
        ("{{ 1 < 'a' }}", "a number and text cannot be compared with <", "不能用 < 比较"),
        ("{{ 1 in 'a' }}", "a number and text cannot be compared with in", "不能用 in 比较"),
        ("{{ []|first }}", "the list is empty", "列表为空"),
        ("{{ unread|selectattr('days', 'big')|join }}", "there is no test 'big'", "没有测试"),
        ("{{ unread|selectattr('days', 'gt')|join }}", "this cannot be worked out", "无法计算"),
        ("{{ unread|map(attribute='manager')|join }}", "there is no manager", "没有 manager"),
        ("{{ {[1]: 2} }}", "this cannot be worked out", "无法计算"),
        ("{{ person.tags[::0] }}", "this cannot be worked out", "无法计算"),
        ("{% for a in person.name %}{% endfor %}", "goes through a list, not text", "不能遍历文本"),
        ("{% if 1 < 'a' %}{% endif %}", "cannot be compared", "不能用 < 比较"),
        ("{{ (1).real }}", "a number has no real", "数字没有 real"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_both_languages_and_by_no_name_of_pythons(
    source: str, what: str, zh: str
) -> None:
    error = refused("first\n" + source)
    assert what in error.what
    assert zh in error.what.zh
    assert error.line == 2
    for name in ("Error", "Undefined", "Jinja", "jinja", "object", "dict", "token", "NoneType"):
        assert name not in error.what
        assert name not in error.what.zh


def test_an_error_names_the_line_inside_loops_and_the_field() -> None:
    source = "a\n{% for one in unread %}\n  {{ one.name }}\n  {{ one.nothing }}\n{% endfor %}"
    assert refused(source).line == 4
    with pytest.raises(TemplateError) as caught:
        Roster({"markdown": {"title": "t", "text": source}}).body(VARIABLES)
    assert caught.value.field == ("markdown", "text")
    assert str(caught.value) == (
        "the template does not work: markdown.text line 4: there is no nothing: "
        "write |default('…') where it may be missing"
    )
    assert caught.value.in_chinese().startswith("模板有误: markdown.text 第 4 行: 没有 nothing")


def test_a_template_alone_is_bounded_and_a_variable_that_is_not_given_is_missing() -> None:
    assert "10001 characters, the limit is 10000" in refused("x" * 10_001).what
    with pytest.raises(MissingError, match="there is no schedule"):
        Message({"text": "{{ schedule }}"}).body({"due": DUE})


def test_what_is_missing_is_told_from_what_is_wrong() -> None:
    assert isinstance(refused("{{ person.nickname|upper }}"), MissingError)
    assert not isinstance(refused("{{ person.name * 2 }}"), MissingError)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{{ person.name }}{% if due %}{% endif %}", {"person", "due"}),
        ("{% for person in unread %}{{ person }}{{ loop.index }}{% endfor %}", {"unread"}),
        ("{% for a in [1] %}{% endfor %}{{ a }}{{ loop }}", {"a", "loop"}),
        ("{% for a in a if a.b %}{% else %}{{ c }}{% endfor %}", {"a", "c"}),
        ("x", set()),
    ],
)
def test_a_template_knows_the_variables_it_uses(source: str, names: set[str]) -> None:
    assert templates.read(source).names == names


@given(st.text(alphabet="{}%()[]|'\" abif1.+*_~\n\\", max_size=60))
def test_any_heap_of_signs_is_a_template_or_an_error_of_ours(noise: str) -> None:
    source = "{{" + noise
    try:
        templates.read(source).render(templates.Scope(VARIABLES))
    except TemplateError as error:
        told = error
    else:
        return
    assert told.line


_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_PLACES = st.sampled_from(["person.name", "person.days", "'a'", "3", "unread[0].days", "schedule"])
_NUMBERS = st.sampled_from(["person.days", "3", "unread[1].days", "7"])


def _with(pieces: str, places: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(places, places).map(lambda two: pieces.format(*two))


_EXPRESSIONS = st.one_of(
    *(_with(form, _PLACES) for form in (
        "{{{{ {0} }}}}", "{{{{ {0} ~ {1} }}}}", "{{{{ {0} == {1} }}}}", "{{{{ {0}|upper }}}}",
        "{{% if {0} == {1} %}}a{{% else %}}b{{% endif %}}", "{{{{ {0} if {1} else 'x' }}}}",
        "{{% for one in unread %}}{{{{ one.name }}}}{0}{{% endfor %}}",
        "{{{{ {0}|default({1}) }}}}", "{{{{ [{0}, {1}]|join('-') }}}}",
    )),
    *(_with(form, _NUMBERS) for form in (
        "{{{{ {0} + {1} }}}}", "{{{{ {0} - {1} }}}}", "{{{{ {0} * {1} }}}}", "{{{{ {0} // {1} }}}}",
        "{{{{ {0} % {1} }}}}", "{{{{ {0} < {1} }}}}", "{{{{ [{0}, {1}]|sort|join(' ') }}}}",
        "{{{{ [{0}, {1}]|sum }}}}", "{{{{ [{0}, {1}]|max }}}}", "{{{{ not {0} > {1} }}}}",
    )),
)  # fmt: skip


@given(st.lists(_EXPRESSIONS, max_size=6).map("\n".join))
def test_what_is_available_means_what_it_means_in_jinja(source: str) -> None:
    assert rendered(source) == _JINJA.from_string(source).render(VARIABLES)


@pytest.mark.parametrize(
    "value", [Decimal("1E+999999"), Decimal("1E-999999"), 10**30, Decimal("NaN"), float("inf")]
)
def test_a_number_that_would_fill_a_page_is_refused(value: object) -> None:
    assert "too large" in refused("{{ person.x + 1 }}", person={"x": value}).what
    if not isinstance(value, float):
        assert "too large" in refused("{{ person.x }}", person={"x": value}).what


def test_something_that_nobody_can_write_is_refused() -> None:
    odd = {"x": {1}, "naive": DUE.replace(tzinfo=None)}
    assert "something else cannot be written out" in refused("{{ person.x }}", person=odd).what
    assert "cannot be compared" in refused("{{ due < person.naive }}", person=odd).what


@pytest.mark.parametrize("make", [lambda n: "x" * n, lambda n: ["x"] * n], ids=["text", "list"])
def test_what_is_written_and_joined_is_bounded(make: Callable[[int], Any]) -> None:
    variables = {"schedule": make(30_000)}
    for source in ("{{ schedule|join }}", "{{ schedule }}", "{{ schedule ~ 'x' }}"):
        refused(source, **variables)


_PAGE = Path(__file__).parents[2] / "docs" / "templates.md"


def test_the_page_names_every_filter_and_every_test() -> None:
    lines = _PAGE.read_text("utf-8").splitlines()
    filters, tests = (one for one in lines if one.startswith(("**Filters**", "**Tests**")))
    assert set(re.findall(r"`(\w+)(?:\(.*?\))?`", filters)) == {*FILTERS, "default"}
    assert set(re.findall(r"`(\w+)`", tests.partition(":")[2])) == set(TESTS)


def test_the_examples_of_the_page_write_what_it_says() -> None:
    (examples,) = re.findall(r"```jinja\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    person = {**PERSON, "birthday": "1990-08-09"}
    for line in examples.splitlines():
        source, _, text = line.partition(" → ")
        assert rendered(source, person=person, unread=TEAM[:2]).rstrip() == text
