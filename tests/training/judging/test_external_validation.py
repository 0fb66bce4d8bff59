"""Another centre's patients judge a finished model, or are refused by name."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import CohortRefused, Purpose, read_cohort
from data_schemas.evidence import load_evidence
from data_schemas.outcomes import OUTCOMES
from data_schemas.patient_request import read_patient
from data_schemas.risk_assessment import Status
from serving.answer.published_scores import PUBLISHED_SCORES
from serving.assess import Assessor
from serving.model.artefact import VERDICT_FILE, Artefact, canonical_json
from training.judging.external_validation import (
    ExternalValidation,
    NotExternal,
    evaluate_on,
    external_cohort,
    outcome_of,
)
from training.judging.recognised import known_by
from training.judging.ruling import ruling_of
from training.pipeline import Run, train
from training.saving import EVALUATIONS
from training.simulation.synthetic_cohort import SimulatedCohort, simulate

Write = Callable[[pd.DataFrame], Path]


@pytest.fixture(scope="module")
def artefact(cohort_run: Run) -> Artefact:
    return cohort_run.artefact


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Patients of two centres whom no model has seen."""
    return simulate(150, 2, 77).table


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(table: pd.DataFrame) -> Path:
        path = tmp_path / "cohort.parquet"
        table.dropna(axis="columns", how="all").to_parquet(path)
        return path

    return write


def judged(artefact: Artefact) -> Path:
    """Return where the evaluations of the store lie that holds an artefact."""
    return artefact.folder.parents[1] / EVALUATIONS


def refused(artefact: Artefact, path: Path) -> set[str]:
    with pytest.raises(CohortRefused) as refusal:
        external_cohort(artefact, path, judged(artefact))
    return refusal.value.rules


def evaluated(artefact: Artefact, path: Path) -> ExternalValidation:
    return evaluate_on(artefact, external_cohort(artefact, path, judged(artefact)))


