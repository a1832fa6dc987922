"""vLLM: requests stream in as there is room, completions stream out as they finish."""

from __future__ import annotations

import atexit
import dataclasses
import hashlib
import json
import math
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from vtg_eval.console.streams import warn
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
from vtg_eval.engines.generation import generation_settings, sample_seed, stop_ids
from vtg_eval.engines.quantisation import UNQUANTISED, quantisation_method
from vtg_eval.engines.quiet import CONSEQUENCE, captured_stderr
from vtg_eval.engines.vllm_frame_times import patch_frame_times
from vtg_eval.engines.watchdog import Watchdog
from vtg_eval.engines.weight_files import stored_weights
from vtg_eval.errors import UserError, one_line, suggestion
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
        import pydantic
        import torch
        import vllm
        from PIL import Image
        from vllm.engine.arg_utils import EngineArgs
        from vllm.platforms import current_platform
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        from vtg_eval.engines.loading import check_checkpoint, load_config, load_processor
        from vtg_eval.engines.lora_files import read_lora
        from vtg_eval.engines.model_inputs import adds_special_tokens
        from vtg_eval.engines.raw_pixels import normalised
        from vtg_eval.engines.vllm_lora import check_lora, lora_arguments, start_lora
        from vtg_eval.engines.vllm_quantisation import missing_kernel
except ImportError as exc:
    raise ImportError(f'it needs the extra vllm (README, "Install"): {exc}') from exc

GIB = 1 << 30
# Longest prompt with its answer, in tokens: twice what 14,336 visual tokens with their time
# stamps need, and a fraction of what checkpoints declare (vLLM would reserve memory for that).
CONTEXT = 32_768
# Tokens in one forward pass; also the cache for encoded videos, which must fit the longest.
BATCHED_TOKENS = 16_384
CPU_KV_BYTES = 1 * GIB
# Requests taken from the stream ahead of their answers, as a multiple of the batch size.
IN_FLIGHT = 4
# How long the engine's processes may take to end by themselves.
SHUTDOWN_SECONDS = 5.0


