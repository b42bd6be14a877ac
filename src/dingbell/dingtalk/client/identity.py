"""Who somebody is: inside DingTalk (免登), by mobile or union id, by web sign-in."""

from __future__ import annotations

from dingbell.dingtalk import errors
from dingbell.dingtalk.client.caller import Caller
from dingbell.dingtalk.results import Profile, SignedIn, User, UserToken
from dingbell.dingtalk.wire import identity

__all__ = ["Identity"]


class Identity(Caller):
    """The endpoints that name people; all exempt from the monthly quota [D1432]."""

    async def user_by_code(self, code: str) -> SignedIn:
        """Who opened our page inside DingTalk.

        Args:
            code: from `requestAuthCode`; works once, for 5 minutes, so never repeat the call.

        Raises:
            SignInExpired: the code is wrong, used or expired.
            DingTalkError: see `errors`.
        """
        return await self._ask(identity.user_by_code(code))

    async def user_by_mobile(self, mobile: str) -> str:
        """The userid of a present member of staff; may be repeated.

        Raises:
            UnknownPerson: nobody has this number, or it is none.
            DingTalkError: see `errors`.
        """
        return await self._ask(identity.user_by_mobile(mobile))

    async def user_by_unionid(self, unionid: str) -> str:
        """The userid of a union id; may be repeated.

        Raises:
            UnknownPerson: nobody in this organisation has it.
            DingTalkError: see `errors`.
        """
        return await self._ask(identity.user_by_unionid(unionid))

    async def user(self, userid: str, *, language: str | None = None) -> User:
        """Everything the app may know of a person; may be repeated.

        Args:
            userid: who.
            language: of department and role names: `zh_CN` or `en_US`.

        Raises:
            UnknownPerson: there is no such userid.
            DingTalkError: see `errors`.
        """
        return await self._ask(identity.user(userid, language))

    async def user_access_token(self, code: str) -> UserToken:
        """The token of a user who signed in on the web.

        Args:
            code: the `authCode` of the redirect; works once, so never repeat the call.

        Raises:
            Permanent: the code is wrong, used or expired.
            DingTalkError: see `errors`.
        """
        return await self._ask(identity.user_access_token(self.credentials, code))

    async def refresh_user_access_token(self, refresh_token: str) -> UserToken:
        """A new token for a user who signed in before, within 30 days.

        Raises:
            Permanent: the refresh token is wrong or expired.
            DingTalkError: see `errors`.
        """
        return await self._ask(identity.refresh_user_access_token(self.credentials, refresh_token))

    async def me(self, user_token: str) -> Profile:
        """What a signed-in user tells; take the userid from `user_by_unionid`.

        Raises:
            SignInExpired: the user's token is wrong or expired.
            NotPermitted: the app lacks `Contact.User.Read`.
            DingTalkError: see `errors`.
        """
        try:
            return await self._ask(identity.me(user_token))
        except errors.TokenRejected as error:
            expired = errors.SignInExpired(*error.args)
        raise expired
