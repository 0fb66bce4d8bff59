"""Base rates: products borrow from their like, grading scales are never pooled as one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import beta, binom, norm

from data_schemas.evidence import Evidence, Incidence
from data_schemas.products import PRODUCTS
from training.synthesis.base_rates import (
    OVERALL,
    SCALE_SHIFTS,
    SPREADS,
    BaseRates,
    base_rates,
    cells,
    typical_log_odds,
)

AXI = "axicabtagene_ciloleucel"
TISA = "tisagenlecleucel"
OUTCOMES = ("severe_crs", "severe_icans")


def percent(rates: BaseRates, product: str, disease: str = "LBCL") -> float:
    return float(100 * expit(rates.mean[rates.cells.index((product, disease))]))


def sd(rates: BaseRates, product: str, disease: str) -> float:
    i = rates.cells.index((product, disease))
    return float(np.sqrt(rates.covariance[i, i]))


def with_rows(evidence: Evidence, *rows: Incidence) -> Evidence:
    return replace(evidence, incidence=(*evidence.incidence, *rows))


def study(evidence: Evidence, **update: object) -> Incidence:
    template = evidence.row("axi-cel-us-consortium")
    invented = {"id": "invented", "setting": "real_world", "role": "base_rate"}
    return template.model_copy(update={**invented, "crs_scale": "ASTCT2019", **update})


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_product_in_every_disease_it_treats_has_a_rate(
    evidence: Evidence, outcome: str
) -> None:
    rates = base_rates(evidence, outcome)
    assert rates.cells == cells()
    assert {product for product, _ in rates.cells} == set(PRODUCTS)
    assert np.isfinite(rates.mean).all()
    assert (np.linalg.eigvalsh(rates.covariance) > 0).all()
    assert rates.between_centres > 0


def test_what_penn_is_believed_to_add_hardly_moves_a_rate(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The studies tell it: our mean, above what regrading JULIET did, costs next to nothing."""
    before = expit(base_rates(evidence, "severe_crs").expected)
    regraded = logit(0.225) - logit(0.17), SCALE_SHIFTS["Penn2014"][1]
    assert regraded[0] == pytest.approx(0.35, abs=0.005)
    monkeypatch.setitem(SCALE_SHIFTS, "Penn2014", regraded)
    after = expit(base_rates(evidence, "severe_crs").expected)
    assert 0 < np.abs(after - before).max() < 0.001


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_cell_without_a_study_is_wider(evidence: Evidence, outcome: str) -> None:
    rates = base_rates(evidence, outcome)
    assert sd(rates, AXI, "PMBCL") > 1.5 * sd(rates, AXI, "LBCL")
    borrowed = [
        sd(rates, *cell) for cell, rows in zip(rates.cells, rates.rows, strict=True) if not rows
    ]
    studied = [sd(rates, *cell) for cell, rows in zip(rates.cells, rates.rows, strict=True) if rows]
    assert np.median(borrowed) > np.median(studied)


def test_a_cell_without_a_study_lies_near_its_like(evidence: Evidence) -> None:
    rates = base_rates(evidence, "severe_icans")
    at = {cell: rates.mean[i] for i, cell in enumerate(rates.cells)}
    away = abs(at[AXI, "PMBCL"] - at[AXI, "LBCL"])
    assert away < abs(at[AXI, "PMBCL"] - at[TISA, "LBCL"])


# ---- Plausible figures -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "product", "low", "high"),
    [("severe_crs", AXI, 5, 13), ("severe_icans", AXI, 15, 30), ("severe_crs", TISA, 4, 13)],
)
def test_lymphoma_rates_are_those_of_the_field(
    evidence: Evidence, outcome: str, product: str, low: float, high: float
) -> None:
    assert low < percent(base_rates(evidence, outcome), product) < high


def test_juliet_reports_more_than_its_cell_because_of_its_scale(evidence: Evidence) -> None:
    juliet = evidence.row("tisa-cel-juliet")
    assert (juliet.crs_severe_pct, juliet.crs_scale) == (22.0, "Penn2014")
    rates = base_rates(evidence, "severe_crs")
    assert juliet in rates.rows[rates.cells.index((TISA, "LBCL"))]
    assert percent(rates, TISA) < 13


def test_a_penn_graded_study_moves_the_rate_less_than_the_same_in_astct(evidence: Evidence) -> None:
    before = percent(base_rates(evidence, "severe_crs"), AXI)
    after = {}
    for scale in ("Penn2014", "ASTCT2019"):
        row = study(evidence, n_treated=300, crs_severe_pct=25.0, crs_scale=scale)
        after[scale] = percent(base_rates(with_rows(evidence, row), "severe_crs"), AXI)
    assert after["ASTCT2019"] > before + 0.5
    assert after["Penn2014"] - before < 0.6 * (after["ASTCT2019"] - before)


