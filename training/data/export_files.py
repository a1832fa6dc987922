"""What an export has beside its samples: the reward, as the project calls it, and its settings.

As read in swift/rewards/orm.py of modelscope/ms-swift at 0431a5d5, verl/trainer/ppo/reward.py of
verl-project/verl at 302f740f, and verl/workers/reward/function.py and verl/utils/dataset.py of
hiyouga/EasyR1 at 46c6c210. The variables of the environment are those of qwen-vl-utils: of 0.0.14,
where ms-swift sets more of them, and of earlier versions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.protocol import FrameRule

REWARD_FILE = "vtg_eval_reward.py"
RECIPE_FILE = "recipe.toml"
ENVIRONMENT_FILE = "frames.env"
EASYR1_FILE = "easyr1.yaml"
SHARE = 0.9  # of MODEL_SEQ_LEN that qwen-vl-utils gives to a video

REWARD_HEAD = '''"""The reward of the recipe beside this file; needs vtg-eval where it is used.

{use}
"""

from pathlib import Path
{imports}
from vtg_eval.training.trainers.exported_reward import load_reward

REWARD = load_reward(Path(__file__).with_name("recipe.toml"))

'''
USES: Mapping[str, tuple[str, str, str]] = {  # how it is used, imports, code
    "ms-swift": (
        "ms-swift: source frames.env, then --external_plugins THIS_FILE --reward_funcs vtg_eval",
        "\nfrom swift.rewards import ORM, orms",
        """
class VtgEvalReward(ORM):
    def __call__(self, completions, solution, **_):
        pairs = zip(solution, completions, strict=True)
        return [REWARD(label, text).total for label, text in pairs]


orms["vtg_eval"] = VtgEvalReward
""",
    ),
    "verl": (
        "verl: reward.custom_reward_function.path=THIS_FILE with name=compute_score; in earlier\n"
        "versions custom_reward_function.path",
        "",
        """
def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    return REWARD(ground_truth, solution_str).total
""",
    ),
    "easyr1": (
        "EasyR1: source frames.env, then add easyr1.yaml to its configuration",
        "\nfrom dataclasses import asdict",
        """
def compute_score(reward_inputs):
    scores = []
    for reward_input in reward_inputs:
        parts = asdict(REWARD(reward_input["ground_truth"], reward_input["response"]))
        scores.append({"overall": parts.pop("total"), **parts})
    return scores
""",
    ),
}


def reward_text(to: str) -> str:
    """Return the file that has the reward function as the project calls it."""
    use, imports, code = USES[to]
    return REWARD_HEAD.format(use=use, imports=imports) + code


def frame_arguments(rule: FrameRule, factor: int) -> dict[str, float]:
    """Return the rule as arguments of qwen-vl-utils; raises UserError for a policy it lacks.

    Its bounds on sizes are in px; its bound on the whole video also counts pairs of frames.
    """
    if rule.policy == "uniform":
        raise UserError(
            'qwen-vl-utils does not have the frame policy "uniform"; use another protocol.'
        )
    area = factor * factor
    return {
        "fps": rule.fps,
        "min_frames": rule.min_frames,
        "max_frames": rule.max_frames,
        "min_pixels": rule.min_tokens * area,
        "max_pixels": rule.max_tokens * area,
        "total_pixels": rule.total_tokens * area,
    }


def swift_environment(rule: FrameRule, factor: int) -> str:
    """Return the rule as variables that ms-swift hands to qwen-vl-utils, as lines of a shell."""
    sizes = frame_arguments(rule, factor)
    return _shell(
        {
            "FPS": rule.fps,
            "FPS_MIN_FRAMES": rule.min_frames,
            "FPS_MAX_FRAMES": rule.max_frames,
            "VIDEO_MIN_TOKEN_NUM": rule.min_tokens,
            "VIDEO_MAX_TOKEN_NUM": rule.max_tokens,
            "MODEL_SEQ_LEN": math.ceil(rule.total_tokens / SHARE),
            "VIDEO_MIN_PIXELS": sizes["min_pixels"],
            "VIDEO_MAX_PIXELS": sizes["max_pixels"],
            "VIDEO_TOTAL_PIXELS": sizes["total_pixels"],
        }
    )


def easyr1_environment(rule: FrameRule, factor: int) -> str:
    """Return the bound on a whole video, which EasyR1 leaves to qwen-vl-utils' environment.

    Before 0.0.14 the variable of that bound was called VIDEO_MAX_PIXELS.
    """
    sizes = frame_arguments(rule, factor)
    whole = {"MODEL_SEQ_LEN": math.ceil(rule.total_tokens / SHARE)}
    return _shell({**whole, "VIDEO_MAX_PIXELS": sizes["total_pixels"]})


def easyr1_settings(rule: FrameRule, factor: int, template: str | None, reward: Path) -> str:
    """Return EasyR1's settings as YAML.

    template: the chat template, where it is another one. reward: the file with the reward.

    Raises UserError for other numbers of frames than those of qwen-vl-utils, which it cannot be
    told.
    """
    usual = FrameRule()
    if (rule.min_frames, rule.max_frames) != (usual.min_frames, usual.max_frames):
        raise UserError(
            f"EasyR1 shows {usual.min_frames} to {usual.max_frames} frames, and the protocol has "
            f"{rule.min_frames} to {rule.max_frames}. Export to verl or ms-swift."
        )
    sizes = frame_arguments(rule, factor)
    data: dict[str, Any] = {
        "prompt_key": "prompt",
        "answer_key": "answer",
        "video_key": "videos",
        "format_prompt": None,  # the prompt is whole
        "video_fps": rule.fps,
        "min_pixels": sizes["min_pixels"],
        "max_pixels": sizes["max_pixels"],
    }
    if template is not None:
        data["override_chat_template"] = template
    function = {"reward_type": "batch", "reward_function": f"{reward.resolve()}:compute_score"}
    # JSON is YAML, too
    return json.dumps({"data": data, "worker": {"reward": function}}, indent=2) + "\n"


def with_system_message(template: str, system: str) -> str:
    """Return a chat template that begins every conversation with a system message.

    EasyR1's data has one message, the user's; its setting data.override_chat_template takes the
    text of a template.
    """
    message = json.dumps([{"role": "system", "content": system}], ensure_ascii=False)
    return f"{{% set messages = {message} + messages %}}{template}"


def _shell(variables: Mapping[str, float]) -> str:
    return "".join(f"export {name}={value}\n" for name, value in variables.items())
