"""Ready means able to work: a database that does not let a node send is told, by all who ask."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from dingbell.store import migrate

GRANTS = """
grant usage on schema dingbell, dingbell_queue to {role};
grant select, insert, update, delete on all tables in schema dingbell, dingbell_queue to {role};
grant usage, select on all sequences in schema dingbell, dingbell_queue to {role};
"""
SEND = ("send", "--to", "users:manager4220", "--text", "到了", "--yes", "--wait")


def execute(dsn, statement):
    async def work():
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


def get(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def own(place, fresh_database):
    """The place, on a database that a test may break."""
    asyncio.run(migrate.upgrade(fresh_database))
    return type(place)(
        place.forks, place.folder, {**place.variables, "DINGBELL_DATABASE_URL": fresh_database}
    )


@pytest.fixture
def role(fresh_database):
    name = f"r_{os.urandom(6).hex()}"
    execute(fresh_database, f"create role {name} login password 'x'")
    yield name
    execute(fresh_database, f"drop owned by {name}; drop role {name}")


def doctor(place):
    """What doctor says of the database."""
    told = place.run("doctor", "--json")
    (found,) = [one for one in told.json if one["check"] == "database"]
    return told.code, found["status"], found["detail"]


BROKEN = {
    "drop schema dingbell_queue cascade": "dingbell_queue.jobs is not there",
    "alter table dingbell.orgs add owner text not null": "the schema is not as DingBell made it",
    "alter database {name} set default_transaction_read_only = on": "read-only",
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_keeps_a_node_from_working_keeps_it_from_being_ready(own, fresh_database, how):
    name = urlsplit(fresh_database).path.removeprefix("/")
    execute(fresh_database, how.format(name=name))
    assert BROKEN[how] in own.refused("serve", "--port", 0, code=1)
    code, status, detail = doctor(own)
    assert (code, status) == (1, "fail")
    assert BROKEN[how] in detail


def test_a_node_says_when_it_can_no_longer_work_and_when_it_can_again(
    own, fresh_database, eventually
):
    with own.running("serve", "--port", 0) as serve:
        address = serve.line().removeprefix("ready ") + "/health/ready"
        assert get(address)[0] == 200
        execute(fresh_database, "alter table dingbell.orgs add owner text not null default ''")
        execute(fresh_database, "alter table dingbell.orgs alter owner drop default")
        eventually(lambda: get(address)[0] == 503)
        assert "orgs.owner" in get(address)[1]["reason"]
        execute(fresh_database, "alter table dingbell.orgs drop owner")
        eventually(lambda: get(address)[0] == 200)


def test_a_role_is_told_what_it_lacks_and_works_with_the_grants_of_the_documents(
    own, fresh_database, role, company
):
    theirs = urlunsplit(urlsplit(fresh_database)._replace(netloc=f"{role}:x@"))
    mine = type(own)(own.forks, own.folder, {**own.variables, "DINGBELL_DATABASE_URL": theirs})
    for command in (["serve", "--port", "0"], ["schedules", "list"], SEND, ["doctor"]):
        assert "permission denied for schema dingbell" in mine.refused(*command, code=1)
    execute(fresh_database, GRANTS.format(role=role))
    execute(fresh_database, f"revoke update on dingbell.batches from {role}")
    assert "UPDATE on table dingbell.batches" in mine.refused("serve", "--port", 0, code=1)
    assert doctor(mine)[:2] == (1, "fail")
    execute(fresh_database, f"revoke select on dingbell.schedules from {role}")
    assert "permission denied for table schedules" in mine.refused("schedules", "list", code=1)
    execute(fresh_database, GRANTS.format(role=role))
    with mine.running("serve", "--port", 0) as serve:
        assert serve.line().startswith("ready ")
        assert doctor(mine)[:2] == (0, "ok")
        mine.done(*SEND)
    assert "到了" in company.texts("manager4220")


def test_the_grants_of_the_documents_are_those_that_are_tested():
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "operations.md"
    text = page.read_text(encoding="utf-8").lower()
    for grant in filter(None, GRANTS.format(role="notices").lower().splitlines()):
        assert grant in text
