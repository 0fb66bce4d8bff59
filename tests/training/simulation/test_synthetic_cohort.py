"""Simulated cohorts satisfy the contract, say what they are, and depart from evidence as said."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.evidence import load_evidence
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import PRODUCTS, scope_problem
from data_schemas.typical_values import burden_measures
from serving.model.terms import design
from training.experiment import read_experiment
from training.learning.prior import evidence_prior
from training.simulation.synthetic_cohort import (
    METADATA_KEY,
    MISSING,
    NEVER_MTV,
    SimulatedCohort,
    simulate,
    write,
)
from training.simulation.synthetic_patients import CASE_MIX, draw_patients
from training.simulation.synthetic_truth import (
    SCENARIOS,
    _departure,
    _intercepts,
    _terms,
    draw_centres,
    draw_world,
    published_effects,
    term_keys,
    true_risk,
)
from training.synthesis.base_rates import base_rates
from training.synthesis.figure_reading import typical
from training.synthesis.transport import transport

EXPERIMENT = Path(__file__).parents[3] / "experiments" / "severe_crs.toml"
GRADES = {"severe_crs": "crs_grade", "severe_icans": "icans_grade"}
COMMON = (
    ("axicabtagene_ciloleucel", "LBCL"),
    ("tisagenlecleucel", "LBCL"),
    ("tisagenlecleucel", "B_ALL"),
    ("lisocabtagene_maraleucel", "LBCL"),
    ("brexucabtagene_autoleucel", "MCL"),
    ("idecabtagene_vicleucel", "MM"),
    ("ciltacabtagene_autoleucel", "MM"),
)


@pytest.fixture(scope="module")
def cohort() -> SimulatedCohort:
    return simulate(40_000, 40, 7)


def in_cell(cohort: SimulatedCohort, product: str, disease: str) -> np.ndarray:
    table = cohort.table
    return ((table["product"] == product) & (table["disease"] == disease)).to_numpy()


# ---- The contract --------------------------------------------------------------------


def test_passes_the_contract_for_development_and_is_marked_synthetic(
    cohort: SimulatedCohort,
) -> None:
    read = read_cohort(cohort.table, Purpose.DEVELOPMENT, OUTCOMES.values())
    assert read.synthetic
    assert len(read) == 40_000
    assert cohort.table["synthetic"].all()
    assert read.site.nunique() == 40
    assert read.patient_id[0] == "sim-000001"


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(4, 60),  # of fewer every outcome may be unknown, which is refused
    sites=st.integers(1, 8),
    seed=st.integers(0, 2**32),
    truth=st.sampled_from(sorted(SCENARIOS)),
)
def test_every_size_passes_the_contract(n: int, sites: int, seed: int, truth: str) -> None:
    simulated = simulate(n, sites, seed, truth=truth)
    assert read_cohort(simulated.table, Purpose.DEVELOPMENT, OUTCOMES.values()).synthetic
    assert simulated.truth[["severe_crs", "severe_icans"]].gt(0).all(axis=None)
    assert simulated.truth[["severe_crs", "severe_icans"]].lt(1).all(axis=None)


@pytest.mark.parametrize(("n", "sites"), [(0, 1), (1, 0), (-1, 2)])
def test_an_empty_cohort_is_refused(n: int, sites: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        simulate(n, sites, 1)


def test_holds_every_predictor_of_the_experiment(cohort: SimulatedCohort) -> None:
    wanted = set(tomllib.loads(EXPERIMENT.read_text("utf-8"))["predictors"]) - {"tumour_burden"}
    read = read_cohort(cohort.table, Purpose.DEVELOPMENT)
    assert [name for name in sorted(wanted) if read.predictors[name].isna().all()] == []


def test_every_measure_of_burden_is_there_and_only_in_its_diseases(cohort: SimulatedCohort) -> None:
    read = read_cohort(cohort.table, Purpose.DEVELOPMENT)
    for row in burden_measures():
        assert read.predictors[row.measure].notna().any(), row.measure
    lymphoma = ~cohort.table["disease"].isin(["B_ALL", "MM"])
    assert cohort.table.loc[~lymphoma, "mtv_ml"].isna().all()
    assert cohort.table.loc[cohort.table["disease"] != "MM", "marrow_plasma_cell_pct"].isna().all()


def test_the_case_mix_is_of_products_licensed_in_the_us_and_eu_for_their_diseases() -> None:
    assert sorted(PRODUCTS[name].label for name in CASE_MIX) == [
        "axi-cel", "brexu-cel", "cilta-cel", "ide-cel", "liso-cel", "obe-cel", "tisa-cel",
    ]  # fmt: skip
    assert sum(share for share, _ in CASE_MIX.values()) == pytest.approx(1)
    for product, (_, diseases) in CASE_MIX.items():
        assert set(diseases) <= set(PRODUCTS[product].diseases)
        assert sum(diseases.values()) == pytest.approx(1)


def test_no_patient_is_outside_what_the_product_is_given_for(cohort: SimulatedCohort) -> None:
    table = cohort.table
    seen = table[["product", "disease", "age_years"]].itertuples(index=False)
    assert {scope_problem(*row) for row in seen} == {None}
    young = table.loc[in_cell(cohort, "tisagenlecleucel", "B_ALL"), "age_years"]
    assert young.between(3, 25).all()
    assert 9 < young.median() < 13  # ELIANA: 11
    assert table.loc[~in_cell(cohort, "tisagenlecleucel", "B_ALL"), "age_years"].min() >= 18


def test_sites_differ_in_product_mix(cohort: SimulatedCohort) -> None:
    axi = cohort.table["product"] == "axicabtagene_ciloleucel"
    assert axi.groupby(cohort.table["site"]).mean().std() > 0.08


def test_blood_was_taken_one_to_seven_days_before_infusion(cohort: SimulatedCohort) -> None:
    for name in ("crp", "ferritin", "ldh", "platelets"):
        taken = cohort.table[f"{name}_measured_at"]
        days = (cohort.table["infusion_date"] - taken).dt.days.dropna()
        assert set(days) == set(range(1, 8))
        column = next(iter(PREDICTORS[name].columns(name)))
        assert (taken.isna() == cohort.table[column].isna()).all()
    assert set(cohort.table["infusion_date"].dt.year) == set(range(2019, 2026))


# ---- The same arguments, the same bytes ------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    tmp_path: Path, suffix: str
) -> None:
    first, first_truth = write(simulate(300, 3, 11), tmp_path / f"a{suffix}")
    again, again_truth = write(simulate(300, 3, 11), tmp_path / f"b{suffix}")
    other, other_truth = write(simulate(300, 3, 12), tmp_path / f"c{suffix}")
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    assert first_truth.read_bytes() == again_truth.read_bytes() != other_truth.read_bytes()


def test_one_seed_gives_the_same_patients_under_every_truth() -> None:
    tables = [simulate(500, 4, 3, truth=name).table for name in SCENARIOS]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(
            table.drop(columns=list(GRADES.values())), tables[0].drop(columns=list(GRADES.values()))
        )


# ---- Files -----------------------------------------------------------------------------


def test_the_file_says_that_it_is_simulated(tmp_path: Path) -> None:
    path, truth_path = write(simulate(50, 2, 4), tmp_path / "cohort.parquet")
    for written in (path, truth_path):
        said = json.loads(pq.read_schema(written).metadata[METADATA_KEY])
        assert said["synthetic"] is True
        assert (said["seed"], said["sites"], said["n"]) == (4, 2, 50)
        assert said["statement"] == "simulated, not patients"


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_truth_lies_in_a_file_of_its_own(tmp_path: Path, suffix: str) -> None:
    simulated = simulate(200, 2, 4)
    path, truth_path = write(simulated, tmp_path / f"cohort{suffix}")
    assert truth_path == tmp_path / "cohort.truth.parquet"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, truth_path.name])
    truth = pd.read_parquet(truth_path)
    assert list(truth) == ["patient_id", "severe_crs", "severe_icans"]
    pd.testing.assert_frame_equal(truth, simulated.truth)
    read = read_cohort(path, Purpose.DEVELOPMENT, OUTCOMES.values())
    assert read.synthetic
    assert read.fingerprint == (
        read_cohort(simulated.table, Purpose.DEVELOPMENT, OUTCOMES.values()).fingerprint
    )


def test_the_cohort_table_holds_no_true_risk(cohort: SimulatedCohort) -> None:
    assert {"severe_crs", "severe_icans"}.isdisjoint(cohort.table)
    numbers = cohort.table.select_dtypes("number")
    for risk in ("severe_crs", "severe_icans"):
        correlation = numbers.corrwith(cohort.truth[risk], method="spearman").abs()
        assert correlation.max() < 0.9


def test_another_kind_of_file_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.parquet"):
        write(simulate(5, 1, 1), tmp_path / "cohort.xlsx")
    assert list(tmp_path.iterdir()) == []


# ---- Predictors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "disease"),
    [
        ("crp", "LBCL"),
        ("ferritin", "LBCL"),
        ("platelets", "LBCL"),
        ("platelets", "B_ALL"),
        ("albumin", "MM"),
        ("hemoglobin", "LBCL"),
        ("anc", "LBCL"),
        ("creatinine", "LBCL"),
        ("prior_lines", "LBCL"),
        ("prior_lines", "MM"),
        ("age", "LBCL"),
        ("ldh", "LBCL"),
    ],
)
def test_medians_are_near_the_published_centre(
    cohort: SimulatedCohort, name: str, disease: str
) -> None:
    declared = PREDICTORS[name]
    assert isinstance(declared, Quantity)
    value = typical(name, disease)
    column = cohort.table.loc[
        cohort.table["disease"] == disease, next(iter(declared.columns(name)))
    ]
    if value.transform == "identity":
        away = (column.median() - value.centre) / value.spread
    else:
        away = np.log(column.median() / value.centre) / value.spread
    assert abs(away) < 0.25


def test_a_fifth_of_measured_volumes_lie_above_450_ml(cohort: SimulatedCohort) -> None:
    volume = cohort.table["mtv_ml"].dropna()
    assert 0.15 < (volume > 450).mean() < 0.25


@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [
        ("crp_mg_l", "ferritin_ng_ml", +1),
        ("crp_mg_l", "ldh_u_l", +1),
        ("crp_mg_l", "platelets_10e9_l", -1),
        ("ferritin_ng_ml", "albumin_g_l", -1),
        ("ldh_u_l", "hemoglobin_g_l", -1),
        ("mtv_ml", "ldh_u_l", +1),
        ("mtv_ml", "platelets_10e9_l", -1),
        ("platelets_10e9_l", "albumin_g_l", +1),
    ],
)
def test_laboratory_values_go_together(
    cohort: SimulatedCohort, one: str, other: str, sign: int
) -> None:
    lymphoma = cohort.table[cohort.table["disease"] == "LBCL"]
    assert sign * lymphoma[one].corr(lymphoma[other], method="spearman") > 0.12


@pytest.mark.parametrize("name", sorted(set(MISSING) - {"mtv", "marrow_blast", "blasts_blood"}))
def test_missing_values_are_near_their_rate(cohort: SimulatedCohort, name: str) -> None:
    declared = PREDICTORS[name]
    column = next(iter(declared.columns(name))) if isinstance(declared, Quantity) else name
    measures = {row.measure for row in burden_measures()}
    disease = cohort.table["disease"]
    myeloma = name in ("marrow_plasma_cell", "m_protein", "involved_flc")
    in_question = disease.eq("MM" if myeloma else "LBCL") if name in measures else disease.notna()
    assert cohort.table.loc[in_question, column].isna().mean() == pytest.approx(
        MISSING[name], abs=0.02 + 0.3 * MISSING[name]
    )


def test_some_sites_never_measure_metabolic_volume(cohort: SimulatedCohort) -> None:
    lymphoma = cohort.table[cohort.table["disease"] == "LBCL"]
    missing = lymphoma["mtv_ml"].isna().groupby(lymphoma["site"]).mean()
    assert 0.05 < (missing == 1).mean() < 2.5 * NEVER_MTV
    assert missing[missing < 1].between(0.2, 0.9).all()
    assert missing.mean() == pytest.approx(MISSING["mtv"], abs=0.15)


def test_grades_are_missing_as_said(cohort: SimulatedCohort) -> None:
    assert cohort.table["crs_grade"].isna().mean() == pytest.approx(0.02, abs=0.004)
    assert cohort.table["icans_grade"].isna().mean() == pytest.approx(0.05, abs=0.006)


# ---- Truth -----------------------------------------------------------------------------


@pytest.mark.parametrize("truth", SCENARIOS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_events_occur_as_often_as_the_true_risk_says(truth: str, outcome: str) -> None:
    simulated = simulate(20_000, 20, 21, truth=truth)
    grade = simulated.table[GRADES[outcome]]
    risk = simulated.truth.loc[grade.notna(), outcome].to_numpy()
    severe = (grade[grade.notna()] >= 3).to_numpy()
    for part in (slice(None), risk > np.quantile(risk, 0.8), risk < np.quantile(risk, 0.5)):
        error = np.sqrt((risk[part] * (1 - risk[part])).sum())
        assert abs(severe[part].sum() - risk[part].sum()) < 3.5 * error


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_base_rates_lie_in_the_interval_of_the_synthesis(outcome: str) -> None:
    rates = base_rates(load_evidence(), outcome)
    worlds = [simulate(20_000, 40, seed) for seed in range(8)]
    for cell in COMMON:
        i = rates.cells.index(cell)
        half = 1.645 * np.sqrt(rates.covariance[i, i])
        low, high = expit(rates.mean[i] - half), expit(rates.mean[i] + half)
        means = [world.truth.loc[in_cell(world, *cell), outcome].mean() for world in worlds]
        assert low < np.mean(means) < high, cell


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_as_published_keeps_each_base_rate(outcome: str) -> None:
    rates = base_rates(load_evidence(), outcome)
    simulated = simulate(60_000, 60, 5, truth="as_published")
    for cell in COMMON:
        expected = expit(rates.mean[rates.cells.index(cell)])
        true = simulated.truth.loc[in_cell(simulated, *cell), outcome].mean()
        assert true == pytest.approx(expected, rel=0.12), cell


def slopes(simulated: SimulatedCohort, outcome: str) -> np.ndarray:
    """Return each site's slope of the true log-odds on log platelets, per published spread."""
    names = ["platelets_10e9_l", "crp_mg_l", "ferritin_ng_ml", "ldh_u_l", "albumin_g_l"]
    cell = in_cell(simulated, "axicabtagene_ciloleucel", "LBCL")
    labs = np.log1p(simulated.table.loc[cell, names]).dropna()
    risk = logit(simulated.truth.loc[labs.index, outcome])
    site = simulated.table.loc[labs.index, "site"]
    found = []
    for name in site.unique():
        here = (site == name).to_numpy()
        if here.sum() >= 250:
            X = np.column_stack([np.ones(here.sum()), labs[here].to_numpy()])
            found.append(np.linalg.lstsq(X, risk[here].to_numpy(), rcond=None)[0][1])
    return np.array(found) * typical("platelets").spread


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_effects_differ_between_centres_unless_as_published(outcome: str) -> None:
    differing = slopes(simulate(40_000, 25, 9), outcome)
    alike = slopes(simulate(40_000, 25, 9, truth="as_published"), outcome)
    assert len(differing) >= 10
    assert differing.std() > 0.1
    assert alike.std() < 0.06
    assert alike.mean() < -0.15


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_reversed_truth_falls_with_ferritin_and_the_null_one_does_not_move(
    outcome: str,
) -> None:
    rank = {}
    for truth in ("as_published", "perturbed", "reversed", "null"):
        simulated = simulate(20_000, 20, 2, truth=truth)
        cell = in_cell(simulated, "axicabtagene_ciloleucel", "LBCL")
        ferritin = simulated.table.loc[cell, "ferritin_ng_ml"]
        rank[truth] = ferritin.corr(simulated.truth.loc[cell, outcome], method="spearman")
    assert rank["as_published"] > 0.3
    assert rank["perturbed"] > 0.2
    assert rank["reversed"] < -0.2
    assert abs(rank["null"]) < 0.15  # sites differ in both, nothing else links them


