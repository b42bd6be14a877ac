"""A database is bound to one secret key: whoever has another is told which, and changes nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import asyncpg
import pytest
from cryptography.fernet import Fernet

OURS, ANOTHER = (Fernet.generate_key().decode() for _ in range(2))
NO_APP = dict.fromkeys(("DINGBELL_APP_KEY", "DINGBELL_APP_SECRET", "DINGBELL_AGENT_ID"))
READING = [
    ["schedules", "list"],
    ["runs", "list"],
    ["nodes", "list"],
    ["accounts", "list"],
    ["budget"],
    ["alerts"],
    ["people", "show", "manager4220"],
]
ACTING = [
    ["directory", "sync"],
    ["send", "--to", "users:manager4220", "--text", "x", "--yes"],
    ["apply"],
    ["schedules", "pause", "daily"],
    ["serve", "--port", "0"],
    ["serve", "--port", "0", "--only", "api"],
]
YAML = 'schedules: {daily: {when: {daily: ["16:00"]}, to: {everyone: true}, message: {text: x}}}'


def asked(dsn, query):
    async def ask():
        connection = await asyncpg.connect(dsn, server_settings={"search_path": "dingbell"})
        try:
            return await connection.fetch(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def contents(dsn):
    """Every row of every table of ours."""
    tables = asked(
        dsn,
        "select oid::regclass::text from pg_class where relkind = 'r' "
        "and relnamespace = 'dingbell'::regnamespace",
    )
    return {table: asked(dsn, f"select t::text from {table} t") for (table,) in tables}


@pytest.fixture(scope="module")
def bound(place):
    """The place, bound to our key by its first use."""
    place.variables["DINGBELL_SECRET_KEY"] = OURS
    place.write("dingbell.yaml", YAML)
    place.done("apply")
    return place


def test_looking_writes_nothing(place, fresh_database, tmp_path):
    new = {"DINGBELL_DATABASE_URL": fresh_database, "DINGBELL_DATA_DIR": str(tmp_path / "data")}
    place.done("db", "upgrade", **new)
    before = contents(fresh_database)
    for command in [*READING, ["doctor"]]:
        for key in (None, OURS, ANOTHER):
            assert place.run(*command, **new, DINGBELL_SECRET_KEY=key).code == 0
    assert contents(fresh_database) == before
    assert not (tmp_path / "data").exists()


def test_doctor_tries_an_app_that_is_not_stored(place, fresh_database):
    new = {"DINGBELL_DATABASE_URL": fresh_database, "DINGBELL_SECRET_KEY": OURS}
    wrong = place.run("doctor", "--json", DINGBELL_APP_SECRET="wrong", **new)
    assert wrong.code == 1
    assert [one["check"] for one in wrong.json if one["status"] == "fail"] == ["app default"]
    assert not contents(fresh_database)["apps"]


@pytest.mark.parametrize("command", [*READING, *ACTING], ids=" ".join)
def test_another_key_is_refused_by_every_command_and_nothing_is_changed(bound, dsn, command):
    before = contents(dsn)
    said = bound.refused(*command, DINGBELL_SECRET_KEY=ANOTHER)
    (known,) = asked(dsn, "select fingerprint from secret_key")
    assert f"locked with the secret key {known[0][:8]}…" in said
    assert "DINGBELL_SECRET_KEY is another" in said
    assert "dingbell db rekey" in said
    assert contents(dsn) == before
    assert OURS not in said
    assert ANOTHER not in said


def test_doctor_says_which_key_is_meant_and_examines_the_rest(bound, dsn):
    before = contents(dsn)
    told = bound.run("doctor", "--json", DINGBELL_SECRET_KEY=ANOTHER)
    assert told.code == 1
    found = {one["check"]: one for one in told.json}
    assert found["secret key"]["status"] == "fail"
    assert "locked with the secret key" in found["secret key"]["detail"]
    assert found["database"]["status"] == "ok"
    assert contents(dsn) == before
    (ok,) = [one for one in bound.json("doctor") if one["check"] == "secret key"]
    assert ok["status"] == "ok"
    assert ok["detail"].endswith("from DINGBELL_SECRET_KEY")


def test_without_a_key_one_may_look_and_nothing_is_done(bound, dsn):
    before = contents(dsn)
    assert len(bound.json("schedules", "list", DINGBELL_SECRET_KEY=None)) == 1
    (key,) = [
        one
        for one in bound.run("doctor", "--json", DINGBELL_SECRET_KEY=None, **NO_APP).json
        if one["check"] == "secret key"
    ]
    assert key["status"] == "warn"
    for command in (["serve", "--port", "0"], ["directory", "sync"]):
        said = bound.refused(
            *command, DINGBELL_SECRET_KEY=None, DINGBELL_APP_SECRET="a-different-one"
        )
        assert "there is no key here" in said
    assert not (bound.folder / "data").exists()
    assert contents(dsn) == before


def test_a_database_of_the_version_before_is_bound_to_the_key_that_opens_it(bound, dsn):
    asked(dsn, "delete from secret_key")
    said = bound.refused("serve", "--port", 0, DINGBELL_SECRET_KEY=ANOTHER)
    assert "the secrets of default" in said
    with bound.running("serve", "--port", 0) as serve:
        assert serve.line().startswith("ready ")
    assert len(asked(dsn, "select 1 from secret_key")) == 1


def test_a_lost_key_is_replaced_and_the_secrets_are_given_again(bound, dsn):
    lost = {"DINGBELL_SECRET_KEY": ANOTHER}
    with bound.running("serve", "--port", 0) as serve:
        assert serve.line().startswith("ready ")
        assert "a node is running" in bound.refused("db", "rekey", "--yes", code=1, **lost)
    assert "--yes" in bound.refused("db", "rekey", **lost)
    assert bound.json("db", "rekey", "--yes", **lost) == {"secrets_to_give_again": ["default"]}
    failed = bound.run("doctor", "--json", **lost, **NO_APP)
    assert failed.code == 1
    assert bound.run("doctor", **lost).code == 0
    bound.done("directory", "sync", **lost)
    assert bound.run("doctor", **lost, **NO_APP).code == 0
    assert "is another" in bound.refused("schedules", "list")
    assert bound.json("db", "rekey", "--yes") == {"secrets_to_give_again": ["default"]}


# It is open before there is a key, and binds the database when it is told to.
BEGINNER = """
import asyncio, sys
from dingbell.bootstrap import open_desk
from dingbell.operations import keys
from dingbell.settings import Settings
from dingbell.store.connection import transaction

