"""What the tests of the surfaces share: places where commands are run, a company, a node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DINGBELL = [sys.executable, "-m", "dingbell"]
DEADLINE = 60.0

# Commands are processes of their own, forked from one that has loaded the libraries already: most
# of a short command's time goes into loading them.
FORKS = """
import json, os, signal, sys, traceback
import dingbell.bootstrap, dingbell.directory.sync, dingbell.config.apply, rich.console, typer

def work(order):
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # as Ctrl-C: it cleans up
    signal.alarm(int(order["seconds"]))
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, order["out"], os.O_WRONLY),
                                (2, order["err"], os.O_WRONLY)):
        os.dup2(os.open(name, flags), number)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["dingbell", *order["arguments"]]
    try:
        from dingbell.cli import main
        main()
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()

for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(work(json.loads(line)))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Everything on standard output as one JSON document."""
        return json.loads(self.out)


class Forks:
    """The process that commands are forked from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            env={**bare(), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, folder: Path, arguments: list[str], environment: dict[str, str]) -> Ran:
        out, err = self._folder / "out", self._folder / "err"
        out.write_bytes(b"")
        err.write_bytes(b"")
        order = {
            "folder": str(folder),
            "arguments": arguments,
            "environment": environment,
            "out": str(out),
            "err": str(err),
            "seconds": DEADLINE,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Ran(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def end(self) -> None:
        self._process.communicate()


def bare() -> dict[str, str]:
    """This process's environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DINGBELL_")}


class Place:
    """A folder and an environment in which commands are run; nothing else of ours is in it."""

    def __init__(self, forks: Forks, folder: Path, variables: Mapping[str, str]) -> None:
        self.forks = forks
        self.folder = folder
        self.variables = dict(variables)

    def environment(self, variables: Mapping[str, str | None]) -> dict[str, str]:
        wanted = {**self.variables, "LC_ALL": "C.UTF-8", **variables}
        return {**bare(), **{k: v for k, v in wanted.items() if v is not None}}

    def run(self, *arguments: object, **variables: str | None) -> Ran:
        words = [str(argument) for argument in arguments]
        ran = self.forks.run(self.folder, words, self.environment(variables))
        assert "Traceback" not in ran.err, ran.err
        return ran

    def done(self, *arguments: object, **variables: str | None) -> str:
        """Run a command that must succeed; what it says."""
        ran = self.run(*arguments, **variables)
        assert ran.code == 0, ran
        return ran.out

    def json(self, *arguments: object, **variables: str | None) -> Any:
        """Run a command that must succeed; its whole standard output as JSON."""
        return json.loads(self.done(*arguments, "--json", **variables))

    def refused(self, *arguments: object, code: int = 2, **variables: str | None) -> str:
        """Run a command that must not succeed: its message, and nothing on standard output."""
        ran = self.run(*arguments, **variables)
        assert (ran.code, ran.out) == (code, ""), ran
        assert ran.err.strip(), ran
        return " ".join(ran.err.replace("│", " ").split())

    @contextmanager
    def running(self, *arguments: object, **variables: str | None) -> Iterator[Running]:
        """A command that goes on, until SIGTERM."""
        process = Running(self, [*DINGBELL, *map(str, arguments)], self.environment(variables))
        try:
            yield process
        finally:
            process.end()

    @contextmanager
    def program(self, file: Path) -> Iterator[Running]:
        """A program of somebody's that uses the library, until Ctrl-C."""
        process = Running(self, [sys.executable, str(file)], self.environment({}))
        try:
            yield process
        finally:
            process.end(signal.SIGINT)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


class Running:
    """A command that goes on in the background; its log is in a file."""

    def __init__(self, place: Place, command: list[str], environment: dict[str, str]) -> None:
        self.log = place.folder / "running.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=place.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
            )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, self.log.read_text()
        return line

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and wait for its exit code; a repeat only tells the code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()


@dataclass(frozen=True)
class Company:
    """The pretend DingTalk in another process."""

    variables: Mapping[str, str]

    def ask(self, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.variables['DINGBELL_OAPI_URL']}/_sandbox/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method="GET" if body is None else "POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def texts(self, userid: str) -> list[str]:
        """What a phone shows of text messages, oldest first."""
        return [
            notice["msg"]["text"]["content"]
            for notice in self.ask(f"inbox/{userid}")
            if "text" in notice["msg"]
        ]


def variables_of(sandbox: Running) -> dict[str, str]:
    """The settings that a sandbox prints."""
    found: dict[str, str] = {}
    while "=" in (line := sandbox.line()):
        name, _, value = line.partition("=")
        found[name] = value
    return found


def eventually(look: Callable[[], Any]) -> Any:
    """Look again and again until something is there."""
    deadline = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="session", name="eventually")
def _eventually() -> Callable[[Callable[[], Any]], Any]:
    return eventually


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """What commands are forked from."""
    running = Forks(tmp_path_factory.mktemp("forks"))
    yield running
    running.end()


@pytest.fixture(scope="session")
def company(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Fifty people with phones."""
    place = Place(forks, tmp_path_factory.mktemp("company"), {})
    with place.running("sandbox", "--port", 0, "--people", 50, "--seed", 7) as sandbox:
        yield Company(variables_of(sandbox))


@pytest.fixture(scope="module")
def place(
    forks: Forks, tmp_path_factory: pytest.TempPathFactory, company: Company, dsn: str
) -> Place:
    """A folder on this module's own database, with the company's app."""
    folder = tmp_path_factory.mktemp("place")
    return Place(
        forks,
        folder,
        {
            **company.variables,
            "DINGBELL_DATABASE_URL": dsn,
            "DINGBELL_DATA_DIR": str(folder / "data"),
        },
    )


@pytest.fixture(scope="class")
def node(place: Place) -> Iterator[str]:
    """The address of a node that runs on this module's database, while one class is tested."""
    with place.running("serve", "--port", 0) as serve:
        yield serve.line().removeprefix("ready ")


@pytest.fixture
def nowhere(forks: Forks, tmp_path: Path) -> Place:
    """A folder without settings, and a data directory nobody may come to need."""
    return Place(forks, tmp_path, {"DINGBELL_DATA_DIR": str(tmp_path / "data")})
