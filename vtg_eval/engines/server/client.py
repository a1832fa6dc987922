"""Asks one model on a server, sample by sample, until it has the answer or gives the sample up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from random import SystemRandom
from typing import Annotated, Any

import httpx2
import msgspec
import openai
from msgspec import Meta

from vtg_eval.engines.base import Completion, Request, failed
from vtg_eval.engines.server.budget import Budget
from vtg_eval.engines.server.chat_body import chat_body
from vtg_eval.engines.server.errors import AttemptError, Redactor, attempt_error
from vtg_eval.engines.server.frame_images import FrameImages
from vtg_eval.engines.server.options import ServerOptions, server_key
from vtg_eval.engines.server.prices import Tokens
from vtg_eval.engines.server.prompt_bound import PromptBound
from vtg_eval.engines.server.request_limit import RequestLimit
from vtg_eval.errors import EngineError, UserError
from vtg_eval.failures import Finish

ATTEMPTS = 8
FIRST_WAIT, LAST_WAIT = 0.5, 30.0  # seconds; doubled from attempt to attempt
# Samples given up one after the other, with no answer between them: the server is down.
GIVEN_UP = 5
LONGEST_TOKEN = 256  # characters; no tokenizer has longer ones but for white space
SHOWN = 200  # characters of a response that cannot be read
FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "content_filter": Finish.REFUSED,
}
Count = Annotated[int, Meta(ge=0, le=2**53)]
RANDOM = SystemRandom()


class Message(msgspec.Struct):
    """A model's answer."""

    content: str | None = None
    refusal: str | None = None


class Choice(msgspec.Struct):
    """An answer and why it ended."""

    message: Message
    finish_reason: str


class Usage(msgspec.Struct):
    """How many tokens a server counted; thoughts may be in the total alone."""

    prompt_tokens: Count
    completion_tokens: Count = 0
    total_tokens: Count = 0

    @property
    def tokens(self) -> Tokens:
        """Return the tokens with all thoughts among those of the answer."""
        thoughts = self.total_tokens - self.prompt_tokens
        return Tokens(self.prompt_tokens, max(self.completion_tokens, thoughts))


class PromptDetails(msgspec.Struct):
    """Of a prompt's tokens those that a server had in its prefix cache."""

    cached_tokens: Count


class PromptUsage(msgspec.Struct):
    """What a server says of a prompt's tokens, where it says more than their number."""

    prompt_tokens_details: PromptDetails


class Response(msgspec.Struct):
    """What is read of a response."""

    choices: Annotated[list[Choice], Meta(min_length=1)]
    usage: Any = None

    @property
    def tokens(self) -> Tokens | None:
        """Return what the server counted; None where it did not, or where that is no count."""
        try:
            return msgspec.convert(self.usage, Usage).tokens
        except msgspec.ValidationError:
            return None

    @property
    def cached_tokens(self) -> int | None:
        """Return how many of the prompt's tokens were cached; None where the server is silent."""
        try:
            return msgspec.convert(self.usage, PromptUsage).prompt_tokens_details.cached_tokens
        except msgspec.ValidationError:
            return None


