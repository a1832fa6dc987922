"""A model on a server: where it is, how frames travel to it, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from vtg_eval.engines.server.prices import Price, Tokens, known_price
from vtg_eval.errors import UserError

SERVER_ENGINE = "openai"
KEY_VARIABLE, URL_VARIABLE = "OPENAI_API_KEY", "OPENAI_BASE_URL"
OPENAI_URL = "https://api.openai.com/v1"
LEAST_KEY = 8  # characters; shorter ones are words such as "none" or "EMPTY"
NO_KEY = "none"  # servers of one's own often need no key, but the client sends one

Send = Literal["images", "video"]
SENDS = get_args(Send)
JPEG_QUALITY = 90  # Pillow's scale; colours are not subsampled
IMAGES = f"JPEG, quality {JPEG_QUALITY}, 4:4:4"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a user may set of a model on a server.

    model: its name there. base_url: None where the environment or the default says it. send:
    frames as images, each after its time, or as one video. timeout: seconds for one request.
    max_cost: US dollars, max_tokens: of prompts and answers together; None: no limit. price: None
    where it is not needed or on the list. time_text: how our own text tells the frames' times, as
    the adapter does. spent: tokens of earlier sessions, which count as well.
    """

    model: str = ""
    base_url: str | None = None
    send: Send = "images"
    timeout: float = 600.0
    max_cost: float | None = None
    max_tokens: int | None = None
    price: Price | None = None
    time_text: str | None = None
    spent: Tokens = field(default_factory=Tokens)

    @property
    def times(self) -> str:
        """Who says when a frame is shown: our text, or what the server makes of a video."""
        if self.time_text in ("header", "interleaved"):
            return "asserted by us"
        return "asserted by the server" if self.send == "video" else "not told"

    @property
    def limited(self) -> bool:
        """Whether there is a budget."""
        return self.max_cost is not None or self.max_tokens is not None

    @property
    def identity(self) -> dict[str, Any]:
        """Return what of them can change an answer."""
        return {"base_url": self.base_url, "send": self.send, "images": IMAGES}


def located(options: ServerOptions, model: str, environment: Mapping[str, str]) -> ServerOptions:
    """Return the options for a model, with the base URL and the price filled in.

    Raises UserError for a base URL that is none or has a key in it, and for a budget in dollars
    where the price is unknown.
    """
    url = (options.base_url or environment.get(URL_VARIABLE) or OPENAI_URL).rstrip("/")
    _check_url(url, environment.get(KEY_VARIABLE, ""))
    price = options.price or known_price(url, model)
    if options.max_cost is not None and price is None:
        raise UserError(
            f"The price of {model} at {url} is unknown, so --max-cost cannot be kept: pass it as "
            "--price PROMPT,COMPLETION in US dollars for a million tokens, as in --price 0.25,2."
        )
    return replace(options, model=model, base_url=url, price=price)


def server_key(options: ServerOptions, environment: Mapping[str, str]) -> str:
    """Return the key to send; raises UserError where OpenAI's own server would need one."""
    key = environment.get(KEY_VARIABLE)
    if not key and options.base_url == OPENAI_URL:
        raise UserError(
            f"{OPENAI_URL} needs a key: set the environment variable {KEY_VARIABLE}. For another "
            "server pass --base-url URL."
        )
    return key or NO_KEY


def _check_url(url: str, key: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.port  # noqa: B018 - raises ValueError for a wrong one
    except ValueError:
        right = False
    # first, so that the message below never repeats one
    if any(mark in url for mark in "@?#") or (len(key) >= LEAST_KEY and key in url):
        raise UserError(
            "--base-url may have no user, key or query in it, as it is written into the run's "
            f"folder. Put the key into the environment variable {KEY_VARIABLE}."
        )
    if not right:
        raise UserError(
            f'--base-url "{url}" is no address of a server; it looks like http://localhost:8000/v1.'
        )
