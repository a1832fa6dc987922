"""vLLM: requests stream in as there is room, completions stream out as they finish."""

from __future__ import annotations

import atexit
import dataclasses
import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache, partial
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from vtg_eval.engines.base import (
    Completion,
    Engine,
    EngineInput,
    EngineOptions,
    Probe,
    Request,
    failed,
    non_finite,
)
from vtg_eval.engines.feed import Fed, Feed, Worker
from vtg_eval.engines.generation import generation_settings, sample_seed, stop_ids
from vtg_eval.engines.quantisation import UNQUANTISED, quantisation_method
from vtg_eval.engines.quiet import CONSEQUENCE, captured_stderr
from vtg_eval.engines.watchdog import Watchdog
from vtg_eval.engines.weight_files import stored_weights
from vtg_eval.errors import UserError, suggestion
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule

# set only where the user has not, before vLLM is imported
ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # standard output is for results
    "VLLM_NO_USAGE_STATS": "1",
}
for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

try:
    import psutil  # type: ignore[import-untyped]

    with captured_stderr():  # hints about optional packages
        import torch
        import vllm
        from vllm.engine.arg_utils import EngineArgs
        from vllm.platforms import current_platform
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        from vtg_eval.engines.loading import check_checkpoint
        from vtg_eval.engines.lora_files import read_lora
        from vtg_eval.engines.vllm_arguments import (
            IN_FLIGHT,
            engine_arguments,
            error_text,
            missing_kernel,
            refusal,
            require_media,
        )
        from vtg_eval.engines.vllm_inputs import (
            forget_sent,
            leave_out_sent,
            make_renderer,
            model_input,
            patch_frame_times,
            rendered,
        )
        from vtg_eval.engines.vllm_lora import check_lora, start_lora
except ImportError as exc:
    raise ImportError(f'it needs the extra vllm (README, "Install"): {exc}') from exc

Prompt = Callable[[], Any]  # returns a request as vLLM takes it
WORKERS = 4  # threads that prepare requests
FRAME_BYTES = 1 << 29  # of the frames of requests that are prepared ahead
# How long the engine's processes may take to end by themselves.
SHUTDOWN_SECONDS = 5.0


