"""The body of a chat request: messages with frames in them, and what goes with a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vtg_eval.engines.base import Request
from vtg_eval.engines.server.chat import Chat


def chat_body(request: Request, images: Sequence[str]) -> dict[str, Any]:
    """Return the messages of a request and, for a video, vLLM's arguments for it.

    images: JPEG files in base64, one for each frame.
    """
    assert request.chat is not None
    body: dict[str, Any] = {"messages": _messages(request.chat, images)}
    if request.chat.video and images:
        # without num_frames vLLM takes the first 32 frames only
        body["media_io_kwargs"] = {"video": {"num_frames": -1, **request.metadata}}
        body["mm_processor_kwargs"] = dict(request.processor_kwargs)
    return body


def _messages(chat: Chat, images: Sequence[str]) -> list[dict[str, Any]]:
    content = [_part(part, images, chat.video) for part in chat.grouped()]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if chat.system:
        messages.insert(0, {"role": "system", "content": _text(chat.system)})
    return messages


def _part(part: str | tuple[int, ...], images: Sequence[str], video: bool) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": _text(part)}
    kind, media = ("video_url", "video/jpeg") if video else ("image_url", "image/jpeg")
    data = ",".join(images[frame] for frame in part)
    return {"type": kind, kind: {"url": f"data:{media};base64,{data}"}}


def _text(text: str) -> str:
    """Return text that JSON can carry: annotations may have half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