class VllmEngine(Engine):
    """Models of vLLM that read videos, in continuous batches with prefix caching.

    Which of them can be run depends on the adapters: a model is used only where one serves its
    architecture. `options.extra` overrides any of vLLM's engine arguments.
    """

    applies_lora = True

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        self._checkpoint = checkpoint
        self._options = options
        self._rule = rule
        self._capacity = options.batch_size * IN_FLIGHT
        self._numbers = count()
        self._cached_tokens = 0  # of all prompts, found in the prefix cache
        if current_platform.is_cpu():
            # separate processes take 30 s longer to start and have no use on a CPU
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        self._arguments = {**_arguments(checkpoint, self._capacity, options), **options.extra}
        stored_weights(checkpoint)
        try:
            before = set(_descendants())
            with captured_stderr() as output:
                self._llm = vllm.LLM(model=str(checkpoint), **self._arguments)
                self._lora = start_lora(self._llm, options.lora)
        except Exception as exc:  # vLLM raises anything on a broken checkpoint or argument
            if isinstance(exc, UserError):
                raise
            reason = output.last_error() or _line(exc)
            if CONSEQUENCE.search(reason):  # it refers to a log that was captured, and is empty
                reason = (
                    "its processes ended without a reason, often for lack of memory: try a smaller "
                    "--batch-size, or --engine-arg gpu_memory_utilization=0.8"
                )
            raise UserError(f"vLLM cannot load {checkpoint}: {reason}") from exc
        patch_frame_times()
        self._processes = [p for p in _descendants() if p not in before]
        pids = [process.pid for process in self._processes]
        self._watchdog = Watchdog(pids) if pids else None
        atexit.register(self.close)  # an open engine would keep Python from exiting
        self._refuse_other_media("image" if options.images else "video")
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
        if method and (reason := _refusal(checkpoint, options) or missing_kernel(checkpoint)):
            raise UserError(
                f"{checkpoint} is quantised by {method}, which vLLM {vllm.__version__} does not "
                f"run here: {reason} Try another --dtype (bfloat16, float16), or --engine "
                f"transformers, or {UNQUANTISED}."
            )
        check_checkpoint(checkpoint, probe, options.trust_remote_code, options.lora)
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
        if given and (reason := _refusal(checkpoint, options)) and not _refusal(checkpoint, plain):
            raise UserError(f"vLLM does not take {', '.join(given)}: {reason}")

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer in the order in which the answers finish."""
        waiting: dict[str, Request] = {}
        videos = _Repeats(requests)
        try:
            yield from self._stream(videos, waiting)
            if videos.repeats > self._capacity and not self._cached_tokens:
                warn(
                    "vLLM's prefix cache had no hits, so each query computed its video anew. That "
                    "is so where the question is before the video, and with some hybrid models."
                )
        finally:
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
        # an identity of its own: the caches must neither have the tensors nor count them as sent
        rendered = self._rendered(request, f"shown-{next(self._numbers)}-")
        processor = load_processor(self._checkpoint, self._options.trust_remote_code)
        tensors: dict[str, list[torch.Tensor]] = {}
        for modality, items in rendered.get("mm_kwargs", {}).items():
            part = getattr(processor, f"{modality}_processor", None)
            for item in items:
                for name, value in item.get_data().items():
                    if isinstance(value, torch.Tensor):
                        tensors.setdefault(name, []).append(normalised(value, part).flatten())
        return EngineInput(
            tuple(rendered["prompt_token_ids"]),
            {name: torch.cat(values) for name, values in tensors.items()},
        )

    def close(self) -> None:
        """Stop the engine's processes."""
        atexit.unregister(self.close)
        self._llm.llm_engine.engine_core.shutdown()
        _, alive = psutil.wait_procs(self._processes, timeout=SHUTDOWN_SECONDS)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._watchdog is not None:
            self._watchdog.close()

    def _refuse_other_media(self, medium: str) -> None:
        processor = self._llm.renderer.mm_processor
        if processor is None or medium not in processor.info.supported_mm_limits:
            self.close()
            other = "interleaved" if medium == "video" else "header"
            raise UserError(
                f"vLLM {vllm.__version__} reads no {medium}s with this model: use --engine "
                f"transformers, or --time-text {other}."
            )

    def _stream(
        self, stream: Iterator[Request], waiting: dict[str, Request]
    ) -> Iterator[Completion]:
        """Fill a first batch, then add one request a step; `waiting`: those in flight, by id."""
        more = True
        while more or waiting:
            if more and len(waiting) < self._capacity:
                request = next(stream, None)
                if request is None:
                    more = False
                    continue
                try:
                    waiting[self._add(request)] = request
                except EngineDeadError:
                    raise
                except Exception as exc:  # too long, or refused by the model's processor
                    yield failed(request, _line(exc))
                if len(waiting) < self._options.batch_size:
                    continue
            yield from self._step(waiting)

    def _add(self, request: Request) -> str:
        """Add a request to the engine; returns its id."""
        sampling = vllm.SamplingParams(
            max_tokens=self._rule.max_new_tokens,
            stop_token_ids=self._stops,
            seed=sample_seed(self._options.seed, request.sample_id),
            output_kind=RequestOutputKind.FINAL_ONLY,
            detokenize=False,
            logprobs=0,  # of the sampled token: NaN where the logits are NaN or infinite
            **self._sampling,
        )
        identity = str(next(self._numbers))
        prompt = self._rendered(request)
        self._llm.llm_engine.add_request(identity, prompt, sampling, lora_request=self._lora)
        return identity

    def _rendered(self, request: Request, prefix: str = "") -> Any:
        """Return a request as vLLM's processor makes it; prefix: see `_media`."""
        prompt: dict[str, Any] = {"prompt": request.prompt}
        if request.frames is not None:
            prompt |= _media(request, prefix)
        renderer = self._llm.renderer
        special = adds_special_tokens(self._tokenizer, request.prompt)
        (rendered,) = renderer.render_cmpl(
            [prompt], renderer.default_cmpl_tok_params.with_kwargs(add_special_tokens=special)
        )
        return rendered

    def _step(self, waiting: dict[str, Request]) -> Iterator[Completion]:
        for output in self._llm.llm_engine.step():
            if output.finished:
                yield self._completion(waiting.pop(output.request_id), output)

    def _completion(self, request: Request, output: Any) -> Completion:
        self._cached_tokens += output.num_cached_tokens or 0
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
        )


