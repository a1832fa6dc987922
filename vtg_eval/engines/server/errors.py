"""What an attempt without an answer means: try again, give up the sample, or end the run."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx2
import openai

from vtg_eval.engines.server.options import KEY_VARIABLE, LEAST_KEY, ServerOptions
from vtg_eval.errors import EngineError, UserError, one_line

TOO_MANY = 429
# of requests that may be repeated: time-out, conflict, too early, too many
AGAIN = (408, 409, 425, TOO_MANY)
NO_QUOTA = "insufficient_quota"  # OpenAI's code for an account without credit, sent with 429
# of the key, of what it may use, of the model's name or the address: the same for all samples
RUN_ENDS = (401, 403, 404)
LONGEST_WAIT = 300.0  # seconds; a server that asks for more ends the run


class AttemptError(Exception):
    """An attempt without an answer.

    again: another attempt may succeed. wait: seconds that the server asks for. busy: it has too
    much to do. billed: it may have made an answer, which is paid for. reached: it responded.
    """

    def __init__(
        self,
        reason: str,
        again: bool = True,
        wait: float | None = None,
        busy: bool = False,
        billed: bool = True,
        reached: bool = True,
    ) -> None:
        super().__init__(one_line(reason))
        self.again = again
        self.wait = wait
        self.busy = busy
        self.billed = billed
        self.reached = reached


class Redactor:
    """Takes the key out of a server's texts: some repeat what they were sent."""

    def __init__(self, key: str) -> None:
        self._key = key if len(key) >= LEAST_KEY else ""

    def clean(self, text: str) -> str:
        """Return the text with a mark in the key's place."""
        return text.replace(self._key, f"[{KEY_VARIABLE}]") if self._key else text


def attempt_error(exc: Exception, server: ServerOptions, redactor: Redactor) -> AttemptError:
    """Return what the client's error means; raises UserError where it ends the run."""
    match exc:
        case openai.APIStatusError():
            return _status_error(exc, server, redactor)
        case TimeoutError() | openai.APITimeoutError():
            sent = not isinstance(exc.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
            reason = f"no answer within {server.timeout:g} s"
            return AttemptError(reason, busy=True, billed=sent, reached=sent)
        case _:
            cause = exc.__cause__ or exc
            sent = not isinstance(cause, httpx2.ConnectError)
            reason = redactor.clean(f"the connection failed: {cause or type(cause).__name__}")
            return AttemptError(reason, billed=sent, reached=sent)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, None where it does not say.

    The header has seconds or a date (RFC 9110, section 10.2.3).
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def _status_error(
    exc: openai.APIStatusError, server: ServerOptions, redactor: Redactor
) -> AttemptError:
    status, where = exc.status_code, f"The server at {server.base_url}"
    message = one_line(redactor.clean(_message(exc)))
    if status == TOO_MANY and exc.code == NO_QUOTA:
        raise UserError(f"{where} gives no more answers to this key: {message}")
    if 300 <= status < 400:
        address = redactor.clean(exc.response.headers.get("location", "no address"))
        raise UserError(
            f"{where} sends all requests on ({status}) to {one_line(address)}: pass that server "
            "as --base-url."
        )
    if status in RUN_ENDS:
        remedy = {
            401: f"Check the environment variable {KEY_VARIABLE}.",
            403: f"Check what the key in {KEY_VARIABLE} may use.",
            404: f'Check the model\'s name "{server.model}" and --base-url.',
        }[status]
        raise UserError(f"{where} refuses all requests ({status}): {message} {remedy}")
    wait = retry_after(exc.response.headers)
    again = status in AGAIN or status >= 500
    if again and wait is not None and wait > LONGEST_WAIT:
        raise EngineError(
            f"{where} asks to wait for {wait:,.0f} s ({status}): {message} The answers so far are "
            "kept; run the same command again after that time."
        )
    busy = status in (TOO_MANY, 503)
    return AttemptError(f"{status}: {message}", again, wait, busy, billed=False)


def _message(exc: openai.APIStatusError) -> str:
    """Return the server's own message."""
    message = exc.body.get("message") if isinstance(exc.body, dict) else None
    return str(message or exc.response.text or exc.response.reason_phrase)
