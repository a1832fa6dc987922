"""Requests as vLLM takes them, and what its processor makes of them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from copy import copy
from typing import Any

import torch
from PIL import Image
from vllm.renderers import renderer_from_config

from vtg_eval.engines.base import EngineInput, Request
from vtg_eval.engines.model_inputs import adds_special_tokens

PAIR = 2
# Tensors that a renderer keeps for further requests on the same video; a larger video is processed
# for each of its requests. 14,000 visual tokens have 70 MB as bytes, 260 MB as float32.
VIDEO_CACHE_GIB = 0.5
GLM_MODULE = "vllm.model_executor.models.glm4_1v"
GLM_OWNER, GLM_METHOD = "Glm4vProcessingInfo", "_get_video_second_idx_glm46v"


def patch_frame_times() -> None:
    """Let vLLM write the times of frames that the metadata have; call it once a model is loaded.

    vLLM writes the time stamps of GLM-V prompts by itself. The processor of GLM-4.6V tells tenths
    of a second, "1.5 seconds"; vLLM 0.32 tells "1.0 seconds" there, for any frame from 1 s to 2 s.
    """
    owner = getattr(sys.modules.get(GLM_MODULE), GLM_OWNER, None)
    if hasattr(owner, GLM_METHOD):
        setattr(owner, GLM_METHOD, _pair_starts)


def _pair_starts(_info: Any, metadata: Mapping[str, Any], _frames: int) -> list[float]:
    """Return the time (seconds) of the first frame of each pair."""
    return [index / metadata["fps"] for index in metadata["frames_indices"][::PAIR]]


def make_renderer(config: Any) -> Any:
    """Return a renderer of its own for a thread, with a small cache of videos.

    vLLM's renderer shares a processor among its threads, and processors are not made for that.
    """
    model = copy(config.model_config)
    model.multimodal_config = copy(model.multimodal_config)
    model.multimodal_config.mm_processor_cache_gb = VIDEO_CACHE_GIB
    model.multimodal_config.mm_processor_cache_type = "lru"
    alone = copy(config)
    alone.model_config = model
    return renderer_from_config(alone)


def prompt_of(request: Request) -> dict[str, Any]:
    """Return a request as vLLM takes it."""
    media = {} if request.frames is None else _media(request)
    return {"prompt": request.prompt, **media}


def rendered(renderer: Any, request: Request) -> Any:
    """Return a request as vLLM's processor makes it, with all tensors.

    The renderer keeps the tensors for further requests on the same frames.
    """
    special = adds_special_tokens(renderer.get_tokenizer(), request.prompt)
    parameters = renderer.default_cmpl_tok_params.with_kwargs(add_special_tokens=special)
    (output,) = renderer.render_cmpl([prompt_of(request)], parameters, skip_mm_cache=True)
    return output


def leave_out_sent(sent: Any, output: Any) -> None:
    """Leave the tensors that vLLM's engine has out of a rendered request.

    sent: the renderer's record of what the engine has, None where it keeps nothing. The record
    and the engine stay equal if each rendered request passes here right before it is added.
    """
    if sent is None:
        return
    for modality, digests in output.get("mm_hashes", {}).items():
        for digest in digests:  # first all, as the engine does: what is used is not evicted
            sent.touch_sender_cache_item(digest)
        items = output["mm_kwargs"][modality]
        for number, (item, digest) in enumerate(zip(items, digests, strict=True)):
            items[number], _ = sent.get_and_update_item((item, []), digest)
    sent.release_sender_touches()


def forget_sent(sent: Any, output: Any) -> None:
    """Note that the engine did not get a rendered request; sent: as for `leave_out_sent`."""
    if sent is not None:
        for digests in output.get("mm_hashes", {}).values():
            for digest in digests:
                sent.invalidate(digest)


def model_input(renderer: Any, request: Request) -> EngineInput:
    """Return what the model gets for a request, raw pixels as the model normalises them."""
    output = rendered(renderer, request)
    processor = renderer.mm_processor.info.get_hf_processor()
    tensors: dict[str, list[torch.Tensor]] = {}
    for modality, items in output.get("mm_kwargs", {}).items():
        part = getattr(processor, f"{modality}_processor", None)
        for item in items:
            for name, value in item.get_data().items():
                if isinstance(value, torch.Tensor):
                    tensors.setdefault(name, []).append(normalised(value, part).flatten())
    return EngineInput(
        tuple(output["prompt_token_ids"]),
        {name: torch.cat(values) for name, values in tensors.items()},
    )


def normalised(pixels: torch.Tensor, part: Any) -> torch.Tensor:
    """Return patches uint8 [N, channels x values] as float32; other tensors as they are.

    vLLM gives some models pixels as bytes, which they normalise on their device. part: the
    processor's part for the pictures, with `image_mean`, `image_std`, `rescale_factor`.
    """
    if pixels.dtype is not torch.uint8 or pixels.dim() != 2:
        return pixels
    mean, std = (torch.tensor(list(values)) for values in (part.image_mean, part.image_std))
    channels = pixels.reshape(len(pixels), len(mean), -1) * part.rescale_factor
    return ((channels - mean[:, None]) / std[:, None]).reshape(pixels.shape)


def _media(request: Request) -> dict[str, Any]:
    """Return the frames as vLLM takes them, with the identities by which it caches them."""
    assert request.frames is not None
    frames, identity = request.frames.array, _video_id(request)
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
