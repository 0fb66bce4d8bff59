"""Which patients had a hand in a model: they are recognised one by one, whatever table they are in.

A centre's table grows, is sorted anew and is corrected. Whoever was infused at the same site on the
same day with the same product, for the same disease and at the same age and sex is taken for the
same patient; two in one table who are alike in all of these are not told apart. What is kept of
them are hashes, in the scored cohort, which its owner alone may read.
"""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from data_schemas.model_manifest import ModelManifest
from serving.model.artefact import Artefact
from training.cohort import LearningCohort
from training.evaluation.scored_cohort import ScoredCohort
from training.judging.scored_file import NoScoredCohort, load

Array = np.ndarray

_RECOGNISED_BY = ("product", "disease", "sex", "age")


def known_by(cohort: LearningCohort) -> Array:
    """Return a hash by which each patient is recognised, unsigned of 64 bits, shape (n,)."""
    who = {name: cohort.columns[name] for name in _RECOGNISED_BY}
    where = {"site": cohort.site, "infused": cohort.infused.astype("datetime64[s]")}
    return pd.util.hash_pandas_object(pd.DataFrame({**who, **where}), index=False).to_numpy()


def cohorts_of(manifest: ModelManifest) -> set[str]:
    """Return the fingerprints of the tables that a model was fitted to or updated by."""
    return {manifest.cohort.fingerprint, *(u.cohort_fingerprint for u in manifest.lineage)}


def fitted_versions(artefact: Artefact) -> list[str]:
    """Return the version and those it was updated from, newest first, that patients went into."""
    manifest, updates = artefact.manifest, artefact.manifest.lineage
    versions = [artefact.version, *(update.parent_version for update in reversed(updates))]
    of_the_first = manifest.cohort.patients - sum(update.patients for update in updates)
    return versions if of_the_first else versions[:-1]


def scored_with(artefact: Artefact, evaluations: Path) -> dict[str, ScoredCohort]:
    """Return by version the scored patients who had a hand in a model, of those that are at hand.

    One that was written before patients were recognised is not.

    Parameters
    ----------
    evaluations
        Where the scored cohort of each version lies, by its name.
    """
    found = {}
    for version in fitted_versions(artefact):
        with suppress(NoScoredCohort):
            found[version] = load(evaluations / version)
    return {version: s for version, s in found.items() if len(s.known_by) == len(s)}


def places(patients: Array, among: Array) -> Array:
    """Return where each patient stands in another table, -1 for who is not there, shape (n,).

    Whoever is alike another in either table is nowhere: it would not be known who is who.
    """
    both = _alone(patients) & _alone(among)
    place = {h: i for i, h in enumerate(among.tolist()) if h in both}
    return np.array([place.get(h, -1) for h in patients.tolist()], dtype=int)


def _alone(patients: Array) -> set[int]:
    return {h for h, times in Counter(patients.tolist()).items() if times == 1}
