"""A finished model written down: its files, its card, its self-test, reloaded as it will answer."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.cohort_table import predictor_columns
from data_schemas.model_manifest import ModelManifest, intended_use
from data_schemas.refusal import Refused
from serving.assess import model_statement
from serving.model.artefact import (
    CARD_FILE,
    MODEL_FILE,
    PRIOR_FILE,
    SELF_TEST_FILE,
    VERDICT_FILE,
    Artefact,
    canonical_json,
    load_artefact,
    model_to_json,
    self_test,
)
from serving.model.risk_model import Cell, RiskModel
from serving.model.store import save_artefact
from serving.promotion_files import LEDGER_FILE
from serving.whole_file import whole_file
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.judging.ruling import Ruling, evaluation_json
from training.judging.scored_file import save as save_scored
from training.model_card import limitations, model_card

Array = np.ndarray
BOOSTER_FILE = "booster.ubj"
EVALUATION_FILE = "evaluation.json"
EVALUATIONS = "evaluations"
"""Beside the models of a store: how each version was judged, and on what."""


class NotWritable(Refused):
    """A directory that could not take what is to be made; nothing was begun."""


def expect_writable(folder: Path, option: str) -> None:
    """Make sure before the work that its result can be written into a directory.

    What has to be made to find out is removed again.

    Parameters
    ----------
    option
        The option of the command line that names the directory.

    Raises
    ------
    NotWritable
        Naming the option and the remedy.
    """
    missing: list[Path] = []
    try:
        missing += [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise NotWritable(
            f"{folder} cannot be written ({why}), so that nothing was begun: name a directory in "
            f"which you may write with {option}"
        ) from None
    finally:
        for place in missing:
            with suppress(OSError):  # never made, or in use by somebody else since
                place.rmdir()


class NotApart(Refused):
    """A directory of one's own that is the store in service."""


def expect_apart(folder: Path, in_service: Path) -> None:
    """Make sure that what is trained into a directory answers nobody by that.

    Raises
    ------
    NotApart
        If it is the store in service, or promotions were kept in it.
    """
    if folder.resolve() == in_service.resolve() or (folder / LEDGER_FILE).exists():
        raise NotApart(
            f"{folder} is a store in service, where a model answers by `cart-risk promote` alone: "
            "name another directory with --models, or leave it out"
        )


def save_model(
    store: Path,
    model: RiskModel,
    manifest: ModelManifest,
    prior_table: dict[str, Any],
    booster: bytes | None,
    ruling: Ruling,
) -> Artefact:
    """Write a model under ``store`` and return it as its own bytes tell it.

    Parameters
    ----------
    prior_table
        What was believed before any patient, as plain data.
    booster
        XGBoost's own file of the trees, None where none grew.
    """
    said = {
        "limitations": limitations(manifest, model),
        "intended_use": intended_use({manifest.outcome.label: manifest}),
    }
    manifest = manifest.model_copy(update=said)
    card = model_card(manifest, prior_table, model_statement(manifest), ruling.verdict)
    files = {
        MODEL_FILE: canonical_json(model_to_json(model)),
        SELF_TEST_FILE: canonical_json(self_test(model, _invented_patients(model.cells[0]))),
        PRIOR_FILE: canonical_json(prior_table),
        CARD_FILE: card.encode(),
        VERDICT_FILE: canonical_json(ruling.model_dump(mode="json")),
    }
    if booster is not None:
        files[BOOSTER_FILE] = booster
    return load_artefact(save_artefact(store, model, manifest, files))


def write_evaluation(folder: Path, scored: ScoredCohort, evaluation: Evaluation) -> None:
    """Write a scored cohort, and all that was measured of it, into a folder.

    The scored cohort holds a row for each patient, without identifier; its owner alone may read it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_scored(scored, folder)
    with whole_file(folder / EVALUATION_FILE) as sink:
        sink.write(evaluation_json(evaluation))


def _invented_patients(cell: Cell) -> dict[str, Array]:
    """Return three invented patients for the self-test: typical, inflamed, and half unmeasured."""
    given = {
        "product": np.array([cell.product] * 3, dtype=object),
        "disease": np.array([cell.disease] * 3, dtype=object),
        "age": np.array([60.0, 71.0, 45.0]),
        "crp": np.array([12.0, 140.0, np.nan]),
        "ferritin": np.array([400.0, 4200.0, np.nan]),
        "ldh": np.array([230.0, 900.0, 310.0]),
        "platelets": np.array([160.0, 35.0, np.nan]),
    }
    return dict(predictor_columns(given, 3))
