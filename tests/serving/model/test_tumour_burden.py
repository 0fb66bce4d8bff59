"""Burden is the percentile of the best measure that the disease has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.cohort_table import predictor_columns
from data_schemas.products import DISEASES
from serving.model.tumour_burden import NO_SOURCE, SOURCES, BurdenScale, TumourBurden, tumour_burden
from training.learning.prior import published_burden_scale

SCALE = published_burden_scale()
MEASURES = sorted({measure for measures in SOURCES.values() for measure in measures})


def of(disease: str, **measured: float) -> TumourBurden:
    arrays = {name: np.array([value]) for name, value in measured.items()}
    words = {"disease": np.array([disease], dtype=object)}
    return tumour_burden(predictor_columns({**words, **arrays}, 1), SCALE)


def test_volume_comes_before_diameters_and_marrow_before_blood() -> None:
    everything = dict.fromkeys(MEASURES, 1.0)
    best = {disease: of(disease, **everything).source[0] for disease in ("LBCL", "B_ALL", "MM")}
    assert best == {"LBCL": "mtv", "B_ALL": "marrow_blast", "MM": "marrow_plasma_cell"}


@pytest.mark.parametrize("disease", SOURCES)
def test_the_best_measure_of_the_disease_is_used(disease: str) -> None:
    measured = dict.fromkeys(MEASURES, 1.0)
    for best in SOURCES[disease]:
        burden = of(disease, **measured)
        expected = SCALE.percentile(best, np.array([1.0]))
        assert (burden.source[0], burden.percentile[0]) == (best, expected[0])
        del measured[best]
    assert of(disease, **measured).source[0] == NO_SOURCE


@pytest.mark.parametrize("disease", sorted(DISEASES))
def test_without_a_measure_there_is_no_percentile(disease: str) -> None:
    burden = of(disease)
    assert np.isnan(burden.percentile[0])
    assert burden.source[0] == NO_SOURCE


def test_a_measure_of_another_disease_is_not_used() -> None:
    assert of("LBCL", marrow_plasma_cell=80.0).source[0] == NO_SOURCE
    assert of("MM", mtv=900.0).source[0] == NO_SOURCE


@given(st.sampled_from(MEASURES), st.floats(0, 20_000), st.floats(0, 20_000))
def test_a_percentile_rises_with_its_measure_and_stays_in_range(
    measure: str, one: float, other: float
) -> None:
    low, high = SCALE.percentile(measure, np.sort([one, other]))
    assert 0 <= low <= high <= 1


def test_patients_are_read_one_by_one() -> None:
    disease = np.array(["MM", "LBCL", "B_ALL", "other"], dtype=object)
    columns = predictor_columns(
        {"disease": disease, "mtv": np.full(4, 200.0), "marrow_blast": np.full(4, 40.0)}, 4
    )
    burden = tumour_burden(columns, SCALE)
    assert burden.source.tolist() == [NO_SOURCE, "mtv", "marrow_blast", NO_SOURCE]


@pytest.mark.parametrize(("above", "disagrees"), [(0.55, True), (0.45, False), (-0.55, False)])
def test_measures_disagree_where_another_stands_half_of_all_patients_higher(
    above: float, disagrees: bool
) -> None:
    best, other = SOURCES["LBCL"][:2]
    straight = dict.fromkeys(MEASURES, (0.0, 1.0))
    scale = BurdenScale(straight, straight)
    here = 0.2 if above > 0 else 0.8
    arrays = {best: np.array([here]), other: np.array([here + above])}
    words = {"disease": np.array(["LBCL"], dtype=object)}
    burden = tumour_burden(predictor_columns({**words, **arrays}, 1), scale)
    assert burden.percentile[0] == pytest.approx(here)
    assert burden.disagrees.tolist() == [disagrees]
