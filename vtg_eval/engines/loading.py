"""Loading a checkpoint with transformers: every weight is the checkpoint's, or it is refused.

transformers gives weights that a checkpoint lacks random values and leaves out those that it does
not know, and says so in a report only. Here both are errors, for the engines and for training.
Not counted are weights that are tied to others, buffers that transformers computes, and the weights
of parts that are not run (`model_parts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
import transformers

from vtg_eval.engines.base import Probe, Request
from vtg_eval.engines.generation import generation_settings, stop_ids
from vtg_eval.engines.lora import check_lora, load_lora
from vtg_eval.engines.model_inputs import VIDEO_TYPE, InputBuilder
from vtg_eval.engines.model_parts import TextPart, text_part
from vtg_eval.engines.quantisation import UNQUANTISED, quantisation_method
from vtg_eval.engines.weight_files import AGAIN, MERGE, StoredWeight, stored_weights
from vtg_eval.errors import UserError, one_line
from vtg_eval.files.json_files import checkpoint_table

UPDATE = "Fetch the checkpoint again, or update transformers."
INSTALL = "Install the missing package; the extra families has what single families need."
SHOWN = 3  # weights named in a message
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "tokenizer.model")
PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)
CLASS_KEYS = ("image_processor_type", "video_processor_type")
# of vision_config, by which a video's patches and tokens can be counted
PATCH_SIZES = ("patch_size", "temporal_patch_size", "spatial_merge_size")
FLOATS = ("F64", "F32", "F16", "BF16")
# Names of classes in the first files of a family that transformers does not have, and theirs now.
RENAMED = {"Qwen2_5_VLImageProcessor": "Qwen2VLImageProcessor"}
WEIGHT_KINDS = (
    ("missing_keys", "missing"),
    ("unexpected_keys", "unexpected"),
    ("mismatched_keys", "of another shape"),
)


def load_model(
    folder: Path,
    dtype: torch.dtype,
    trust: bool = False,
    lora: Path | None = None,
    **arguments: Any,
) -> Any:
    """Load a checkpoint's model, on the CPU unless `arguments` say otherwise.

    trust: whether the checkpoint may run code of its own. lora: a LoRA folder to apply. arguments:
    for `from_pretrained`. Raises UserError that names weights which are missing, unexpected or of
    another shape.
    """
    _hush()
    config = load_config(folder, trust)
    part = text_part(config)
    if part.config is not config:
        refuse_quantised_part(folder, config)
        arguments["config"] = part.config
    stored = part.without_others(stored_weights(folder))
    try:
        model, report = transformers.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=trust,
            ignore_mismatched_sizes=True,  # they are in the report, with their names
            output_loading_info=True,
            **arguments,
        )
    except torch.OutOfMemoryError as exc:
        raise UserError(f"{folder} does not fit into the GPU's memory.") from exc
    except Exception as exc:  # loaders raise anything on a broken checkpoint
        raise _cannot_load(folder, exc) from exc
    on_loading = getattr(model.config, "quantization_config", None) is not None
    quantised = on_loading or bool(quantisation_method(folder))
    _refuse_wrong_weights(folder, model, report, quantised, part)
    _refuse_numbers(folder, stored, quantised)
    _refuse_untied_head(folder, model.config, stored)
    if lora is not None:
        load_lora(model, lora, folder)
    return model


def check_checkpoint(
    folder: Path, probe: Probe, trust: bool = False, lora: Path | None = None
) -> None:
    """Raise UserError for a checkpoint that could not be run; reads no weights but their headers.

    Covers the processor, the tokenizer, the generation settings, and the names and shapes of the
    weights. A model without values is built for these, so that names are converted as in loading.
    Weights of architectures that transformers does not have are left to the engine; a LoRA (lora:
    its folder) on such a model is refused, because nothing tells whether all of it is applied.
    """
    _hush()
    part = text_part(load_config(folder, trust))
    config = part.config
    stored = part.without_others(stored_weights(folder))
    processor = load_processor(folder, trust)
    stop_ids(generation_settings(folder), processor.tokenizer.eos_token_id)
    _check_input(folder, processor, config, probe())
    models = transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    if type(config) not in models:
        if lora is not None:
            raise UserError(
                f"{lora}: transformers {transformers.__version__} does not have the architecture "
                f"of its base {folder}, so that it cannot be checked. {MERGE}."
            )
        return
    quantised = bool(quantisation_method(folder))
    # the weights' names are compared without their quantiser, which may need a GPU
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    weights = {name: torch.empty(w.shape, device="meta") for name, w in stored.items()}
    try:
        model, report = models[type(config)].from_pretrained(
            None,
            config=config,
            state_dict=weights,
            device_map={"": "meta"},
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as exc:  # a model may raise anything for sizes that do not fit together
        raise _cannot_load(folder, exc) from exc
    _refuse_wrong_weights(folder, model, report, quantised, part)
    _refuse_numbers(folder, stored, quantised)
    _refuse_untied_head(folder, config, stored)
    if lora is not None:
        check_lora(model, lora, folder)


def load_config(folder: Path, trust: bool = False) -> Any:
    """Return the checkpoint's configuration; raises UserError."""
    try:
        return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust)
    except Exception as exc:
        raise UserError(
            f"{folder / 'config.json'} cannot be read with transformers "
            f"{transformers.__version__} ({type(exc).__name__}: {one_line(str(exc))}). {UPDATE}"
        ) from exc