class ChatClient:
    """One model on a server. All methods run on one event loop."""

    def __init__(self, server: ServerOptions, most: int) -> None:
        """most: requests at a time."""
        key = server_key(server, os.environ)
        self._server = server
        self._redactor = Redactor(key)
        self._client = openai.AsyncOpenAI(
            api_key=key, base_url=server.base_url, timeout=server.timeout, max_retries=0
        )
        self._images = FrameImages()
        self._limit = RequestLimit(most)
        self._budget = Budget(server)
        self._bound = PromptBound()
        self._reached = False
        self._given_up = 0
        self._ended: UserError | None = None
        self._waiting: set[asyncio.Task[Any]] = set()

    async def ask(
        self, request: Request, fields: Mapping[str, Any], answer_tokens: int
    ) -> Completion:
        """Return the answer to a request, or its failure.

        fields: of the request's body, besides its messages; None leaves one out. answer_tokens:
        the most that an answer may have. Raises UserError where the run cannot go on: requests
        that wait are cancelled then, those that were sent get their answers.
        """
        try:
            return await self._ask(request, fields, answer_tokens)
        except UserError as exc:
            self._ended = self._ended or exc
            for task in self._waiting:
                task.cancel()
            raise

    async def close(self) -> None:
        """Close all connections."""
        self._images.close()
        await self._client.close()

    async def _ask(
        self, request: Request, fields: Mapping[str, Any], answer_tokens: int
    ) -> Completion:
        if request.chat is None:
            return failed(request, "the adapter gave no conversation to send")
        images = await self._images.of(request.frames)
        body = {**chat_body(request, images), **fields}
        body = {name: value for name, value in body.items() if value is not None}
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                completion = await self._attempt(request, body, answer_tokens)
            except AttemptError as exc:
                reason = str(exc)
                self._require_server(exc)
                if not exc.again:
                    return failed(request, reason)
                if attempt + 1 < ATTEMPTS:
                    with self._waits():
                        await asyncio.sleep(_pause(attempt, exc.wait))
            else:
                self._reached, self._given_up = True, 0
                return completion
        return self._give_up(request, reason)

    async def _attempt(
        self, request: Request, body: Mapping[str, Any], answer_tokens: int
    ) -> Completion:
        """Send a request once; raises AttemptError, and UserError where the run ends."""
        async with AsyncExitStack() as stack:
            with self._waits():
                sent_at = await stack.enter_async_context(self._limit.place())
                most = Tokens(self._bound.tokens(request), answer_tokens)
                await self._budget.reserve(most)
            used = most
            try:
                response = await self._send(body)
                counted = response.tokens
                if counted is not None:
                    used = counted
                    self._bound.learn(request, counted.prompt)
                self._limit.answered()
                return self._completion(request, response, counted or Tokens(), answer_tokens)
            except AttemptError as exc:
                if not exc.billed:
                    used = Tokens()
                if exc.busy:
                    self._limit.busy(sent_at)
                if exc.wait is not None:
                    self._limit.pause(exc.wait)
                raise
            finally:
                self._budget.settle(most, used)

    async def _send(self, body: Mapping[str, Any]) -> Response:
        try:
            async with asyncio.timeout(self._server.timeout):
                # the client's own method for bodies that its types do not know
                answer = await self._client.post(
                    "/chat/completions",
                    cast_to=httpx2.Response,
                    body=dict(body),
                    options={"follow_redirects": False},
                )
        except (openai.OpenAIError, httpx2.HTTPError, TimeoutError) as exc:
            # without the cause: the request in it has the key
            raise attempt_error(exc, self._server, self._redactor) from None
        try:
            return msgspec.json.decode(answer.content, type=Response)
        except (msgspec.DecodeError, RecursionError) as exc:
            text = self._redactor.clean(answer.content.decode("utf-8", "replace"))
            raise AttemptError(f"a response that is none ({exc}): {text[:SHOWN]}") from None

    def _completion(
        self, request: Request, response: Response, tokens: Tokens, answer_tokens: int
    ) -> Completion:
        choice = response.choices[0]
        refusal = choice.message.refusal
        finish = Finish.REFUSED if refusal else FINISHES.get(choice.finish_reason)
        if finish is None:
            reason = f'the server ended the answer for the reason "{choice.finish_reason}"'
            return failed(request, self._redactor.clean(reason))
        text = choice.message.content or refusal or ""
        if len(text) > answer_tokens * LONGEST_TOKEN:
            return failed(
                request, f"an answer of {len(text):,} characters, for {answer_tokens:,} tokens"
            )
        return Completion(
            sample_id=request.sample_id,
            text=self._redactor.clean(text),
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            finish=finish,
            error="refused, or held back by a filter" if finish is Finish.REFUSED else None,
            cached_tokens=response.cached_tokens,
        )

    def _require_server(self, exc: AttemptError) -> None:
        """Raise EngineError where no request has ever reached a server."""
        self._reached |= exc.reached
        if not self._reached:
            raise EngineError(
                f"The server at {self._server.base_url} cannot be reached: {exc}. Start it, or "
                "correct --base-url."
            )

    def _give_up(self, request: Request, reason: str) -> Completion:
        self._given_up += 1
        if self._given_up >= GIVEN_UP:
            raise EngineError(
                f"The server at {self._server.base_url} no longer answers: {GIVEN_UP} samples in a "
                f"row were given up after {ATTEMPTS} attempts each, the last for this reason: "
                f"{reason}. The answers so far are kept; run the same command again to finish."
            )
        return failed(request, f"given up after {ATTEMPTS} attempts: {reason}")

    @contextmanager
    def _waits(self) -> Iterator[None]:
        """Let the end of the run cancel the current task."""
        if self._ended is not None:
            raise self._ended
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)


def _pause(attempt: int, wait: float | None) -> float:
    """Return the seconds before the next attempt: as the server asks, else doubled each time.

    With a random part, so that requests which failed together do not return together.
    """
    if wait is not None:
        return wait + RANDOM.uniform(0, FIRST_WAIT)
    longest: float = min(LAST_WAIT, FIRST_WAIT * 2.0**attempt)
    return longest * RANDOM.uniform(0.5, 1.0)
