"""PostgreSQL refuses to run as root; this finds whom root runs it as, and how they get there.

Parents of the data directory (`/root`, a container's volume) may be closed to that user. They
stay as they are: the process is given the one capability that lets it pass them, and only then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dingbell.errors import DatabaseError, Text

__all__ = ["ACCOUNT", "Runner", "find_runner"]

ACCOUNT = "dingbell"

_SETPCAP = 8
_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}  # name: bit, the weaker first
_SEARCH = """
for path; do
  if test -d "$path"; then test -x "$path"; else test -r "$path"; fi || exec printf %s "$path"
done
"""
_WAY_OUT = Text(
    "run DingBell as an ordinary user, use a data directory like /var/lib/dingbell, "
    "or set DINGBELL_DATABASE_URL",
    "请改用普通用户运行 DingBell，或使用 /var/lib/dingbell 这样的数据目录，"
    "或设置 DINGBELL_DATABASE_URL",
)


@dataclass(frozen=True)
class Runner:
    """Who runs PostgreSQL, and how a child process becomes them."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

    def adopt(self, path: Path) -> None:
        """Make them the owner of something root has just created."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def find_runner(paths: Iterable[Path]) -> Runner:
    """Whoever runs PostgreSQL so that these paths can be reached: ourselves, unless we are root.

    Raises:
        DatabaseError: root cannot make such a user, or cannot let it reach the paths.
    """
    if os.geteuid() != 0:
        return Runner(os.geteuid(), os.getegid())
    uid, gid = _account()
    options = {"user": uid, "group": gid, "extra_groups": []}
    blocked = _first_blocked(paths, options)
    if not blocked:
        return Runner(uid, gid, options=options)
    return Runner(uid, gid, prefix=_passing(uid, gid, blocked))


def _account() -> tuple[int, int]:
    """User and group id of the system user, created when there is none."""
    return _lookup() or _create()


def _lookup() -> tuple[int, int] | None:
    import pwd  # Windows has none.

    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _create() -> tuple[int, int]:
    shell = shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin:/bin") or "/bin/false"
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", shell, ACCOUNT]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        reason = made.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if found := _lookup():  # also when another process was quicker
        return found
    raise DatabaseError(
        Text(
            "PostgreSQL does not run as root, and the system user {account} cannot be created "
            "({reason}): create it, or {way_out}",
            "PostgreSQL 不能以 root 运行，而系统用户 {account} 无法创建（{reason}）："
            "请先创建该用户，或者{way_out}",
        ).format(account=ACCOUNT, reason=reason, way_out=_WAY_OUT)
    )


def _first_blocked(paths: Iterable[Path], options: Mapping[str, object]) -> str:
    """The first directory on the way that the user may not pass; the kernel is asked, as them."""
    way = dict.fromkeys(d for path in paths for d in (*reversed(path.parents), path))
    command = ["/bin/sh", "-c", _SEARCH, "sh", *map(str, way)]
    try:
        asked = subprocess.run(  # type: ignore[call-overload]  # options of Popen by name
            command, capture_output=True, timeout=30, check=True, cwd="/", **options
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DatabaseError(
            Text(
                "root cannot become the system user {account} ({reason}): {way_out}",
                "root 无法切换为系统用户 {account}（{reason}）：{way_out}",
            ).format(account=ACCOUNT, reason=error, way_out=_WAY_OUT)
        ) from error
    return os.fsdecode(asked.stdout)


def _passing(uid: int, gid: int, blocked: str) -> tuple[str, ...]:
    """The command prefix that becomes the user but may pass closed directories."""
    setpriv, held = shutil.which("setpriv"), _held_capabilities()
    for name, bit in _CAPABILITIES.items():
        if setpriv and held >> bit & 1:
            who = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs")
            rights = (f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}", *_kept(held))
            return (setpriv, *who, *rights, "--")
    raise DatabaseError(
        Text(
            "PostgreSQL runs as the system user {account}, which may not pass {blocked}: {way_out}",
            "PostgreSQL 以系统用户 {account} 运行，但该用户无法进入 {blocked}：{way_out}",
        ).format(account=ACCOUNT, blocked=blocked, way_out=_WAY_OUT)
    )


def _kept(held: int) -> tuple[str, ...]:
    """The option that lets `access()` count the capability: initdb finds its programs by it."""
    return ("--securebits=+no_setuid_fixup",) if held >> _SETPCAP & 1 else ()


def _held_capabilities() -> int:
    """This process's effective capabilities as a bit mask; none where the system has none."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("CapEff:")[2].split(maxsplit=1)[0], 16)
