"""The model as a folder one can read: JSON, XGBoost's own UBJ, a manifest with hashes. No pickle.

Loading runs no code from the folder.
A changed, missing or additional byte is refused before anything is read from it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from data_schemas.model_manifest import MANIFEST_FILE, ModelManifest
from data_schemas.refusal import Refused
from serving.model.joint_risk import Association
from serving.model.risk_model import Cell, Posterior, Recalibration, RiskModel
from serving.model.terms import Term
from serving.model.trees import TreeEnsemble
from serving.model.tumour_burden import BurdenScale

MODEL_FILE = "model.json"
PRIOR_FILE = "prior.json"
CARD_FILE = "model_card.md"
SELF_TEST_FILE = "self_test.json"
VERDICT_FILE = "verdict.json"
"""May be absent: older models, and those of tests, were never judged."""
_REQUIRED = (MODEL_FILE, PRIOR_FILE, CARD_FILE, SELF_TEST_FILE)
CURRENT_FILE = "current.json"
_OVERRIDDEN = "overridden"
VERSION_LENGTH = 12
SELF_TEST_TOLERANCE = 1e-9


class ArtefactRefused(Refused):
    """An artefact that is not byte for byte what was trained, or does not answer as it did."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A verified model with its self-description."""

    model: RiskModel
    manifest: ModelManifest
    version: str
    sha256: str
    folder: Path
    files: Mapping[str, bytes]
    """What was verified, by name: the folder may change later, the answers may not."""
    overridden: bool = False
    """Whether it is in service although something spoke against it: known of current models."""

    @property
    def verdict(self) -> dict[str, Any] | None:
        """Whether the model keeps the limits declared for it, and each of them in words."""
        ruling = self.files.get(VERDICT_FILE)
        return None if ruling is None else json.loads(ruling)["verdict"]


