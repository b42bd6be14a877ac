"""Settings from the environment (`DINGBELL_…`) and `.env`, typed, read once, secrets hidden."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from dingbell import textfile
from dingbell.errors import InputError, Text
from dingbell.intake import LARGEST_ID, Identifier, Secret
from dingbell.validation import refusal

__all__ = ["OAPI_URL", "AgentId", "Pace", "Settings", "Url", "from_dotenv"]

OAPI_URL = "https://oapi.dingtalk.com"
API_URL = "https://api.dingtalk.com"
_PREFIX = "DINGBELL_"
_DOTENV = Path(".env")
_ROOT_DATA_DIR = Path("/var/lib/dingbell")


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or any(character.isspace() for character in value):
        raise InputError(
            Text(
                "must be an address such as https://oapi.dingtalk.com",
                "必须是地址, 例如 https://oapi.dingtalk.com",
            )
        )
    return value


# What these columns of the database hold.
Url = Annotated[Identifier, AfterValidator(_web_address)]
AgentId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Pace = Annotated[int, Field(ge=1, le=2**31 - 1)]


def from_dotenv(path: Path) -> dict[str, str]:
    """What a `.env` file says, in whatever encoding it was saved; nothing where there is none.

    Raises:
        InputError: it is no text.
    """
    if not path.exists() or path.is_dir():
        return {}
    said = textfile.read(path).text
    if "\0" in said:
        # UTF-16 or UTF-32 without its mark: every setting would be another name.
        raise InputError(
            Text(
                "cannot read {path}: it has NUL characters. Save it as UTF-8",
                "无法读取 {path}: 含有 NUL 字符。请另存为 UTF-8",
            ).format(path=path)
        )
    found = dotenv_values(stream=StringIO(said))
    return {name: value for name, value in found.items() if value is not None}


def _default_data_dir() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return _ROOT_DATA_DIR
    return Path(platformdirs.user_data_dir("dingbell", appauthor=False))


class Settings(BaseSettings):
    """What the environment says.

    Attributes:
        database_url: PostgreSQL to use; the embedded one when unset.
        data_dir: folder of the embedded server and the generated secret key.
        oapi_url: DingTalk's old API (other editions, the sandbox).
        api_url: DingTalk's new API; follows `oapi_url` when only that is set.
        app_key: app key (Client ID) of an app given by environment.
        app_secret: its secret.
        agent_id: its AgentId.
        secret_key: encrypts app secrets in the database; made in `data_dir` when unset.
        people_per_minute: pace of every app and org that does not set its own.
        calls_per_second: likewise, per app and API.
        calls_per_address: calls this process may make in any 20 s; DingTalk bans an address above
            10,000, so processes behind one address share them.
        daily_per_person: notices a person may get from one app on one day, for the forecast.
        monthly_calls: calls of an org's edition (5000, 200000, …) that does not set its own; unset
            counts and holds nothing.
        keep_people_days: how long the ledger keeps people; totals are kept for ever.
        keep_outbox_days: how long the outbox keeps what changed; so long whoever reads it may lag.
        program: by what a program that uses the library is known, so that its schedules stay its
            own; the file that makes its bell when unset. Programs in containers need one each.
        directory_stream: whether changes of the directory are followed as they happen, by
            DingTalk's Stream; turn it off where another program takes the app's events.
        log: level of the log: debug, info, warning, error.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: Secret | None = None
    data_dir: Path = Field(default_factory=_default_data_dir)
    oapi_url: Url = OAPI_URL
    api_url: Url = API_URL
    app_key: Identifier | None = None
    app_secret: Secret | None = None
    agent_id: AgentId | None = None
    secret_key: Secret | None = None
    people_per_minute: Pace = 5_000
    calls_per_second: Pace = 20
    calls_per_address: Pace = 10_000
    daily_per_person: Pace = 500
    monthly_calls: Pace | None = None
    keep_people_days: Annotated[int, Field(ge=2, le=36_500)] = 180
    keep_outbox_days: Annotated[int, Field(ge=1, le=36_500)] = 7
    program: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    directory_stream: bool = True
    log: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url")
    @classmethod
    def _database_is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_database(value.get_secret_value()):
            raise InputError(
                Text(
                    "must be an address such as postgresql://user:password@host:5432/database; in "
                    "the password write / as %2F, # as %23, ? as %3F, @ as %40",
                    "必须是地址, 例如 postgresql://user:password@host:5432/database; 密码中的 / "
                    "写成 %2F, # 写成 %23, ? 写成 %3F, @ 写成 %40",
                )
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _data_dir_is_no_file(cls, value: Path) -> Path:
        if value.is_file():
            raise InputError(
                Text("{path} is a file, not a folder", "{path} 是文件, 不是文件夹").format(
                    path=value
                )
            )
        return value

    @model_validator(mode="after")
    def _app_is_whole(self) -> Self:
        given = {
            "DINGBELL_APP_KEY": self.app_key,
            "DINGBELL_APP_SECRET": self.app_secret,
            "DINGBELL_AGENT_ID": self.agent_id,
        }
        missing = [name for name, value in given.items() if not value]
        if 0 < len(missing) < len(given):
            raise InputError(
                Text(
                    "{names} is missing: an app needs DINGBELL_APP_KEY, DINGBELL_APP_SECRET and "
                    "DINGBELL_AGENT_ID",
                    "缺少 {names}: 应用需要 DINGBELL_APP_KEY、DINGBELL_APP_SECRET 和 "
                    "DINGBELL_AGENT_ID",
                ).format(names=", ".join(missing))
            )
        return self

    @property
    def has_app(self) -> bool:
        """Whether the environment names an app."""
        return self.app_key is not None

    @classmethod
    def load(cls, *, _env_file: Path | str | None = _DOTENV, **overrides: object) -> Self:
        """Read the environment, and a file for what it leaves out.

        Args:
            _env_file: in the form of `.env`; there need be none.
            overrides: what goes before everything.

        Raises:
            InputError: a variable is not valid; every problem is named, no value is shown.
        """
        try:
            given = cls._left_out(_env_file) | overrides
            settings = cls(**given)  # type: ignore[arg-type]  # pydantic validates them
        except ValidationError as error:
            raise refusal(error, prefix=_PREFIX) from None
        if settings.oapi_url != OAPI_URL and "api_url" not in settings.model_fields_set:
            settings = settings.model_copy(update={"api_url": settings.oapi_url})
        return settings

    @classmethod
    def _left_out(cls, file: Path | str | None) -> dict[str, object]:
        """What a file says and the environment does not."""
        written = from_dotenv(Path(file)) if file is not None else {}
        said = {name.upper(): value for name, value in written.items()}
        known = {name.upper() for name, value in os.environ.items() if value}
        names = {field: _PREFIX + field.upper() for field in cls.model_fields}
        return {
            field: said[name]
            for field, name in names.items()
            if said.get(name) and name not in known
        }


def _is_database(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    # A password with a slash ends before its @, and what stands before it looks like host:port.
    cut = ":" in parts.netloc and "@" not in parts.netloc and "@" in address
    return parts.scheme in ("postgresql", "postgres") and port != 0 and not cut
