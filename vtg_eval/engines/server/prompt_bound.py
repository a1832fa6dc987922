"""The most tokens that a prompt may have on a server whose tokenizer is not at hand."""

from __future__ import annotations

from vtg_eval.engines.base import Request
from vtg_eval.engines.server.chat import Chat

# Of one frame, before the first answer: the most of any known server, tiles of InternVL included.
FRAME_TOKENS = 4096
TEMPLATE_TOKENS = 256  # a chat template's own text, system message included
PART_TOKENS = 16  # what it writes around a frame
# Later frames may cost more than those seen so far, where a server cuts frames into tiles.
MARGIN = 2.0


class PromptBound:
    """Bounds a prompt's tokens: a token for each byte of text, and what a frame may cost.

    What a frame costs is learnt from the answers: twice the largest number seen, and more for
    larger frames.
    """

    def __init__(self) -> None:
        self._tokens = 0.0  # of one frame, the largest seen
        self._area = 1  # px of that frame

    def tokens(self, request: Request) -> int:
        """Return the most tokens of the request's prompt."""
        assert request.chat is not None
        frames, area = _frames(request)
        return _text_bytes(request.chat) + TEMPLATE_TOKENS + int(frames * self._frame(area))

    def learn(self, request: Request, prompt_tokens: int) -> None:
        """Take in how many tokens the server counted for a request."""
        frames, area = _frames(request)
        if frames and prompt_tokens / frames > self._tokens:
            self._tokens, self._area = prompt_tokens / frames, area

    def _frame(self, area: int) -> float:
        if not self._tokens:
            return FRAME_TOKENS + PART_TOKENS
        return MARGIN * self._tokens * max(1.0, area / self._area) + PART_TOKENS


def _frames(request: Request) -> tuple[int, int]:
    """Return the number of frames and the px of one of them."""
    if request.frames is None:
        return 0, 0
    count, height, width, _ = request.frames.array.shape
    return count, height * width


def _text_bytes(chat: Chat) -> int:
    texts = [chat.system, *(part for part in chat.parts if isinstance(part, str))]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
