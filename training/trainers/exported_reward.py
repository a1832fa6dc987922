"""A recipe's reward for another project, by the files that `vtg-train export` writes."""

from __future__ import annotations

import json
from pathlib import Path

from vtg_eval.annotations.records import AnnotationRecord
from vtg_eval.errors import DataError
from vtg_eval.registry import Registry

from ..data.contexts import SampleContexts
from ..data.sample import sample_from
from ..recipe import Recipe, RewardRule, load_recipe
from .rewards import Reward, RewardParts


class ExportedReward:
    """The reward of a recipe: `reward(label, text)` returns the parts and their weighted total.

    label: what the export has of a sample, one line of JSON. Raises DataError for another label.
    """

    def __init__(self, recipe: Recipe) -> None:
        folder = Path(recipe.model.checkpoint)
        profile = folder if folder.is_dir() else None
        self._rule = recipe.rewards or RewardRule()
        self._contexts = SampleContexts(recipe.model, profile, Registry.discover())

    def __call__(self, label: str, text: str) -> RewardParts:
        """Return the rewards of one answer."""
        try:
            table = json.loads(label)
        except ValueError:
            table = None
        if not isinstance(table, dict):
            raise DataError(f"The label `{label[:60]}` is not one of an export: export again.")
        sample = sample_from(AnnotationRecord("the label", table))
        return Reward(self._rule, self._contexts.of(sample).protocol)(sample.to_sample(), text)


def load_reward(recipe: Path) -> ExportedReward:
    """Return the reward of an exported recipe; raises UserError where it cannot be read."""
    return ExportedReward(load_recipe(recipe))