def test_patients_are_scored_as_the_service_would(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    found = evaluated(artefact, written(table))
    known = table["icans_grade"].notna().to_numpy()
    columns = read_cohort(table, Purpose.SCORING).columns()
    expected = artefact.model.predict({name: c[known] for name, c in columns.items()})
    told = zip(found.scored.model, found.scored.low, strict=True)
    assert sorted(told) == sorted(zip(expected.logit, expected.low, strict=True))
    assert found.evaluation.leading == "external"
    assert found.evaluation.apparent is None
    assert not found.scored.fitted_here
    scores = {score.name for score in PUBLISHED_SCORES}
    rates = {"product_rate", "recalibrated_product_rate"}
    assert set(found.scored.comparators) == rates | scores


def test_the_patients_a_model_was_fitted_on_cannot_judge_it(
    artefact: Artefact, simulated_file: Path
) -> None:
    with pytest.raises(NotExternal, match="fitted on this very cohort"):
        external_cohort(artefact, simulated_file, judged(artefact))


def test_nor_can_they_once_the_file_was_sorted(
    artefact: Artefact, simulated_file: Path, written: Write
) -> None:
    turned = pd.read_parquet(simulated_file).iloc[::-1]
    with pytest.raises(NotExternal, match="fitted on this very cohort"):
        external_cohort(artefact, written(turned), judged(artefact))


@pytest.fixture
def grown(simulated_file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The cohort that the model was fitted on a year later: corrected, sorted anew, with others."""
    known = pd.read_parquet(simulated_file).assign(il6_pg_ml=np.nan)
    known["crp_mg_l"] += 1.0
    known["patient_id"] = "known-" + known["patient_id"]
    return pd.concat([table, known], ignore_index=True).sort_values("age_years", kind="stable")


def test_of_a_table_that_grew_the_new_patients_judge(
    artefact: Artefact, grown: pd.DataFrame, table: pd.DataFrame, written: Write
) -> None:
    new = external_cohort(artefact, written(table), judged(artefact))
    cohort = external_cohort(artefact, written(grown), judged(artefact))
    assert sorted(known_by(cohort)) == sorted(known_by(new))
    fitted = artefact.manifest.cohort.patients
    assert any(n.startswith(f"{fitted} patients are left out") for n in cohort.notices)
    assert not any("left out: the model was fitted" in n for n in new.notices)


def test_where_nobody_can_be_recognised_a_notice_says_so(
    artefact: Artefact, grown: pd.DataFrame, written: Write, evidence_run: Run
) -> None:
    cohort = external_cohort(artefact, written(grown), Path("nowhere"))
    assert len(cohort) > artefact.manifest.cohort.patients
    assert any("is not known here" in notice for notice in cohort.notices)
    of_nobody = external_cohort(evidence_run.artefact, written(grown), Path("nowhere"))
    assert not any("is not known here" in notice for notice in of_nobody.notices)


def test_a_part_of_its_own_cohort_cannot_judge_a_model(
    artefact: Artefact, simulated_file: Path, written: Write
) -> None:
    part = pd.read_parquet(simulated_file).head(100)
    with pytest.raises(NotExternal, match="every one of these patients"):
        external_cohort(artefact, written(part), judged(artefact))


def test_they_may_judge_a_model_that_they_had_no_hand_in(
    evidence_run: Run, simulated_file: Path
) -> None:
    assert len(external_cohort(evidence_run.artefact, simulated_file, Path("nowhere"))) > 250


def test_real_patients_are_called_real(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    assert evaluated(artefact, written(table)).evaluation.on.startswith("simulated patients")
    real = table.drop(columns="synthetic")
    assert evaluated(artefact, written(real)).evaluation.on == "real patients"


# ---- Other columns, other units ------------------------------------------------------------------


def test_another_accepted_unit_gives_the_same_risks(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    in_mg_dl = table.assign(crp_mg_dl=table["crp_mg_l"] / 10).drop(columns="crp_mg_l")
    ours, theirs = (evaluated(artefact, written(t)).scored.model for t in (table, in_mg_dl))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("renamed", "rules"),
    [
        ({"crp_mg_l": "crp"}, {"no_unit"}),
        ({"crp_mg_l": "C-reactive protein"}, {"unknown_column"}),
        ({"icans_grade": "neurotoxicity"}, {"required", "unknown_column"}),
        ({"site": "hospital"}, {"required", "unknown_column"}),
    ],
)
def test_columns_that_mean_nothing_to_us_are_refused(
    artefact: Artefact,
    table: pd.DataFrame,
    written: Write,
    renamed: dict[str, str],
    rules: set[str],
) -> None:
    assert refused(artefact, written(table.rename(columns=renamed))) == rules


def test_values_in_a_unit_that_was_not_said_are_refused(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    per_litre = table.assign(platelets_10e9_l=table["platelets_10e9_l"] * 1e9)
    assert refused(artefact, written(per_litre)) == {"outside_limits"}


def test_another_grading_scale_is_refused(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    assert refused(artefact, written(table.assign(grading_scale="Lee"))) == {"other_grading_scale"}


def test_predictors_that_were_never_measured_are_said_to_be_missing(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    bare = table.drop(columns=["ferritin_ng_ml", "crp_mg_l", "ldh_u_l", "platelets_10e9_l"])
    bare = bare.drop(columns=[c for c in bare if c.endswith("_measured_at")])
    cohort = external_cohort(artefact, written(bare), judged(artefact))
    n = len(cohort)
    assert f"{n} of {n} patients lack predictors that carry more than 40 %" in cohort.notices[-1]


# ---- Whom the service would give no number -------------------------------------------------------


def told_of(artefact: Artefact, path: Path, why: str) -> list[str]:
    notices = external_cohort(artefact, path, judged(artefact)).notices
    return [notice.partition(" of ")[0] for notice in notices if f" patients {why}" in notice]


def test_whom_the_service_would_give_no_number_is_counted_as_the_service_decides(
    artefact: Artefact, simulated: SimulatedCohort, bodies: list[dict[str, Any]], written: Write
) -> None:
    n, children = 400, 15
    table = simulated.table[:n].assign(
        age_years=simulated.table["age_years"].mask(simulated.table.index < children, 17.0)
    )
    minors = [{**body, "age": {"value": 17, "unit": "a"}} for body in bodies[:children]]
    service = Assessor({artefact.model.outcome: artefact}, load_evidence())
    known = table["icans_grade"].notna()
    inside = artefact.model.cell_of(read_cohort(table, Purpose.SCORING).columns()) >= 0
    given = Counter(
        service.assess(read_patient(body)).status
        for body, judged in zip([*minors, *bodies[children:n]], known & inside, strict=True)
        if judged
    )
    counts = {
        "have an age": given[Status.OUT_OF_SCOPE],
        "lack predictors": given[Status.INSUFFICIENT_DATA],
    }
    assert counts["have an age"] >= 10
    path = written(table)
    for why, count in counts.items():
        expected = [] if not count else [str(count) if count >= 10 else "fewer than 10"]
        assert told_of(artefact, path, why) == expected


def test_few_such_patients_are_not_counted(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    known = table.index[table["icans_grade"].notna() & (table["disease"] == "LBCL")]
    minors = table.assign(age_years=table["age_years"].mask(table.index.isin(known[:3]), 17.0))
    assert told_of(artefact, written(table), "have an age") == []
    assert told_of(artefact, written(minors), "have an age") == ["fewer than 10"]


# ---- Few events, few sites, unknown products, unknown outcomes -----------------------------------


def test_no_event_at_all_has_an_answer(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    found = evaluated(artefact, written(table.assign(icans_grade=1.0)))
    headline = found.evaluation.headline
    assert headline is not None
    assert headline.measures.auroc.value is None
    assert headline.measures.auroc.reason
    assert headline.measures.brier.value is not None
    assert headline.measures.observed_over_expected.value == 0.0
    limits = {limit.name: limit.in_words for limit in found.verdict.limits}
    assert "Observed over expected 0.00 (0.00 to " in limits["observed_over_expected"]
    assert "could not be measured: no pat" in limits["net_benefit_over_product_rate"]
    assert not found.update.changes
    assert found.advisory.intercept < 0


def test_one_site_is_enough(artefact: Artefact, table: pd.DataFrame, written: Write) -> None:
    one = evaluated(artefact, written(table.assign(site="here"))).evaluation
    assert one.headline is not None
    (by_site,) = (across for across in one.across if across.by == "site")
    assert by_site.auroc is not None
    assert (by_site.auroc.groups, by_site.auroc.prediction_low) == (1, None)


def test_five_patients_are_judged_with_their_uncertainty(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    known = table[table["icans_grade"].notna()]
    five = pd.concat([known[known["icans_grade"] >= 3][:2], known[known["icans_grade"] < 3][:3]])
    found = evaluated(artefact, written(five))
    assert found.evaluation.patients == 5
    assert found.evaluation.sample_size.met is False


def test_a_product_that_the_model_never_saw_is_left_out_with_a_notice(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    known = table["icans_grade"].notna()
    moved = table.assign(product=table["product"].mask(table.index < 20, "other"))
    cohort = external_cohort(artefact, written(moved), judged(artefact))
    outside = int((known & (table.index < 20)).sum())
    assert len(cohort) == known.sum() - outside
    assert any(f"{outside} patients were given a product" in notice for notice in cohort.notices)
    assert refused(artefact, written(table.assign(product="other"))) == {"nobody_to_judge"}


def test_missing_grades_are_left_out_with_a_notice(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    missing = int(table["icans_grade"].isna().sum())
    cohort = external_cohort(artefact, written(table), judged(artefact))
    assert len(cohort) == len(table) - missing
    assert sum(f"{missing} patients without a known outcome" in n for n in cohort.notices) == 1


@pytest.mark.parametrize(("rows", "rule"), [(0, "no_rows"), (150, "nobody_to_judge")])
def test_a_cohort_without_any_known_grade_is_refused(
    artefact: Artefact, table: pd.DataFrame, tmp_path: Path, rows: int, rule: str
) -> None:
    path = tmp_path / "cohort.parquet"
    table.iloc[:rows].assign(icans_grade=np.nan).to_parquet(path)
    assert refused(artefact, path) == {rule}


# ---- As the experiment declares ------------------------------------------------------------------


def declaring(artefact: Artefact, **validation: Any) -> Artefact:
    """Return the same model of an experiment that is judged in another way."""
    ruling = ruling_of(artefact)
    assert ruling is not None
    said = ruling.model_copy(update={"validation": ruling.validation.model_copy(update=validation)})
    content = canonical_json(said.model_dump(mode="json"))
    return replace(artefact, files={**artefact.files, VERDICT_FILE: content})


def test_thresholds_and_range_are_those_of_the_models_experiment(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    own = declaring(artefact, thresholds=(0.1, 0.3), net_benefit_range=(0.08, 0.4))
    asked = evaluated(own, written(table)).evaluation.asked
    assert (asked.thresholds, asked.net_benefit_range) == ((0.1, 0.3), (0.08, 0.4))


def test_too_few_events_to_recalibrate_a_score_are_said(
    artefact: Artefact, table: pd.DataFrame, written: Write
) -> None:
    severe = table.index[table["icans_grade"] >= 3]
    few = table.assign(icans_grade=table["icans_grade"].mask(table.index.isin(severe[3:]), 1.0))
    said = "no published score is beside the model: fewer than 5 patients had the outcome"
    of_five = external_cohort(declaring(artefact, folds=5), written(few), Path("nowhere"))
    assert any(notice.startswith(said) for notice in of_five.notices)
    assert not any(
        "score" in n for n in external_cohort(artefact, written(few), judged(artefact)).notices
    )


# ---- An outcome of one's own ---------------------------------------------------------------------


def test_the_contracts_outcome_is_the_contracts(artefact: Artefact) -> None:
    assert outcome_of(artefact.manifest) is OUTCOMES["severe_icans"]


def test_an_outcome_of_ones_own_is_read_as_its_manifest_says(
    experiment_file: Callable[..., Path], table: pd.DataFrame, written: Write, tmp_path: Path
) -> None:
    text = experiment_file(sections="[anchor]\nevidence = false\n").read_text("utf-8")
    own = 'name = "hlh"\nlabel = "HLH"\ndefinition = "x"\nhorizon_days = 60\nreference = "x"'
    path = experiment_file(text.replace('name = "severe_icans"', own))
    flagged = table.assign(outcome_hlh=np.where(np.arange(len(table)) % 4 == 0, "yes", "no"))
    run = train(path, written(flagged), tmp_path / "store")
    others = simulate(150, 2, 78).table.assign(
        outcome_hlh=np.where(np.arange(len(table)) < 10, "yes", "no")
    )
    found = evaluated(run.artefact, written(others))
    outside = found.cohort.outside_model
    assert (found.evaluation.patients, found.evaluation.events) == (150 - outside, 10)
