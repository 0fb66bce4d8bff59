"""Both outcomes' models, in memory and as a store that a service answers from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost

from data_schemas.model_manifest import MANIFEST_FILE
from serving.model.artefact import (
    MODEL_FILE,
    SELF_TEST_FILE,
    Artefact,
    canonical_json,
    load_artefact,
    model_to_json,
    self_test,
)
from serving.model.store import load_current, make_current, save_artefact

BOOSTER_FILE = "booster.ubj"
"""As `training.saving` calls it, which takes seconds to import."""


@dataclass(frozen=True)
class Models:
    """Both outcomes' artefacts, and XGBoost's boosters of their trees, by outcome."""

    artefacts: dict[str, Artefact]
    boosters: dict[str, xgboost.Booster]


def write_store(models: Models, store: Path, patients: dict[str, np.ndarray]) -> None:
    """Let models answer from a store.

    Parameters
    ----------
    patients
        Columns of simulated patients, shape (n,): what the models say of them is the self-test.
    """
    for name, artefact in models.artefacts.items():
        files = {k: v for k, v in artefact.files.items() if k != MANIFEST_FILE}
        files |= {
            MODEL_FILE: canonical_json(model_to_json(artefact.model)),
            SELF_TEST_FILE: canonical_json(self_test(artefact.model, patients)),
            BOOSTER_FILE: bytes(models.boosters[name].save_raw("ubj")),
        }
        trained = save_artefact(store / "trained", artefact.model, artefact.manifest, files)
        make_current(store, load_artefact(trained))


def read_store(store: Path) -> Models:
    """Return the models that answer from a store, with their boosters, one thread each."""
    artefacts = load_current(store)
    boosters = {}
    for name, artefact in artefacts.items():
        boosters[name] = xgboost.Booster({"nthread": 1})
        boosters[name].load_model(bytearray(artefact.files[BOOSTER_FILE]))
    return Models(artefacts, boosters)
