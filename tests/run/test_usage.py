"""What a session's time went into, and what was computed once for several samples."""

from __future__ import annotations

import time
from threading import Thread

import pytest

from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.usage import Usage, UsageMeter

SHORT = 0.05  # seconds


def wait_for_frames(meter: UsageMeter, seconds: float = SHORT) -> None:
    with meter.waiting():
        time.sleep(seconds)


def in_a_thread(meter: UsageMeter) -> None:
    thread = Thread(target=wait_for_frames, args=(meter,))
    thread.start()
    thread.join()


def test_an_engine_that_reads_its_requests_itself_waits_for_frames() -> None:
    meter = UsageMeter()
    meter.asked()  # of a batch that is not full
    wait_for_frames(meter)
    usage = meter.usage()
    assert SHORT <= usage.waiting <= usage.seconds


def test_an_engine_with_requests_in_flight_does_not_wait_for_a_thread_that_reads_more() -> None:
    meter = UsageMeter()
    meter.asked()
    in_a_thread(meter)
    assert meter.usage().waiting == 0.0
    meter.answered()
    in_a_thread(meter)
    assert SHORT <= meter.usage().waiting < 2 * SHORT + 1.0


def test_waiting_begins_when_the_last_request_is_answered() -> None:
    meter = UsageMeter()
    meter.asked()
    thread = Thread(target=wait_for_frames, args=(meter, 4 * SHORT))
    start = time.perf_counter()
    thread.start()
    time.sleep(2 * SHORT)
    meter.answered()
    answered = time.perf_counter() - start
    thread.join()
    assert meter.usage().waiting <= time.perf_counter() - start - answered + SHORT


def test_what_is_waited_for_until_the_engine_runs_is_part_of_its_start() -> None:
    meter = UsageMeter()
    wait_for_frames(meter)
    meter.engine_runs()
    usage = meter.usage()
    assert (usage.waiting, usage.starting >= SHORT) == (0.0, True)
    meter.engine_runs()  # for the next task
    assert meter.usage().starting == usage.starting


def test_a_thread_that_decodes_counts_its_time_and_its_processor() -> None:
    meter = UsageMeter()
    with meter.decoding():
        time.sleep(SHORT)
    usage = meter.usage()
    assert usage.decoding >= SHORT
    assert usage.processor < usage.decoding
    meter.decoded_elsewhere(processor=5.0)
    assert meter.usage().processor == usage.processor + 5.0


def test_answers_about_a_video_that_had_one_are_repeats() -> None:
    meter = UsageMeter()
    for number, (video, cached) in enumerate([("a", 0), ("a", 90), ("b", 0), ("a", 90)]):
        meter.kept(Record(str(number), video, Finish.STOP, prompt_tokens=100, cached_tokens=cached))
    usage = meter.usage()
    assert (usage.answers, usage.repeats) == (4, 2)
    assert (usage.prompt_tokens, usage.cached_tokens) == (400, 180)


def test_an_engine_that_does_not_say_what_it_had_computed_has_no_number() -> None:
    meter = UsageMeter()
    meter.kept(Record("1", "a", Finish.STOP, prompt_tokens=100))
    assert meter.usage().cached_tokens is None


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_share_the_waiting_and_add_up_the_work(workers: int) -> None:
    session = Usage(seconds=9.0, answers=4, prompt_tokens=400)
    of_each = Usage(seconds=8.0, starting=2.0, waiting=1.0, decoding=3.0, decoded=2, stored=1)
    usage = session.with_workers([of_each] * workers)
    assert (usage.seconds, usage.starting, usage.waiting) == (9.0, 2.0, 1.0)
    assert (usage.decoding, usage.decoded, usage.stored) == (3.0 * workers, 2 * workers, workers)
    assert (usage.answers, usage.prompt_tokens) == (4, 400)
