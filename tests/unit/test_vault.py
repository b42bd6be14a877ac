"""The vault: secrets at rest are unreadable without a key that stays out of the database."""

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from dingbell.errors import InputError
from dingbell.store.vault import Vault

KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))


@given(st.text(max_size=100))
def test_what_was_locked_is_unlocked_the_same(secret: str) -> None:
    vault = Vault(KEY)
    locked = vault.lock(secret)

    assert vault.unlock(locked) == secret
    assert vault.holds(locked, secret)
    assert not vault.holds(locked, secret + "x")
    assert len(secret) < 4 or secret.encode() not in locked


def test_another_key_unlocks_nothing_and_says_so() -> None:
    locked = Vault(OTHER_KEY).lock("s3cret")

    with pytest.raises(InputError, match="stored with another key"):
        Vault(KEY).unlock(locked)
    assert not Vault(KEY).holds(locked, "s3cret")


@pytest.mark.parametrize(
    "key", ["short", "", "密钥", KEY[:-2]], ids=["short", "none", "words", "cut"]
)
def test_what_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InputError, match="DINGBELL_SECRET_KEY is not a key") as caught:
        Vault(key)
    assert not key or key not in str(caught.value)


def test_a_vault_does_not_show_its_key() -> None:
    vault = Vault(KEY)

    assert KEY not in f"{vault!r} {vault} {vars(vault)}"


def test_a_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    locked = Vault.open(None, folder).lock("s3cret")

    assert Vault.open(None, folder).unlock(locked) == "s3cret"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_given_key_goes_before_the_file(tmp_path: Path) -> None:
    assert Vault.open(KEY, tmp_path).unlock(Vault(KEY).lock("x")) == "x"
    assert not list(tmp_path.iterdir())


def _locked_by_somebody_else(folder: Path) -> bytes:
    return Vault.open(None, folder).lock("s3cret")


def test_processes_that_begin_at_once_end_with_the_same_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        locked = list(pool.map(_locked_by_somebody_else, [tmp_path] * 8))

    vault = Vault.open(None, tmp_path)
    assert {vault.unlock(one) for one in locked} == {"s3cret"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_somebody_made_a_moment_earlier_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.key").write_text(KEY)
    monkeypatch.setattr(Path, "exists", lambda _: False)

    assert Vault.open(None, tmp_path).holds(Vault(KEY).lock("x"), "x")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(InputError, match="cannot keep the secret key in") as caught:
        Vault.open(None, file / "data")
    assert os.fspath(file) in str(caught.value)
