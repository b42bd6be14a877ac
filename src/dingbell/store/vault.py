"""App secrets and tokens at rest: encrypted with a key that is not in the database."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from dingbell.errors import InputError, Text

__all__ = ["Vault"]

_KEY_FILE = "secret.key"


class Vault:
    """Encrypts and decrypts short secrets."""

    def __init__(self, key: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise InputError(
                Text(
                    "DINGBELL_SECRET_KEY is not a key: make one with "
                    "`openssl rand -base64 32 | tr '+/' '-_'`",
                    "DINGBELL_SECRET_KEY 不是有效密钥: 用 "
                    "`openssl rand -base64 32 | tr '+/' '-_'` 生成",
                )
            ) from None

    def __repr__(self) -> str:
        return "Vault(…)"

    @classmethod
    def open(cls, key: str | None, data_dir: Path) -> Vault:
        """Use the key that is given, or the one in the data directory, made on first use."""
        return cls(key or _key_in(data_dir))

    def lock(self, secret: str) -> bytes:
        """Encrypt a secret."""
        return self._fernet.encrypt(secret.encode())

    def unlock(self, locked: bytes) -> str:
        """Decrypt a secret.

        Raises:
            InputError: it was encrypted with another key.
        """
        try:
            return self._fernet.decrypt(locked).decode()
        except InvalidToken:
            raise InputError(
                Text(
                    "the app secrets in this database were stored with another key: set "
                    "DINGBELL_SECRET_KEY to that of the other nodes, or apply the apps again",
                    "此数据库中的应用密钥由另一把密钥加密: 请把 DINGBELL_SECRET_KEY 设为与其他节点"
                    "相同, 或重新 apply 应用",
                )
            ) from None

    def holds(self, locked: bytes, secret: str) -> bool:
        """Whether an encrypted value is this secret; one of another key is not."""
        try:
            return self._fernet.decrypt(locked).decode() == secret
        except InvalidToken:
            return False


def _key_in(data_dir: Path) -> str:
    """Read the key file, or write it so that two processes at once end with the same one."""
    path = data_dir / _KEY_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            draft = data_dir / f".{_KEY_FILE}.{os.getpid()}"
            draft.touch(mode=0o600)
            draft.write_bytes(Fernet.generate_key())
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise InputError(
            Text(
                "cannot keep the secret key in {path}: {error}. Set DINGBELL_DATA_DIR or "
                "DINGBELL_SECRET_KEY",
                "无法在 {path} 保存密钥: {error}。请设置 DINGBELL_DATA_DIR 或 DINGBELL_SECRET_KEY",
            ).format(path=path, error=error.strerror)
        ) from error
