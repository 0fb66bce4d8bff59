import numpy as np
import pytest
from scipy.special import logit

from tests.training.evaluation.conftest import asked, drawn, seen
from training.evaluation.seen import Seen, nearly_complete
from training.evaluation.view import risk_distribution, view


def test_every_patient_stands_in_one_bin() -> None:
    risk = np.array([0.0101, 0.03, 0.5, 0.999])
    found = risk_distribution(seen(logit(risk), np.array([0, 0, 1, 1.0])))
    assert len(found.edges) == 51
    assert [i for i, count in enumerate(found.non_events) if count] == [0, 1]
    assert [i for i, count in enumerate(found.events) if count] == [25, 49]


def test_repeats_are_counted_on_average() -> None:
    z = np.array([[-3.0, -3.0], [3.0, -3.0]])
    found = risk_distribution(seen(z, np.array([1.0, 0.0])))
    assert sum(found.events) == 1.0
    assert max(found.events) == 0.5


def test_patients_without_an_answer_are_counted_and_left_aside() -> None:
    z, y = drawn(300)
    repeats = np.stack([z, z + 0.1])
    repeats[0, 3] = np.nan
    repeats[1, 5] = np.nan
    found = view(seen(repeats, y), asked()).measures
    assert (found.patients, found.without_answer) == (298, 2)
    assert found.events == y.sum() - y[3] - y[5]


def test_a_repeat_some_of_whose_fits_failed_is_left_aside() -> None:
    z, y = drawn(300)
    repeats = np.stack([z, z + 0.1, z + 0.2])
    repeats[1, :60] = np.nan
    found = view(seen(repeats, y), asked())
    assert (found.repeats, found.measures.patients) == (2, 300)


def test_where_no_repeat_is_nearly_complete_all_are_kept() -> None:
    half = np.array([[1.0, np.nan], [np.nan, 1.0]])
    assert nearly_complete(half).all()
    assert len(Seen.among(half, np.ones(2))) == 0


def test_the_mean_of_repeats_is_that_of_each_measured_alone() -> None:
    z, y = drawn(300)
    repeats = np.stack([z, z + 0.4 * np.sin(np.arange(300)), 0.8 * z])
    together = view(seen(repeats, y), asked(thresholds=(0.2,)))
    alone = [view(seen(row, y), asked(thresholds=(0.2,))) for row in repeats]
    for name, estimate in together.measures.estimates().items():
        if name != "ici_by_chance":
            each = [getattr(v.measures, name).value for v in alone]
            assert estimate.value == pytest.approx(np.mean(each)), name
    ppv = [v.at_thresholds[0].ppv.value for v in alone]
    assert together.at_thresholds[0].ppv.value == pytest.approx(np.mean(ppv))
    assert together.decision_curve is not None
    curves = [v.decision_curve.model.value for v in alone if v.decision_curve]
    np.testing.assert_allclose(together.decision_curve.model.value, np.mean(curves, axis=0))


def test_measures_are_found_by_their_names() -> None:
    found = view(seen(*drawn(100)), asked()).measures
    assert set(found.estimates()) >= {"auroc", "calibration_slope", "ici", "log_loss"}
    assert found.prevalence == pytest.approx(found.events / 100)
