"""Tokens and one-time codes: who may call, and who has signed in."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from dingbell.sandbox.company.apps import App

APP_TOKEN_SECONDS = 7_200
USER_TOKEN_SECONDS = 7_200
REFRESH_TOKEN_SECONDS = 30 * 86_400
CODE_SECONDS = 300


class AppTokens:
    """One token per app; asking again returns the same one and renews it."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._apps = {app.app_key: app for app in apps}
        self._orgs = {app.org: app for app in self._apps.values()}
        self._current: dict[str, str] = {}
        self._held: dict[str, tuple[App, float]] = {}

    def app(self, key: str, secret: str) -> App | None:
        """The app with these credentials; `key` may be an app key or the old corp id."""
        app = self._apps.get(key) or self._orgs.get(key)
        return app if app is not None and app.app_secret == secret else None

    def issue(self, app: App, now: float) -> str:
        """The app's token, good for another two hours."""
        token = self._current.get(app.app_key)
        if token is None or self.holder(token, now) is None:
            self._held.pop(token or "", None)
            token = secrets.token_hex(16)
            self._current[app.app_key] = token
        self._held[token] = (app, now + APP_TOKEN_SECONDS)
        return token

    def holder(self, token: str, now: float) -> App | None:
        """The app that holds this token, unless it has expired or was revoked."""
        held = self._held.get(token)
        return held[0] if held is not None and now < held[1] else None

    def revoke(self) -> int:
        """Forget every token, as DingTalk may do at any moment; returns how many there were."""
        revoked = len(self._held)
        self._held.clear()
        self._current.clear()
        return revoked


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person who has signed in: what a code or a user token stands for."""

    userid: str
    with_corp: bool
    expires_at: float
    app_key: str = ""


class SignIns:
    """One-time secrets of one kind (免登 codes, OAuth codes, user tokens, refresh tokens)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: dict[str, SignIn] = {}

    def mint(self, userid: str, now: float, *, with_corp: bool = False, app_key: str = "") -> str:
        """Make a new secret for this person."""
        word = secrets.token_hex(16)
        self._held[word] = SignIn(userid, with_corp, now + self._seconds, app_key)
        return word

    def again(self, sign_in: SignIn, now: float) -> str:
        """Make a new secret for somebody who has already signed in."""
        return self.mint(sign_in.userid, now, with_corp=sign_in.with_corp, app_key=sign_in.app_key)

    def holder(self, word: str, now: float) -> SignIn | None:
        """Who the secret stands for; it stays valid."""
        held = self._held.get(word)
        return held if held is not None and now < held.expires_at else None

    def spend(self, word: str, now: float) -> SignIn | None:
        """Who the secret stands for; it works only this once."""
        held = self.holder(word, now)
        self._held.pop(word, None)
        return held