def canonical_json(data: object) -> bytes:
    """Return JSON with sorted keys and every digit of every float: the same bytes each time."""
    return (json.dumps(data, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def sha256(content: bytes) -> str:
    """Return the hexadecimal sha256."""
    return hashlib.sha256(content).hexdigest()


def model_to_json(model: RiskModel) -> dict[str, Any]:
    """Return the whole model as plain data."""
    data = asdict(model)
    data["posterior"] = {
        "mean": model.posterior.mean.tolist(),
        "covariance": model.posterior.covariance.tolist(),
    }
    data["trees"] = model.trees.to_json()
    return data


def model_from_json(data: Mapping[str, Any]) -> RiskModel:
    """Read what :func:`model_to_json` wrote."""
    return RiskModel(
        outcome=data["outcome"],
        terms=tuple(
            Term(**term | {k: tuple(term[k]) for k in ("diseases", "choices")})
            for term in data["terms"]
        ),
        cells=tuple(Cell(**cell | {"sources": tuple(cell["sources"])}) for cell in data["cells"]),
        posterior=Posterior(
            np.array(data["posterior"]["mean"]), np.array(data["posterior"]["covariance"])
        ),
        trees=TreeEnsemble.from_json(data["trees"]),
        recalibration=Recalibration(**data["recalibration"]),
        misfit_sd=data["misfit_sd"],
        burden_scale=BurdenScale(
            *(
                {name: tuple(knots) for name, knots in data["burden_scale"][side].items()}
                for side in ("values", "percentiles")
            )
        ),
        association=_association(data["association"]),
    )


def _association(data: Mapping[str, Any] | None) -> Association | None:
    return None if data is None else Association(**{**data, "sources": tuple(data["sources"])})


def load_artefact(folder: Path, expected_sha256: str | None = None) -> Artefact:
    """Load a model after verifying every byte and reproducing its self-test.

    Raises
    ------
    ArtefactRefused
        Naming the file that is changed, missing or not listed, or the self-test.
    """
    content = _read(folder / MANIFEST_FILE)
    digest = sha256(content)
    if expected_sha256 is not None and digest != expected_sha256:
        raise ArtefactRefused(f"{MANIFEST_FILE} is not the one that was promoted")
    try:
        manifest = ModelManifest.model_validate_json(content)
    except ValidationError as error:
        fields = sorted({".".join(map(str, e["loc"])) for e in error.errors()})
        raise ArtefactRefused(f"{MANIFEST_FILE} does not say: {', '.join(fields)}") from None
    files = _verified_files(folder, manifest.files)
    try:
        model = model_from_json(json.loads(files[MODEL_FILE]))
    except (KeyError, TypeError):
        message = f"{MODEL_FILE} was written in the format of another release: train it again"
        raise ArtefactRefused(message) from None
    _reproduce_self_test(model, json.loads(files[SELF_TEST_FILE]))
    files[MANIFEST_FILE] = content
    return Artefact(model, manifest, digest[:VERSION_LENGTH], digest, folder, files)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        reason = type(error).__name__
        raise ArtefactRefused(f"{path.name} cannot be read ({reason})") from None


def _verified_files(folder: Path, listed: Mapping[str, str]) -> dict[str, bytes]:
    present = {path.name for path in folder.iterdir()} - {MANIFEST_FILE}
    if missing := sorted({*_REQUIRED, *listed} - present):
        raise ArtefactRefused(f"the artefact lacks {', '.join(missing)}")
    if additional := sorted(present - set(listed)):
        raise ArtefactRefused(f"the manifest does not list {', '.join(additional)}")
    files = {name: _read(folder / name) for name in sorted(listed)}
    if changed := [name for name, content in files.items() if sha256(content) != listed[name]]:
        raise ArtefactRefused(f"{', '.join(changed)} changed since training (sha256 differs)")
    return files


def self_test(model: RiskModel, columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return invented patients with the answers that a faithful copy must give."""
    prediction = model.predict(columns)
    patients = {name: [_plain(v) for v in column] for name, column in columns.items()}
    return {"patients": patients, "logit": prediction.logit.tolist()}


def _plain(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]  # object columns hold None, str or a number
    return None if np.isnan(number) else number


def _reproduce_self_test(model: RiskModel, stored: Mapping[str, Any]) -> None:
    columns = {
        name: np.array(values, dtype=object)
        if any(isinstance(v, str) for v in values)
        else np.array([np.nan if v is None else v for v in values])
        for name, values in stored["patients"].items()
    }
    logit = model.predict(columns).logit
    if not np.allclose(logit, stored["logit"], rtol=0, atol=SELF_TEST_TOLERANCE):
        raise ArtefactRefused("the self-test is not reproduced: this is another model")


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
    if folder.exists():
        return folder
    _write_whole(folder, {**files, MANIFEST_FILE: content})
    return folder


def _write_whole(folder: Path, files: Mapping[str, bytes]) -> None:
    draft = folder.parent / f".{folder.name}.{os.getpid()}.draft"
    # In a container a killed run and this one may have the same process id.
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name, data in files.items():
            (draft / name).write_bytes(data)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def make_current(root: Path, artefact: Artefact, *, overridden: bool = False) -> None:
    """Let an artefact answer: copy it under ``root`` and move the pointer, at once.

    Parameters
    ----------
    overridden
        Whether something spoke against it and somebody signed: every answer will say so.
    """
    home = root / artefact.model.outcome
    folder = home / artefact.version
    if not folder.exists():
        _write_whole(folder, artefact.files)
    load_artefact(folder, artefact.sha256)
    named: dict[str, object] = {"version": artefact.version, "sha256": artefact.sha256}
    pointer = canonical_json(named | ({_OVERRIDDEN: True} if overridden else {}))
    draft_pointer = home / f".{CURRENT_FILE}.{os.getpid()}"
    draft_pointer.write_bytes(pointer)
    draft_pointer.replace(home / CURRENT_FILE)


def load_current(root: Path) -> dict[str, Artefact]:
    """Load every outcome's current model under ``root``, by outcome name.

    Raises
    ------
    ArtefactRefused
        If any of them is not what its pointer says, or answers another question.
    """
    artefacts = {}
    for pointer in sorted(root.glob(f"*/{CURRENT_FILE}")):
        name = pointer.parent.name
        version, digest, overridden = _pointed_at(pointer)
        artefact = load_artefact(pointer.parent / version, digest)
        artefacts[name] = replace(artefact, overridden=overridden)
        if artefacts[name].model.outcome != name:
            raise ArtefactRefused(f"{name}/{CURRENT_FILE} points at a model of another outcome")
    return artefacts


def _pointed_at(pointer: Path) -> tuple[str, str, bool]:
    content = _read(pointer)
    try:
        said = json.loads(content)
        return str(said["version"]), str(said["sha256"]), bool(said.get(_OVERRIDDEN))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        name = f"{pointer.parent.name}/{pointer.name}"
        raise ArtefactRefused(f"{name} does not name a version and its sha256") from None
