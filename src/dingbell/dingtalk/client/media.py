"""Uploading the files that messages refer to."""

from __future__ import annotations

from dingbell.dingtalk.client.caller import Caller
from dingbell.dingtalk.results import Media
from dingbell.dingtalk.wire import media
from dingbell.dingtalk.wire.media import MediaKind

__all__ = ["Uploads"]


class Uploads(Caller):
    """The endpoint `media/upload`."""

    async def upload(
        self, kind: MediaKind, filename: str, data: bytes, content_type: str | None = None
    ) -> Media:
        """Upload a file; a repeat only makes a second copy.

        Args:
            kind: `image`, `file`, `video` (up to 20 MB) or `voice` (2 MB) [D0646]; a file over
                10 MB cannot be sent in a message [D0775].
            filename: as people will see it; its ending must suit the kind.
            data: the bytes.
            content_type: guessed from the name by default.

        Raises:
            CallError: the kind is unknown, or the size is outside its limits.
            BadMedia: DingTalk refuses the file.
            DingTalkError: see `errors`.
        """
        return await self._ask(media.upload(kind, filename, data, content_type))
