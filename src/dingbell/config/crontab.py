"""Reads a crontab: what of it becomes a schedule, and why the rest does not.

A crontab runs commands; DingBell sends notices. Of a line its rule is kept, and its command stands
as a comment beside a message that somebody has yet to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Literal

from dingbell.config.writing import comment, written
from dingbell.display import visible
from dingbell.domain import cronforms
from dingbell.domain.audience import Audience
from dingbell.domain.schedule import NAME_PATTERN
from dingbell.domain.triggers import cronwords, parse_zone
from dingbell.errors import InputError, Text

__all__ = ["Entry", "has_users", "read", "skeleton"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a crontab that says something.

    Attributes:
        line: its number, from 1.
        source: as it stands in the file.
        fate: `kept` as a schedule, `noted` as a setting of cron's, or `refused`.
        said: what it does, or why it is not kept.
        notes: what else its author should know.
        name: of the schedule, if it is kept; so are the rule, the zone and the command.
    """

    line: int
    source: str
    fate: Literal["kept", "noted", "refused"]
    said: Text
    notes: tuple[Text, ...] = ()
    name: str | None = None
    when: dict[str, Any] | None = None
    timezone: str | None = None
    command: str | None = None


_SETTING = re.compile(r"""\s*(["']?)([A-Za-z_][A-Za-z0-9_]*)\1\s*=\s*(.*?)\s*""")
_USERS = frozenset({"root", "nobody", "daemon", "www-data", "postgres", "mysql", "nginx", "git"})
_MOST_TIMES = 6


def has_users(path: PurePath, text: str) -> bool:
    """Whether the sixth word of each line is a user: so it is in /etc/crontab and /etc/cron.d."""
    if (path.name == "crontab" and path.parent.name == "etc") or path.parent.name == "cron.d":
        return True
    sixth = [words[5] for words in map(str.split, _jobs(text)) if len(words) > 6]
    return bool(sixth) and all(word in _USERS for word in sixth)


def _jobs(text: str) -> Iterator[str]:
    for line in text.splitlines():
        said = line.strip()
        if said and said[0] not in "#@" and not _SETTING.fullmatch(line):
            yield said


def read(text: str, *, users: bool) -> list[Entry]:
    """Read the lines of a crontab, comments and empty ones left out.

    Args:
        text: what stands in it.
        users: whether a user stands before each command.
    """
    entries: list[Entry] = []
    zone: str | None = None
    names: set[str] = set()
    for number, source in enumerate(text.splitlines(), 1):
        said = source.strip()
        if not said or said.startswith("#"):
            continue
        if setting := _SETTING.fullmatch(source):
            entry, zone = _setting(number, said, setting[2], setting[3].strip("\"'"), zone)
        else:
            entry = _job(number, said, users=users, zone=zone)
            if entry.fate == "kept":
                entry = replace(entry, name=_unique(entry, names))
        entries.append(entry)
    return entries


def _setting(
    number: int, source: str, name: str, value: str, zone: str | None
) -> tuple[Entry, str | None]:
    """A line that sets a variable, and the zone from there on."""
    if name != "CRON_TZ":
        return Entry(number, source, "noted", _SETTINGS.get(name, _OTHER_SETTING)), zone
    try:
        parse_zone(value)
    except InputError as error:
        return Entry(number, source, "refused", error.message), zone
    words = Text("the zone of the lines below: {zone}", "以下各行的时区: {zone}")
    return Entry(number, source, "noted", words.format(zone=value)), value


def _job(number: int, source: str, *, users: bool, zone: str | None) -> Entry:
    rule, command = _divided(source.removeprefix("-"), users=users)
    expression = cronforms.shortcut(rule) or rule
    refused = _refusal(rule, expression, command)
    if refused is not None:
        return Entry(number, source, "refused", refused, command=command or None)
    run, given = _unescaped(command)
    notes = [_PERCENT] if given is not None else []
    if _either(expression):
        notes.append(_EITHER)
    return Entry(
        number,
        source,
        "kept",
        cronwords.said(expression),
        tuple(notes),
        when=_when(expression),
        timezone=zone,
        command=run,
    )


def _divided(source: str, *, users: bool) -> tuple[str, str]:
    """The rule of a line and its command; the user between them is left out."""
    fields = 1 if source.startswith("@") else 5
    words = source.split(None, fields + users)
    rule = " ".join(words[:fields])
    return rule, words[fields + users] if len(words) > fields + users else ""


def _refusal(rule: str, expression: str, command: str) -> Text | None:
    """Why a line cannot be kept."""
    if rule.startswith("@") and expression == rule:
        return _REBOOT if rule.lower() == "@reboot" else _SHORTCUT.format(rule=rule)
    if "~" in expression:
        return _RANDOM
    if re.search(r"(?<![A-Z])H(?![A-Z])", expression.upper()):
        return _JENKINS
    if not command:
        return _NO_COMMAND
    return cronforms.problem(expression)


def _unescaped(command: str) -> tuple[str, str | None]:
    r"""The command that cron runs and what it gives it to read: `%` ends it, `\%` is a `%`."""
    run, *given = re.split(r"(?<!\\)%", command, maxsplit=1)
    return run.replace("\\%", "%").strip(), given[0] if given else None


def _either(expression: str) -> bool:
    """Whether day and weekday are both restricted, so that either will do."""
    _, _, day, _, weekday = expression.split()
    return not day.startswith("*") and not weekday.startswith("*")


