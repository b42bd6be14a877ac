"""A database of the version before is brought up to this one, whatever it holds."""

from __future__ import annotations

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


async def test_a_database_of_the_version_before_is_upgraded(fresh_database: str) -> None:
    assert await migrate.upgrade(fresh_database)
    assert await migrate.current_revision(fresh_database) == migrate.HEAD
    connection = await asyncpg.connect(fresh_database, server_settings={"search_path": "dingbell"})
    try:
        # As revision 0003 found it.
        await connection.execute("drop index firings_under_way")
        await connection.execute("drop table secret_key, schema_facts")  # of revision 0004
        await connection.execute("update alembic_version set version_num = '0002'")
        assert await migrate.upgrade(fresh_database)
        assert await connection.fetchval("select to_regclass('firings_under_way')")
    finally:
        await connection.close()
    assert await migrate.current_revision(fresh_database) == migrate.HEAD
    assert not await migrate.upgrade(fresh_database)
