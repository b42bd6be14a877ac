"""The actors of the crash tests: a sandbox and nodes as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from dingbell.store.server.embedded import EmbeddedServer

T = TypeVar("T")

HOOKS = str(Path(__file__).with_name("hooks"))
DINGBELL = str(Path(sys.executable).with_name("dingbell"))


def clean_environment(**given: str) -> dict[str, str]:
    """The environment without settings of DingBell's, plus what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DINGBELL_")}
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1", **given}


def until(condition: Callable[[], Any], seconds: float, what: str, *, every: float = 0.02) -> Any:
    """Ask again and again until the answer is true; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(every)
    return found


class Process:
    """A `dingbell …` process with its output in a file."""

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        self.log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        self.clock = self.log.with_suffix(".clock")
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [DINGBELL, *arguments],
                env={**environment, "CRASH_CLOCK": str(self.clock)},
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, word: str, seconds: float = 30) -> str:
        """Wait for a line that begins with a word; return the rest of it."""

        def found() -> str | None:
            assert self.process.poll() is None, self.output()
            lines = self.output().splitlines(keepends=True)
            return next(
                (x[len(word) :].strip() for x in lines if x.startswith(word) and x.endswith("\n")),
                None,
            )

        return str(until(found, seconds, f"{word!r} in {self.output()}"))

    def send(self, name: signal.Signals) -> None:
        self.process.send_signal(name)

    def kill(self) -> None:
        """End it the way a power cut does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def terminate(self, seconds: float = 15) -> int:
        """End it the polite way; return its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)


class World:
    """A sandbox, a data directory, and the nodes that run on it."""

    def __init__(
        self,
        folder: Path,
        *,
        people: int,
        apps: int = 1,
        database_url: str | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self.folder = folder
        self.people = people
        self.nodes: list[Process] = []
        self.sandbox = Process(
            ["sandbox", "--port", "0", "--people", str(people), "--apps", str(apps), "--seed", "3"],
            clean_environment(),
            folder,
        )
        names = ("OAPI_URL", "API_URL", "APP_KEY", "APP_SECRET", "AGENT_ID")
        given = {f"DINGBELL_{name}": self.sandbox.wait_for(f"DINGBELL_{name}=") for name in names}
        self.url = given["DINGBELL_OAPI_URL"]
        self._data_dir = data_dir or folder / "data"
        given["DINGBELL_DATA_DIR"] = str(self._data_dir)
        self._database_url = database_url
        self.server = None if database_url else EmbeddedServer(self._data_dir)
        if database_url:
            given["DINGBELL_DATABASE_URL"] = database_url
        self.environment = clean_environment(**given)

    def node(self, **hooks: str) -> Process:
        """Start a node with its hooks and wait until it fires schedules."""
        environment = {**self.environment, "PYTHONPATH": HOOKS, **hooks}
        node = Process(["serve", "--port", "0"], environment, self.folder)
        self.nodes.append(node)
        node.wait_for("ready ")
        return node

    def database(self) -> str:
        """The address of the database; the nodes' own is started, and stays to the end."""
        if self.server is None:
            return str(self._database_url)
        return asyncio.run(self.server.start())

    @property
    def postmaster(self) -> int:
        """The process of the nodes' own PostgreSQL."""
        return int((self._data_dir / "postgres" / "postmaster.pid").read_text().split()[0])

    def run(self, *arguments: str) -> Any:
        """Run a command that prints JSON."""
        done = subprocess.run(
            [DINGBELL, *arguments, "--json"],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode in (0, 3), done.stderr
        return json.loads(done.stdout)

    def apply(self, yaml: str) -> None:
        (self.folder / "dingbell.yaml").write_text(yaml, encoding="utf-8")
        self.run("apply")

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Ask the sandbox's control API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def rung(self) -> Counter[str]:
        """How often each phone rang."""
        return Counter(userid for call in self.ask("calls") for userid in call["delivered"])

    def settled(self, seconds: float = 60) -> dict[str, Any]:
        """Wait until the newest run is final; return it with its people."""

        def final() -> dict[str, Any] | None:
            found = self.run("runs", "list")
            states = ("settled", "failed", "skipped", "canceled", "recalled")
            return found[0] if found and found[0]["state"] in states else None

        # A command is a second of a core: others need it.
        found = until(final, seconds, "the run is settled", every=1.0)
        shown: dict[str, Any] = self.run("runs", "show", str(found["id"]))
        return shown

    def close(self) -> None:
        for process in [*self.nodes, self.sandbox]:
            if process.process.poll() is None:
                process.send(signal.SIGCONT)
                process.process.terminate()
        for process in [*self.nodes, self.sandbox]:
            try:
                process.process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.server is not None:
            asyncio.run(self.server.stop())


def side_by_side(story: Callable[[T], None], parts: Iterable[T], *, at_once: int) -> None:
    """Tell a story of each part, some at a time; say of which parts it failed."""

    def told(part: T) -> str | None:
        try:
            story(part)
        except AssertionError as error:
            return f"{part}: {error}"
        return None

    with ThreadPoolExecutor(at_once) as many:
        failed = [said for said in many.map(told, parts) if said]
    assert not failed, "\n".join(failed)


def assert_ledger_adds_up(world: World) -> None:
    """The laws of the ledger hold, in the database as the crash has left it."""
    done = subprocess.run(
        [DINGBELL, "doctor", "--json"],
        env=world.environment,
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    checks = {check["check"]: check for check in json.loads(done.stdout)}
    assert checks["ledger"]["status"] == "ok", checks["ledger"]


def assert_everybody_once(world: World, run: dict[str, Any]) -> None:
    """The sandbox's truth and the ledger agree: everybody got it, nobody twice."""
    assert_ledger_adds_up(world)
    rung = world.rung()
    assert len(rung) == world.people
    assert set(rung.values()) == {1}
    states = Counter(row["state"] for row in run["deliveries"])
    assert sum(run["totals"].values()) == world.people
    assert dict(states) == run["totals"]
    # `sent` with 143106 is somebody whom only an in-doubt call can have reached.
    reached = {r["userid"] for r in run["deliveries"] if r["state"] in ("unread", "read", "sent")}
    assert reached == set(rung), states
    assert run["state"] == "settled"
