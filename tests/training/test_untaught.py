"""What a cohort cannot teach is said of it by name, and without any value of its patients."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.evidence import Evidence
from data_schemas.model_manifest import ModelManifest
from serving.model.tumour_burden import BURDEN
from tests.training.conftest import CohortBuilder, ExperimentWriter, unpublished_outcome
from training.cohort import LearningCohort
from training.experiment import read_experiment
from training.learning.learner import learn
from training.learning.prior import experiment_prior
from training.pipeline import train
from training.report.record import Report
from training.untaught import untaught

Array = np.ndarray
Notes = Callable[..., tuple[str, ...]]

N = 60
Y = (np.arange(N) % 4 == 0).astype(float)
AGES = np.linspace(50, 80, N)
MIXED = ["axicabtagene_ciloleucel", "tisagenlecleucel"] * (N // 2)


@pytest.fixture
def notes_of(evidence: Evidence, experiment_file: ExperimentWriter) -> Notes:
    """What is said of a cohort by an experiment with some predictors."""

    def said(cohort: LearningCohort, *predictors: str, file: Path | None = None) -> tuple[str, ...]:
        experiment = read_experiment(file or experiment_file(predictors=predictors))
        prior = experiment_prior(evidence, experiment, cohort)
        return untaught(cohort, learn(prior, cohort, 1), experiment.predictors, prior)

    return said


def same(value: float) -> Array:
    return np.full(N, value)


def test_predictors_of_one_value_and_of_none_are_named_apart(
    cohort_of: CohortBuilder, notes_of: Notes
) -> None:
    cohort = cohort_of(Y, MIXED, crp=same(87.6), albumin=same(31.0), age=AGES)
    no_value, one_value = notes_of(cohort, "albumin", "age", "crp", "ldh")
    assert no_value.startswith("no value in the cohort learnt from")
    assert no_value.endswith(": Lactate dehydrogenase")
    assert one_value.startswith("one value only in the cohort learnt from")
    assert one_value.endswith(": Albumin, C-reactive protein")
    assert not re.search(r"\d", no_value + one_value)


def test_nothing_is_said_where_patients_differ(cohort_of: CohortBuilder, notes_of: Notes) -> None:
    """Two values are enough, whoever has none."""
    crp = np.where(np.arange(N) < 3, [87.6], np.nan)
    crp[0] = 5.0
    assert notes_of(cohort_of(Y, MIXED, crp=crp, age=AGES), "crp", "age") == ()


def test_words_flags_and_burden_are_looked_at_too(
    cohort_of: CohortBuilder, notes_of: Notes
) -> None:
    """An unknown word is no word, and no patient has a measure of burden but of one size."""
    of_words = {
        "crs_prophylaxis": np.array(["none", "unknown", None] * (N // 3), dtype=object),
        "sex": np.array(["female", "male"] * (N // 2), dtype=object),
        "neuro_comorbidity": same(0.0),
        "mtv": same(150.0),
    }
    asked = ("sex", "crs_prophylaxis", "neuro_comorbidity", BURDEN)
    (said,) = notes_of(cohort_of(Y, MIXED, **of_words), *asked)
    labels = "Pre-existing neurological disorder, Tumour burden"
    assert said.startswith("one value only")
    assert said.endswith(labels)
    assert "prophylaxis" in said
    assert "Sex" not in said


@pytest.mark.parametrize(
    ("diseases", "where"), [("LBCL", "axi-cel in LBCL: "), (["LBCL", "FL"] * (N // 2), "axi-cel: ")]
)
def test_one_product_is_named(
    cohort_of: CohortBuilder, notes_of: Notes, diseases: str | list[str], where: str
) -> None:
    cohort = cohort_of(Y, "axicabtagene_ciloleucel", diseases, age=AGES)
    (said,) = notes_of(cohort, "age")
    assert said.startswith(f"one product only in the cohort learnt from, {where}")
    assert said.endswith("rests on the evidence")


def test_a_model_of_its_own_cohort_alone_knows_no_other_product(
    cohort_of: CohortBuilder, notes_of: Notes, experiment_file: ExperimentWriter
) -> None:
    own = experiment_file(unpublished_outcome("age", "crp"))
    (said,) = notes_of(cohort_of(Y, age=AGES), file=own)
    assert said.endswith(": C-reactive protein")


def test_a_cohort_that_had_no_hand_in_a_model_is_not_spoken_of(
    cohort_of: CohortBuilder, evidence: Evidence, experiment_file: ExperimentWriter
) -> None:
    experiment = read_experiment(experiment_file())
    prior = experiment_prior(evidence, experiment, None)
    of_nobody = learn(prior, None, 1)
    for cohort in (None, cohort_of(Y)):
        assert untaught(cohort, of_nobody, experiment.predictors, prior) == ()


def test_it_is_told_on_the_console_in_the_manifest_the_card_and_the_report(
    experiment_file: ExperimentWriter, simulated_file: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(simulated_file)
    axi = table[
        (table["product"] == "axicabtagene_ciloleucel") & (table["disease"] == "LBCL")
    ].assign(crp_mg_l=87.6)
    path = tmp_path / "cohort.parquet"
    axi.drop(columns=[c for c in axi if axi[c].isna().all()]).to_parquet(path)
    run = train(experiment_file(), path, tmp_path / "store")
    manifest: ModelManifest = run.artefact.manifest
    one_value, one_product = manifest.untaught
    assert one_value.endswith(": C-reactive protein")
    assert "axi-cel in LBCL" in one_product
    assert set(manifest.untaught) <= set(run.notices)
    told = {f"{note[0].upper()}{note[1:]}." for note in manifest.untaught}
    assert told <= set(manifest.limitations)
    card = Path(run.artefact.folder, "model_card.md").read_text("utf-8")
    assert all(f"- {sentence}" in card for sentence in told)
    report = Report.model_validate_json((run.evaluation_folder / "report.json").read_bytes())
    assert set(manifest.untaught) <= set(report.notices)
    assert "87.6" not in " ".join(manifest.limitations)
