"""Published scores give the published numbers, and refuse what they cannot score."""

import inspect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.evidence import load_evidence
from serving.answer.published_scores import (
    PUBLISHED_SCORES,
    PublishedScore,
    ScoreResult,
    car_hematotox,
    easix,
    m_easix,
    published_scores,
    s_easix,
)

PATIENT_A = {
    "ldh": 250.0,
    "creatinine": 0.9,
    "platelets": 180.0,
    "crp": 12.0,
    "ferritin": 420.0,
    "anc": 2.4,
    "hemoglobin": 108.0,
}
PATIENT_B = {
    "ldh": 650.0,
    "creatinine": 1.1,
    "platelets": 60.0,
    "crp": 80.0,
    "ferritin": 2600.0,
    "anc": 0.9,
    "hemoglobin": 84.0,
}
PATIENT_C = {"platelets": 120.0, "anc": 1.5, "hemoglobin": 95.0, "crp": 8.0, "ferritin": 900.0}

ldh = st.floats(20, 20_000)
creatinine = st.floats(0.1, 25)
crp = st.floats(0, 1_000)
platelets = st.floats(0, 3_000)
anc = st.floats(0, 200)
hemoglobin = st.floats(20, 250)
ferritin = st.floats(0.1, 200_000)


def by_name(values: dict[str, float]) -> dict[str, ScoreResult]:
    """Look results up by the score's name."""
    return {result.name: result for result in published_scores(values)}


@pytest.mark.parametrize(
    ("patient", "name", "value", "log2"),
    [
        (PATIENT_A, "easix", 1.25, 0.32),
        (PATIENT_A, "s_easix", 1.39, 0.47),
        (PATIENT_A, "m_easix", 1.67, 0.74),
        (PATIENT_B, "easix", 11.92, 3.57),
        (PATIENT_B, "s_easix", 10.83, 3.44),
        (PATIENT_B, "m_easix", 86.67, 6.44),
    ],
)
def test_easix_family_gives_the_worked_examples(
    patient: dict[str, float], name: str, value: float, log2: float
) -> None:
    """Patients A (low) and B (high), calculated by hand to two decimals."""
    result = by_name(patient)[name]
    assert value == pytest.approx(result.value, abs=0.005)
    assert log2 == pytest.approx(result.log2, abs=0.005)


@pytest.mark.parametrize(("patient", "points"), [(PATIENT_A, 0), (PATIENT_B, 7), (PATIENT_C, 2)])
def test_car_hematotox_gives_the_worked_examples(patient: dict[str, float], points: int) -> None:
    """None, all, and one point each for platelets and ferritin."""
    result = by_name(patient)["car_hematotox"]
    assert points == result.value
    assert (points >= 2) is result.above_cut_off
    assert result.log2 is None


@pytest.mark.parametrize(
    ("changed", "points"),
    [
        ({"platelets": 175.1}, 0),
        ({"platelets": 175}, 1),
        ({"platelets": 75}, 1),
        ({"platelets": 74.9}, 2),
        ({"platelets": 0}, 2),
        ({"anc": 1.2}, 0),
        ({"anc": 1.19}, 1),
        ({"hemoglobin": 90}, 0),
        ({"hemoglobin": 89.9}, 1),
        ({"crp": 30}, 0),
        ({"crp": 30.1}, 1),
        ({"ferritin": 649.9}, 0),
        ({"ferritin": 650}, 1),
        ({"ferritin": 2000}, 1),
        ({"ferritin": 2000.1}, 2),
    ],
)
def test_car_hematotox_boundaries(changed: dict[str, float], points: int) -> None:
    """Ends of a range belong to it; elsewhere equality takes the better category."""
    assert points == by_name(PATIENT_A | changed)["car_hematotox"].value


def test_easix_cut_off_is_exclusive_and_hematotox_cut_off_inclusive() -> None:
    """The papers write "> 4.67" and "2 or more"."""
    at_cut_off = {"ldh": 467.0, "creatinine": 1.0, "platelets": 100.0}
    assert by_name(at_cut_off)["easix"].above_cut_off is False
    assert by_name(at_cut_off | {"ldh": 468.0})["easix"].above_cut_off is True
    assert by_name(PATIENT_C)["car_hematotox"].above_cut_off is True


def test_crp_in_mg_dl_would_give_ten_times_less() -> None:
    """The function takes mg/L; patient B's 8 mg/dL passed as it stands loses 3.3 doublings."""
    right, wrong = m_easix(650, 80, 60), m_easix(650, 8, 60)
    assert right == pytest.approx(10 * wrong)
    assert math.log2(right) - math.log2(wrong) == pytest.approx(3.32, abs=0.005)


def test_no_platelets_are_counted_as_half_a_platelet_and_the_note_says_so() -> None:
    """A zero count neither divides by zero nor passes silently."""
    assert easix(250, 0.9, 0) == easix(250, 0.9, 0.5) == 450
    results = by_name(PATIENT_A | {"platelets": 0.0})
    assert "counted as 0.5" in results["m_easix"].note
    assert "counted as 0.5" not in results["car_hematotox"].note
    assert "counted as 0.5" not in by_name(PATIENT_A)["m_easix"].note


def test_a_crp_of_zero_has_a_score_but_no_logarithm() -> None:
    """Zero is a possible result; the logarithm of zero is not."""
    result = by_name(PATIENT_A | {"crp": 0.0})["m_easix"]
    assert (result.value, result.log2, result.missing) == (0, None, ())


