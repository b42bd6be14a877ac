"""Media: which files a message names, what DingTalk takes of them, and how long a recording is."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain import media
from dingbell.domain.media import MediaFile, Upload
from dingbell.domain.message import Message
from dingbell.domain.recordings import seconds_of
from dingbell.errors import InputError
from dingbell.planning.attachments import AttachmentError, attach

LINK = {"message_url": "https://a.cn", "title": "a", "text": "b"}
AMR = b"#!AMR\n" + (b"\x3c" + b"\0" * 31) * 120
# MPEG 1, layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame, 26 ms.
MP3_FRAME = b"\xff\xfb\x90\x00" + b"\0" * 413


def recording(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(1)
        written.setframerate(8_000)
        written.writeframes(b"\0" * int(seconds * 8_000))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (AMR, 3),
        (b"#!AMR-WB\n" + (b"\x44" + b"\0" * 60) * 50, 1),
        (recording(2), 2),
        (recording(2.2), 3),
        (MP3_FRAME * 100, 3),
        (b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"\0" * 128 + MP3_FRAME * 100, 3),
        (b"#!AMR\n", None),
        (b"RIFF", None),
        (b"nothing", None),
        (b"", None),
    ],
)
def test_the_length_of_a_recording_is_read_from_its_frames(
    content: bytes, seconds: int | None
) -> None:
    assert seconds_of(content) == seconds


@given(st.sampled_from([b"", b"#!AMR\n", b"RIFF", b"ID3", b"\xff\xfb\x90\x00"]), st.binary())
def test_no_recording_however_broken_raises(head: bytes, rest: bytes) -> None:
    found = seconds_of(head + rest)
    assert found is None or found > 0


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"image": "./a.png"}, [(("image",), "image", "./a.png")]),
        ({"image": {"media_id": "a.png"}}, [(("image", "media_id"), "image", "a.png")]),
        ({"file": "C:\\a.pdf"}, [(("file",), "file", "C:\\a.pdf")]),
        ({"link": {**LINK, "picUrl": "p.png"}}, [(("link", "picUrl"), "image", "p.png")]),
        (
            {"msgtype": "oa", "oa": {"body": {"image": "img/a.png"}}},
            [(("oa", "body", "image"), "image", "img/a.png")],
        ),
        ({"image": "@lADOabc"}, []),
        ({"image": "$lADO.abc"}, []),
        ({"image": "https://a.cn/a.png"}, []),
        ({"image": "{{ person.photo }}.png"}, []),
        ({"image": "media:" + "0" * 64 + "/a.png"}, []),
        ({"text": "./a.png"}, []),
    ],
)
def test_a_path_is_told_from_an_id_an_address_and_a_template(
    content: dict[str, Any], found: list[Any]
) -> None:
    assert list(media.paths(content)) == found


def test_a_message_names_a_file_by_what_is_in_it_and_is_sent_with_dingtalks_id() -> None:
    file = MediaFile("image", "海报 1.png", b"png")
    upload = Upload("image", file.reference)
    message = Message({"image": file.reference})
    assert (message.uploads, upload.digest, upload.name) == ((upload,), file.digest, "海报 1.png")
    assert message.with_media({upload: "@lAL1"}).body({}).endswith(b'{"media_id":"@lAL1"}}')
    assert Message.saying(message, message.to_dict()) == message
    # Before it is uploaded something of the same form stands for it.
    assert b'"media_id":"@' in message.body({})


def test_what_is_attached_gives_way_to_references(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(recording(2))
    (tmp_path / "x.amr").write_bytes(AMR)
    short = attach({"voice": "x.amr"}, tmp_path)
    assert short.content["voice"]["duration"] == 3
    long = attach({"voice": {"media_id": "x.wav", "duration": 9}}, tmp_path)
    assert long.content["voice"] == {"media_id": long.files[0].reference, "duration": 9}
    assert Message(long.content).body({})
    assert attach({"text": "./x.wav"}, tmp_path).files == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"image": "./none.png"}, "image: cannot read ./none.png: No such file or directory"),
        ({"image": "./folder.png"}, "it is no file"),
        ({"image": "./a.txt"}, "DingTalk takes no image of this kind: there are bmp, gif"),
        ({"file": {"media_id": "./a.txt"}}, "file.media_id: a.txt: DingTalk takes no file"),
        ({"image": "./empty.png"}, "empty.png is empty"),
        ({"voice": "./broken.amr"}, "cannot be told how long it is"),
        ({"voice": "./large.wav"}, "large.wav has 2097153 bytes, a voice may have 2097152"),
        ({"image": "./a\0.png"}, "cannot read"),
    ],
)
def test_a_file_that_dingtalk_would_not_take_is_refused_with_its_place(
    tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    for name, written in {
        "a.txt": b"x",
        "empty.png": b"",
        "broken.amr": b"x",
        "large.wav": b"\0" * (2**21 + 1),
    }.items():
        (tmp_path / name).write_bytes(written)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(AttachmentError) as refused:
        attach(content, tmp_path)
    assert words in str(refused.value)
    assert str(refused.value.message.zh) != str(refused.value)
    assert refused.value.field[0] in content


@pytest.mark.parametrize(
    "content", [{"template": ""}, {"template": 7}, {"template": "a", "text": "b"}]
)
def test_a_saved_template_is_named_alone(content: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="named alone"):
        Message(content)


def test_a_template_that_is_not_looked_up_has_no_body() -> None:
    message = Message({"template": "pay"})
    assert (message.template, message.is_personal, message.people_per_call) == ("pay", True, 100)
    with pytest.raises(InputError, match="'pay' is not looked up yet"):
        message.body({})
