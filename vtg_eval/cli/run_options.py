"""From the arguments of commands that run a model to the options of a run."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import cast

from vtg_eval.api import settings
from vtg_eval.run.setup import RunOptions


def run_options(args: Namespace) -> RunOptions:
    """Return the options of a run from the arguments of `add_run_arguments` and --quiet."""
    values = {name: getattr(args, name) for name in settings.SETTINGS}
    values["engine_arg"] = dict(args.engine_arg)
    return settings.run_options(args.model, cast(settings.RunSettings, values), tuple(sys.argv))