def test_missing_inputs_are_named_and_nothing_is_assumed_for_them() -> None:
    """Without CRP there is no m-EASIX and no CAR-HEMATOTOX; the rest stands."""
    results = by_name({name: value for name, value in PATIENT_B.items() if name != "crp"})
    for name in ("m_easix", "car_hematotox"):
        result = results[name]
        assert (result.value, result.log2, result.missing, result.above_cut_off) == (
            None,
            None,
            ("crp",),
            None,
        )
        assert "crp" in result.note
    assert results["easix"].above_cut_off is True


def test_without_any_value_every_score_lists_all_its_inputs() -> None:
    """An empty patient is answered, not refused."""
    assert [score.inputs for score in PUBLISHED_SCORES] == [r.missing for r in published_scores({})]


@pytest.mark.parametrize("bad", [-1234.5, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", PATIENT_A)
def test_impossible_values_are_refused_by_name_not_by_value(name: str, bad: float) -> None:
    """The message names the predictor and keeps the patient's result to itself."""
    with pytest.raises(ValueError, match=name) as caught:
        published_scores(PATIENT_A | {name: bad})
    assert str(bad) not in str(caught.value)


@pytest.mark.parametrize("score", PUBLISHED_SCORES, ids=lambda score: score.name)
def test_record_and_function_agree(score: PublishedScore) -> None:
    """Inputs stand in the order of the function's parameters; every record can be cited."""
    parameters = inspect.signature(score.compute).parameters
    assert len(score.inputs) == len(parameters)
    for name, parameter in zip(score.inputs, parameters, strict=True):
        assert parameter.startswith(f"{name}_")
    assert score.doi.startswith("10.")
    assert all((score.purpose, score.performance_note, score.citation, score.formula))


def test_hematotox_says_what_it_was_built_for_and_what_was_not_read() -> None:
    """A neutropenia score beside a CRS risk must not be mistaken for one."""
    note = by_name(PATIENT_B)["car_hematotox"].note
    assert "neutropenia of 14 days or longer, not for CRS or ICANS" in note
    assert "not been checked" in note
    unread = [score.name for score in PUBLISHED_SCORES if score.point_table_mark == "unread"]
    assert unread == ["car_hematotox"]


def test_an_auc_that_nobody_read_is_marked_where_it_is_told() -> None:
    """The mark of the evidence goes into the words of the answer."""
    row = load_evidence().row("model-m-easix-pennisi")
    note = by_name(PATIENT_B)["m_easix"].note
    assert row.mark("auc_internal") == "unread"
    told = f"AUC {row.auc_internal:.2f} for severe CRS at lymphodepletion in its own cohort. "
    assert told + "This figure has not been checked against the paper." in note


def test_simplified_easix_tells_what_was_read_of_it_and_no_more() -> None:
    """Of its own cohort the evidence holds no figure; of another it holds one."""
    evidence = load_evidence()
    cited = {row.id for row in evidence.performance if "s-EASIX" in row.model}
    assert cited == {"model-easix-deboer", "model-easix-family-null-deboer"}
    row = evidence.row("model-easix-deboer")
    note = by_name(PATIENT_B)["s_easix"].note
    assert "No figure of its own cohort was read" in note
    assert f"AUC of {row.auc_external_low:.2f} to {row.auc_external_high:.2f}" in note


def test_hematotox_says_that_leukaemia_itself_lowers_the_counts() -> None:
    """Whoever sees "high" in leukaemia must know that nearly everybody is."""
    assert "In leukaemia about nine patients in ten" in by_name(PATIENT_B)["car_hematotox"].note


@given(ldh, crp, platelets, st.floats(0, 10))
def test_m_easix_is_linear_in_crp(
    ldh_u_l: float, crp_mg_l: float, platelets_10e9_l: float, factor: float
) -> None:
    """CRP multiplied by a factor multiplies the score by it."""
    scaled = m_easix(ldh_u_l, factor * crp_mg_l, platelets_10e9_l)
    assert scaled == pytest.approx(factor * m_easix(ldh_u_l, crp_mg_l, platelets_10e9_l))


@given(ldh, creatinine, crp, platelets, platelets)
def test_more_platelets_never_raise_an_easix(
    ldh_u_l: float, creatinine_mg_dl: float, crp_mg_l: float, one: float, other: float
) -> None:
    """Holds down to zero, where the floor takes over."""
    fewer, more = sorted((one, other))
    assert easix(ldh_u_l, creatinine_mg_dl, more) <= easix(ldh_u_l, creatinine_mg_dl, fewer)
    assert s_easix(ldh_u_l, more) <= s_easix(ldh_u_l, fewer)
    assert m_easix(ldh_u_l, crp_mg_l, more) <= m_easix(ldh_u_l, crp_mg_l, fewer)


@given(
    st.tuples(platelets, anc, hemoglobin, crp, ferritin),
    st.tuples(platelets, anc, hemoglobin, crp, ferritin),
)
def test_car_hematotox_stays_in_range_and_is_monotone(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    """Lower counts and higher inflammation, one at a time, never lower the score."""
    harm_if_higher = (False, False, False, True, True)
    score = car_hematotox(*one)
    assert 0 <= score <= 7
    for position, higher_is_worse in enumerate(harm_if_higher):
        changed = list(one)
        changed[position] = other[position]
        is_worse = (other[position] >= one[position]) is higher_is_worse
        assert car_hematotox(*changed) >= score if is_worse else car_hematotox(*changed) <= score
