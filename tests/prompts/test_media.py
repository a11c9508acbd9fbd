"""Files that go with a question."""

from __future__ import annotations

import base64

import pytest

from core.errors import Invalid, TooLarge
from core.prompts import media
from core.prompts.rules import Attachment, Message, RunState, Speaker, Variant

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


def test_what_a_file_is_comes_from_its_bytes() -> None:
    found = media.attachment("holiday.mp3", PNG)
    assert (found.media_type, found.is_image) == ("image/png", True)
    assert media.content(found) == PNG
    assert media.attachment("voice", b"RIFF....WAVEfmt ").media_type == "audio/wav"


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", b"MZ\x90", b"RIFF....AVI "])
def test_what_no_model_takes_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(Invalid, match=r"odd\.png"):
        media.attachment("odd.png", data)


def test_files_that_are_too_large_say_the_limit() -> None:
    with pytest.raises(TooLarge, match="5 MB"):
        media.attachment("big.png", PNG + b"x" * media.MOST_FILE_BYTES)
    large = [
        Attachment(str(n), "image/png", "data:image/png;base64," + base64.b64encode(bytes([n]) * 4_000_000).decode())
        for n in range(3)
    ]
    state = RunState((Variant("A").said(Message(Speaker.USER, attachments=tuple(large[:2]))),))
    with pytest.raises(TooLarge, match="10 MB"):
        media.check_room(state, large[2])
