"""Model families: one adapter module each, chosen by a checkpoint's `architectures`.

Profiles of published fine-tunes are data beside them.
"""

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.hookspecs import AdapterEntry, ModelEntry, hookimpl

HERE = Path(__file__).parent


@hookimpl
def vtg_adapters() -> Sequence[AdapterEntry]:
    """Provide the built-in adapters."""
    return (
        AdapterEntry(
            "qwen2_vl",
            f"{__name__}.qwen2_vl:Qwen2VLAdapter",
            "Qwen2-VL and its fine-tunes",
            architectures=("Qwen2VLForConditionalGeneration",),
        ),
        AdapterEntry(
            "qwen2_5_vl",
            f"{__name__}.qwen2_5_vl:Qwen25VLAdapter",
            "Qwen2.5-VL and its fine-tunes",
            architectures=("Qwen2_5_VLForConditionalGeneration",),
        ),
        AdapterEntry(
            "qwen2_5_omni",
            f"{__name__}.qwen_omni:Qwen25OmniAdapter",
            "Qwen2.5-Omni: video to text",
            architectures=(
                "Qwen2_5OmniForConditionalGeneration",
                "Qwen2_5OmniModel",
                "Qwen2_5OmniThinkerForConditionalGeneration",
            ),
        ),
        AdapterEntry(
            "qwen3_omni",
            f"{__name__}.qwen_omni:Qwen3OmniAdapter",
            "Qwen3-Omni: video to text",
            architectures=(
                "Qwen3OmniMoeForConditionalGeneration",
                "Qwen3OmniMoeThinkerForConditionalGeneration",
            ),
        ),
        AdapterEntry(
            "qwen3_vl",
            f"{__name__}.qwen3_vl:Qwen3VLAdapter",
            "Qwen3-VL, Qwen3.5 and their fine-tunes",
            architectures=(
                "Qwen3VLForConditionalGeneration",
                "Qwen3VLMoeForConditionalGeneration",
                "Qwen3_5ForConditionalGeneration",
                "Qwen3_5MoeForConditionalGeneration",
            ),
        ),
        AdapterEntry(
            "glm4v",
            f"{__name__}.glm4v:Glm4vAdapter",
            "GLM-4.1V, GLM-4.5V, GLM-4.6V",
            architectures=(
                "Glm4vForConditionalGeneration",
                "Glm4vMoeForConditionalGeneration",
                "Glm46VForConditionalGeneration",
            ),
        ),
        AdapterEntry(
            "internvl",
            f"{__name__}.internvl:InternVLAdapter",
            "InternVL 3 and 3.5, as converted for transformers",
            architectures=("InternVLForConditionalGeneration",),
            refused={
                "InternVLChatModel": "It runs code of its own. Take the same checkpoint as "
                'converted for transformers: its name ends in "-hf" or "-HF".'
            },
        ),
        AdapterEntry(
            "llava_onevision",
            f"{__name__}.llava_onevision:LlavaOnevisionAdapter",
            "LLaVA-OneVision, as converted for transformers",
            architectures=("LlavaOnevisionForConditionalGeneration",),
            refused={
                "LlavaQwenForCausalLM": "It runs code of its own. Take LLaVA-OneVision as "
                'converted for transformers: its name ends in "-hf". LLaVA-Video cannot be run.'
            },
        ),
        AdapterEntry(
            "openai",
            f"{__name__}.openai_chat:OpenAIChatAdapter",
            "a model on an OpenAI-compatible server: openai:MODEL_NAME",
            engine="openai",
        ),
        AdapterEntry(
            "gemma4",
            f"{__name__}.gemma4:Gemma4Adapter",
            "Gemma 4",
            architectures=(
                "Gemma4ForConditionalGeneration",
                "Gemma4UnifiedForConditionalGeneration",
            ),
        ),
        AdapterEntry(
            "minicpmv",
            f"{__name__}.minicpmv:MiniCPMVAdapter",
            "MiniCPM-V 4.6 and 4.7",
            architectures=(
                "MiniCPMV4_6ForConditionalGeneration",
                "MiniCPMV4_7ForConditionalGeneration",
            ),
        ),
        AdapterEntry(
            "perception_lm",
            f"{__name__}.perception_lm:PerceptionLMAdapter",
            "PerceptionLM",
            architectures=("PerceptionLMForConditionalGeneration",),
        ),
        AdapterEntry(
            "smolvlm",
            f"{__name__}.smolvlm:SmolVLMAdapter",
            "SmolVLM2",
            architectures=("SmolVLMForConditionalGeneration",),
        ),
        AdapterEntry(
            "video_llama_3",
            f"{__name__}.video_llama_3:VideoLlama3Adapter",
            "VideoLLaMA3",
            architectures=("VideoLlama3ForConditionalGeneration",),
        ),
        AdapterEntry(
            "baseline",
            f"{__name__}.baseline:BaselineAdapter",
            "the blind floors' predictors: baseline:whole-video, baseline:random, …",
            engine="replay",
        ),
        AdapterEntry(
            "replay",
            f"{__name__}.replay:ReplayAdapter",
            "the answers of an earlier run: replay:RUN_FOLDER",
            engine="replay",
        ),
    )


@hookimpl
def vtg_models() -> Sequence[ModelEntry]:
    """Provide the checkpoints that ship with the package."""
    return (ModelEntry("nano", HERE / "nano", "2.8 M parameters, trained on generated videos"),)


@hookimpl
def vtg_profiles() -> Sequence[Path]:
    """Provide the built-in profiles."""
    return sorted((HERE / "profiles").glob("*.toml"))