def test_the_null_truth_gives_one_risk_to_a_product_and_disease_at_a_site() -> None:
    simulated = simulate(3000, 5, 6, truth="null")
    where = [simulated.table[name] for name in ("site", "product", "disease")]
    assert simulated.truth.groupby(where)["severe_crs"].agg(np.ptp).max() < 1e-12


def test_the_shifted_truth_lies_1_2_log_odds_above_the_perturbed_one() -> None:
    usual, shifted = (simulate(500, 3, 8, truth=name).truth for name in ("perturbed", "shifted"))
    for outcome in OUTCOMES:
        assert np.allclose(logit(shifted[outcome]) - logit(usual[outcome]), 1.2)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_stronger_truth_is_drawn_around_the_figures_as_published(outcome: str) -> None:
    whole, shrunk = (published_effects(outcome, shrunk=shrunk) for shrunk in (False, True))
    np.testing.assert_allclose(whole * transport(load_evidence()), shrunk)
    stronger, usual = (
        draw_world(outcome, SCENARIOS[truth], np.random.default_rng(3))
        for truth in ("stronger", "perturbed")
    )
    away, usually = (
        (world.effects - mean) / np.hypot(0.3 * mean, 0.1)
        for world, mean in ((stronger, whole), (usual, shrunk))
    )
    np.testing.assert_allclose(away, usually)
    np.testing.assert_array_equal(stronger.cells, usual.cells)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_stronger_truth_keeps_each_base_rate(outcome: str) -> None:
    """Averaged over other patients and centres than those it was solved on."""
    scenario, n = SCENARIOS["stronger"], 60_000
    rng = np.random.default_rng(8)
    world = draw_world(outcome, scenario, rng)
    patients = replace(draw_patients(n, 1, rng), site=np.arange(n))
    centres = draw_centres(world, outcome, n, scenario, rng)
    away = _departure(_terms(patients), patients, centres, scenario)
    risk = expit(_intercepts(world, outcome, scenario)[patients.cell] + away)
    for cell in range(len(world.cells)):
        here = risk[patients.cell == cell]
        error = here.std() / np.sqrt(len(here)) + 0.01
        assert abs(here.mean() - expit(world.cells[cell])) < 3 * error