def _when(expression: str) -> dict[str, Any]:
    """The rule as people write it: by times of day where there are no other conditions."""
    minute, hour, *rest = expression.split()
    if rest == ["*", "*", "*"] and not set("*/") & set(minute + hour):
        minutes = cronwords.expanded(minute, 0, 59)
        times = [f"{h:02}:{m:02}" for h in cronwords.expanded(hour, 0, 23) for m in minutes]
        if len(times) <= _MOST_TIMES:
            return {"daily": times[0] if len(times) == 1 else times}
    return {"cron": expression}


# What stands before the program that is meant.
_BEFORE = frozenset(
    (
        *("env", "sudo", "nice", "ionice", "nohup", "exec", "timeout", "flock", "time", "chronic"),
        *("cd", "test", "if", "then", "sh", "bash", "dash", "zsh", "uv", "run", "java", "ruby"),
        *("python", "python2", "python3", "perl", "php", "node"),
    )
)


def _unique(entry: Entry, names: set[str]) -> str:
    """A name after the program that the line runs."""
    plain = _program(entry.command or "") or f"line-{entry.line}"
    found, count = plain, 1
    while found in names:
        count += 1
        found = f"{plain}-{count}"
    names.add(found)
    return found


def _program(command: str) -> str | None:
    before = ""
    for word in re.split(r"[\s;&|()<>]+", command):
        name = PurePath(word.strip("\"'")).name
        passed = before == "cd" or name in _BEFORE or "=" in word or not name[:1].isalpha()
        before = name
        if not passed:
            plain = re.sub(r"[^\w-]+", "-", PurePath(name).stem).strip("-")[:60]
            return plain if re.fullmatch(NAME_PATTERN, plain) else None
    return None


def skeleton(entries: list[Entry], file: str, to: Audience | None, language: str) -> str:
    """A `dingbell.yaml` of what is kept; without an audience `plan` asks for one, line by line."""

    def say(text: Text) -> str:
        return visible(text.zh if language == "zh" else str(text), one_line=True)

    kept = any(entry.fate == "kept" for entry in entries)
    parts = [comment(say(_HEAD.format(file=file)))]
    if kept and to is None:
        parts.append(comment(say(_WHOM)))
    parts.append("schedules:\n" if kept else "schedules: {}\n")
    for entry in entries:
        lines = [f"{entry.line}: {visible(entry.source, one_line=True)}"]
        lines += [say(text) for text in (_FATES[entry.fate].format(said=entry.said), *entry.notes)]
        parts.append(_indented(comment("\n".join(lines))))
        if entry.name is not None:
            schedule = {
                **({"timezone": entry.timezone} if entry.timezone else {}),
                "when": entry.when,
                "to": to.to_dict() if to else {},
                "message": {"text": entry.name},
            }
            parts.append(_indented(written({entry.name: schedule}, below=2)))
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


_HEAD = Text(
    "From {file}. DingBell sends notices and runs no commands: each message has yet to be written.",
    "来自 {file}。DingBell 只发通知, 不执行命令: 消息内容需要改写。",
)
_WHOM = Text(
    "Write into each `to` whom it goes to; `dingbell plan` refuses the file until then.",
    "请在每个 `to` 中写明发给谁; 在此之前 `dingbell plan` 会拒绝此文件。",
)
_FATES = {
    "kept": Text("kept: {said}", "保留: {said}"),
    "noted": Text("noted: {said}", "说明: {said}"),
    "refused": Text("refused: {said}", "未保留: {said}"),
}
_SETTINGS = {
    "MAILTO": Text(
        "cron mails what commands print; who is told of trouble stands in `alerts`",
        "cron 会邮寄命令的输出; 出问题时通知谁请写在 `alerts` 中",
    ),
    "TZ": Text(
        "the zone of the commands, not of their times; write `timezone` where that is meant",
        "这是命令的时区, 而不是触发时间的时区; 如有需要请写 `timezone`",
    ),
}
_SETTINGS["MAILFROM"] = _SETTINGS["MAILTO"]
_OTHER_SETTING = Text(
    "a variable for the commands, and none are run", "这是给命令用的变量, 而此处不执行命令"
)
_REBOOT = Text(
    "@reboot has no instant; DingBell fires by the clock only",
    "@reboot 没有时刻; DingBell 只按时钟触发",
)
_SHORTCUT = Text(
    "{rule} is not known: write five fields, or `every: 15m` for an interval",
    "未知的 {rule}: 请写 5 个字段, 固定间隔请写 `every: 15m`",
)
_RANDOM = Text(
    "~ picks a time at random: choose one, and `spread` the calls where load is the reason",
    "~ 表示随机时间: 请选定一个时间; 若为分散负载请用 `spread`",
)
_JENKINS = Text(
    "H is Jenkins': choose a number, and `spread` the calls where load is the reason",
    "H 是 Jenkins 的写法: 请选定一个数字; 若为分散负载请用 `spread`",
)
_NO_COMMAND = Text(
    "five fields and a command are needed: minute hour day month weekday command",
    "需要 5 个字段和命令: 分 时 日 月 周 命令",
)
_PERCENT = Text(
    "what stands after % is what cron gives the command to read",
    "% 之后的内容是 cron 交给命令的输入",
)
_EITHER = Text(
    "day and weekday are both given: cron fires when either matches, and so does DingBell",
    "同时写了日和周: cron 在任一符合时触发, DingBell 也是",
)
