"""Champion and challenger are compared on the same patients, whom neither was fitted to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.model_manifest import UpdateStatement
from serving.model.artefact import Artefact
from training.cohort import patients_to_judge_by
from training.evaluation.estimate import Estimate
from training.evaluation.scored_cohort import ScoredCohort
from training.judging.external_validation import outcome_of
from training.judging.recognised import known_by
from training.judging.scored_file import load, save
from training.pipeline import Run, train
from training.promoting.champion import (
    NotComparable,
    OnCohort,
    beside_champion,
    paired_log_loss,
    which_is_better,
)
from training.recalibration import WITHOUT_UPDATE
from training.simulation.synthetic_cohort import simulate, write


@pytest.fixture(scope="module")
def rival(
    experiment_file: Callable[..., Path],
    simulated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """Another model of the same patients."""
    return train(experiment_file(seed=8), simulated_file, tmp_path_factory.mktemp("rival"))


@pytest.fixture
def evaluations(cohort_run: Run, rival: Run, tmp_path: Path) -> Path:
    for run in (cohort_run, rival):
        folder = tmp_path / run.artefact.version
        folder.mkdir()
        save(run.judgement.scored, folder)
    return tmp_path


def test_the_difference_is_that_of_mean_losses_over_repeats() -> None:
    rng = np.random.default_rng(0)
    outcome = (rng.random(200) < 0.3).astype(float)
    first, second = rng.normal(-1, 1, (3, 200)), rng.normal(-1, 1, 200)
    found, patients = paired_log_loss(OnCohort(first, outcome), OnCohort(second, outcome), seed=1)
    risk = 1 / (1 + np.exp(-first))
    loss = -(outcome * np.log(risk) + (1 - outcome) * np.log(1 - risk)).mean()
    other = 1 / (1 + np.exp(-second))
    loss_other = -(outcome * np.log(other) + (1 - outcome) * np.log(1 - other)).mean()
    assert found.value == pytest.approx(loss - loss_other, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert patients == 200


def test_patients_whom_one_cannot_answer_for_are_left_out() -> None:
    outcome = np.arange(60) % 2.0
    first, second = np.zeros(60), np.full(60, 5.0)
    first[:10], second[-5:] = np.nan, np.nan
    found, patients = paired_log_loss(OnCohort(first, outcome), OnCohort(second, outcome), seed=1)
    assert patients == 45
    expected = np.log(2) - np.mean(np.logaddexp(0, 5) - 5 * outcome[10:55])
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_a_handful_of_patients_is_no_comparison() -> None:
    few = OnCohort(np.zeros(19), np.arange(19) % 2.0)
    with pytest.raises(NotComparable, match="fewer than 20"):
        paired_log_loss(few, few, seed=1)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_patients_of_one_kind_are_no_comparison(outcome: float) -> None:
    z = np.linspace(-3, 1, 60)
    one_kind = OnCohort(z, np.full(60, outcome))
    with pytest.raises(NotComparable, match="same outcome"):
        paired_log_loss(one_kind, OnCohort(z - 1, np.full(60, outcome)), seed=1)


def test_two_models_of_one_cohort_are_compared_by_their_cross_validations(
    cohort_run: Run, rival: Run, evaluations: Path
) -> None:
    limit = beside_champion(cohort_run.artefact, rival.artefact, evaluations, None)
    patients = len(cohort_run.judgement.scored)
    assert limit.met
    assert f"paired on {patients} patients" in limit.in_words
    assert rival.artefact.version in limit.in_words
    assert cohort_run.artefact.version in limit.in_words


def test_a_challenger_that_is_worse_beyond_chance_is_refused(
    cohort_run: Run, rival: Run, evaluations: Path
) -> None:
    folder = evaluations / rival.artefact.version
    scored = load(folder)
    noise = np.random.default_rng(1).normal(0, 3, scored.left_out.shape)
    save(replace(scored, left_out=scored.left_out + noise), folder)
    limit = beside_champion(cohort_run.artefact, rival.artefact, evaluations, None)
    assert not limit.met
    assert limit.reached is not None
    assert limit.reached > 0
    old, new = cohort_run.artefact.version, rival.artefact.version
    assert limit.in_words.startswith(f"{old}, which answers now, predicts better than {new}: ")
    assert ", beyond chance, paired on" in limit.in_words
    back = beside_champion(rival.artefact, cohort_run.artefact, evaluations, None)
    assert back.met
    assert back.in_words.startswith(f"{old} predicts better than {new}, which answers now: ")
    by = [said.in_words.partition("log-loss is lower by ")[2].split()[0] for said in (limit, back)]
    assert by[0] == by[1]


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        ((0.0123, 0.0021, 0.023), "old, which answers now, predicts better than new: its log-loss "
         "is lower by 0.0123 (0.0021 to 0.0230), beyond chance, paired on 290 patients."),
        ((0.0123, -0.0021, 0.023), "old, which answers now, predicts better than new: its log-loss "
         "is lower by 0.0123 (-0.0021 to 0.0230), which may be chance, paired on 290 patients."),
        ((-0.0123, -0.023, 0.0021), "new predicts better than old, which answers now: its log-loss "
         "is lower by 0.0123 (-0.0021 to 0.0230), which may be chance, paired on 290 patients."),
        ((-0.0123, -0.023, -0.00002), "new predicts better than old, which answers now: its "
         "log-loss is lower by 0.0123 (0.00002 to 0.0230), beyond chance, paired on 290 patients."),
        ((0.0, -0.01, 0.01), "new does exactly as well as old, which answers now, paired on 290 "
         "patients."),
    ],
)  # fmt: skip
def test_the_sentence_names_the_better_one_and_by_how_much(
    evidence_run: Run, difference: tuple[float, float, float], said: str
) -> None:
    value, low, high = difference
    champion, challenger = (replace(evidence_run.artefact, version=v) for v in ("old", "new"))
    estimate = Estimate(value=value, low=low, high=high, method="bootstrap")
    assert which_is_better(champion, challenger, estimate, 290) == said


def test_an_update_is_compared_with_its_parent_on_its_own_patients(
    cohort_run: Run, evidence_run: Run, evaluations: Path
) -> None:
    step = UpdateStatement(
        parent_version=evidence_run.artefact.version,
        parent_sha256=evidence_run.artefact.sha256,
        change="a test",
        intercept=0.1,
        slope=1.0,
        patients=300,
        real_patients=0,
        events=30,
        sites=1,
        cohort_fingerprint="another",
    )
    manifest = cohort_run.artefact.manifest.model_copy(update={"lineage": (step,)})
    folder = evaluations / cohort_run.artefact.version
    scored = load(folder)
    parent = {WITHOUT_UPDATE: scored.left_out[0] + 5}
    save(replace(scored, comparators=parent), folder)
    updated = replace(cohort_run.artefact, manifest=manifest)
    limit = beside_champion(evidence_run.artefact, updated, evaluations, None)
    assert limit.met
    assert limit.reached is not None
    assert limit.reached < -1


@pytest.mark.parametrize("missing", ["folder", "cross-validation", "patients", "few"])
def test_what_cannot_be_compared_says_why(
    cohort_run: Run, rival: Run, evaluations: Path, missing: str
) -> None:
    folder = evaluations / rival.artefact.version
    scored = load(folder)
    reason = {
        "folder": "is not on this machine",
        "cross-validation": "was not cross-validated",
        "patients": "judged on different patients",
        "few": "fewer than 20 patients",
    }[missing]
    if missing == "folder":
        (folder / "scored.parquet").unlink()
    if missing == "cross-validation":
        save(replace(scored, left_out=np.empty((0, 0))), folder)
    if missing in ("patients", "few"):
        others = scored.known_by + np.uint64(1)
        others[: 19 * (missing == "few")] -= np.uint64(1)
        save(replace(scored, known_by=others), folder)
    limit = beside_champion(cohort_run.artefact, rival.artefact, evaluations, None)
    assert limit.met  # nobody of the champion is real
    assert reason in limit.in_words


# ---- On a cohort that somebody names -------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(simulate(250, 2, 77), tmp_path_factory.mktemp("elsewhere") / "other.parquet")[0]


def test_new_patients_judge_both(
    cohort_run: Run, evidence_run: Run, elsewhere: Path, tmp_path: Path
) -> None:
    limit = beside_champion(evidence_run.artefact, cohort_run.artefact, tmp_path, elsewhere)
    back = beside_champion(cohort_run.artefact, evidence_run.artefact, tmp_path, elsewhere)
    assert limit.met
    assert limit.reached != back.reached
    paired_on = [found.in_words.split("paired on ")[1].split()[0] for found in (limit, back)]
    assert paired_on[0] == paired_on[1]
    assert 200 < int(paired_on[0]) <= 250


def test_a_version_fitted_to_the_cohort_speaks_by_cross_validation(
    cohort_run: Run, evidence_run: Run, simulated_file: Path, evaluations: Path
) -> None:
    """The same comparison by hand: left-out log-odds beside those of a model of no patient."""
    champion, challenger = evidence_run.artefact, cohort_run.artefact
    limit = beside_champion(champion, challenger, evaluations, simulated_file)
    scored = cohort_run.judgement.scored
    expected, patients = paired_log_loss(
        OnCohort(scored.left_out, scored.outcome),
        OnCohort(scored.comparators["evidence"], scored.outcome),
        seed=challenger.manifest.seed,
    )
    assert limit.reached == pytest.approx(expected.low, abs=2e-3)
    assert f"paired on {patients} patients" in limit.in_words


def test_a_table_that_was_sorted_anew_holds_the_same_patients(
    cohort_run: Run, evidence_run: Run, simulated_file: Path, evaluations: Path, tmp_path: Path
) -> None:
    """Sorted by outcome, outcomes would agree row by row although the patients did not."""
    table = pd.read_parquet(simulated_file).sort_values("icans_grade", kind="stable")
    table.to_parquet(tmp_path / "turned.parquet")
    as_it_was, turned = (
        beside_champion(evidence_run.artefact, cohort_run.artefact, evaluations, file)
        for file in (simulated_file, tmp_path / "turned.parquet")
    )
    assert as_it_was.reached is not None
    assert turned == as_it_was


def _in_another_order(scored: ScoredCohort) -> ScoredCohort:
    return replace(
        scored,
        outcome=scored.outcome[::-1].copy(),
        model=scored.model[::-1].copy(),
        left_out=scored.left_out[:, ::-1],
        known_by=scored.known_by[::-1].copy(),
    )


@pytest.mark.parametrize("named", [True, False])
def test_patients_are_paired_by_who_they_are_and_not_by_their_place(
    cohort_run: Run, rival: Run, simulated_file: Path, evaluations: Path, *, named: bool
) -> None:
    cohort = simulated_file if named else None
    as_it_was = beside_champion(cohort_run.artefact, rival.artefact, evaluations, cohort)
    folder = evaluations / cohort_run.artefact.version
    save(_in_another_order(load(folder)), folder)
    turned = beside_champion(cohort_run.artefact, rival.artefact, evaluations, cohort)
    assert turned == as_it_was
    assert turned.reached is not None


# ---- When a cohort grows -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grown_file(
    simulated_file: Path, elsewhere: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The cohort of :func:`cohort_run` a year later: values were corrected, patients were added."""
    known = pd.read_parquet(simulated_file)
    known["crp_mg_l"] += 1.0
    known["patient_id"] = "known-" + known["patient_id"]
    path = tmp_path_factory.mktemp("grown") / "grown.parquet"
    pd.concat([pd.read_parquet(elsewhere), known], ignore_index=True).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def grown_run(
    experiment_file: Callable[..., Path], grown_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    return train(experiment_file(), grown_file, tmp_path_factory.mktemp("grown_store"))


def test_a_version_of_the_grown_cohort_is_paired_on_whom_both_were_judged_by(
    cohort_run: Run, grown_run: Run, evaluations: Path
) -> None:
    folder = evaluations / grown_run.artefact.version
    folder.mkdir()
    save(grown_run.judgement.scored, folder)
    limit = beside_champion(cohort_run.artefact, grown_run.artefact, evaluations, None)
    assert f"paired on {len(cohort_run.judgement.scored)} patients" in limit.in_words


def test_in_a_grown_cohort_nobody_is_predicted_by_a_fit_that_saw_them(
    cohort_run: Run, evidence_run: Run, grown_file: Path, evaluations: Path
) -> None:
    """By hand: left-out log-odds of those who had a hand, the finished model's of the others."""
    challenger = cohort_run.artefact
    limit = beside_champion(evidence_run.artefact, challenger, evaluations, grown_file)
    cohort = patients_to_judge_by(grown_file, outcome_of(challenger.manifest))
    said = challenger.model.predict(cohort.columns).logit
    scored, hashes = cohort_run.judgement.scored, known_by(cohort)
    left_out = dict(zip(scored.known_by.tolist(), scored.left_out[0].tolist(), strict=True))
    own = np.array([h in left_out for h in hashes.tolist()])
    assert own.sum() == len(scored)
    assert (~own).sum() > 200
    by_hand = np.array([left_out.get(h, z) for h, z in zip(hashes.tolist(), said, strict=True)])
    expected, patients = paired_log_loss(
        OnCohort(by_hand, cohort.outcome),
        OnCohort(evidence_run.artefact.model.predict(cohort.columns).logit, cohort.outcome),
        seed=challenger.manifest.seed,
    )
    assert limit.reached == expected.low
    assert f"paired on {patients} patients" in limit.in_words


def test_where_nobody_can_be_recognised_the_comparison_says_so(
    cohort_run: Run, evidence_run: Run, grown_file: Path, simulated_file: Path, tmp_path: Path
) -> None:
    champion, challenger = evidence_run.artefact, cohort_run.artefact
    limit = beside_champion(champion, challenger, tmp_path, grown_file)
    assert limit.reached is not None
    said = f"Whether {challenger.version} was fitted to some of these patients is not known"
    assert said in limit.in_words
    same = beside_champion(champion, challenger, tmp_path, simulated_file)
    assert same.reached is None
    assert "was fitted to this cohort, and its evaluation is not on this machine" in same.in_words


def test_whom_an_earlier_version_was_fitted_to_does_not_judge_the_update_of_it(
    cohort_run: Run, evidence_run: Run, simulated_file: Path, evaluations: Path
) -> None:
    artefact = _updated_elsewhere(cohort_run.artefact)
    folder = evaluations / artefact.version
    folder.mkdir()
    scored = cohort_run.judgement.scored
    save(replace(scored, known_by=scored.known_by + np.uint64(1)), folder)
    limit = beside_champion(evidence_run.artefact, artefact, evaluations, simulated_file)
    assert limit.reached is None
    assert "fewer than 20 patients" in limit.in_words


def _updated_elsewhere(artefact: Artefact) -> Artefact:
    step = UpdateStatement(
        parent_version=artefact.version,
        parent_sha256=artefact.sha256,
        change="a test",
        intercept=0.1,
        slope=1.0,
        patients=300,
        real_patients=0,
        events=30,
        sites=1,
        cohort_fingerprint="another",
    )
    manifest = artefact.manifest.model_copy(update={"lineage": (step,)})
    return replace(artefact, version="updated", manifest=manifest)