def test_severe_icans_is_commoner_among_those_with_severe_crs_at_the_same_risk() -> None:
    simulated = simulate(60_000, 30, 1)
    table, truth = simulated.table.dropna(subset=list(GRADES.values())), simulated.truth
    risk = truth.loc[table.index, "severe_icans"]
    excess = (table["icans_grade"] >= 3) - risk
    crs = table["crs_grade"] >= 3
    assert excess[crs].mean() > 0.08
    assert excess[~crs].mean() < 0


def log_odds_with_crp(crp: float, disease: str) -> tuple[np.ndarray, np.ndarray]:
    """Return true log-odds and burden of one site's patients, were their CRP what is given."""
    patients = draw_patients(4000, 1, np.random.default_rng(3))
    changed = replace(patients, columns=patients.columns | {"crp": np.full(4000, crp)})
    risk = true_risk(changed, 1, "severe_crs", "perturbed", np.random.default_rng(4))
    asked = patients.columns["disease"] == disease
    burden = _terms(patients)[term_keys().index(("tumour_burden", "*", ""))]
    return logit(risk[asked]), burden[asked]


def test_crp_is_silent_in_leukaemia() -> None:
    assert np.allclose(log_odds_with_crp(1.0, "B_ALL")[0], log_odds_with_crp(300.0, "B_ALL")[0])


