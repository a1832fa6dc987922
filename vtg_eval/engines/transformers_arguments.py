"""Arguments that a user may set on the engine transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from vtg_eval.engines.base import EngineOptions
from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.json_files import checkpoint_table

# Arguments of `from_pretrained` that a user may set, with their types, besides any setting of the
# checkpoint's config.json.
ARGUMENTS: Mapping[str, tuple[type, ...]] = {
    "attn_implementation": (str, dict),
    "experts_implementation": (str, dict),
    "device_map": (str, int, dict),
    "max_memory": (dict,),
    "offload_folder": (str,),
    "offload_buffers": (bool,),
    "quantization_config": (dict,),
    "use_kernels": (bool,),
    "allow_all_kernels": (bool,),
    "tp_plan": (str, dict),
    "tp_size": (int,),
    "variant": (str,),
    "disable_mmap": (bool,),
}
SET_BY = {
    "dtype": "--dtype",
    "torch_dtype": "--dtype",
    "trust_remote_code": "--trust-remote-code",
}


def check_arguments(checkpoint: Path, options: EngineOptions) -> None:
    """Raise UserError for an unknown dtype and for arguments of no use to `from_pretrained`."""
    dtype_of(options.dtype, "cpu")
    settings = checkpoint_table(checkpoint / "config.json").keys()
    for name, value in options.extra.items():
        if name in SET_BY:
            raise UserError(f"--engine-arg {name}: use {SET_BY[name]} instead.")
        if name not in ARGUMENTS and name not in settings:
            raise UserError(
                f"--engine-arg {name}: the engine transformers has no such argument. "
                f"{suggestion(name, ARGUMENTS)}"
            )
        types = ARGUMENTS.get(name, (object,))
        if not isinstance(value, types):
            raise UserError(
                f"--engine-arg {name}={value!r}: the value must be of the type "
                f"{' or '.join(kind.__name__ for kind in types)}."
            )
    attention = options.extra.get("attn_implementation", "eager")
    names = {"eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()}
    if isinstance(attention, str) and "/" not in attention and attention not in names:
        raise UserError(
            f"--engine-arg attn_implementation={attention}: there is no such implementation. "
            f"{suggestion(attention, names)}"
        )


def dtype_of(name: str, device: str) -> torch.dtype:
    """Return the dtype of that name; raises UserError."""
    if name == "auto":
        return torch.float32 if device == "cpu" else torch.bfloat16
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise UserError(f"--dtype {name} is unknown; use auto, float32, bfloat16 or float16.")
    return dtype
