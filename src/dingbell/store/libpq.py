"""An address as PostgreSQL's own programs take it: by their environment, which only we can read.

What stands on a command line is shown to every user of the machine.
"""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, unquote, urlsplit

from dingbell.errors import InputError, Text

__all__ = ["environment"]

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "database": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
}


def environment(dsn: str) -> dict[str, str]:
    """The environment of a program that connects where `dsn` says.

    Settings of a session that only our own connections need are left out.

    Raises:
        InputError: the address holds the password of a key file, which has no variable.
    """
    given = _of_place(dsn) | dict(parse_qsl(urlsplit(dsn).query))
    if "sslpassword" in given:
        raise InputError(
            Text(
                "DINGBELL_DATABASE_URL has an sslpassword, which cannot be handed to PostgreSQL's "
                "programs unseen: use a key file without a password, readable by its owner alone",
                "DINGBELL_DATABASE_URL 含有 sslpassword, 无法安全地交给 PostgreSQL 的程序: "
                "请使用不带密码、仅所有者可读的密钥文件",
            )
        )
    ours = {_VARIABLES[name]: value for name, value in given.items() if name in _VARIABLES}
    # Their words are looked at, and told, in English.
    return {**os.environ, **ours, "LC_ALL": "C"}


def _of_place(dsn: str) -> dict[str, str]:
    """User, password, hosts, ports and database from before the question mark."""
    parts = urlsplit(dsn)
    login, _, place = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    hosts = [_host_and_port(one) for one in place.split(",")]
    found = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(host for host, _ in hosts),
        "port": ",".join(port for _, port in hosts),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    return {name: value for name, value in found.items() if value.strip(",")}


def _host_and_port(place: str) -> tuple[str, str]:
    host, bracket, port = place.rpartition("]")
    if bracket:
        return host.removeprefix("["), port.removeprefix(":")
    host, _, port = place.partition(":")
    return unquote(host), port
