import numpy as np
import pytest
from scipy.special import expit, logit

from tests.training.evaluation.conftest import asked, scored
from training.evaluation.instability import instability
from training.evaluation.record import Instability
from training.evaluation.scored_cohort import ScoredCohort


def measured(cohort: ScoredCohort, **declared: object) -> Instability:
    found = instability(cohort, asked(**declared))
    assert found is not None
    return found


def by_hand() -> ScoredCohort:
    """Four patients at 0.1, 0.2, 0.3, 0.4; half of 20 refits say 0.05 more, half 0.05 less."""
    risk = np.array([0.1, 0.2, 0.3, 0.4])
    refits = np.array([logit(risk + 0.05), logit(risk - 0.05)] * 10)
    return ScoredCohort(
        on="by hand",
        fitted_here=True,
        outcome=np.array([0.0, 1.0, 0.0, 1.0]),
        model=logit(risk),
        low=logit(risk) - 1.0,
        high=logit(risk) + 1.0,
        refits=refits,
        drawn=np.tile(np.arange(4), (20, 1)),
    )


def test_the_mean_absolute_change_by_hand() -> None:
    found = measured(by_hand(), thresholds=(0.12, 0.23, 0.5))
    assert found.mean_absolute_change == pytest.approx(0.05)
    assert found.median_absolute_change == pytest.approx(0.05)
    assert found.centile_95_absolute_change == pytest.approx(0.05)
    # At 0.12 half the refits take the first patient across; at 0.23 half take the second.
    assert [(r.threshold, r.share) for r in found.reclassified] == [
        (0.12, pytest.approx(1 / 8)),
        (0.23, pytest.approx(1 / 8)),
        (0.5, 0.0),
    ]


def test_the_served_interval_is_compared_in_log_odds() -> None:
    cohort = by_hand()
    risk = np.array([0.1, 0.2, 0.3, 0.4])
    bootstrap = logit(risk + 0.05) - logit(risk - 0.05)
    found = measured(cohort)
    assert found.served_over_bootstrap == pytest.approx(np.median(2.0 / bootstrap))


def test_bands_hold_the_centiles_of_their_patients() -> None:
    found = measured(by_hand())
    assert [band.risk for band in found.bands] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [band.centile_2_5 for band in found.bands] == pytest.approx([0.05, 0.15, 0.25, 0.35])
    assert [band.centile_97_5 for band in found.bands] == pytest.approx([0.15, 0.25, 0.35, 0.45])


def test_there_are_ten_bands_and_every_patient_stands_in_one(whole: ScoredCohort) -> None:
    found = measured(whole)
    assert len(found.bands) == 10
    assert np.mean([band.risk for band in found.bands]) == pytest.approx(
        expit(whole.model).mean(), abs=1e-3
    )
    for band in found.bands:
        ascending = [
            band.centile_2_5,
            band.centile_25,
            band.centile_50,
            band.centile_75,
            band.centile_97_5,
        ]
        assert ascending == sorted(ascending)


def test_refits_that_agree_are_stable(whole: ScoredCohort) -> None:
    agreeing = scored(model=whole.model, refits=np.tile(whole.model, (25, 1)))
    found = measured(agreeing, thresholds=(0.1,))
    assert found.mean_absolute_change == 0.0
    assert found.reclassified[0].share == 0.0
    assert found.served_over_bootstrap is None
    np.testing.assert_allclose(found.calibration_low, found.calibration_high)
    assert found.net_benefit_low == found.net_benefit_high


def test_wider_refits_are_less_stable(whole: ScoredCohort) -> None:
    away = whole.refits - whole.model
    wider = measured(scored(model=whole.model, refits=whole.model + 3 * away))
    found = measured(whole)
    assert wider.mean_absolute_change > 2 * found.mean_absolute_change
    assert found.served_over_bootstrap is not None
    assert wider.served_over_bootstrap == pytest.approx(found.served_over_bootstrap / 3)


def test_without_a_class_risks_still_have_a_spread_but_no_curves(whole: ScoredCohort) -> None:
    found = measured(scored(outcome=np.zeros(160), refits=whole.refits, drawn=whole.drawn))
    assert found.mean_absolute_change > 0
    assert (found.calibration_risk, found.calibration_low) == ((), ())


def test_few_refits_say_nothing(whole: ScoredCohort) -> None:
    few = {"refits": whole.refits[:19], "drawn": whole.drawn[:19]}
    assert instability(ScoredCohort(**vars(whole) | few), asked()) is None
