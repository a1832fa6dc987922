"""Hugging Face transformers: batches padded on the left, one forward pass for each token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

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
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule

try:
    import torch
    import transformers

    from vtg_eval.engines.gumbel_sampler import GumbelSampler
    from vtg_eval.engines.loading import (
        check_checkpoint,
        load_config,
        load_model,
        load_processor,
        refuse_quantised_part,
    )
    from vtg_eval.engines.logits_watch import LogitsWatch
    from vtg_eval.engines.model_inputs import InputBuilder, ModelInput, WholePrompts
    from vtg_eval.engines.prefix_cache import SharedPrefixes
    from vtg_eval.engines.quantisation import check_for_transformers, quantisation_method
    from vtg_eval.engines.rope_positions import patch_rope_positions
    from vtg_eval.engines.transformers_arguments import check_arguments, dtype_of
except ImportError as exc:
    raise ImportError(f'it needs the extra hf (README, "Install"): {exc}') from exc


# Tokens in one batch, padding included; halved for good when the device's memory does not suffice.
BATCH_TOKENS = 262_144
# Where requests share a video's computation: the most of them in a batch, as a multiple of the most
# videos.
REQUESTS_PER_VIDEO = 4


class _Ready(NamedTuple):
    """A request with the input that the processor made of it."""

    request: Request
    item: ModelInput


class TransformersEngine(Engine):
    """Models of transformers that are made for images and text and read videos by a processor.

    Which of them can be run depends on the adapters: a model is used only where one serves its
    architecture. The processor must have one placeholder for a video.

    Neither greedy answers nor those sampled at a temperature depend on the batch (up to the
    rounding of the dtype; float32 on a CPU). Where the checkpoint's settings sample, each sample
    has its own seed and is answered alone.
    """

    applies_lora = True

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        self._options = options
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._dtype = dtype_of(options.dtype, self._device)
        trust = options.trust_remote_code
        self._processor = load_processor(checkpoint, trust)
        # quantised weights are prepared on the device that runs them
        placed = {"device_map": self._device} if quantisation_method(checkpoint) else {}
        arguments = {**placed, **options.extra}
        model = load_model(checkpoint, self._dtype, trust, options.lora, **arguments)
        patch_rope_positions(model)
        self._model = model.to(self._device).eval()
        self._tokenizer = self._processor.tokenizer
        settings = generation_settings(checkpoint)
        self._stops = stop_ids(settings, self._tokenizer.eos_token_id)
        self._pad = self._tokenizer.pad_token_id or 0
        self._rule = rule
        self._config = self._generation(rule, settings)
        # `generate` fills unset values from the model's config, so replace that config
        self._model.generation_config = self._config
        self._builder = InputBuilder(self._processor)
        self._longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._logits = LogitsWatch(self._model)
        self._batches = self._batching()
        self._batch_tokens = BATCH_TOKENS

    @classmethod
    def check(cls, checkpoint: Path, options: EngineOptions, probe: Probe) -> None:
        """Compare the checkpoint's files with what its architecture needs; raises UserError."""
        trust = options.trust_remote_code
        config = load_config(checkpoint, trust)
        refuse_quantised_part(checkpoint, config)
        check_for_transformers(checkpoint, config, options.extra)
        check_checkpoint(checkpoint, probe, trust, options.lora)

    @classmethod
    def check_options(cls, checkpoint: Path, options: EngineOptions) -> None:
        """Raise UserError for an unknown dtype and for arguments of no use to `from_pretrained`."""
        check_arguments(checkpoint, options)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer in batches, in order: of `batch_size` requests, or videos where it shares them."""
        try:
            yield from self._in_batches(requests)
        finally:
            self._batches.release()

    def describe(self) -> Mapping[str, Any]:
        """Return versions, dtype, device and every argument that can change an answer."""
        return {
            "engine": "transformers",
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": torch.cuda.get_device_name() if self._device == "cuda" else "cpu",
            "seed": self._options.seed,
            "batch_size": self._options.batch_size,
            "generation": {**asdict(self._rule), **self._config.to_diff_dict()},
            **self._options.extra,
        }

    def model_input(self, request: Request) -> EngineInput:
        """Return what the model gets for a request."""
        item = self._builder.build(request)
        return EngineInput(tuple(item.ids), {n: t.flatten() for n, t in item.tensors.items()})

    def close(self) -> None:
        """Release the weights' memory."""
        del self._model, self._builder, self._logits, self._batches
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _batching(self) -> SharedPrefixes | WholePrompts:
        """Return how batches are made; a checkpoint's settings may need a cache of their own."""
        place = (self._model, self._pad, self._device)
        size = self._options.batch_size
        if self._rule.decoding == "checkpoint" or not SharedPrefixes.suits(self._model):
            return WholePrompts(*place, rows=1 if self._config.do_sample else size)
        return SharedPrefixes(*place, videos=size, rows=size * REQUESTS_PER_VIDEO)

    def _in_batches(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Answer in batches, in order."""
        ready: list[_Ready] = []
        for request in requests:
            try:
                item = self._builder.build(request)
            except Exception as exc:  # one sample's input must not cost the others
                yield failed(request, f"{type(exc).__name__}: {exc}")
                continue
            if self._longest and len(item.ids) > self._longest:
                limit = f"{len(item.ids):,} tokens; the model's limit is {self._longest:,}"
                yield failed(request, f"the prompt has {limit}")
                continue
            if ready and not self._fits([*(one.item for one in ready), item]):
                yield from self._answer(ready)
                ready = []
            ready.append(_Ready(request, item))
            if len(ready) == self._batches.rows:
                yield from self._answer(ready)
                ready = []
        if ready:
            yield from self._answer(ready)

    def _fits(self, items: Sequence[ModelInput]) -> bool:
        """Tell whether inputs can be in one batch."""
        return _tokens(items) <= self._batch_tokens and self._batches.fit(items)

    def _answer(self, ready: Sequence[_Ready]) -> Iterator[Completion]:
        """Answer one batch, in halves where the device's memory does not suffice for it."""
        try:
            completions = list(self._generate(ready))
        except torch.OutOfMemoryError:
            if len(ready) == 1:
                request, item = ready[0]
                yield failed(request, f"out of memory with a prompt of {len(item.ids):,} tokens")
                return
        else:
            yield from completions
            return
        # outside of the handler: its exception keeps the failed pass's tensors in memory
        self._batches.release()
        torch.cuda.empty_cache()
        self._batch_tokens = max(1, _tokens([one.item for one in ready]) // 2)
        middle = len(ready) // 2
        yield from self._answer(ready[:middle])
        yield from self._answer(ready[middle:])

    def _generate(self, ready: Sequence[_Ready]) -> Iterator[Completion]:
        inputs, cached = self._batches.batch([one.item for one in ready])
        seeds = [sample_seed(self._options.seed, one.request.sample_id) for one in ready]
        processors = []
        self._logits.clear()
        if self._config.do_sample:
            torch.manual_seed(seeds[0])
        elif self._rule.decoding == "sample":
            processors.append(GumbelSampler(seeds, self._rule.temperature))
        with torch.inference_mode():
            rows = self._model.generate(
                **inputs,
                generation_config=self._config,
                logits_processor=transformers.LogitsProcessorList(processors),
            )
        longest = inputs["input_ids"].shape[1]
        sound = self._logits.sound_tokens()
        answers = zip(ready, rows[:, longest:].tolist(), sound, cached, strict=True)
        for one, row, tokens, reused in answers:
            completion = self._completion(one.request, one.item, row, tokens)
            yield replace(completion, cached_tokens=reused)

    def _completion(
        self, request: Request, item: ModelInput, row: list[int], sound: int
    ) -> Completion:
        """Return one row's answer; sound: how many of its tokens come from finite logits."""
        end = next((i for i, token in enumerate(row) if token in self._stops), None)
        answer = row if end is None else row[:end]
        if sound < len(answer) + (end is not None):
            return non_finite(request, item.ids, sound)
        return Completion(
            sample_id=request.sample_id,
            text=self._tokenizer.decode(answer, skip_special_tokens=True),
            prompt_tokens=len(item.ids),
            completion_tokens=len(answer) + (end is not None),
            finish=Finish.LENGTH if end is None else Finish.STOP,
            prompt_token_ids=tuple(item.ids),
        )

    def _generation(self, rule: GenerationRule, settings: Mapping[str, Any]) -> Any:
        values = dict(settings) if rule.decoding == "checkpoint" else {"do_sample": False}
        values |= {
            "max_new_tokens": rule.max_new_tokens,
            "eos_token_id": self._stops,
            "pad_token_id": self._pad,
        }
        return transformers.GenerationConfig(**values)


def _tokens(items: Sequence[ModelInput]) -> int:
    """Return the number of tokens that a batch attends to, padding included."""
    return len(items) * max(len(item.ids) for item in items)