class VllmEngine(Engine):
    """Models of vLLM that read videos, in continuous batches with prefix caching.

    Which of them can be run depends on the adapters: a model is used only where one serves its
    architecture. `options.extra` overrides any of vLLM's engine arguments.
    """

    applies_lora = True

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        self._options = options
        self._rule = rule
        self._capacity = options.batch_size * IN_FLIGHT
        self._numbers = count()
        if current_platform.is_cpu():
            # separate processes take 30 s longer to start and have no use on a CPU
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        self._arguments = engine_arguments(checkpoint, options)
        stored_weights(checkpoint)
        before = set(_descendants())
        self._llm = _load(checkpoint, self._arguments)
        patch_frame_times()
        self._processes = [p for p in _descendants() if p not in before]
        pids = [process.pid for process in self._processes]
        self._watchdog = Watchdog(pids) if pids else None
        self._workers = self._make_workers()
        atexit.register(self.close)  # an open engine would keep Python from exiting
        try:
            self._lora = start_lora(self._llm, options.lora)
        except Exception:
            self.close()
            raise
        settings = generation_settings(checkpoint)
        self._tokenizer = self._llm.get_tokenizer()
        self._stops = stop_ids(settings, self._tokenizer.eos_token_id)
        self._sampling = _sampling(rule, settings)

    @classmethod
    def check(cls, checkpoint: Path, options: EngineOptions, probe: Probe) -> None:
        """Compare the checkpoint's files with what its architecture needs; raises UserError.

        The comparison is transformers': vLLM's own needs the weights and a minute.
        """
        method = quantisation_method(checkpoint)
        if method and (reason := refusal(checkpoint, options) or missing_kernel(checkpoint)):
            raise UserError(
                f"{checkpoint} is quantised by {method}, which vLLM {vllm.__version__} does not "
                f"run here: {reason} Try another --dtype (bfloat16, float16), or --engine "
                f"transformers, or {UNQUANTISED}."
            )
        check_checkpoint(checkpoint, probe, options.trust_remote_code, options.lora)
        require_media(checkpoint, options)
        if options.lora is not None:
            check_lora(read_lora(options.lora), checkpoint, options.trust_remote_code)

    @classmethod
    def check_options(cls, checkpoint: Path, options: EngineOptions) -> None:
        """Raise UserError for options with which vLLM makes no configuration.

        Where it makes none without them either, the fault is in the checkpoint and not named here.
        """
        names = [field.name for field in dataclasses.fields(EngineArgs) if field.name != "model"]
        for name in options.extra:
            if name not in names:
                raise UserError(
                    f"--engine-arg {name}: vLLM has no such argument. {suggestion(name, names)}"
                )
        given = [f"--engine-arg {name}={value}" for name, value in options.extra.items()]
        if options.dtype != "auto":
            given.append(f"--dtype {options.dtype}")
        plain = replace(options, dtype="auto", extra={})
        if given and (reason := refusal(checkpoint, options)) and not refusal(checkpoint, plain):
            raise UserError(f"vLLM does not take {', '.join(given)}: {reason}")

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer in the order in which the answers finish."""
        waiting: dict[str, Request] = {}
        feed = Feed(requests, self._workers, self._capacity, FRAME_BYTES)
        try:
            yield from self._answer(feed, waiting)
        finally:
            feed.close()
            if waiting:  # the caller stopped listening, or the engine failed
                self._llm.llm_engine.abort_request(list(waiting))

    def describe(self) -> Mapping[str, Any]:
        """Return versions, dtype, device and every argument that can change an answer."""
        config = self._llm.model_config
        return {
            "engine": "vllm",
            "vllm": vllm.__version__,
            "transformers": version("transformers"),
            "torch": version("torch"),
            "dtype": str(config.dtype).removeprefix("torch."),
            "device": current_platform.get_device_name(),
            "seed": self._options.seed,
            "max_in_flight": self._capacity,
            "prefix_caching": self._llm.llm_engine.vllm_config.cache_config.enable_prefix_caching,
            "arguments": self._arguments,
            "generation": {**asdict(self._rule), **self._sampling, "stop_token_ids": self._stops},
        }

    def model_input(self, request: Request) -> EngineInput:
        """Return what the model gets for a request, raw pixels as the model normalises them."""
        return model_input(self._llm.renderer, request)

    def close(self) -> None:
        """Stop the engine's processes and threads."""
        atexit.unregister(self.close)
        for worker in self._workers:
            worker.thread.shutdown(wait=False, cancel_futures=True)
        self._llm.llm_engine.engine_core.shutdown()
        _, alive = psutil.wait_procs(self._processes, timeout=SHUTDOWN_SECONDS)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._watchdog is not None:
            self._watchdog.close()

    def _make_workers(self) -> list[Worker[Prompt]]:
        """Return threads that render requests ahead, where the engine has a process of its own.

        In this process they would take the cores from it: a request is rendered when it is added.
        """
        config = self._llm.llm_engine.vllm_config
        if not self._processes:
            renderer = make_renderer(config)
            return [_worker(lambda request: partial(rendered, renderer, request))]
        return [
            _worker(partial(_rendered_ahead, cache(partial(make_renderer, config))))
            for _ in range(min(WORKERS, os.cpu_count() or 1))
        ]

    def _answer(self, feed: Feed[Prompt], waiting: dict[str, Request]) -> Iterator[Completion]:
        """Keep the engine full; `waiting`: the requests in flight by the engine's identities.

        Waits for the feed only while nothing is in flight. A batch more than vLLM runs at a time
        waits in its process, which thus never waits for this one.
        """
        room = self._capacity + self._options.batch_size
        while True:
            while len(waiting) < room and (fed := feed.take(wait=not waiting)):
                try:
                    waiting[self._add(fed)] = fed.request
                except EngineDeadError:
                    raise
                except Exception as exc:  # too long, or refused by the model's processor
                    yield failed(fed.request, error_text(exc))
            if not waiting:
                return
            yield from self._step(waiting)

    def _add(self, fed: Fed[Prompt]) -> str:
        """Add a request to the engine; returns its identity there."""
        sampling = vllm.SamplingParams(
            max_tokens=self._rule.max_new_tokens,
            stop_token_ids=self._stops,
            seed=sample_seed(self._options.seed, fed.request.sample_id),
            output_kind=RequestOutputKind.FINAL_ONLY,
            detokenize=False,
            logprobs=0,  # of the sampled token: NaN where the logits are NaN or infinite
            **self._sampling,
        )
        prompt = fed.prepared.result()()
        sent, identity = self._llm.renderer.mm_processor_cache, str(next(self._numbers))
        leave_out_sent(sent, prompt)
        try:
            self._llm.llm_engine.add_request(identity, prompt, sampling, lora_request=self._lora)
        except Exception:
            forget_sent(sent, prompt)
            raise
        return identity

    def _step(self, waiting: dict[str, Request]) -> Iterator[Completion]:
        for output in self._llm.llm_engine.step():
            if output.finished:
                yield self._completion(waiting.pop(output.request_id), output)

    def _completion(self, request: Request, output: Any) -> Completion:
        answer = output.outputs[0]
        if answer.finish_reason not in (Finish.STOP, Finish.LENGTH):
            return failed(request, f"vLLM ended the request: {answer.finish_reason}")
        tokens = list(answer.token_ids)
        for number, (token, logprobs) in enumerate(zip(tokens, answer.logprobs, strict=True)):
            if not math.isfinite(logprobs[token].logprob):
                return non_finite(request, output.prompt_token_ids, number)
        text_tokens = tokens[:-1] if tokens and tokens[-1] in self._stops else tokens
        return Completion(
            sample_id=request.sample_id,
            text=self._tokenizer.decode(text_tokens, skip_special_tokens=True),
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(tokens),
            finish=Finish(answer.finish_reason),
            prompt_token_ids=tuple(output.prompt_token_ids),
            cached_tokens=output.num_cached_tokens,
        )


