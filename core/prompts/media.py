"""Pictures and sounds that go with a question: what they are is read from their bytes, never from their name."""

from __future__ import annotations

import base64

from core.errors import Invalid, TooLarge
from core.prompts.rules import Attachment, RunState

MOST_FILE_BYTES = 5 * 1024 * 1024
MOST_TOGETHER_BYTES = 10 * 1024 * 1024
IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "gif")
AUDIO_ENDINGS = ("wav", "mp3")


def attachment(name: str, data: bytes) -> Attachment:
    """The file as it will be sent. Raises: TooLarge, or Invalid when it is not a picture or sound models take."""
    if len(data) > MOST_FILE_BYTES:
        raise TooLarge(
            f"“{name}” has {len(data) / 1024 / 1024:.1f} MB; a file may have {MOST_FILE_BYTES // 1024 // 1024} MB.",
            hint="Make it smaller and attach it again.",
        )
    kind = _kind(data)
    if not kind:
        raise Invalid(
            f"“{name}” is not a picture or sound that can be sent.", hint="PNG, JPEG, WebP, GIF, WAV and MP3 can."
        )
    return Attachment(name, kind, f"data:{kind};base64,{base64.b64encode(data).decode()}")


def check_room(state: RunState, more: Attachment) -> None:
    """Raises: TooLarge when all files together would be more than one run may carry."""
    urls = {a.data_url: a.size for v in state.variants for m in v.messages for a in m.attachments}
    if sum(urls.values()) + more.size > MOST_TOGETHER_BYTES:
        raise TooLarge(
            f"All files together may have {MOST_TOGETHER_BYTES // 1024 // 1024} MB.", hint="Remove one first."
        )


def content(item: Attachment) -> bytes:
    """The file's bytes; none when its data cannot be read."""
    try:
        return base64.b64decode(item.data_url.partition(",")[2], validate=True)
    except ValueError:
        return b""


def _kind(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "audio/wav"
    if data.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")):
        return "audio/mpeg"
    return ""
