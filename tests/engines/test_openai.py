"""The client of OpenAI-compatible servers, against a server that misbehaves."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai", reason="needs the extra openai")

from PIL import Image

from tests.rude_server import KINDS, RudeServer
from vtg_eval.engines.base import Completion, EngineOptions, Request
from vtg_eval.engines.openai import OpenAIEngine
from vtg_eval.engines.server.chat import Chat
from vtg_eval.engines.server.errors import retry_after
from vtg_eval.engines.server.options import OPENAI_URL, ServerOptions, located
from vtg_eval.engines.server.prices import Price, Tokens, known_price, price_list
from vtg_eval.engines.server.request_limit import RequestLimit
from vtg_eval.errors import EngineError, UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule
from vtg_eval.video.frames import Frames, VideoInfo

RULE = GenerationRule(max_new_tokens=16)
KEY = "canary-0123456789"
# waits of seconds are rare, so that the test of 500 requests is short
LONG = ("seconds", "date", "slow")
MIXED = (*[kind for kind in KINDS if kind not in LONG] * 8, *LONG)


def make_engine(
    server: RudeServer,
    batch_size: int = 8,
    rule: GenerationRule = RULE,
    extra: dict[str, Any] | None = None,
    **options: Any,
) -> OpenAIEngine:
    at = located(ServerOptions(base_url=server.url, **options), "some-model", {})
    engine_options = EngineOptions(batch_size=batch_size, extra=extra or {}, server=at)
    OpenAIEngine.check_options(Path(), engine_options)
    return OpenAIEngine(Path(), rule, engine_options)


def ask(server: RudeServer, count: int = 1, **options: Any) -> list[Completion]:
    engine = make_engine(server, **options)
    try:
        return list(engine.generate(questions(count)))
    finally:
        engine.close()


def questions(count: int) -> Iterator[Request]:
    for number in range(count):
        yield Request(str(number), "", chat=Chat("Answer.", (f"question {number}",)))


def make_frames(count: int = 3) -> Frames:
    times = np.arange(count) / 2
    array = np.random.default_rng(0).integers(0, 256, (count, 56, 84, 3), dtype=np.uint8)
    return Frames(array, times, "digest", "noise", VideoInfo("v", 2.0, 2.0, 56, 84, times))


def test_500_requests_to_a_rude_server_are_answered_once_each() -> None:
    with RudeServer(rudeness=0.2, kinds=MIXED, delay=0.005) as server:
        completions = ask(server, 500, batch_size=32, timeout=4.0)
    assert {c.finish for c in completions} == {Finish.STOP}
    assert sorted(int(c.sample_id) for c in completions) == list(range(500))
    assert len(server.answered) == 500
    assert set(server.answered.values()) == {1}
    assert set(server.treated) == {"", *KINDS}
    assert server.most_in_flight <= 32
    assert all(c.prompt_tokens > 0 and c.completion_tokens == 7 for c in completions)


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_the_time_that_a_server_asks_to_wait_is_kept(kind: str) -> None:
    with RudeServer(rudeness=1, kinds=[kind], most_rude=1) as server:
        assert ask(server)[0].finish is Finish.STOP
    first, second = server.times
    assert 0.95 <= second - first < 10


def test_a_server_that_asks_to_wait_for_hours_ends_the_run() -> None:
    with RudeServer(rudeness=1, kinds=["seconds"]) as server:
        server.wait = "7200"
        with pytest.raises(EngineError, match=r"asks to wait for 7,200 s .* after that time"):
            ask(server, 3)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2), ("0.5", 0.5), ("-1", 0), ("nan", None), ("soon", None), ("", None)],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date() -> None:
    wait = retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert wait is not None
    assert 95 < wait <= 100
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


def test_the_number_of_requests_adapts_to_the_servers_capacity() -> None:
    with RudeServer(capacity=4, delay=0.02) as server:
        completions = ask(server, 150, batch_size=64)
    assert {c.finish for c in completions} == {Finish.STOP}
    assert server.treated["above capacity"] < 75
    with RudeServer(delay=0.5) as server:
        ask(server, 60, batch_size=24)
    assert 16 < server.most_in_flight <= 24


def test_a_busy_server_halves_the_limit_once_for_each_round() -> None:
    async def sizes() -> list[float]:
        limit, seen = RequestLimit(8), []
        async with limit.place() as first, limit.place() as second:
            seen.append(limit.size)
            limit.busy(first)
            limit.busy(second)
            seen.append(limit.size)
        for _ in range(4):
            limit.answered()
        seen.append(limit.size)
        for _ in range(10):
            async with limit.place() as sent_at:
                limit.busy(sent_at)
        return [*seen, limit.size]

    with ThreadPoolExecutor(1) as pool:  # tests with a browser leave a running loop in this thread
        start, halved, grown, least = pool.submit(asyncio.run, sizes()).result()
    assert (start, halved, least) == (8, 4, 1)
    assert 4.9 < grown < 5


def test_a_budget_of_tokens_is_not_exceeded_and_nearly_used() -> None:
    with RudeServer(rudeness=0.3, kinds=["busy", "broken"]) as server:
        answered = within(server, 100, max_tokens=2000)
    assert 0 < len(answered) < 100
    assert 1600 < server.billed <= 2000
    assert server.billed == sum(c.prompt_tokens + c.completion_tokens for c in answered)


def test_a_budget_is_not_exceeded_by_answers_that_are_lost() -> None:
    with RudeServer(rudeness=0.5, kinds=["half", "garbage", "no choice", "reset"]) as server:
        answered = within(server, 200, max_tokens=10_000)
    lost = server.treated["half"] + server.treated["garbage"] + server.treated["no choice"]
    assert lost > 10
    assert sum(c.prompt_tokens + c.completion_tokens for c in answered) < server.billed <= 10_000


def test_a_budget_of_dollars_is_not_exceeded_and_nearly_used() -> None:
    price = Price(prompt=1000.0, completion=0.0)
    with RudeServer(rudeness=0.2, kinds=["broken"]) as server:
        answered = within(server, 100, max_cost=1.5, price=price)
    spent = price.cost(Tokens(prompt=sum(c.prompt_tokens for c in answered)))
    assert 1.0 < spent <= 1.5
    assert server.billed == sum(c.prompt_tokens + c.completion_tokens for c in answered)


def within(server: RudeServer, count: int, **budget: Any) -> list[Completion]:
    """Return the answers before the budget ends the run."""
    engine = make_engine(server, **budget)
    answered: list[Completion] = []
    with pytest.raises(EngineError, match=r"are spent, .* higher budget continues"):
        answered.extend(engine.generate(questions(count)))
    engine.close()
    return answered


def test_tokens_of_earlier_sessions_count_in_the_budget() -> None:
    with RudeServer() as server, pytest.raises(EngineError, match=r"900 tokens of prompts and 50"):
        ask(server, 3, max_tokens=1000, spent=Tokens(900, 50))
    assert not server.arrived


def test_without_usage_the_most_that_an_answer_may_cost_is_counted() -> None:
    with RudeServer() as server:
        server.usage = False
        answered = within(server, 100, max_tokens=6000)
    assert 0 < len(answered) < 6000 / 272
    assert {c.prompt_tokens for c in answered} == {0}


@pytest.mark.parametrize(
    "count",
    [{}, "12", {"prompt_tokens": -5}, {"prompt_tokens": 2**60}, {"prompt_tokens": None}],
)
def test_a_count_that_is_none_is_as_if_it_were_missing(count: Any) -> None:
    with RudeServer() as server:
        server.count = count
        answered = within(server, 100, max_tokens=6000)
    assert 0 < len(answered) < 6000 / 272
    assert {(c.finish, c.prompt_tokens) for c in answered} == {(Finish.STOP, 0)}


@pytest.mark.parametrize(
    ("details", "cached"),
    [({"cached_tokens": 32}, 32), ({"cached_tokens": -1}, None), ({}, None), ("none", None)],
)
def test_what_a_server_had_in_its_cache_is_read_where_it_says_so(
    details: Any, cached: int | None
) -> None:
    with RudeServer() as server:
        server.count = {"prompt_tokens": 40, "prompt_tokens_details": details}
        answered = ask(server, 2)
    assert [(c.prompt_tokens, c.cached_tokens) for c in answered] == [(40, cached)] * 2


def test_requests_are_not_sent_on_to_another_address() -> None:
    with RudeServer() as server:
        server.moved = True
        with pytest.raises(UserError, match=r"\(307\) to /moved/v1/.*: .* --base-url"):
            ask(server, 3)
    assert not server.answered


def test_a_frames_price_is_learnt_from_the_answers() -> None:
    chat = Chat("", (*range(3), "when?"))
    with RudeServer() as server:
        engine = make_engine(server, batch_size=1, max_tokens=20_000)
        requests = [Request(str(n), "", frames=make_frames(), chat=chat) for n in range(60)]
        answered = len(list(engine.generate(requests)))
        engine.close()
    assert answered == 60  # at the first request's reserve of 4,112 tokens a frame only 1 fits


def test_a_refused_request_costs_its_own_sample() -> None:
    with RudeServer() as server:
        server.status, server.error = 400, {"message": "the prompt is too long"}
        first, second = ask(server, 2)
    for completion in (first, second):
        assert completion.finish is Finish.ERROR
        assert completion.error == "400: the prompt is too long"
    assert set(server.arrived.values()) == {1}


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, '"some-model" and --base-url')],
)
def test_a_wrong_key_or_name_ends_the_run(
    status: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with RudeServer() as server:
        server.status, server.error = status, {"message": f"no such thing: Bearer {KEY}"}
        with pytest.raises(UserError, match=r"no such thing") as error:
            ask(server, 30)
    assert server.keys == {f"Bearer {KEY}"}
    assert remedy in str(error.value)
    assert KEY not in str(error.value)
    assert len(server.arrived) <= 8


def test_an_account_without_credit_ends_the_run() -> None:
    with RudeServer() as server:
        server.status = 429
        server.error = {"message": "You exceeded your quota", "code": "insufficient_quota"}
        with pytest.raises(UserError, match="You exceeded your quota"):
            ask(server, 3)


def test_a_server_that_is_not_there_ends_the_run() -> None:
    with RudeServer() as server:
        pass
    with pytest.raises(EngineError, match=r"cannot be reached: .* correct --base-url"):
        ask(server, 3)


def test_a_sample_is_given_up_after_eight_attempts_and_the_run_after_five_samples() -> None:
    with RudeServer(rudeness=1, kinds=["seconds"], most_rude=100) as server:
        server.wait = "0"
        completions = ask(server, 4)
        assert {c.finish for c in completions} == {Finish.ERROR}
        assert {c.error for c in completions} == {
            "given up after 8 attempts: 429: refused with 429"
        }
        assert list(server.arrived.values()) == [8] * 4
        with pytest.raises(EngineError, match=r"no longer answers: 5 samples in a row"):
            ask(server, 8)


@pytest.mark.parametrize(
    ("reason", "refusal", "finish"),
    [
        ("stop", None, Finish.STOP),
        ("length", None, Finish.LENGTH),
        ("content_filter", None, Finish.REFUSED),
        ("stop", "I cannot help with that", Finish.REFUSED),
        ("tool_calls", None, Finish.ERROR),
    ],
)
def test_how_an_answer_ends(reason: str, refusal: str | None, finish: Finish) -> None:
    with RudeServer() as server:
        server.finish, server.refusal = reason, refusal
        (completion,) = ask(server)
    assert completion.finish is finish
    assert (completion.error is None) == (finish in (Finish.STOP, Finish.LENGTH))


def test_requests_are_taken_only_when_there_is_room() -> None:
    taken = 0

    def endless() -> Iterator[Request]:
        nonlocal taken
        for request in questions(10_000):
            taken += 1
            yield request

    with RudeServer(delay=0.02) as server:
        engine = make_engine(server, batch_size=4)
        stream = engine.generate(endless())
        done = [next(iter(stream)).sample_id for _ in range(5)]
        assert len(set(done)) == 5
        assert taken <= 4 + 5
        stream.close()  # type: ignore[attr-defined]
        # the next stream does not return answers of the closed one
        assert [c.sample_id for c in engine.generate(questions(2))] in (["0", "1"], ["1", "0"])
        engine.close()


def test_closing_gives_up_what_is_in_flight() -> None:
    with RudeServer(rudeness=1, kinds=["slow"]) as server:
        engine = make_engine(server)
        stream = iter(engine.generate(slow_end(questions(4))))
        with pytest.raises(KeyboardInterrupt):
            next(stream)
        began = time.monotonic()
        engine.close()
        assert time.monotonic() - began < 10
        engine.close()


def slow_end(requests: Iterable[Request]) -> Iterator[Request]:
    yield from requests
    time.sleep(0.3)
    raise KeyboardInterrupt


def body_of(request: Request, **options: Any) -> dict[str, Any]:
    with RudeServer() as server:
        engine = make_engine(server, **options)
        list(engine.generate([request]))
        engine.close()
    return server.last


def test_frames_are_sent_as_images_in_their_places() -> None:
    frames = make_frames(2)
    chat = Chat("Be brief.", ("0.0s", 0, "0.5s", 1, "When?\ud83d"))
    body = body_of(Request("a", str(chat), frames=frames, chat=chat))
    system, user = body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    kinds = [part["type"] for part in user["content"]]
    assert kinds == ["text", "image_url", "text", "image_url", "text"]
    assert [part["text"] for part in user["content"][::2]] == ["0.0s", "0.5s", "When??"]
    for part, frame in zip(user["content"][1::2], frames.array, strict=True):
        start, _, data = part["image_url"]["url"].partition(",")
        assert start == "data:image/jpeg;base64"
        picture = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
        assert picture.shape == frame.shape
        assert np.abs(picture.astype(int) - frame).mean() < 12  # noise is hard on JPEG
    sampling = {"model": "some-model", "temperature": 0.0, "max_completion_tokens": 16}
    assert body == {"messages": body["messages"], **sampling}


def test_frames_are_sent_as_one_video() -> None:
    chat = Chat("", (0, 1, 2, "When?"), video=True)
    metadata = {"frames_indices": [0, 5, 10], "fps": 10.0, "total_num_frames": 15}
    kwargs = {"do_sample_frames": False}
    request = Request("a", "", make_frames(), "video", metadata, kwargs, chat=chat)
    body = body_of(request)
    video, text = body["messages"][0]["content"]
    start, *images = video["video_url"]["url"].split(",")
    assert (start, len(images), text["text"]) == ("data:video/jpeg;base64", 3, "When?")
    assert body["media_io_kwargs"] == {"video": {"num_frames": -1, **metadata}}
    assert body["mm_processor_kwargs"] == kwargs


def test_fields_of_the_users_replace_those_of_the_rule() -> None:
    request = next(questions(1))
    rule = GenerationRule(max_new_tokens=16, decoding="sample", temperature=0.5)
    extra = {"temperature": None, "max_tokens": 99, "top_p": 0.9}
    body = body_of(request, rule=rule, extra=extra)
    seed = body.pop("seed")
    assert 0 <= seed < 2**32
    assert body.keys() == {"model", "messages", "max_tokens", "top_p"}
    assert body_of(request, rule=rule)["temperature"] == 0.5
    assert body_of(request, rule=rule)["seed"] == seed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EngineOptions(), "--model openai:NAME"),
        (EngineOptions(dtype="float16", server=ServerOptions("m")), "--dtype"),
        (EngineOptions(extra={"n": 2}, server=ServerOptions("m")), "--engine-arg n"),
        (EngineOptions(extra={"max_tokens": None}, server=ServerOptions("m")), "whole number"),
    ],
)
def test_options_that_a_server_does_not_take(options: EngineOptions, message: str) -> None:
    with pytest.raises(UserError, match=message):
        OpenAIEngine.check_options(Path(), options)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "http://h:x/v1"])
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(UserError, match="is no address of a server"):
        located(ServerOptions(base_url=url), "m", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host/v1",
        "me:secret@host/v1",
        "http://host/v1?key=secret",
        "http://host/the-secret/v1",
    ],
)
def test_a_base_url_has_no_key_in_it(url: str) -> None:
    with pytest.raises(UserError, match="OPENAI_API_KEY") as error:
        located(ServerOptions(base_url=url), "m", {"OPENAI_API_KEY": "the-secret"})
    assert "secret" not in str(error.value)


def test_prices_have_a_date_and_belong_to_a_server() -> None:
    assert time.strptime(price_list().date, "%Y-%m-%d")
    assert known_price(OPENAI_URL, "gpt-5-mini") == Price(0.25, 2.0)
    assert known_price("http://localhost:8000/v1", "gpt-5-mini") is None
    assert located(ServerOptions(max_cost=1.0), "gpt-5-mini", {}).price == Price(0.25, 2.0)
    with pytest.raises(UserError, match="--price PROMPT,COMPLETION"):
        located(ServerOptions(max_cost=1.0), "other", {})