# ---- What a study does ---------------------------------------------------------------------


def test_one_huge_study_pulls_its_cell_as_far_as_one_study_may(evidence: Evidence) -> None:
    """However large, it is one study: what studies differ by is still there."""
    row = study(evidence, disease="PMBCL", n_treated=100_000, crs_severe_pct=20.0)
    before = base_rates(evidence, "severe_crs")
    after = base_rates(with_rows(evidence, row), "severe_crs")
    gap = [logit(0.2) - r.mean[r.cells.index((AXI, "PMBCL"))] for r in (before, after)]
    assert 0.1 * gap[0] < gap[1] < 0.35 * gap[0]
    assert sd(after, AXI, "PMBCL") < after.between_centres + 0.01


def test_many_large_studies_settle_their_cell(evidence: Evidence) -> None:
    rows = [
        study(evidence, id=f"invented-{i}", n_treated=100_000, crs_severe_pct=20.0)
        for i in range(60)
    ]
    rates = base_rates(with_rows(evidence, *rows), "severe_crs")
    assert percent(rates, AXI) == pytest.approx(20.0, abs=0.7)


@pytest.mark.parametrize(
    "update",
    [
        {"role": "overlapping"},
        {"role": "subgroup"},
        {"product": "mixed"},
        {"crs_severe_pct": None},
        {"n_treated": None},
    ],
)
def test_what_is_not_a_base_rate_of_one_product_is_not_pooled(
    evidence: Evidence, update: dict[str, object]
) -> None:
    row = study(evidence, **{"n_treated": 5000, "crs_severe_pct": 60.0, **update})
    before = base_rates(evidence, "severe_crs")
    after = base_rates(with_rows(evidence, row), "severe_crs")
    np.testing.assert_array_equal(before.mean, after.mean)


def test_a_study_without_events_stays_in(evidence: Evidence) -> None:
    row = study(evidence, disease="MZL", n_treated=60, crs_severe_pct=0.0)
    before = base_rates(evidence, "severe_crs")
    after = base_rates(with_rows(evidence, row), "severe_crs")
    assert percent(after, AXI, "MZL") < percent(before, AXI, "MZL")
    assert np.isfinite(after.mean).all()


@pytest.mark.parametrize(
    ("product", "patients"), [("equecabtagene_autoleucel", 103), ("zevorcabtagene_autoleucel", 102)]
)
def test_a_hundred_patients_without_an_event_are_heard(
    evidence: Evidence, product: str, patients: int
) -> None:
    """Nobody of them had severe ICANS: the rate lies within their own exact limit (90 %)."""
    rates = base_rates(evidence, "severe_icans")
    place = rates.cells.index((product, "MM"))
    assert [(r.n_treated, r.events_icans_severe) for r in rates.rows[place]] == [(patients, 0)]
    assert expit(rates.expected[place]) < beta.ppf(0.95, 1, patients)


@pytest.mark.parametrize(
    ("percent_severe", "patients"), [(0.0, 100), (0.0, 12), (2.0, 300), (25.0, 40), (97.0, 60)]
)
def test_one_study_alone_gives_what_numerical_integration_gives(
    evidence: Evidence, percent_severe: float, patients: int
) -> None:
    """The one study's log-odds is its cell plus the study's own part: a line to integrate over.

    Laplace's mode lies above the mean where nothing happened and the prior alone ends the tail.
    """
    row = study(evidence, n_treated=patients, crs_severe_pct=percent_severe)
    found = base_rates(replace(evidence, incidence=(row,)), "severe_crs")
    prior_variance = OVERALL[1] ** 2 + sum(
        SPREADS[kind] ** 2 for kind in SPREADS if kind != "trial"
    )
    apart = found.between_centres**2
    assert (row.setting, row.crs_scale) == ("real_world", "ASTCT2019")
    line = np.linspace(-14, 10, 40_001)
    events = row.events_crs_severe
    weight = binom.pmf(events, patients, expit(line))
    weight *= norm.pdf(line, OVERALL[0], np.sqrt(prior_variance + apart))
    weight /= weight.sum()
    kept = prior_variance / (prior_variance + apart)
    mean = OVERALL[0] + kept * (weight @ line - OVERALL[0])
    variance = prior_variance * (1 - kept) + kept**2 * (weight @ line**2 - (weight @ line) ** 2)
    place = found.cells.index((AXI, "LBCL"))
    within = 0.4 if events == 0 else 0.25
    assert found.mean[place] == pytest.approx(mean, abs=within * np.sqrt(variance))
    assert sd(found, AXI, "LBCL") == pytest.approx(np.sqrt(variance), rel=0.15)


