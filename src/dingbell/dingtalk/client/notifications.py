"""Work notifications (工作通知): send, progress, result, recall, status bar."""

from __future__ import annotations

from collections.abc import Sequence

from dingbell.dingtalk.client.caller import Caller
from dingbell.dingtalk.results import Progress, SendResult, Sent
from dingbell.dingtalk.wire import notifications

__all__ = ["Notifications"]


class Notifications(Caller):
    """The endpoints under `/topapi/message/corpconversation`; each call costs monthly quota."""

    async def send(
        self,
        body: bytes,
        *,
        userids: Sequence[str] = (),
        dept_ids: Sequence[int] = (),
        to_all: bool = False,
        enable_id_trans: bool = False,
    ) -> Sent:
        """Send a message. Accepted does not mean received: see `result`.

        Args:
            body: the canonical bytes of the message; they go out unchanged.
            userids: at most 100; 5 where the message has a status bar.
            dept_ids: at most 20, with all their sub-departments.
            to_all: everyone the app can see; 3 times a day.
            enable_id_trans: third-party apps only: translate `$userName=…$` in the text.

        Returns:
            The task id, for the other methods here, and DingTalk's clock.

        Raises:
            CallError: a limit of the call is broken; nothing was sent.
            Ambiguous: it may have been sent. Repeating the same bytes on the same Beijing day
                rings nobody twice: DingTalk drops them as 143106.
            RetryLater, NotSent, Banned, QuotaExhausted, Permanent: certainly not sent.
        """
        return await self._ask(
            notifications.send(
                self._agent_id,
                body,
                userids=userids,
                dept_ids=dept_ids,
                to_all=to_all,
                enable_id_trans=enable_id_trans,
            )
        )

    async def progress(self, task_id: int) -> Progress:
        """How far a send is; may be repeated freely, for 7 days after the send.

        Raises:
            DingTalkError: see `errors`.
        """
        return await self._ask(notifications.progress(self._agent_id, task_id))

    async def result(self, task_id: int) -> SendResult:
        """Who got it and who read it; may be repeated freely, for 24 h after the send.

        DingTalk does not answer for sends to more than 100 people.

        Raises:
            DingTalkError: see `errors`.
        """
        return await self._ask(notifications.result(self._agent_id, task_id))

    async def recall(self, task_id: int) -> None:
        """Take a whole send back, within 24 h after it.

        What a second recall answers is not documented.

        Raises:
            DingTalkError: see `errors`.
        """
        await self._ask(notifications.recall(self._agent_id, task_id))

    async def update_status_bar(
        self, task_id: int, value: str, background: str | None = None
    ) -> None:
        """Change the status bar of an OA message; a repeat is harmless.

        Args:
            task_id: of a send whose message had a status bar, within 7 days.
            value: the text.
            background: the colour, `0xAARRGGBB`.

        Raises:
            RetryLater: the send is not finished yet (41052).
            DingTalkError: see `errors`.
        """
        await self._ask(notifications.update_status_bar(self._agent_id, task_id, value, background))