class _Repeats:
    """An iterator of requests; `repeats`: how many were on the same frames as the one before."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._requests = iter(requests)
        self._last: str | None = None
        self.repeats = 0

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        request = next(self._requests)
        digest = None if request.frames is None else request.frames.digest
        self.repeats += digest is not None and digest == self._last
        self._last = digest
        return request


def _refusal(checkpoint: Path, options: EngineOptions) -> str | None:
    """Return why vLLM makes no configuration of the options, None where it makes one."""
    try:
        arguments = _arguments(checkpoint, options.batch_size * IN_FLIGHT, options)
        with captured_stderr():
            EngineArgs(
                model=str(checkpoint), **{**arguments, **options.extra}
            ).create_engine_config()
    except pydantic.ValidationError as exc:
        error = exc.errors()[0]
        message = error["msg"].removeprefix("Value error, ")
        return one_line(" ".join((*map(str, error["loc"]), message)))
    except Exception as exc:  # vLLM raises anything
        return _line(exc)
    return None


def _arguments(checkpoint: Path, capacity: int, options: EngineOptions) -> dict[str, Any]:
    """Return the engine arguments that differ from vLLM's defaults."""
    on_cpu, trust = current_platform.is_cpu(), options.trust_remote_code
    arguments: dict[str, Any] = {
        "dtype": _cpu_dtype(checkpoint, trust)
        if options.dtype == "auto" and on_cpu
        else options.dtype,
        "seed": options.seed,
        "trust_remote_code": trust,
        "load_format": "safetensors",
        "generation_config": "vllm",  # sampling is set request by request
        "max_model_len": min(CONTEXT, _declared_length(checkpoint, trust)),
        "max_num_batched_tokens": BATCHED_TOKENS,
        "max_num_seqs": capacity,
        # One image also where videos are given: vLLM loads the encoder of MiniCPM-V 4.6, which
        # videos go through as well, only where images are allowed.
        "limit_mm_per_prompt": {"image": options.images or 1, "video": int(not options.images)},
        "enable_prefix_caching": True,
    }
    if on_cpu:
        arguments |= {"enforce_eager": True, "skip_mm_profiling": True}
        if "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
            arguments["kv_cache_memory_bytes"] = CPU_KV_BYTES
    return arguments | (lora_arguments(read_lora(options.lora)) if options.lora else {})


def _descendants() -> list[psutil.Process]:
    """Return the processes that multiprocessing started, and their descendants."""
    started = [psutil.Process(child.pid) for child in multiprocessing.active_children()]
    return [p for child in started for p in (child, *child.children(recursive=True))]


def _cpu_dtype(checkpoint: Path, trust: bool) -> str:
    """Return the dtype on a CPU; vLLM's kernels of linear attention there take bfloat16 only."""
    layers = _text_setting(checkpoint, "layer_types", trust) or ()
    return "bfloat16" if "linear_attention" in layers else "float32"


def _declared_length(checkpoint: Path, trust: bool) -> int:
    """Return the checkpoint's limit in tokens."""
    return int(_text_setting(checkpoint, "max_position_embeddings", trust) or CONTEXT)


def _text_setting(checkpoint: Path, name: str, trust: bool) -> Any:
    """Return a setting of the language model's configuration, None where it has none."""
    return getattr(load_config(checkpoint, trust).get_text_config(), name, None)


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


def _media(request: Request, prefix: str = "") -> dict[str, Any]:
    """Return the frames as vLLM takes them, with the identities by which it caches them.

    prefix: of the identities.
    """
    assert request.frames is not None
    frames, identity = request.frames.array, f"{prefix}{_video_id(request)}"
    data: dict[str, list[Any]]
    if request.media == "images":
        data = {"image": [Image.fromarray(frame) for frame in frames]}
        identities = {"image": [f"{identity}-{number}" for number in range(len(frames))]}
    else:
        data = {"video": [(frames, dict(request.metadata))]}
        identities = {"video": [identity]}
    return {
        "multi_modal_data": data,
        "mm_processor_kwargs": dict(request.processor_kwargs),
        "multi_modal_uuids": identities,
    }


def _video_id(request: Request) -> str:
    """Return a digest of all that changes the model's view of a video: vLLM caches by it."""
    assert request.frames is not None
    parts = [request.frames.digest, request.metadata, request.processor_kwargs]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def _line(exc: Exception) -> str:
    """Return an exception as one line, with its cause where it has one."""
    cause = exc.__cause__ or exc
    return one_line(f"{type(cause).__name__}: {cause}")
