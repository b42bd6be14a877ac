"""Settings from the environment (`DINGBELL_…`) and `.env`, typed, read once, secrets hidden."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

import platformdirs
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dingbell.errors import InputError, Text

__all__ = ["OAPI_URL", "Settings"]

OAPI_URL = "https://oapi.dingtalk.com"
API_URL = "https://api.dingtalk.com"
_ROOT_DATA_DIR = Path("/var/lib/dingbell")
_Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


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
        log: level of the log: debug, info, warning, error.
    """

    model_config = SettingsConfigDict(
        env_prefix="DINGBELL_", env_file=".env", extra="ignore", frozen=True
    )

    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=_default_data_dir)
    oapi_url: _Url = OAPI_URL
    api_url: _Url = API_URL
    app_key: str | None = None
    app_secret: SecretStr | None = None
    agent_id: Annotated[int, Field(ge=1)] | None = None
    secret_key: SecretStr | None = None
    people_per_minute: Annotated[int, Field(ge=1)] = 5_000
    calls_per_second: Annotated[int, Field(ge=1)] = 20
    log: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

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
    def load(cls, **overrides: object) -> Self:
        """Read the environment.

        Raises:
            InputError: a variable is not valid; every problem is named, no value is shown.
        """
        try:
            settings = cls(**overrides)  # type: ignore[arg-type]  # pydantic validates them
        except ValidationError as error:
            raise _explain(error) from None
        if settings.oapi_url != OAPI_URL and "api_url" not in settings.model_fields_set:
            settings = settings.model_copy(update={"api_url": settings.oapi_url})
        return settings


def _explain(error: ValidationError) -> InputError:
    parts = []
    for problem in error.errors(include_input=False, include_url=False):
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, InputError):
            return cause
        name = "DINGBELL_" + "_".join(str(part).upper() for part in problem["loc"])
        parts.append(f"{name}: {problem['msg']}")
    text = "; ".join(parts)
    return InputError(Text(f"settings: {text}", f"设置有误: {text}"))
