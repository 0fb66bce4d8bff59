import numpy as np
import pytest
from scipy.special import expit

from tests.training.evaluation.conftest import asked, scored
from training.evaluation.across_groups import across_groups
from training.evaluation.pooling import LOG, LOGIT, pooled
from training.evaluation.scored_cohort import ScoredCohort


def sites(shift: float, fitted_here: bool = True, n: int = 6000) -> ScoredCohort:
    """Ten sites whose true log-odds lie ``shift`` sd from what the model says."""
    rng = np.random.default_rng(2)
    site = rng.integers(0, 10, n)
    z = rng.normal(-1.0, 1.0, n)
    y = (rng.random(n) < expit(z + shift * rng.standard_normal(10)[site])).astype(float)
    words = np.array([f"site {s}" for s in site], dtype=object)
    return ScoredCohort(
        on="ten sites",
        fitted_here=fitted_here,
        outcome=y,
        model=z,
        low=z,
        high=z,
        without={"site": z} if fitted_here else {},
        groups={"site": words},
    )


def test_sites_alike_have_little_between_them_and_different_ones_much() -> None:
    (alike,) = across_groups(sites(0.0), asked())
    (different,) = across_groups(sites(0.8), asked())
    assert alike.observed_over_expected is not None
    assert different.observed_over_expected is not None
    assert alike.observed_over_expected.tau_squared == pytest.approx(0.0, abs=0.01)
    assert different.observed_over_expected.tau_squared is not None
    assert different.observed_over_expected.tau_squared > 0.05
    assert different.observed_over_expected.i_squared is not None
    assert different.observed_over_expected.i_squared > 0.8
    for measure in ("auroc", "calibration_slope", "observed_over_expected"):
        assert getattr(different, measure).groups == 10


def test_the_prediction_interval_holds_the_sites_and_the_interval_their_mean() -> None:
    (found,) = across_groups(sites(0.8), asked())
    ratio = found.observed_over_expected
    assert ratio is not None
    assert ratio.prediction_low is not None
    assert ratio.prediction_high is not None
    each = [cell.observed_over_expected.value for cell in found.cells]
    assert all(ratio.prediction_low < v < ratio.prediction_high for v in each if v is not None)
    assert ratio.mean.low is not None
    assert ratio.prediction_low < ratio.mean.low


def test_pooling_needs_nothing_but_the_table() -> None:
    (found,) = across_groups(sites(0.5), asked())
    assert found.auroc == pooled([cell.auroc for cell in found.cells], LOGIT)


def test_later_patients_are_shown_by_year_and_not_pooled() -> None:
    cohort = scored()
    year = np.where(np.arange(160) % 2, "2023", "2024").astype(object)
    found = {
        a.by: a
        for a in across_groups(ScoredCohort(**vars(cohort) | {"groups": {"year": year}}), asked())
    }
    assert found["later"].together.measures.patients == 79
    assert {cell.group for cell in found["later"].cells} == {"2023", "2024"}
    assert found["later"].auroc is None
    assert found["site"].cells == ()
    assert found["site"].auroc is None


def test_a_model_from_elsewhere_is_tried_at_each_site() -> None:
    (found,) = across_groups(sites(0.3, fitted_here=False), asked())
    assert found.by == "site"
    assert found.left_out is False
    assert found.auroc is not None
    assert found.auroc.groups == 10


def test_one_site_is_shown_and_not_pooled() -> None:
    cohort = sites(0.3, fitted_here=False)
    only = {"groups": {"site": np.full(len(cohort), "here", dtype=object)}}
    (found,) = across_groups(ScoredCohort(**vars(cohort) | only), asked())
    assert found.auroc is not None
    assert found.auroc.mean.value is None
    assert "fewer than 2 groups" in str(found.auroc.mean.reason)


def test_sites_are_pooled_by_what_was_expected_of_them_and_not_by_what_came() -> None:
    """Pooled by their events, sites of a model that is right would show 1.2 times as many."""
    z, n = np.full(100, np.log(0.11 / 0.89)), 8
    ratios, naive = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = (rng.random(100 * n) < 0.11).astype(float)
        words = np.repeat([f"site {s}" for s in range(n)], 100).astype(object)
        every = np.tile(z, n) + 0.3 * rng.standard_normal(100 * n)
        cohort = ScoredCohort(
            on="eight sites",
            fitted_here=True,
            outcome=y,
            model=every,
            low=every,
            high=every,
            without={"site": every},
            groups={"site": words},
        )
        (found,) = across_groups(cohort, asked())
        assert found.observed_over_expected is not None
        assert found.observed_over_expected.mean.value is not None
        shown = pooled([cell.observed_over_expected for cell in found.cells], LOG)
        ratios.append(np.log(found.observed_over_expected.mean.value))
        naive.append(np.log(shown.mean.value or np.nan))
    assert np.exp(np.mean(ratios)) == pytest.approx(1.0, abs=0.06)
    assert np.exp(np.nanmean(naive)) > 1.08
