"""The forecast: what it says of each person, and whether that is what then happens."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dingbell.bootstrap import Service
from dingbell.clock import beijing_day
from dingbell.domain.audience import Audience
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError
from dingbell.operations import directory, forecasts, repeats, runs, schedules, sending, warnings
from dingbell.operations.context import Operations
from dingbell.operations.forecasts import present
from dingbell.store import directory as directory_rows
from dingbell.store import rules
from dingbell.store.connection import transaction

from .conftest import RunService, Truth, final, until
from .given import order, runs_of, send, soon, spec


async def asked(desk: Operations, one: sending.Order) -> dict[str, Any]:
    """What a dry run says."""
    return present(await sending.outlook(desk, one, thorough=True)).to_json()


def by_state(forecast: dict[str, Any]) -> dict[str, str]:
    return {p["userid"]: p["expected"] for p in forecast["people"]}


async def everybody(truth: Truth) -> list[str]:
    return [person["userid"] for person in (await truth.get("people"))["people"]]


def class_of(state: str) -> str:
    """What of a delivery's state the forecast speaks."""
    return "delivered" if state in ("sent", "unread", "read") else state


async def test_a_forecast_equals_the_outcome_person_by_person(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    staff = await everybody(truth)
    left, inactive, protected = staff[1:5], staff[5:6], staff[6:7]
    said_already, at_cap = staff[10:13], staff[13:14]
    for userid in left:
        await truth.post(f"people/{userid}", {"employed": False})
    for userid in inactive:
        await truth.post(f"people/{userid}", {"active": False})
    for userid in protected:
        await truth.post(f"people/{userid}", {"executive_protected": True})
    await truth.post("limits", {"daily_per_person": 3})
    capped = Operations(
        **{name: getattr(desk, name) for name in Operations.__slots__}
        | {"allowance": type(desk.allowance)(daily_per_person=3)}
    )
    async with run_service(capped):
        await directory.synchronise(desk, None)
        await final(desk, await send(desk, order("words", *said_already)))
        for number in range(3):
            await final(desk, await send(desk, order(f"fill {number}", *at_cap)))
        one = order("words", *staff, "nobody-at-all")
        forecast = await asked(capped, one)
        found = await final(desk, await send(capped, one))
    assert {d["userid"]: class_of(d["state"]) for d in found["deliveries"]} == by_state(forecast)
    codes = {p["userid"]: p["code"] for p in forecast["people"] if p["expected"] == "dropped"}
    assert codes == {
        **dict.fromkeys(said_already, "143106"),
        **dict.fromkeys(at_cap, "143105"),
        **dict.fromkeys(protected, "1430004"),
    }
    assert forecast["totals"] == {
        "delivered": len(staff) - len(left + inactive + protected + said_already + at_cap),
        "dropped": len(said_already + at_cap + protected),
        "invalid": len(left + inactive) + 1,
    }
    assert found["mispredictions"] == []
    assert found["forecast"]["totals"] == forecast["totals"]
    assert {d["userid"]: d["expected"] for d in found["deliveries"]} == by_state(forecast)


async def test_the_report_says_where_the_forecast_was_wrong(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    staff = await everybody(truth)
    await truth.post(f"people/{staff[0]}", {"visible": False})
    first = await final(desk, await send(desk, order("one", *staff[:3])))
    assert [(s["userid"], s["expected"], s["state"]) for s in first["mispredictions"]] == [
        (staff[0], "delivered", "invalid")
    ]
    # Once it has been seen, it is expected.
    again = await asked(desk, order("two", *staff[:3]))
    assert by_state(again)[staff[0]] == "invalid"
    second = await final(desk, await send(desk, order("two", *staff[:3])))
    assert second["mispredictions"] == []


async def test_a_run_whose_author_wants_everybody_reached_is_refused_when_somebody_is_not(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    one = order("all or none", "manager4220", "nobody-at-all", preflight="refuse")
    found = await final(desk, await send(desk, one))
    assert found["state"] == "refused"
    assert "invalid 1" in found["reason"]
    assert set(found["totals"]) == {"canceled"}
    assert await truth.calls() == []


async def test_a_dry_run_gives_calls_seconds_and_the_months_price(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await directory.synchronise(desk, None)
    forecast = await asked(desk, order("{{ person.userid }}"))
    assert forecast["calls"] == 40
    # 20 calls a second: two seconds for forty.
    assert 1.0 < forecast["seconds"] < 2.5
    assert forecast["budget"]["limit"] is None
    assert forecast["budget"]["cost"] > 2 * forecast["calls"]
    assert await truth.calls() == []


async def test_departments_as_a_whole_are_forecast_untracked(
    desk: Operations, truth: Truth
) -> None:
    one = order("coarse", to=Audience(departments=(1,)), tracking="coarse")
    forecast = await asked(desk, one)
    assert forecast["totals"] == {"untracked": 40}


async def test_who_is_on_the_deny_list_is_never_sent_to(
    desk: Operations, service: Service, truth: Truth
) -> None:
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.DENY, {"users": ["manager4220"]})
    one = order("not for all", "manager4220", "manager7675")
    assert by_state(await asked(desk, one)) == {
        "manager4220": "canceled",
        "manager7675": "delivered",
    }
    found = await final(desk, await send(desk, one))
    assert {d["userid"]: d["state"] for d in found["deliveries"]}["manager4220"] == "canceled"
    assert set(await truth.rung()) == {"manager7675"}
    assert found["mispredictions"] == []


async def test_a_send_as_a_whole_cannot_leave_out_who_is_on_the_deny_list(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.DENY, {"users": ["manager4220"]})
    one = order("coarse", to=Audience(departments=(1,)), tracking="coarse")
    with pytest.raises(InputError, match="deny-list"):
        await sending.outlook(desk, one)
    named = order("named", "manager4220", "manager7675", tracking="coarse")
    found = await final(desk, await sending.send(desk, named))
    assert set(await truth.rung()) == {"manager7675"}
    assert found["totals"].get("canceled") == 1


async def test_one_person_whose_message_grows_too_long_does_not_keep_it_from_the_others(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    long = "x" * 3_000
    words = f"{{% if person.userid == 'manager4220' %}}{long}{{% else %}}short{{% endif %}}"
    one = order(words, "manager4220", "manager7675")
    assert by_state(await asked(desk, one))["manager4220"] == "failed"
    found = await final(desk, await send(desk, one))
    assert {d["userid"]: class_of(d["state"]) for d in found["deliveries"]} == {
        "manager4220": "failed",
        "manager7675": "delivered",
    }
    (batch,) = [b for b in found["batches"] if b["code"]]
    assert batch["code"] == "too_long"
    assert "the limit is 2048" in batch["words"]
    assert set(await truth.rung()) == {"manager7675"}


async def test_what_one_person_lacks_is_told_of_them_and_keeps_it_from_nobody_else(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    await _give(desk, "manager7675", nickname="Fang")
    one = order("{{ person.nickname }}, good day", "manager4220", "manager7675", "nobody-at-all")
    forecast = await asked(desk, one)
    assert by_state(forecast) == {
        "manager4220": "failed",
        "manager7675": "delivered",
        "nobody-at-all": "invalid",
    }
    reasons = {p["userid"]: p["reason"] for p in forecast["people"]}
    assert "text line 1: there is no nickname" in reasons["manager4220"]
    assert reasons["nobody-at-all"] == "is not in the directory"
    found = await final(desk, await send(desk, one))
    rows = {d["userid"]: d for d in found["deliveries"]}
    assert {userid: class_of(row["state"]) for userid, row in rows.items()} == by_state(forecast)
    assert "there is no nickname" in rows["manager4220"]["words"]
    told = {d.userid: d.words for d in (await runs.show(desk, found["id"])).deliveries}
    assert "没有 nickname" in told["manager4220"].zh
    assert rows["nobody-at-all"]["words"] is rows["manager7675"]["words"] is None
    codes = {b["code"] for b in found["batches"]}
    assert codes == {None, "template", "unknown_person"}
    assert set(await truth.rung()) == {"manager7675"}
    assert found["mispredictions"] == []


async def test_an_empty_text_is_not_called_too_long(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    one = order("{{ 'x' if person.userid == 'manager7675' }}", "manager4220", "manager7675")
    found = await final(desk, await send(desk, one))
    (batch,) = [b for b in found["batches"] if b["code"]]
    assert (batch["code"], batch["words"]) == ("template", "text.content is empty")


async def test_whatever_is_wrong_with_many_makes_few_batches(
    desk: Operations, service: Service
) -> None:
    await directory.synchronise(desk, None)
    words = "{{ person['no ' ~ person.userid] if person.userid != 'manager7675' else 'x' }}"
    found = await final(desk, await send(desk, order(words)))
    assert found["totals"]["failed"] == 39
    assert len(found["batches"]) == 1 + 20 + 1


async def test_somebody_unknown_is_invalid_though_nobody_else_is_named(
    desk: Operations, service: Service, truth: Truth
) -> None:
    found = await final(desk, await send(desk, order("{{ person.name }}", "nobody-at-all")))
    assert found["totals"] == {"invalid": 1}
    assert await truth.calls() == []


async def test_dates_and_sums_of_the_directory_are_what_they_are(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    await _give(desk, "manager7675", salary=Decimal("8000.10"), until=date(2027, 3, 1))
    text = (
        "{{ person.hired_on|date('%Y') }} {{ person.hired_on < due }} {{ person.salary * 2 }} "
        "{{ person.until|date('%m/%d') }}"
    )
    await final(desk, await send(desk, order(text, "manager7675")))
    (call,) = await truth.calls()
    year, *rest = call["msg"]["text"]["content"].split()
    assert 1990 < int(year) < 2030
    assert rest == ["True", "16000.20", "03/01"]


async def test_two_times_a_day_with_a_date_of_each_person_are_no_error_of_the_plan(
    desk: Operations,
) -> None:
    twice = spec({"daily": ["09:00", "16:00"]}, "{{ person.hired_on|date }} {{ due|time }}")
    assert warnings.of_schedule("s", twice, desk.clock.now()) == []
    same = spec({"daily": ["09:00", "16:00"]}, "{{ person.name }} {{ due|date }}")
    assert len(warnings.of_schedule("s", same, desk.clock.now())) == 1


async def _give(desk: Operations, userid: str, **attributes: Any) -> None:
    """Let the directory know more of a person."""
    async with transaction(desk.pool) as connection:
        last = await directory_rows.last_sync(connection, "default")
        assert last is not None
        known = (await directory_rows.people(connection, "default", [userid]))[userid]
        own = {key: value for key, value in known.items() if key not in ("userid", "name")}
        one = directory_rows.Person(userid, known["name"], None, True, (), {**own, **attributes})
        await directory_rows.put_people(connection, "default", [one])


async def test_a_schedule_that_says_the_same_twice_a_day_is_told_so(desk: Operations) -> None:
    twice = spec({"daily": ["09:00", "16:00"]}, "same")
    (warning,) = warnings.of_schedule("s", twice, desk.clock.now())
    assert "143106" in warning
    other = spec({"daily": ["09:00", "16:00"]}, "{{ due|time }}")
    assert warnings.of_schedule("s", other, desk.clock.now()) == []
    assert warnings.of_schedule("s", spec({"daily": "09:00"}, "same"), desk.clock.now()) == []


async def test_the_second_occurrence_of_a_day_is_forecast_as_a_repeat(desk: Operations) -> None:
    now = desk.clock.now()
    day = beijing_day(now) + timedelta(days=1)
    first, second = day + timedelta(hours=9), day + timedelta(hours=16)
    twice = spec({"daily": ["09:00", "16:00"]}, "same")
    assert repeats.said_before("s", twice, now, second)
    assert not repeats.said_before("s", twice, now, first)


async def test_a_preview_of_a_schedule_says_who_gets_the_next_one(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await schedules.put(
        desk, "s", spec({"daily": "16:00"}, to=Audience(everyone=True)), source="yaml"
    )
    found = (await schedules.preview_people(desk, "s", 3)).to_json()
    assert len(found["instants"]) == 3
    assert found["totals"] == {"delivered": 40}
    assert found["calls"] == 1


async def test_two_runs_of_one_moment_with_the_same_words_know_of_each_other(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    when = soon(desk, 2)
    for name in ("a", "b"):
        await schedules.put(desk, name, spec(when, "same moment"), source="yaml")
    (a,), (b,) = [await until(lambda n=name: runs_of(desk, n)) for name in ("a", "b")]
    found = [await final(desk, a["id"]), await final(desk, b["id"])]
    people_ = [one["deliveries"][0] for one in found]
    # Which of two calls of one instant arrives first is nobody's to say.
    assert sorted(class_of(one["state"]) for one in people_) == ["delivered", "dropped"]
    assert sorted(one["expected"] for one in people_) == ["delivered", "dropped"]


async def test_a_message_that_a_function_makes_is_forecast_without_its_words(
    desk: Operations,
) -> None:
    rule = ScheduleSpec(when={"daily": "16:00"}, to=Audience(everyone=True), function="m:f")
    outlook = await forecasts.of_schedule(desk, "s", rule)
    assert outlook is not None
    assert outlook.totals() == {"delivered": 40}


async def test_a_forecast_takes_nothing_for_granted_without_a_directory(
    desk: Operations, service: Service
) -> None:
    found = await final(desk, await send(desk, order("no directory", "manager4220", "who")))
    assert [(s["userid"], s["state"]) for s in found["mispredictions"]] == [("who", "invalid")]


@pytest.mark.parametrize("text", ["{{ person.nothing.at.all }}", "{{ due.nothing() }}"])
async def test_a_template_that_fails_for_everybody_is_refused_at_once(
    desk: Operations, text: str
) -> None:
    with pytest.raises(Exception, match="template"):
        await sending.outlook(desk, order(text, "manager4220"))
