"""`send --rows`, `datasets …`, `audiences import` and rows in `dingbell.yaml`."""

from __future__ import annotations

from decimal import Decimal
from textwrap import dedent

import pytest

from dingbell import InputError

from .conftest import Company, Place

WHO = ("manager4220", "manager7675")


@pytest.fixture(scope="module")
def staff(place: Place, company: Company) -> dict[str, str]:
    """The job numbers of two people; the directory has been read."""
    place.done("directory", "sync")
    people = company.ask("people")["people"]
    return {one["userid"]: one["job_number"] for one in people if one["userid"] in WHO}


def slips(place: Place, staff: dict[str, str], *amounts: str, name: str = "pay.csv") -> str:
    """A file in GBK with an amount for each."""
    lines = [
        "工号,实发",
        *(f'{staff[who]},"{net}"' for who, net in zip(WHO, amounts, strict=False)),
    ]
    (place.folder / name).write_bytes("\n".join(lines).encode("gbk"))
    return name


def test_a_send_with_rows_reaches_everybody_who_has_one_with_their_own(
    place: Place, company: Company, staff: dict[str, str]
) -> None:
    file = slips(place, staff, "1,234.50", "0.10")
    words = ("--text", "工资条 {{ row.实发 }} 双倍 {{ row.实发 * 2 }}")
    dry = place.json("send", "--rows", file, *words, "--dry-run")
    assert (dry["calls"], dry["totals"], dry["notes"]) == (2, {"delivered": 2}, [])
    run = place.json("send", "--rows", file, *words, "--wait")
    assert run["state"] == "settled"
    assert (run["rows"].startswith("send:"), run["rows_version"]) == (True, 1)
    assert "工资条 1,234.50 双倍 2469.00" in company.texts(WHO[0])
    assert "工资条 0.10 双倍 0.20" in company.texts(WHO[1])
    assert place.json("datasets", "list") == []


def test_who_has_no_row_is_told_before_anything_is_sent(
    place: Place, staff: dict[str, str]
) -> None:
    file = slips(place, staff, "3.10", name="one.csv")
    words = ("--to", "users:" + ",".join(WHO), "--text", "一人 {{ row.实发 }}")
    ran = place.run("send", "--rows", file, *words, "--dry-run")
    assert f"no row in the data for {WHO[1]}" in ran.out
    assert "has no row in the data" in ran.out
    assert (
        "所带的数据中没有这些人的行"
        in place.run("send", "--rows", file, *words, "--dry-run", LC_ALL="zh_CN.UTF-8").out
    )


def test_what_cannot_be_read_is_refused_with_its_place(place: Place) -> None:
    place.write("bad.csv", 'userid,net\nmanager4220,"1\n')
    send = ("send", "--rows", "bad.csv", "--text", "{{ row.net }}")
    assert "bad.csv, line 2: the quotes of this row are not closed" in place.refused(*send)
    place.write("whose.csv", "a,b\n1,2\n")
    whose = place.refused("datasets", "import", "whose.csv")
    assert "no column says whose a row is" in whose
    assert "there are no rows 'gone.csv'" in place.refused(
        "send", "--rows", "gone.csv", "--text", "{{ row.net }}"
    )
    assert "the message uses row" in place.refused(
        "send", "--to", "users:a", "--text", "{{ row.net }}"
    )
    key = place.refused("datasets", "import", "whose.csv", "--key", "a", LC_ALL="zh_CN.UTF-8")
    assert "--key 只能是 userid" in key
    assert "cannot read none.csv" in place.refused("datasets", "import", "none.csv")


def test_a_dataset_is_imported_shown_used_and_deleted(
    place: Place, company: Company, staff: dict[str, str]
) -> None:
    slips(place, staff, "5.50", "6.60", name="march.csv")
    done = place.json("datasets", "import", "march.csv", "--name", "march")
    assert (done["version"], done["people"], done["key"]) == (1, 2, "job_number")
    assert "GB18030" in done["note"]
    place.write("march.csv", f"userid,net\n{WHO[0]},7.70\nghost,1\n")
    ran = place.run("datasets", "import", "march.csv", "--name", "march")
    assert "march v2: 1 people by userid, 1 rows of nobody's" in ran.out
    assert "line 3: ghost is not in the directory" in ran.err
    again = place.json("datasets", "import", "march.csv", "--name", "march")
    assert (again["version"], again["changed"]) == (2, False)
    assert [one["name"] for one in place.json("datasets", "list")] == ["march"]
    shown = place.json("datasets", "show", "march")
    assert [one["version"] for one in shown["versions"]] == [2, 1]
    assert "7.70" not in place.done("datasets", "show", "march")
    words = "三月 {{ row.net }}"
    run = place.json("send", "--rows", "march", "--text", words, "--wait")
    assert (run["rows"], run["rows_version"]) == ("march", 2)
    assert "march v2" in place.done("runs", "show", run["id"])
    assert "三月 7.70" in company.texts(WHO[0])
    assert place.json("datasets", "delete", "march") == {"name": "march", "done": "deleted"}
    assert "there is no dataset 'march'" in place.refused("datasets", "show", "march")