async def main():
    async with open_desk(Settings.load()) as operations:
        print("open", flush=True)
        sys.stdin.readline()
        async with transaction(operations.pool) as connection:
            await keys.bind(connection, operations.vault, operations.clock.now())
        print(operations.vault.fingerprint, flush=True)
        print(operations.vault.unlock(operations.vault.lock("s3cret")))

asyncio.run(main())
"""


@pytest.mark.parametrize("order", ["together", "one after the other"])
def test_of_two_that_begin_on_a_new_database_one_makes_the_key_for_both(
    place, fresh_database, tmp_path, order
):
    new = {"DINGBELL_DATABASE_URL": fresh_database, "DINGBELL_DATA_DIR": str(tmp_path / "data")}
    place.done("db", "upgrade", **new)
    beginners = [
        subprocess.Popen(
            [sys.executable, "-c", BEGINNER],
            env=place.environment({**new, "DINGBELL_SECRET_KEY": None}),
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [one.stdout.readline() for one in beginners] == ["open\n"] * 2
    assert not (tmp_path / "data" / "secret.key").exists()
    if order == "together":
        for one in beginners:
            one.stdin.write("\n")
            one.stdin.flush()
    said = [one.communicate("\n", timeout=30) for one in beginners]
    assert [err for _, err in said] == ["", ""]
    (bound,) = asked(fresh_database, "select fingerprint from secret_key")
    assert {out for out, _ in said} == {f"{bound['fingerprint']}\ns3cret\n"}
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["secret.key"]