def load_processor(folder: Path, trust: bool = False) -> Any:
    """Return the checkpoint's processor, with a tokenizer that fits its configuration.

    Raises UserError that names the file and what to do.
    """
    _hush()
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(f"{folder} has no tokenizer files ({TOKENIZER_FILES[0]}). {AGAIN}")
    if not any((folder / name).is_file() for name in PROCESSOR_FILES[:2]):
        raise UserError(f"{folder} has no processor's file ({PROCESSOR_FILES[0]}). {AGAIN}")
    _refuse_unknown_classes(folder)
    try:
        processor = transformers.AutoProcessor.from_pretrained(folder, trust_remote_code=trust)
    except Exception as exc:  # loaders raise anything on a broken checkpoint
        raise _cannot_load(folder, exc, "processor or tokenizer") from exc
    _check_tokenizer(folder, processor, text_part(load_config(folder, trust)).config)
    return processor


def refuse_quantised_part(folder: Path, config: Any) -> None:
    """Refuse a quantised model of which a part would be loaded: it names modules of the whole."""
    method = quantisation_method(folder)
    if method and text_part(config).config is not config:
        raise UserError(
            f"{folder} is quantised by {method} as a whole, of which the engine transformers runs "
            f"a part: that is not supported. Try --engine vllm, or {UNQUANTISED}."
        )