@pytest.mark.parametrize(
    ("product", "disease", "patients", "percent_severe"),
    [
        ("lisocabtagene_maraleucel", "FL", 100, 100.0),
        ("ciltacabtagene_autoleucel", "MM", 200, 100.0),
        (TISA, "B_ALL", 50_000, 100.0),
        (AXI, "LBCL", 50_000, 0.0),
    ],
)
def test_no_study_however_extreme_breaks_the_synthesis(
    evidence: Evidence, product: str, disease: str, patients: int, percent_severe: float
) -> None:
    row = study(
        evidence,
        product=product,
        disease=disease,
        n_treated=patients,
        crs_severe_pct=percent_severe,
    )
    before = base_rates(evidence, "severe_crs")
    after = base_rates(with_rows(evidence, row), "severe_crs")
    moved = percent(after, product, disease) - percent(before, product, disease)
    assert (moved > 0) == (percent_severe > 50)
    assert (np.linalg.eigvalsh(after.covariance) > 0).all()


def test_the_two_diseases_of_a_trial_add_up_to_the_trial(evidence: Evidence) -> None:
    whole = evidence.row("axi-cel-zuma5-paper")
    parts = [evidence.row(row_id) for row_id in whole.overlaps_with]
    for figure in ("n_treated", "events_crs_severe", "events_icans_severe"):
        assert sum(getattr(part, figure) for part in parts) == getattr(whole, figure)


def test_studies_that_disagree_widen_the_spread_between_centres(evidence: Evidence) -> None:
    rows = [
        study(evidence, id=f"invented-{i}", n_treated=400, crs_severe_pct=pct)
        for i, pct in enumerate([1.0, 40.0, 1.0, 40.0])
    ]
    before = base_rates(evidence, "severe_crs").between_centres
    assert base_rates(with_rows(evidence, *rows), "severe_crs").between_centres > before


def test_the_order_of_the_rows_does_not_matter(evidence: Evidence) -> None:
    turned = replace(evidence, incidence=evidence.incidence[::-1])
    first, second = (base_rates(e, "severe_icans") for e in (evidence, turned))
    np.testing.assert_allclose(first.mean, second.mean, atol=1e-9)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_marks_survive(evidence: Evidence, outcome: str) -> None:
    pooled = [row for rows in base_rates(evidence, outcome).rows for row in rows]
    assert pooled
    for row in pooled:
        assert row is evidence.row(row.id)
        assert row.verified in ("read", "partly_read", "unread")


# ---- From the mean risk to the typical patient -----------------------------------------------


@pytest.mark.parametrize("rate", [0.03, 0.2, 0.5])
@pytest.mark.parametrize("spread", [0.0, 0.8, 2.0])
def test_patients_around_the_typical_one_have_the_mean_risk(rate: float, spread: float) -> None:
    a = typical_log_odds(np.array([logit(rate)]), np.array([spread]))[0]
    drawn = expit(a + spread * np.random.default_rng(1).standard_normal(400_000))
    assert drawn.mean() == pytest.approx(rate, abs=4 * drawn.std() / np.sqrt(len(drawn)) + 1e-9)


def test_the_typical_patient_is_at_less_risk_than_the_mean_of_a_rare_event() -> None:
    typical = typical_log_odds(np.full(3, logit(0.08)), np.array([0.0, 0.7, 1.4]))
    assert typical[0] == pytest.approx(logit(0.08), abs=1e-6)
    assert typical[2] < typical[1] < typical[0]


@pytest.mark.parametrize("outcome", ["severe_crs", "severe_icans"])
def test_the_expected_rate_is_the_mean_over_studies_not_the_middle_one(
    evidence: Evidence, outcome: str
) -> None:
    rates = base_rates(evidence, outcome)
    rng = np.random.default_rng(5)
    studies = rng.multivariate_normal(rates.mean, rates.covariance, 200_000, method="cholesky")
    studies += rates.between_centres * rng.standard_normal(studies.shape)
    np.testing.assert_allclose(expit(rates.expected), expit(studies).mean(axis=0), rtol=0.02)
    assert (rates.expected > rates.mean).all()


def test_only_the_two_published_outcomes_have_base_rates(evidence: Evidence) -> None:
    with pytest.raises(KeyError):
        base_rates(evidence, "in_hospital_death")