def _worker(prepare: Callable[[Request], Prompt]) -> Worker[Prompt]:
    return Worker(ThreadPoolExecutor(1, thread_name_prefix="render"), prepare)


def _rendered_ahead(renderer: Callable[[], Any], request: Request) -> Prompt:
    """Render a request; renderer: is made on the first call, in the thread that uses it."""
    prompt = rendered(renderer(), request)
    return lambda: prompt


def _load(checkpoint: Path, arguments: Mapping[str, Any]) -> Any:
    """Return vLLM with the checkpoint loaded; raises UserError with the line that names a cause."""
    setter = torch.set_num_threads  # vLLM replaces it on a CPU by one that does nothing
    try:
        with captured_stderr() as output:
            return vllm.LLM(model=str(checkpoint), **arguments)
    except Exception as exc:  # vLLM raises anything on a broken checkpoint or argument
        reason = output.last_error() or error_text(exc)
        if CONSEQUENCE.search(reason):  # it refers to a log that was captured, and is empty
            reason = (
                "its processes ended without a reason, often for lack of memory: try a smaller "
                "--batch-size, or --engine-arg gpu_memory_utilization=0.8"
            )
        raise UserError(f"vLLM cannot load {checkpoint}: {reason}") from exc
    finally:
        torch.set_num_threads = setter


def _descendants() -> list[psutil.Process]:
    """Return the processes that multiprocessing started, and their descendants."""
    processes: list[psutil.Process] = []
    for child in multiprocessing.active_children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            process = psutil.Process(child.pid)
            processes += [process, *process.children(recursive=True)]
    return processes


def _sampling(rule: GenerationRule, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sampling parameters: the rule's, or the checkpoint's."""
    if rule.decoding == "greedy":
        return {"temperature": 0.0}
    if rule.decoding == "sample":
        return {"temperature": rule.temperature}
    cutoffs = {k: settings[k] for k in ("top_p", "top_k", "repetition_penalty") if k in settings}
    return {
        **cutoffs,
        "temperature": settings.get("temperature", 1.0) if settings.get("do_sample") else 0.0,
    }
