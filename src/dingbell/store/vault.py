"""App secrets and tokens at rest: encrypted with a key that is not in the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet, InvalidToken

from dingbell.errors import InputError, Text

__all__ = ["Vault"]

_KEY_FILE = "secret.key"
_PURPOSE = b"the fingerprint of a DingBell secret key"


class Vault:
    """Encrypts and decrypts short secrets."""

    def __init__(self, key: str | None, *, file: Path | None = None) -> None:
        """Take a key.

        Args:
            key: the key; None is made on first use, in `file`.
            file: where the key is kept; None says that the environment gives it.
        """
        self._file = file
        self._fernet: Fernet | None = None
        self._fingerprint: str | None = None
        if key is not None:
            self._take(key)

    def __repr__(self) -> str:
        return "Vault(…)"

    @classmethod
    def open(cls, key: str | None, data_dir: Path) -> Vault:
        """Use the key that is given, or the one in the data directory, made on first use."""
        if key:
            return cls(key)
        file = data_dir / _KEY_FILE
        return cls(_kept_in(file), file=file)

    @property
    def origin(self) -> str:
        """Where the key comes from, for people."""
        return "DINGBELL_SECRET_KEY" if self._file is None else str(self._file)

    @property
    def fingerprint(self) -> str | None:
        """What tells this key from others, without telling it; None before there is one."""
        return self._fingerprint

    def look_again(self) -> None:
        """Take the key that another process has made since this one began, where there is one."""
        if self._fingerprint is None and self._file is not None:
            key = _kept_in(self._file)
            if key is not None:
                self._take(key)

    def ready(self) -> str:
        """See that there is a key; its fingerprint.

        Raises:
            InputError: there is none yet, and it cannot be kept in the data directory.
        """
        if self._fingerprint is None:
            assert self._file is not None
            self._take(_made_in(self._file))
        assert self._fingerprint is not None
        return self._fingerprint

    def _take(self, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise InputError(_no_key(self.origin)) from None
        whole = base64.urlsafe_b64decode(key)
        self._fingerprint = hmac.new(whole, _PURPOSE, hashlib.sha256).hexdigest()[:16]

    def lock(self, secret: str) -> bytes:
        """Encrypt a secret."""
        self.ready()
        assert self._fernet is not None
        return self._fernet.encrypt(secret.encode())

    def unlock(self, locked: bytes) -> str:
        """Decrypt a secret.

        Raises:
            InputError: it was encrypted with another key.
        """
        secret = self._unlocked(locked)
        if secret is None:
            raise InputError(
                Text(
                    "the app secrets in this database were stored with another key: set "
                    "DINGBELL_SECRET_KEY to that of the other nodes, or apply the apps again",
                    "此数据库中的应用密钥由另一把密钥加密: 请把 DINGBELL_SECRET_KEY 设为与其他节点"
                    "相同, 或重新 apply 应用",
                )
            )
        return secret

    def holds(self, locked: bytes, secret: str) -> bool:
        """Whether an encrypted value is this secret; one of another key is not."""
        return self._unlocked(locked) == secret

    def opens(self, locked: bytes) -> bool:
        """Whether an encrypted value was encrypted with this key."""
        return self._unlocked(locked) is not None

    def _unlocked(self, locked: bytes) -> str | None:
        if self._fernet is None:
            return None
        try:
            return self._fernet.decrypt(locked).decode()
        except InvalidToken:
            return None


def _kept_in(path: Path) -> str | None:
    """The key in a file; None when there is no such file yet."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(_unkept(path, error)) from error


def _made_in(path: Path) -> str:
    """Write a new key so that two processes at once end with the same one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not named by the process: in containers that share a folder all are number 1.
        with NamedTemporaryFile(dir=path.parent, prefix=f".{_KEY_FILE}.") as draft:
            draft.write(Fernet.generate_key())
            draft.flush()
            with suppress(FileExistsError):
                os.link(draft.name, path)
        return path.read_text().strip()
    except OSError as error:
        raise InputError(_unkept(path, error)) from error


def _no_key(origin: str) -> Text:
    return Text(
        "{origin} is not a key: make one with `openssl rand -base64 32 | tr '+/' '-_'`",
        "{origin} 不是有效密钥: 用 `openssl rand -base64 32 | tr '+/' '-_'`",
    ).format(origin=origin)


def _unkept(path: Path, error: OSError) -> Text:
    return Text(
        "cannot keep the secret key in {path}: {error}. Set DINGBELL_DATA_DIR or "
        "DINGBELL_SECRET_KEY",
        "无法在 {path} 保存密钥: {error}。请设置 DINGBELL_DATA_DIR 或 DINGBELL_SECRET_KEY",
    ).format(path=path, error=error.strerror)