def test_crp_levels_off_and_acts_more_where_burden_is_high() -> None:
    spread, centre = typical("crp").spread, np.log1p(typical("crp").centre)
    at = [np.expm1(centre + z * spread) for z in (0.0, 0.5, 2.0, 2.5)]
    (zero, burden), (half, _), (two, _), (two_and_half, _) = (
        log_odds_with_crp(crp, "LBCL") for crp in at
    )
    bent = 1.5 * np.tanh(np.array([0.5, 2.0, 2.5]) / 1.5)
    assert np.allclose((two_and_half - two) / (half - zero), (bent[2] - bent[1]) / bent[0])
    slope = np.polyfit(burden, half - zero, 1)[0]
    assert slope == pytest.approx(0.25 * bent[0])


def test_the_truth_has_the_terms_of_the_model_on_the_same_scale() -> None:
    model = evidence_prior(load_evidence(), read_experiment(EXPERIMENT))
    patients = draw_patients(3000, 4, np.random.default_rng(1))
    of_model = design(patients.columns, model.terms, model.burden_scale).values
    keys = [effect.key for effect in model.effects]
    assert set(term_keys()) <= set(keys)
    for key, values in zip(term_keys(), _terms(patients), strict=True):
        assert np.allclose(values, of_model[:, keys.index(key)]), key
