"""Which named profile holds for a checkpoint: the user's, the folder's, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vtg_eval.adapter import Checkpoint
from vtg_eval.checkpoint.profile import PROFILE_FILE, load_profile
from vtg_eval.checkpoint.statements import Statement, origins, own_names
from vtg_eval.console.streams import warn
from vtg_eval.errors import UserError
from vtg_eval.profile import NamedProfile
from vtg_eval.registry import Registry

NO_PROFILE = "none"
SWITCH = f"--profile {NO_PROFILE} leaves it out."


def choose_profile(
    checkpoint: Checkpoint, name: str | None, protocol: str | None, registry: Registry
) -> NamedProfile | None:
    """Return the profile that `--profile` names, else the one that the checkpoint's folder does.

    name, protocol: what the user typed, None for nothing. A profile that the user did not name is
    announced. Under a protocol of the user's that is not the profile's own the profile is left
    out, and a line says so. Raises UserError for an unknown profile, one of other architectures
    than the checkpoint's, and one that no engine can run.
    """
    if name == NO_PROFILE:
        return None
    if name is not None:
        profile, reason = registry.profile(name), "--profile names it"
        _require_fit(profile, checkpoint)
    else:
        chosen = _by_folder(checkpoint, registry)
        if chosen is None:
            return None
        profile, reason = chosen
    _refuse_unrunnable(profile, reason)
    if protocol not in (None, profile.protocol):
        warn(
            f"the profile {profile.name} ({reason}) asks under {profile.protocol}; it is left out, "
            f"as --protocol {protocol} was given."
        )
        return None
    if name is None:
        warn(f"profile {profile.name}, under {profile.protocol}: {reason}. {SWITCH}")
    if profile.caveat:
        warn(f"{profile.name}: {profile.caveat}")
    return profile


def refuse_unrunnable(folder: Path, registry: Registry) -> None:
    """Raise UserError where a folder is recognised as one that no engine can run."""
    recognised = _recognised(folder, registry.profiles.values())
    if recognised is not None:
        _refuse_unrunnable(recognised[0], str(recognised[1]))


def _refuse_unrunnable(profile: NamedProfile, reason: str) -> None:
    if profile.refused:
        raise UserError(
            f"The profile {profile.name} ({reason}): {profile.refused} Score its authors' answers "
            f"with `vtg-eval score`, or ask it as a plain model of its family: "
            f"--profile {NO_PROFILE}."
        )


def _by_folder(checkpoint: Checkpoint, registry: Registry) -> tuple[NamedProfile, str] | None:
    """Return the profile that the folder names or is recognised by, with the reason in words.

    A LoRA's own folder comes before that of its base model.
    """
    folders = [folder for folder in (checkpoint.lora, checkpoint.path) if folder is not None]
    if named := load_profile(*folders).profile:
        profile = registry.profile(named)
        _require_fit(profile, checkpoint)
        return profile, f"its {PROFILE_FILE} names it"
    profiles = registry.profiles.values()
    recognised = list(filter(None, (_recognised(folder, profiles) for folder in folders)))
    if not recognised:
        return None
    profile, statement = recognised[0]
    if not profile.refused and not profile.fits(checkpoint.architectures):
        warn(
            f"{statement}, but the profile {profile.name} is for {_listed(profile)}; it is left out"
        )
        return None
    return profile, str(statement)


def _recognised(
    folder: Path, profiles: Iterable[NamedProfile]
) -> tuple[NamedProfile, Statement] | None:
    """Return the profile of what the folder is called, else of what it was made from.

    Raises UserError where that is several profiles'.
    """
    known = list(profiles)
    readers: tuple[Callable[[Path], Iterator[Statement]], ...] = (own_names, origins)
    for reader in readers:
        matches = [(p, s) for s in reader(folder) for p in known if s.value in p.recognises]
        if len({profile.name for profile, _ in matches}) > 1:
            reasons = "; ".join(f"{profile.name}: {statement}" for profile, statement in matches)
            raise UserError(
                f"Several profiles recognise {folder} ({reasons}). Choose by --profile NAME, or "
                f"--profile {NO_PROFILE}."
            )
        if matches:
            return matches[0]
    return None


def _require_fit(profile: NamedProfile, checkpoint: Checkpoint) -> None:
    """Raise UserError for other architectures; those of a server's model are not known."""
    names = checkpoint.architectures
    if names and not profile.refused and not profile.fits(names):
        raise UserError(
            f"The profile {profile.name} is for {_listed(profile)}, and {checkpoint.reference} has "
            f"{', '.join(names)}. `vtg-eval profiles` lists the others; --profile {NO_PROFILE} "
            "applies none."
        )


def _listed(profile: NamedProfile) -> str:
    return " and ".join(profile.architectures)
