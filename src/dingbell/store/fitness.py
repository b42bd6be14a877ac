"""Whether a database lets DingBell work: written to, whole, and with every right that is needed."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from dingbell.errors import Text
from dingbell.store.connection import LENT, SCHEMA, Connection

__all__ = ["explained", "lacks", "record"]

_QUEUE = "dingbell_queue"
_OURS = f"('{SCHEMA}'::regnamespace, '{_QUEUE}'::regnamespace)"
_SHOWN = 3

# What statements of ours rely on, in words that every version of PostgreSQL says the same way.
_FACTS = f"""
select format('column %s.%I %s%s%s', c.oid::regclass, a.attname,
              format_type(a.atttypid, a.atttypmod),
              case when a.attnotnull then ' not null' else '' end,
              case when a.atthasdef or a.attidentity <> '' then ' default' else '' end) as fact
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relkind in ('r', 'p') and c.relnamespace in {_OURS} and a.attnum > 0
  and not a.attisdropped
union all
select format('unique index %s on %s', i.indexrelid::regclass, i.indrelid::regclass)
from pg_index i join pg_class c on c.oid = i.indrelid
where i.indisunique and i.indisvalid and c.relnamespace in {_OURS} and c.relkind in ('r', 'p')
union all
select format('sequence %s', oid::regclass) from pg_class
where relkind = 'S' and relnamespace in {_OURS}
union all
select format('trigger %I on %s', t.tgname, c.oid::regclass)
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgenabled <> 'D' and c.relnamespace in {_OURS}
"""
_DRIFT = f"""
with present as materialized ({_FACTS})
select fact from schema_facts where fact not in (select fact from present)
union all
select fact || ' (new)' from present
where exists (select from schema_facts) and fact like 'column % not null'
  and fact not in (select fact from schema_facts)
order by 1
"""
# Tables that are only read by others than their owner.
_READ_ONLY_TABLES = "('alembic_version', 'schema_facts')"
_DENIED = f"""
select format('%s on schema %I', 'USAGE', nspname) from pg_namespace
where oid in {_OURS} and not has_schema_privilege(oid, 'USAGE')
union all
select format('%s on table %I.%I', upper(p), relnamespace::regnamespace, relname)
from pg_class, unnest(array['select', 'insert', 'update', 'delete']) as p
where relkind in ('r', 'p') and relnamespace in {_OURS} and not has_table_privilege(oid, p)
  and (p = 'select' or relname not in {_READ_ONLY_TABLES})
union all
select format('USAGE on sequence %I.%I', relnamespace::regnamespace, relname)
from pg_class
where relnamespace in {_OURS}
  and case relkind when 'S' then not has_sequence_privilege(oid, 'USAGE') else false end
union all
select format('TEMPORARY on database %I', current_database())
where not has_database_privilege(current_database(), 'TEMPORARY')
"""
_READ_ONLY = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean"
_MISSING = f"""
select name from unnest(array['{SCHEMA}.alembic_version', '{_QUEUE}.jobs']) as name
where not exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname || '.' || c.relname = name)
"""


async def record(connection: Connection) -> None:
    """Keep the facts of the schema as it is now, after a revision has changed it."""
    await connection.execute("delete from schema_facts")
    await connection.execute(f"insert into schema_facts {_FACTS}")


async def lacks(connection: Connection) -> list[Text]:
    """What keeps DingBell from working on this database, the first cause first; usually nothing."""
    if missing := await _names(connection, _MISSING):
        return [_incomplete(missing)]
    if denied := await _names(connection, _DENIED):
        return [_may_not(await connection.fetchval("select current_user"), denied)]
    if await connection.fetchval(_READ_ONLY):
        return [READ_ONLY]
    if drift := await _names(connection, _DRIFT):
        return [_changed(drift)]
    return []


async def _names(connection: Connection, query: str) -> list[str]:
    return [name for (name,) in await connection.fetch(query)]


def explained(error: BaseException) -> Text | None:
    """What an error of PostgreSQL says about the database, where a person has to mend that."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, asyncpg.PostgresError):
        cause = cause.__cause__
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        return _denied(cause)
    if isinstance(cause, asyncpg.ReadOnlySQLTransactionError):
        return READ_ONLY
    if isinstance(cause, (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)):
        return _changed([str(cause)])
    if isinstance(
        cause, (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
    ):
        return LENT
    return None


READ_ONLY = Text(
    "the database is read-only: nothing can be written to it. Is it a standby, or is "
    "default_transaction_read_only on?",
    "数据库为只读, 无法写入。它是备库吗? 还是开启了 default_transaction_read_only?",
)


def _incomplete(missing: list[str]) -> Text:
    return Text(
        "the database is not complete: {missing} is not there. Restore a backup, or let "
        "`dingbell db upgrade` make the schema in an empty database",
        "数据库不完整: 缺少 {missing}。请恢复备份, 或在空数据库中执行 `dingbell db upgrade`",
    ).format(missing=", ".join(missing))


def _changed(drift: list[str]) -> Text:
    return Text(
        "the schema is not as DingBell made it: {drift}. Undo the change, or restore a backup",
        "数据库结构与叮铃创建的不一致: {drift}。请撤销改动或恢复备份",
    ).format(drift=_some(drift))


def _may_not(role: str, denied: list[str]) -> Text:
    return Text(
        "the role {role} lacks {denied}. As the owner of the tables: GRANT USAGE ON SCHEMA "
        "dingbell, dingbell_queue TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN "
        "SCHEMA dingbell, dingbell_queue TO {role}; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA "
        "dingbell, dingbell_queue TO {role}; GRANT TEMPORARY ON DATABASE … TO {role}",
        "角色 {role} 缺少 {denied}。请由表的所有者执行: GRANT USAGE ON SCHEMA dingbell, "
        "dingbell_queue TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "
        "dingbell, dingbell_queue TO {role}; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA "
        "dingbell, dingbell_queue TO {role}; GRANT TEMPORARY ON DATABASE … TO {role}",
    ).format(role=role, denied=_some(denied))


def _denied(error: Exception) -> Text:
    return Text(
        "the database does not let this role do that ({error}). Let the owner run `dingbell db "
        "upgrade` and grant what docs/operations.md says of a role of its own",
        "数据库不允许该角色执行此操作 ({error})。请由所有者运行 `dingbell db upgrade`, 并授予 "
        "docs/operations.md 所列的权限",
    ).format(error=error)


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" (+{rest})" if rest > 0 else "")


async def server(connection: Connection) -> tuple[str, datetime]:
    """The version of PostgreSQL, and its present instant."""
    rows = await connection.fetch("select current_setting('server_version'), clock_timestamp()")
    ((version, now),) = rows
    return version, now
