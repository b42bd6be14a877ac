"""Settings: read from the environment once, every problem named, no secret shown."""

import os
from pathlib import Path

import pytest

from dingbell.errors import InputError
from dingbell.settings import OAPI_URL, Settings

SECRET = "s3cret-value"
APP = {
    "DINGBELL_APP_KEY": "key",
    "DINGBELL_APP_SECRET": SECRET,
    "DINGBELL_AGENT_ID": "781348000",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("DINGBELL_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_nothing_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)

    assert settings.database_url is None
    assert settings.oapi_url == OAPI_URL == "https://oapi.dingtalk.com"
    assert settings.api_url == "https://api.dingtalk.com"
    assert (settings.people_per_minute, settings.calls_per_second) == (5_000, 20)
    assert settings.log == "info"
    assert not settings.has_app


def test_an_app_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **APP)

    assert settings.has_app
    assert settings.agent_id == 781348000
    assert settings.app_secret is not None
    assert settings.app_secret.get_secret_value() == SECRET


@pytest.mark.parametrize("missing", list(APP))
def test_a_part_of_an_app_is_missed_by_name(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    with pytest.raises(InputError, match=f"^{missing} is missing"):
        load(monkeypatch, **{name: value for name, value in APP.items() if name != missing})


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        **APP,
        DINGBELL_SECRET_KEY=f"key-{SECRET}",
        DINGBELL_DATABASE_URL=f"postgresql://me:{SECRET}@host/db",
    )

    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown


def test_every_problem_is_named_and_no_value_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        load(
            monkeypatch,
            DINGBELL_AGENT_ID=f"{SECRET}1",
            DINGBELL_OAPI_URL=f"ftp://{SECRET}",
            DINGBELL_CALLS_PER_SECOND="0",
            DINGBELL_LOG="loud",
        )

    said = str(caught.value)
    for name in ("AGENT_ID", "OAPI_URL", "CALLS_PER_SECOND", "LOG"):
        assert f"DINGBELL_{name}" in said
    assert SECRET not in said
    assert SECRET not in caught.value.in_chinese()


def test_the_new_api_follows_the_old_one_unless_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = "http://127.0.0.1:8600"

    assert load(monkeypatch, DINGBELL_OAPI_URL=sandbox).api_url == sandbox
    other = "http://127.0.0.1:8601"
    assert load(monkeypatch, DINGBELL_API_URL=other).api_url == other


def test_a_file_is_read_and_the_environment_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DINGBELL_LOG=debug\nDINGBELL_PEOPLE_PER_MINUTE=60\nOTHER=1\n")

    settings = load(monkeypatch, DINGBELL_LOG="error")

    assert (settings.log, settings.people_per_minute) == ("error", 60)


def test_what_a_caller_says_goes_before_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DINGBELL_DATA_DIR", "/elsewhere")

    assert Settings.load(data_dir=tmp_path).data_dir == tmp_path


@pytest.mark.parametrize(("uid", "root"), [(0, True), (1000, False)])
def test_root_keeps_data_where_services_do_and_others_at_home(
    monkeypatch: pytest.MonkeyPatch, uid: int, root: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)

    folder = load(monkeypatch).data_dir

    assert (folder == Path("/var/lib/dingbell")) is root
    assert folder.name == "dingbell"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, DINGBELL_APP_KEY="", DINGBELL_AGENT_ID="", DINGBELL_LOG="")

    assert not settings.has_app
    assert settings.log == "info"


@pytest.mark.parametrize(
    "address", ["postgresql://me:pw@host:5432/db", "postgres:///db?host=/run/postgresql"]
)
def test_a_database_is_given_by_its_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    settings = load(monkeypatch, DINGBELL_DATABASE_URL=address)

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == address


@pytest.mark.parametrize(
    "address",
    [f"mysql://me:{SECRET}@host/db", f"postgresql://me:{SECRET}/x@host:port/db", SECRET],
)
def test_what_is_no_address_of_a_database_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with pytest.raises(InputError, match=r"^DINGBELL_DATABASE_URL must be an address") as caught:
        load(monkeypatch, DINGBELL_DATABASE_URL=address)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://a b", "http://host:0"])
def test_an_api_is_given_by_its_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(InputError, match=r"^DINGBELL_OAPI_URL must be an address"):
        load(monkeypatch, DINGBELL_OAPI_URL=address)


def test_a_data_folder_is_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(InputError, match="is a file, not a folder"):
        load(monkeypatch, DINGBELL_DATA_DIR=str(file))
