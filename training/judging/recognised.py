"""Which patients had a hand in a model: they are recognised one by one, whatever table they are in.

A centre's table grows, is sorted anew and is corrected. Whoever was infused at the same site on the
same day with the same product, for the same disease and at the same age and sex is taken for the
same patient; two in one table who are alike in all of these are not told apart. What is kept of
them are hashes, in the scored cohort, which its owner alone may read.
"""

from collections import Counter
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


def scored_with(artefact: Artefact, evaluations: Path) -> list[ScoredCohort]:
    """Return the scored patients who had a hand in a model: its own, then those of its parents.

    Parameters
    ----------
    evaluations
        Where the scored cohort of each version lies, by its name.

    Raises
    ------
    NoScoredCohort
        If one of them is not there, or was written before patients were recognised.
    """
    manifest = artefact.manifest
    if manifest.cohort.patients == 0:
        return []
    versions = [artefact.version, *(u.parent_version for u in reversed(manifest.lineage))]
    fitted = [s for s in (load(evaluations / version) for version in versions) if s.fitted_here]
    if any(len(s.known_by) != len(s) for s in fitted):
        raise NoScoredCohort("it was written before patients were recognised")
    return fitted


def places(patients: Array, among: Array) -> Array:
    """Return where each patient stands in another table, -1 for who is not there, shape (n,).

    Whoever is alike another in either table is nowhere: it would not be known who is who.
    """
    both = _alone(patients) & _alone(among)
    place = {h: i for i, h in enumerate(among.tolist()) if h in both}
    return np.array([place.get(h, -1) for h in patients.tolist()], dtype=int)


def _alone(patients: Array) -> set[int]:
    return {h for h, times in Counter(patients.tolist()).items() if times == 1}
