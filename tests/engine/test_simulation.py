"""A simulation of what is stored: what it reads, and that it says what then happens."""

from __future__ import annotations

from datetime import timedelta

from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.operations import directory, rules, schedules, simulation
from dingbell.operations.context import Operations
from dingbell.store import directory as directory_rows
from dingbell.store.connection import transaction
from dingbell.store.directory_changes import Reading, take_over

from .conftest import Truth
from .given import spec


async def test_it_reads_limits_denied_and_away_and_changes_nothing(
    desk: Operations, truth: Truth
) -> None:
    staff = [one["userid"] for one in (await truth.get("people"))["people"]]
    await truth.post(f"people/{staff[5]}", {"active": False})
    await directory.synchronise(desk, None)
    await rules.put(desk, "deny", {"users": [staff[6]]})
    await rules.put(desk, "per_person_per_day", {"per_person_per_day": 1, "over_limit": "skip"})
    some = Audience(users=tuple(staff[4:8]))
    await schedules.put(desk, "first", spec({"daily": "09:00"}, "one", to=some), source="yaml")
    await schedules.put(desk, "second", spec({"daily": "10:00"}, "two", to=some), source="yaml")
    tomorrow = desk.clock.now().astimezone(SHANGHAI).date() + timedelta(days=1)
    found = await simulation.of(desk, tomorrow, tomorrow)
    async with desk.pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from runs") == 0
    assert [(o.schedule, o.outcome, o.people, o.reached, o.over) for o in found.occurrences] == [
        ("first", "sent", 4, 2, 0),
        ("second", "skipped", 4, 0, 2),
    ]
    assert {p.userid for p in found.people} == {staff[4], staff[7]}


async def test_calls_of_personal_words_are_as_many_as_there_are_words(desk: Operations) -> None:
    people = [
        directory_rows.Person(
            f"p{number:03}",
            f"name {number}",
            None,
            True,
            (1,),
            {"grade": str(number % 3)} | ({} if number % 3 else {"salary": "1"}),
        )
        for number in range(300)
    ]
    async with transaction(desk.pool) as connection:
        now, root = desk.clock.now(), directory_rows.Department(1, "all", None)
        await take_over(connection, "default", Reading(people, [root]), now)
        done = directory_rows.Sync(now, len(people), 1)
        await directory_rows.note_sync(connection, "default", done, now)
    said = {
        "by grade": "{{ person.grade }}",
        "by name": "{{ person.name }}",
        "by half": "{% if person.grade == '1' %}yes{% else %}no{% endif %}",
        "a third has it": "{{ person.salary }}",
    }
    everyone = Audience(everyone=True)
    for name, text in said.items():
        message = Message({"text": text})
        one = spec({"daily": "09:00"}, to=everyone).model_copy(update={"message": message})
        await schedules.put(desk, name.replace(" ", "-"), one, source="yaml")
    tomorrow = desk.clock.now().astimezone(SHANGHAI).date() + timedelta(days=1)
    found = await simulation.of(desk, tomorrow, tomorrow)
    assert {o.schedule: (o.calls, o.reached) for o in found.occurrences} == {
        "a-third-has-it": (1, 100),
        "by-grade": (3, 300),
        "by-half": (1 + 2, 300),
        "by-name": (300, 300),
    }
    (some,) = [o for o in found.occurrences if o.schedule == "a-third-has-it"]
    assert str(some.reason) == "the message cannot be made for 200 people"
