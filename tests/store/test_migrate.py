"""A database of the version before is brought up to this one, whatever it holds."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from dingbell.store import migrate


def _revisions() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


async def test_the_newest_revision_is_the_one_that_alembic_knows() -> None:
    assert _revisions().get_current_head() == migrate.HEAD


_OLD = """
insert into orgs (name) values ('o');
insert into apps (org, oapi_url, api_url, agent_id, app_key, app_secret, updated_at)
    values ('o', 'http://x', 'http://x', 1, 'k', '', now());
insert into schedules (name, app_id, state, source, spec, created_at, updated_at)
    values ('s', 1, 'active', 'yaml', '{"useless_after": "1h"}', now(), now());
insert into firings (schedule_id, schedule, kind, key, app_id, org, spec, due_at, created_at,
                     touched_at, state, reason, parent_id, held_until)
values
    (1, 's', 'occurrence', 'a', 1, 'o',
     '{"on_ambiguous": "hold", "useless_after": "1h", "follow_up": {}}', now(), now(), now(),
     'settled', null, null, null),
    (1, 's', 'occurrence', 'b', 1, 'o', '{}', now(), now(), now(),
     'held', 'quiet hours 22:00–07:30', null, now()),
    (1, 's', 'follow_up', '1:remind', 1, 'o', '{"step": "remind", "look_lead": 31.5}', now(),
     now(), now(), 'held', 'remind: waits for its time', 1, now()),
    (null, null, 'send', 'alert:7', 1, 'o', '{"to": {}}', now(), now(), now(),
     'failed', 'the audience is empty', null, null);
insert into batches (firing_id, ordinal, app_id, org, body, body_hash, size, state, slot_at, wave,
                     code, priority)
    values (1, 0, 1, 'o', '', '', 1, 'settled', now(), 1, 'recall:143201', 2);
"""


async def test_a_database_of_an_older_version_is_upgraded_and_keeps_its_rows(
    fresh_database: str,
) -> None:
    assert await migrate.upgrade(fresh_database, to="0003")
    assert await migrate.current_revision(fresh_database) == "0003"
    connection = await asyncpg.connect(fresh_database, server_settings={"search_path": "dingbell"})
    try:
        await connection.execute(_OLD)
        assert await migrate.upgrade(fresh_database)
        rows = await connection.fetch(
            "select kind, on_ambiguous, expires_after, follows_up, poll_lead, cause, cause_params "
            "from runs order by id"
        )
        batch = await connection.fetchrow("select code, recall_code, rank from batches")
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == [
        ("occurrence", "hold", timedelta(hours=1), True, timedelta(0), None, None),
        ("occurrence", "resend", None, False, timedelta(0), "quiet_hours",
         '{"end": "07:30", "start": "22:00"}'),
        ("follow_up", "resend", None, False, timedelta(seconds=31.5), "follow_up",
         '{"step": "remind"}'),
        ("alert", "resend", None, False, timedelta(0), "input",
         '{"en": "the audience is empty", "zh": "the audience is empty"}'),
    ]  # fmt: skip
    assert tuple(batch) == (None, "143201", 2)
    assert await migrate.current_revision(fresh_database) == migrate.HEAD
    assert not await migrate.upgrade(fresh_database)