def _hush() -> None:
    """Keep the library's reports off the screen; what they say is checked here."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _refuse_unknown_classes(folder: Path) -> None:
    """Refuse image and video processors of names that transformers does not have."""
    for name in PROCESSOR_FILES:
        table = checkpoint_table(folder / name)
        parts = [part for part in (table, *table.values()) if isinstance(part, dict)]
        for part, key in ((part, key) for part in parts for key in CLASS_KEYS):
            kind = part.get(key)
            if "auto_map" in part or not isinstance(kind, str) or _is_class(kind):
                continue
            remedy = (
                f'change it to "{RENAMED[kind]}", the same under its present name'
                if kind in RENAMED
                else "correct it, or update transformers"
            )
            raise UserError(
                f'{folder / name} has {key} "{kind}", which transformers '
                f"{transformers.__version__} does not have: {remedy}."
            )


def _is_class(name: str) -> bool:
    """Tell whether transformers has a processor of that name; "Fast" is an older suffix."""
    return hasattr(transformers, name.removesuffix("Fast"))


def _check_tokenizer(folder: Path, processor: Any, config: Any) -> None:
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or not isinstance(getattr(processor, "video_token", None), str):
        raise UserError(
            f"{folder}: its processor has no tokenizer with a token for videos. {AGAIN}"
        )
    token = getattr(processor, "video_token_id", None)
    expected = getattr(config, "video_token_id", None)
    if token is not None and expected is not None and token != expected:
        raise UserError(
            f"{folder}: the tokenizer's token for videos is number {token}, in config.json it is "
            f"{expected}: they are of different checkpoints. {AGAIN}"
        )
    rows = getattr(config.get_text_config(), "vocab_size", None)
    highest = max(tokenizer.get_vocab().values())
    if rows is not None and highest >= rows:
        raise UserError(
            f"{folder}: the tokenizer has tokens up to number {highest}, the model (vocab_size) "
            f"{rows}: they are of different checkpoints. {AGAIN}"
        )


def _check_input(folder: Path, processor: Any, config: Any, probe: Request) -> None:
    """Prepare a request as the engines do, and hold the patches against config.json."""
    try:
        item = InputBuilder(processor).build(probe)
    except Exception as exc:  # a processor may raise anything for settings of the wrong kind
        raise _cannot_load(folder, exc, "processor") from exc
    vision = getattr(config, "vision_config", None)
    patches, grid = item.tensors.get("pixel_values_videos"), item.tensors.get("video_grid_thw")
    if patches is None or grid is None or not all(hasattr(vision, name) for name in PATCH_SIZES):
        return
    patch, frames, merge = (getattr(vision, name) for name in PATCH_SIZES)
    values = getattr(vision, "in_channels", 3) * frames * patch**2
    tokens = int(grid.prod()) // merge**2
    counted = item.types.count(VIDEO_TYPE) or tokens  # not all processors give types
    if patches.shape[-1] != values or counted != tokens:
        raise UserError(
            f"{folder}: the processor's patch_size, temporal_patch_size or merge_size is not that "
            f"of vision_config in config.json: they are of different checkpoints. {AGAIN}"
        )


def _cannot_load(folder: Path, exc: Exception, part: str = "model") -> UserError:
    reason = f"{type(exc).__name__}: {one_line(str(exc))}"
    return UserError(
        f"{folder}: its {part} cannot be loaded with transformers "
        f"{transformers.__version__} ({reason}). {INSTALL if _lacks(exc) else UPDATE}"
    )


def _lacks(exc: BaseException | None) -> bool:
    """Tell whether a package that is not installed is the error, or its cause."""
    return exc is not None and (isinstance(exc, ImportError) or _lacks(exc.__cause__))


def _refuse_wrong_weights(
    folder: Path, model: Any, report: Mapping[str, Any], quantised: bool, part: TextPart
) -> None:
    buffers = {name for name, _ in model.named_buffers()}
    by_kind = {kind: set(report[key]) - buffers for key, kind in WEIGHT_KINDS}
    by_kind["unexpected"] = set(part.without_others(dict.fromkeys(by_kind["unexpected"])))
    if quantised:
        by_kind = _of_whole_modules(by_kind, model)
    wrong = [f"{len(keys)} {kind} ({_names(keys)})" for kind, keys in by_kind.items() if keys]
    if wrong:
        raise UserError(
            f"{folder}: its weights are not those of the model in config.json: {', '.join(wrong)}. "
            "Save the checkpoint under the model's own names (unwrapped, adapters merged), or "
            "fetch it again."
        )


def _of_whole_modules(by_kind: Mapping[str, set[Any]], model: Any) -> dict[str, set[Any]]:
    """Leave out weights of modules that are there in another form: packed, with scales."""
    missing, unexpected, reshaped = by_kind.values()
    modules = {name.rpartition(".")[0] for name in model.state_dict()}
    packed = {_module(name, modules) for name in (*unexpected, *(key[0] for key in reshaped))}
    return {
        "missing": {name for name in missing if _module(name, modules) not in packed},
        "unexpected": {name for name in unexpected if not _module(name, modules)},
    }


def _module(name: str, modules: set[str]) -> str:
    """Return the module that a weight belongs to, "" for none."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def _refuse_numbers(folder: Path, stored: Mapping[str, StoredWeight], quantised: bool) -> None:
    """Refuse whole numbers and 8-bit floats, which mean nothing without their scales."""
    names = [name for name, weight in stored.items() if weight.dtype not in FLOATS]
    if names and not quantised:
        raise UserError(
            f"{folder}: {len(names)} weights are stored as {stored[names[0]].dtype} "
            f"({_names(names)}), but config.json has no quantization_config. {AGAIN}"
        )


def _refuse_untied_head(folder: Path, config: Any, stored: Mapping[str, StoredWeight]) -> None:
    """Refuse a head and an embedding that differ where config.json ties them.

    transformers would use both, vLLM the embedding alone.
    """
    head, embedding = (
        next((name for name in stored if name.endswith(end)), None)
        for end in ("lm_head.weight", "embed_tokens.weight")
    )
    if not getattr(config, "tie_word_embeddings", False) or head is None or embedding is None:
        return
    rows = _read(embedding, stored)
    if not torch.equal(_read(head, stored).to(rows.dtype), rows):
        raise UserError(
            f"{folder}: {head} is not {embedding}, but config.json ties the two. Set "
            "tie_word_embeddings to false if the head was trained, else remove it from the files."
        )


def _read(name: str, stored: Mapping[str, StoredWeight]) -> torch.Tensor:
    with safetensors.safe_open(stored[name].file, framework="pt") as file:
        weight: torch.Tensor = file.get_tensor(name)
        return weight


def _names(keys: Any) -> str:
    named = sorted(map(_name, keys))
    return ", ".join(named[:SHOWN]) + (", …" if len(named) > SHOWN else "")


def _name(key: str | tuple[str, Any, Any]) -> str:
    """Return a weight's name; one of another shape comes with its shape and the model's."""
    if isinstance(key, str):
        return key
    name, shape, expected = key
    return f"{name} {list(shape)} for {list(expected)}"
