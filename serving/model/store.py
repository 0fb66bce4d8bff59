"""A store of models: a folder for each version of an outcome, and a pointer to the one in service.

A folder appears whole or not at all, and a pointer is moved at once, when what it names is on disk.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from data_schemas.model_manifest import MANIFEST_FILE, ModelManifest
from serving.model.artefact import (
    VERSION_LENGTH,
    Artefact,
    ArtefactRefused,
    canonical_json,
    load_artefact,
    sha256,
)
from serving.model.risk_model import RiskModel
from serving.whole_file import flush_names, whole_file

CURRENT_FILE = "current.json"
_OVERRIDDEN = "overridden"
_WITHDRAWN = "withdrawn"
_HOW_TO_REPLACE = "put a registered version in its place: `cart-risk promote`"


def save_artefact(
    root: Path, model: RiskModel, manifest: ModelManifest, files: Mapping[str, bytes]
) -> Path:
    """Write a model under ``root/<outcome>/<version>`` and return the folder.

    The folder appears whole or not at all; a killed run leaves nothing behind that can be loaded.

    Parameters
    ----------
    files
        Everything but the manifest; their hashes replace ``manifest.files``.
    """
    manifest = manifest.model_copy(update={"files": {n: sha256(c) for n, c in files.items()}})
    content = canonical_json(manifest.model_dump(mode="json"))
    folder = root / model.outcome / sha256(content)[:VERSION_LENGTH]
    _have(folder, {**files, MANIFEST_FILE: content})
    return folder


def make_current(root: Path, artefact: Artefact, *, overridden: bool = False) -> None:
    """Let an artefact answer: copy it under ``root`` and move the pointer, at once.

    A copy there that is not what was trained is replaced.

    Parameters
    ----------
    overridden
        Whether something spoke against it and somebody signed: every answer will say so.
    """
    home = root / artefact.model.outcome
    folder = home / artefact.version
    _have(folder, artefact.files)
    load_artefact(folder, artefact.sha256)
    named: dict[str, object] = {"version": artefact.version, "sha256": artefact.sha256}
    with whole_file(home / CURRENT_FILE) as pointer:
        pointer.write(canonical_json(named | ({_OVERRIDDEN: True} if overridden else {})))


def withdraw_current(root: Path, outcome: str) -> None:
    """Let no model answer for an outcome, at once.

    The pointer stays and says so: one that is lost is an accident, and nobody follows it.
    """
    with whole_file(root / outcome / CURRENT_FILE) as pointer:
        pointer.write(canonical_json({_WITHDRAWN: True}))


def withdrawn(root: Path) -> set[str]:
    """Return the outcomes that were taken out of service.

    Raises
    ------
    ArtefactRefused
        If a pointer cannot be read.
    """
    pointers = root.glob(f"*/{CURRENT_FILE}")
    return {pointer.parent.name for pointer in pointers if _pointed_at(pointer) is None}


def _have(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make sure that a folder holds these files and nothing else, on disk."""
    if _holds(folder, files):
        return
    draft, spoilt = (
        folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("draft", "spoilt")
    )
    # In a container a killed run and this one may have the same process id.
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name, data in files.items():
            with whole_file(draft / name) as sink:
                sink.write(data)
        if folder.exists():
            folder.rename(spoilt)
        draft.rename(folder)
    finally:
        for left in (draft, spoilt):
            shutil.rmtree(left, ignore_errors=True)
    flush_names(folder.parent)


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    try:
        names = {path.name for path in folder.iterdir()}
        return names == set(files) and all((folder / n).read_bytes() == files[n] for n in names)
    except OSError:
        return False


def load_current(root: Path) -> dict[str, Artefact]:
    """Load every outcome's current model under ``root``, by outcome name.

    Raises
    ------
    ArtefactRefused
        As :func:`current_artefact` does.
    """
    found = {
        pointer.parent.name: current_artefact(root, pointer.parent.name)
        for pointer in sorted(root.glob(f"*/{CURRENT_FILE}"))
    }
    return {outcome: artefact for outcome, artefact in found.items() if artefact is not None}


def current_artefact(root: Path, outcome: str) -> Artefact | None:
    """Load the current model of an outcome; None where none is named, or it was withdrawn.

    Raises
    ------
    ArtefactRefused
        If it is not what its pointer says, or answers another question.
    """
    pointer = root / outcome / CURRENT_FILE
    if not pointer.exists():
        return None
    try:
        named = _pointed_at(pointer)
        if named is None:
            return None
        version, digest, overridden = named
        artefact = load_artefact(pointer.parent / version, digest)
    except ArtefactRefused as refused:
        raise ArtefactRefused(f"{outcome}: {refused}: {_HOW_TO_REPLACE}") from None
    if artefact.model.outcome != outcome:
        raise ArtefactRefused(f"{outcome}/{CURRENT_FILE} points at a model of another outcome")
    return replace(artefact, overridden=overridden)


def current_version(root: Path, outcome: str) -> str | None:
    """Return the version that is to answer for an outcome, unread; None where none is named.

    Raises
    ------
    ArtefactRefused
        If the pointer cannot be read.
    """
    pointer = root / outcome / CURRENT_FILE
    named = _pointed_at(pointer) if pointer.exists() else None
    return named[0] if named else None


def _pointed_at(pointer: Path) -> tuple[str, str, bool] | None:
    """Return version, sha256 and whether somebody signed; None of what was withdrawn."""
    try:
        content = pointer.read_bytes()
    except OSError as error:
        reason = type(error).__name__
        raise ArtefactRefused(f"{CURRENT_FILE} cannot be read ({reason})") from None
    try:
        said = json.loads(content)
        if said == {_WITHDRAWN: True}:
            return None
        return str(said["version"]), str(said["sha256"]), bool(said.get(_OVERRIDDEN))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        name = f"{pointer.parent.name}/{pointer.name}"
        raise ArtefactRefused(f"{name} does not name a version and its sha256") from None
