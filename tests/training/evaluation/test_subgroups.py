import numpy as np
import pytest

from tests.training.evaluation.conftest import asked, drawn, seen
from training.evaluation.discrimination import auroc_estimate
from training.evaluation.subgroups import cells, subgroups

Z, Y = drawn(400)
SEX = np.array(["female", "male"], dtype=object)[np.arange(400) % 2]


def test_a_cell_is_measured_on_its_own_patients() -> None:
    female, male = cells(seen(Z, Y), SEX, asked(thresholds=(0.2,)))
    assert (female.group, male.group) == ("female", "male")
    assert female.patients + male.patients == 400
    assert female.events == Y[::2].sum()
    assert female.auroc == auroc_estimate(seen(Z[::2], Y[::2]))
    assert male.observed_over_expected.method == "wald"
    assert len(male.net_benefit) == 1


@pytest.mark.parametrize(("events", "suppressed"), [(9, True), (10, False)])
def test_fewer_than_ten_events_are_suppressed(events: int, suppressed: bool) -> None:
    y = np.r_[np.ones(events), np.zeros(60)]
    z = np.random.default_rng(0).standard_normal(len(y))
    (found,) = cells(seen(z, y), np.full(len(y), "all", dtype=object), asked(thresholds=(0.2,)))
    assert found.suppressed is suppressed
    assert found.patients == len(y)
    assert (found.events is None) is suppressed
    for estimate in (found.auroc, found.calibration_slope, *found.net_benefit):
        assert (estimate.value is None) is suppressed
        if suppressed:
            assert estimate.reason == "fewer than 10 with or without the outcome"


def test_nearly_everybody_with_the_outcome_is_suppressed_too() -> None:
    y = np.r_[np.ones(60), np.zeros(4)]
    (found,) = cells(seen(np.arange(64.0), y), np.full(64, "all", dtype=object), asked())
    assert found.suppressed


def test_a_patient_without_an_answer_is_in_no_cell() -> None:
    z = Z.copy()
    z[:50] = np.nan
    (table,) = subgroups(seen(z, Y), {"sex": SEX}, asked())
    assert table.by == "sex"
    assert sum(cell.patients for cell in table.cells) == 350
