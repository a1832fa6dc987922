"""vLLM in a training: it takes the trainer's weights, and answers with tokens and probabilities."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vtg_eval.engines.base import EngineOptions, Request
from vtg_eval.engines.feed import Fed
from vtg_eval.engines.vllm import VllmEngine
from vtg_eval.engines.vllm_arguments import error_text
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule

# Of a GPU's memory, while answers are generated: the trainer's weights and states stay there.
MEMORY_SHARE = 0.4
SUPPRESSED = -100.0  # added to a logit: the least that vLLM takes


@dataclass(frozen=True, slots=True)
class SampledAnswer:
    """One answer. prompt_ids: what the model read; ids: the answer's, its stop token included.

    log_probs: one for each of `ids`, natural logarithms at the temperature, over all tokens:
    tokens that are never generated count, as in the trainer's forward pass.
    """

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    log_probs: tuple[float, ...]


class RolloutEngine(VllmEngine):
    """vLLM in the trainer's own process, which can hand it weights without a copy on the disk.

    suppressed: tokens that are never generated.
    """

    def __init__(
        self,
        checkpoint: Path,
        rule: GenerationRule,
        options: EngineOptions,
        suppressed: Sequence[int],
    ) -> None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        self._sleeps = torch.cuda.is_available()
        # asynchronous, a step could be in flight when the last answer is complete
        arguments: dict[str, Any] = {"async_scheduling": False}
        if self._sleeps:
            arguments |= {"enable_sleep_mode": True, "gpu_memory_utilization": MEMORY_SHARE}
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # takes the GPU of this process
            arguments["distributed_executor_backend"] = "external_launcher"
        options = replace(options, extra={**arguments, **options.extra})
        with _threads_kept():
            super().__init__(checkpoint, replace(rule, temperature=1.0), options)
        # vLLM's log-probabilities are those before the temperature, or else those without the
        # suppressed tokens. With the temperature in the logits they are the trainer's.
        self._llm.apply_model(lambda model: _scale_logits(model, 1 / rule.temperature))
        if suppressed:
            self._sampling["logit_bias"] = dict.fromkeys(suppressed, SUPPRESSED)

    def reload(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Take new weights, and forget all that was computed with the old ones.

        weights: all of the model's, by their names in transformers. Raises RuntimeError while
        requests are in flight.
        """
        engine = self._llm.llm_engine
        if engine.has_unfinished_requests():
            raise RuntimeError("vLLM cannot take new weights while it answers")
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights)})
        engine.reset_encoder_cache()  # encoded videos
        if not engine.reset_prefix_cache():  # keys and values of prompts
            raise RuntimeError("vLLM keeps keys and values that were computed with old weights")

    def answers(self, requests: Sequence[Request]) -> list[SampledAnswer]:
        """Answer the requests, and return the answers in their order.

        An answer depends on its request's `sample_id`, which is its seed, and on the requests
        before and beside it only by rounding; the same requests give the same answers bit for bit.
        Raises UserError for a request that vLLM refuses, and for logits that are not finite.
        """
        waiting: dict[str, Request] = {}
        sampled: dict[str, SampledAnswer] = {}
        engine = self._llm.llm_engine
        try:
            for request in requests:
                waiting[self._accepted(request)] = request
            order = list(waiting)
            while engine.has_unfinished_requests():
                for output in engine.step():
                    if output.finished:
                        request = waiting.pop(output.request_id)
                        sampled[output.request_id] = _sampled(request, output)
        finally:
            if waiting:
                engine.abort_request(list(waiting))
        return [sampled[identity] for identity in order]

    def sleep(self) -> None:
        """Leave the GPU's memory to the trainer; on a CPU nothing is left."""
        if self._sleeps:
            self._llm.sleep(level=1)

    def wake(self) -> None:
        """Take the GPU's memory back."""
        if self._sleeps:
            self._llm.wake_up()

    def _accepted(self, request: Request) -> str:
        """Add a request, prepared in this thread: in an order that no other thread can change."""
        prepared: Future[Any] = Future()
        try:
            prepared.set_result(self._workers[0].prepare(request))
            return self._add(Fed(replace(request, frames=None), prepared, 0))
        except Exception as exc:  # too long, or refused by the model's processor
            raise UserError(f"vLLM refuses the prompt of a sample: {error_text(exc)}") from exc


def _sampled(request: Request, output: Any) -> SampledAnswer:
    answer = output.outputs[0]
    if answer.finish_reason not in (Finish.STOP, Finish.LENGTH):
        raise UserError(f"vLLM ended the answer {request.sample_id}: {answer.finish_reason}")
    ids = tuple(answer.token_ids)
    log_probs = tuple(
        logprobs[token].logprob for token, logprobs in zip(ids, answer.logprobs, strict=True)
    )
    if not all(map(math.isfinite, log_probs)):
        raise UserError(f"The logits of the answer {request.sample_id} are not finite in vLLM.")
    return SampledAnswer(tuple(output.prompt_token_ids), ids, log_probs)


def _scale_logits(model: torch.nn.Module, scale: float) -> None:
    """Multiply the model's logits by `scale`."""
    from vllm.model_executor.layers.logits_processor import LogitsProcessor

    processors = [part for part in model.modules() if isinstance(part, LogitsProcessor)]
    if not processors:
        raise UserError(f"vLLM's {type(model).__name__} takes no temperature for rollouts.")
    for processor in processors:
        processor.scale *= scale


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Keep torch's number of threads: vLLM sets another on a CPU."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
