"""Requests as vLLM takes them, and what its processor makes of them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

from vtg_eval.engines.base import EngineInput, Request
from vtg_eval.engines.model_inputs import adds_special_tokens

PAIR = 2
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


def rendered(renderer: Any, request: Request, prefix: str = "") -> Any:
    """Return a request as vLLM's processor makes it.

    prefix: of the identities by which vLLM caches frames.
    """
    prompt: dict[str, Any] = {"prompt": request.prompt}
    if request.frames is not None:
        prompt |= _media(request, prefix)
    special = adds_special_tokens(renderer.get_tokenizer(), request.prompt)
    parameters = renderer.default_cmpl_tok_params.with_kwargs(add_special_tokens=special)
    (output,) = renderer.render_cmpl([prompt], parameters)
    return output


def model_input(renderer: Any, request: Request, prefix: str) -> EngineInput:
    """Return what the model gets for a request, raw pixels as the model normalises them.

    prefix: one that no other request has, so that the caches neither have the tensors nor count
    them as sent.
    """
    output = rendered(renderer, request, prefix)
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


def _media(request: Request, prefix: str) -> dict[str, Any]:
    """Return the frames as vLLM takes them, with the identities by which it caches them."""
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
