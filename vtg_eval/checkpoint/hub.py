"""Models by their name on the hub: from the local cache, else downloaded.

The cache comes first and is used as it is: a branch that has moved on the hub since does not change
the results of a command. A name with a revision, "NAME@REVISION", is a branch, a tag or a commit.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtg_eval.engines.weight_files import (
    LORA_CONFIG,
    LORA_WEIGHTS,
    holds_lora,
    stored_weights,
    weights_in,
)
from vtg_eval.errors import UserError, one_line
from vtg_eval.files.json_files import checkpoint_table

NAME = re.compile(r"(?P<repository>\w[\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)
FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
CODE = "*.py"  # fetched only where the user lets the checkpoint run its code
SUB_FOLDERS = "*/*"  # the same weights in other formats
ANSWER_SECONDS = 10.0  # how long the hub may take for its first answer
CONFIG_FILE = "config.json"


@dataclass(frozen=True, slots=True)
class Fetch:
    """How files are fetched. trust_remote_code: with the checkpoint's code. quiet: no progress."""

    trust_remote_code: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository's files at one commit, in the local cache."""

    repository: str
    commit: str
    folder: Path


def is_hub_name(reference: str) -> bool:
    """Tell whether a text has the form of a name on the hub, OWNER/NAME or OWNER/NAME@REVISION."""
    return NAME.fullmatch(reference) is not None


def snapshot(reference: str, fetch: Fetch) -> Snapshot:
    """Return a model's files by its name on the hub; downloads those that the cache lacks.

    Raises UserError that says what to do: no such repository or revision, no access, no network.
    """
    name = NAME.fullmatch(reference)
    assert name is not None
    repository, revision = name["repository"], name["revision"]
    try:
        import huggingface_hub
    except ImportError as exc:
        raise UserError(
            f'There is no folder "{reference}". To look the name up on the hub, install vtg-eval '
            'with the extra hf (README, "Install").'
        ) from exc
    with _explained(reference):
        folder = _cached(repository, revision, fetch)
    lacking = "is not in the local cache" if folder is None else _lacking(folder)
    if lacking:
        with _progress(fetch.quiet), _explained(reference, lacking):
            api = huggingface_hub.HfApi()
            api.model_info(repository, revision=revision, timeout=ANSWER_SECONDS)
            folder = Path(_download(repository, revision, fetch))
    assert folder is not None
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{reference} has no safetensors; other formats are not read. Convert its weights "
            "(transformers: model.save_pretrained(folder)) and name the folder."
        )
    return Snapshot(repository, folder.name, folder)


def _download(repository: str, revision: str | None, fetch: Fetch, **options: Any) -> str:
    from huggingface_hub import snapshot_download

    files = [*FILES, CODE] if fetch.trust_remote_code else [*FILES]
    folder: str = snapshot_download(
        repository, revision=revision, allow_patterns=files, ignore_patterns=SUB_FOLDERS, **options
    )
    return folder


def _cached(repository: str, revision: str | None, fetch: Fetch) -> Path | None:
    """Return the snapshot in the local cache, None without one."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(_download(repository, revision, fetch, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _lacking(folder: Path) -> str:
    """Return what a snapshot in the cache lacks, "" for a whole one."""
    try:
        if holds_lora(folder):
            checkpoint_table(folder / LORA_CONFIG)
            weights_in(folder / LORA_WEIGHTS)
        elif not (folder / CONFIG_FILE).is_file():
            return f"is in the local cache without its {CONFIG_FILE}"
        else:
            stored_weights(folder)
    except UserError as exc:
        return f"is not whole in the local cache ({exc})"
    return ""


@contextmanager
def _explained(reference: str, lacking: str = "") -> Iterator[None]:
    """Raise UserError for what the hub refuses, and where it cannot be reached."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as exc:
        raise UserError(
            f'There is no folder "{reference}", and it is no name on the hub: {one_line(str(exc))}'
        ) from exc
    except errors.GatedRepoError as exc:
        raise UserError(
            f"{reference} {lacking}, and the hub gives it only to those who have accepted its "
            "conditions: accept them on its page, then set HF_TOKEN to a token of your account."
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise UserError(
            f"{reference}: the repository has no such revision. Name one of its branches, tags or "
            'commits after the "@", or none.'
        ) from exc
    except errors.RepositoryNotFoundError as exc:
        raise UserError(
            f'There is no folder "{reference}", and no such repository on the hub, or a private '
            "one. Check the name; for a private one set HF_TOKEN to a token that may read it."
        ) from exc
    except errors.OfflineModeIsEnabled as exc:
        raise UserError(
            f"{reference} {lacking}, and HF_HUB_OFFLINE forbids to download it. Unset it, or name "
            "a local folder."
        ) from exc
    except errors.HfHubHTTPError as exc:
        raise UserError(
            f"{reference} {lacking}, and the hub answers with the status "
            f"{exc.response.status_code}. Try again later, or name a local folder."
        ) from exc
    except (errors.LocalEntryNotFoundError, httpx2.HTTPError, OSError) as exc:
        cause = exc.__cause__ or exc
        raise UserError(
            f"{reference} {lacking}, and cannot be downloaded ({type(cause).__name__}: "
            f"{one_line(str(cause))}). Run the command again where the hub can be reached; on "
            f"another machine `hf download {reference.partition('@')[0]} --local-dir FOLDER` "
            "makes a folder to copy."
        ) from exc


@contextmanager
def _progress(quiet: bool) -> Iterator[None]:
    """Show the library's progress on a terminal only, and none of its warnings."""
    from huggingface_hub import logging, utils

    logging.set_verbosity_error()
    hidden = (quiet or not sys.stderr.isatty()) and not utils.are_progress_bars_disabled()
    if hidden:
        utils.disable_progress_bars()
    try:
        yield
    finally:
        if hidden:
            utils.enable_progress_bars()
