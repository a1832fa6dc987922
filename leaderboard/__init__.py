"""The leaderboard: published results as data, entered runs, and ranks and tables of both."""

from __future__ import annotations

from collections.abc import Sequence

from vtg_eval.hookspecs import Entry, hookimpl

SUMMARY = "build tables of published and reproduced results, rank a run, add it, export it"


@hookimpl
def vtg_commands() -> Sequence[Entry]:
    """Provide `vtg-eval leaderboard`."""
    return (Entry("leaderboard", f"{__name__}.cli:LeaderboardCommand", SUMMARY),)