def test_a_list_is_imported_and_named_in_an_audience(place: Place, staff: dict[str, str]) -> None:
    slips(place, staff, "x", name="late.csv")
    done = place.json("audiences", "import", "late.csv", "--name", "late")
    assert done["people"] == 1
    assert place.json("directory", "audience", "lists:late")["userids"] == [WHO[0]]


def test_a_schedule_names_a_file_beside_it_and_plan_tells_what_it_lacks(
    place: Place, staff: dict[str, str]
) -> None:
    slips(place, staff, "1.10", name="april.csv")
    place.write(
        "dingbell.yaml",
        dedent(
            f"""\
            schedules:
              april:
                when: {{daily: "10:00"}}
                to: {{users: [{", ".join(WHO)}]}}
                rows: april.csv
                message: {{text: "四月 {{{{ row.实发 }}}}"}}
            """
        ),
    )
    told = f"no row in april.csv for {WHO[1]}"
    changes = place.json("plan")
    assert [(one["kind"], one["name"]) for one in changes] == [
        ("dataset", "april.csv"),
        ("schedule", "april"),
    ]
    assert told in changes[1]["warnings"]
    assert told in place.json("apply")[1]["warnings"]
    assert place.json("plan") == []
    people = place.json("schedules", "preview", "april", "--people")
    assert people["totals"] == {"delivered": 1, "failed": 1}
    assert told in people["notes"]
    place.write("april.csv", "userid,实发\nmanager4220,1,2\n")
    assert "dingbell.yaml:5:5: schedules.april.rows: april.csv, line 2, column C" in place.refused(
        "plan"
    )
    place.done("schedules", "delete", "april")
    place.write("dingbell.yaml", "schedules: {}\n")


def test_a_program_gives_rows_as_mappings_or_as_a_file(
    place: Place, company: Company, staff: dict[str, str]
) -> None:
    slips(place, staff, "8.80", name="program.csv")
    program = place.write(
        "program.py",
        dedent(
            f"""\
            import asyncio
            from decimal import Decimal
            from dingbell import DingBell

            async def main():
                rows = [{{"userid": "{WHO[0]}", "net": Decimal("12.30"), "day": None}}]
                async with DingBell.from_env() as bell:
                    words = "程序 {{{{ row.net }}}} {{{{ row.day|default('-') }}}}"
                    seen = await bell.forecast(None, words, rows=rows)
                    run = await bell.send(None, words, rows=rows)
                    file = await bell.send(None, "文件 {{{{ row.实发 }}}}", rows="program.csv")
                    print(seen["totals"], flush=True)
                    for one in (run, file):
                        print((await bell.wait(one))["state"], flush=True)

            asyncio.run(main())
            """
        ),
    )
    with place.program(program) as running:
        assert running.line() == "{'delivered': 1}"
        assert [running.line(), running.line()] == ["settled", "settled"]
    assert {"程序 12.30 -", "文件 8.80"} <= set(company.texts(WHO[0]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"userid": "a", "net": 0.1}], "line 2, 'net' is 0.1: give text"),
        ([], "are no rows"),
        (7, "7 are no rows"),
    ],
)
def test_rows_that_are_not_exact_are_refused(given: object, said: str) -> None:
    from dingbell import arguments

    with pytest.raises(InputError, match=said):
        arguments.rows(given)


def test_mappings_become_a_table_of_exact_text() -> None:
    from dingbell import arguments

    table = arguments.rows([{"userid": "a", "n": Decimal("1.50")}, {"m": 3, "userid": "b"}])
    assert (table.columns, [row.cells for row in table.rows]) == (
        ("userid", "n", "m"),
        [("a", "1.50", ""), ("b", "", "3")],
    )
