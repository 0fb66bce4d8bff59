"""The model as a folder one can read: JSON, XGBoost's own UBJ, a manifest with hashes. No pickle.

Loading runs no code from the folder.
A changed, missing or additional byte is refused before anything is read from it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
from pydantic import BaseModel, ValidationError

from data_schemas.model_manifest import MANIFEST_FILE, ModelManifest
from data_schemas.predictors import PREDICTORS, Category
from data_schemas.refusal import Refused
from serving.model.model_file import ModelFile, PriorFile, SelfTestFile, VerdictFile
from serving.model.risk_model import RiskModel
from serving.model.soundness import faults

MODEL_FILE = "model.json"
PRIOR_FILE = "prior.json"
CARD_FILE = "model_card.md"
SELF_TEST_FILE = "self_test.json"
VERDICT_FILE = "verdict.json"
"""May be absent: older models, and those of tests, were never judged."""
_REQUIRED = (MODEL_FILE, PRIOR_FILE, CARD_FILE, SELF_TEST_FILE)
VERSION_LENGTH = 12
SELF_TEST_TOLERANCE = 1e-9
_MOST_WORDS = 3
_UNFORESEEN = {"extra_forbidden", "unexpected_keyword_argument"}
_R = TypeVar("_R", bound=BaseModel)


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
        return None if ruling is None else orjson.loads(ruling)["verdict"]

    @property
    def prior(self) -> Any:
        """What was believed before any patient, as plain data."""
        return orjson.loads(self.files[PRIOR_FILE])

    @property
    def resting_on_unread(self) -> frozenset[str]:
        """Terms whose effect rests on a published figure that was not read in its source."""
        return _record(PRIOR_FILE, self.files[PRIOR_FILE], PriorFile).resting_on_unread

    @property
    def card(self) -> str:
        """The model card, as Markdown."""
        return self.files[CARD_FILE].decode()


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


def model_from_json(content: bytes) -> RiskModel:
    """Read what :func:`model_to_json` wrote.

    Raises
    ------
    ArtefactRefused
        If it is no model, saying what no model can be.
    """
    record = _record(MODEL_FILE, content, ModelFile)
    if len({len(row) for row in record.posterior.covariance}) > 1:
        raise ArtefactRefused(f"{MODEL_FILE}: the rows of the covariance differ in length")
    model = record.model()
    if found := list(faults(model)):
        raise ArtefactRefused(f"{MODEL_FILE}: {_few(found, '; ')}")
    return model


def _record(name: str, content: bytes, record: type[_R]) -> _R:
    """Read a file as what it must be; what is wrong with it is told by field."""
    try:
        return record.model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
    fields = {".".join(map(str, one["loc"])): one["type"] for one in found}
    absent = sorted(field for field, kind in fields.items() if kind == "missing")
    if any(kind == "json_invalid" for kind in fields.values()):
        why = "is not JSON"
    elif name == MODEL_FILE and (absent or _UNFORESEEN & set(fields.values())):
        why = "was written in the format of another release: train it again"
    elif absent:
        why = f"does not say: {_few(absent, ', ')}"
    else:
        why = f"does not hold what it must at: {_few(sorted(fields), ', ')}"
    raise ArtefactRefused(f"{name} {why}")


def _few(words: Sequence[str], between: str) -> str:
    more = len(words) - _MOST_WORDS
    return between.join(words[:_MOST_WORDS]) + (f" and {more} more" if more > 0 else "")


def load_artefact(folder: Path, expected_sha256: str | None = None) -> Artefact:
    """Load a model after verifying every byte and reproducing its self-test.

    Raises
    ------
    ArtefactRefused
        Naming the file that is changed, missing, not listed or not what it must be, or the
        self-test.
    """
    content = _read(folder / MANIFEST_FILE)
    digest = sha256(content)
    if expected_sha256 is not None and digest != expected_sha256:
        raise ArtefactRefused(f"{MANIFEST_FILE} is not the one that was promoted")
    manifest = _record(MANIFEST_FILE, content, ModelManifest)
    files = _verified_files(folder, manifest.files)
    model = model_from_json(files[MODEL_FILE])
    _reproduce_self_test(model, _record(SELF_TEST_FILE, files[SELF_TEST_FILE], SelfTestFile))
    if VERDICT_FILE in files:
        _record(VERDICT_FILE, files[VERDICT_FILE], VerdictFile)
    files[MANIFEST_FILE] = content
    artefact = Artefact(model, manifest, digest[:VERSION_LENGTH], digest, folder, files)
    _expect_presentable(artefact)
    _record(PRIOR_FILE, files[PRIOR_FILE], PriorFile)
    return artefact


def _expect_presentable(artefact: Artefact) -> None:
    """Make sure of what `/v1/model` shows: whoever asks shall not be the first to find out."""
    for name, shown in (
        (PRIOR_FILE, lambda: artefact.prior),
        (CARD_FILE, lambda: artefact.card),
        (VERDICT_FILE, lambda: artefact.verdict),
        (MANIFEST_FILE, lambda: artefact.manifest.model_dump(mode="json")),
    ):
        try:
            orjson.dumps(shown())
        except (ValueError, TypeError):  # orjson cannot write what nests too deep, or huge numbers
            raise ArtefactRefused(f"{name} cannot be shown: it is no text, or no JSON") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        reason = type(error).__name__
        raise ArtefactRefused(f"{path.name} cannot be read ({reason})") from None


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError as error:
        reason = type(error).__name__
        raise ArtefactRefused(f"{folder.name} cannot be read ({reason})") from None


def _verified_files(folder: Path, listed: Mapping[str, str]) -> dict[str, bytes]:
    present = _names(folder) - {MANIFEST_FILE}
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


def _reproduce_self_test(model: RiskModel, stored: SelfTestFile) -> None:
    n = len(stored.logit)
    if not n or any(len(values) != n for values in stored.patients.values()):
        raise ArtefactRefused(f"{SELF_TEST_FILE} does not say one answer for each patient")
    columns = {name: _column(name, values) for name, values in stored.patients.items()}
    try:
        said = model.predict(columns)
    except KeyError as missing:
        raise ArtefactRefused(f"{SELF_TEST_FILE} lacks {missing.args[0]}") from None
    if not np.allclose(said.logit, stored.logit, rtol=0, atol=SELF_TEST_TOLERANCE):
        raise ArtefactRefused("the self-test is not reproduced: this is another model")
    if not np.all(np.isfinite([said.low, said.high])):
        raise ArtefactRefused("the self-test gives an interval without an end")


def _column(name: str, values: Sequence[float | str | None]) -> np.ndarray:
    if isinstance(PREDICTORS.get(name), Category):
        return np.array(values, dtype=object)
    if any(isinstance(value, str) for value in values):
        raise ArtefactRefused(f"{SELF_TEST_FILE} holds a word where {name} is a number")
    return np.array([np.nan if value is None else value for value in values], dtype=float)
