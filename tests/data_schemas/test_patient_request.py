"""A request is read whole or refused with every reason, and nothing sent is ever repeated."""

import math
from collections.abc import Collection
from contextlib import suppress
from datetime import date
from difflib import get_close_matches
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.patient_request import Problem, RequestProblems, read_patient
from data_schemas.predictors import (
    DERIVED,
    NEVER_PREDICTORS,
    PREDICTORS,
    REQUIRED,
    Category,
    Flag,
    Quantity,
)
from data_schemas.products import PRODUCT_SPELLINGS

QUANTITIES = {name: d for name, d in PREDICTORS.items() if isinstance(d, Quantity)}
CATEGORIES = {name: d for name, d in PREDICTORS.items() if isinstance(d, Category)}
FLAGS = [name for name, d in PREDICTORS.items() if isinstance(d, Flag)]
CANARY = "Xq7Canary"
NUMBER = 48151623.42

MINIMAL: dict[str, Any] = {
    "product": "axi-cel",
    "disease": "LBCL",
    "age": {"value": 64, "unit": "a"},
}


def problems_of(**fields: object) -> tuple[Problem, ...]:
    return refusal_of(MINIMAL | fields).problems


def refusal_of(body: object) -> RequestProblems:
    with pytest.raises(RequestProblems) as caught:
        read_patient(body)
    return caught.value


def only(problems: tuple[Problem, ...]) -> tuple[str, str]:
    (problem,) = problems
    assert problem.message
    return problem.field, problem.code


# ---- what is read


def test_the_least_that_is_answered_is_product_disease_and_age() -> None:
    request = read_patient(MINIMAL)
    assert request.predictors.product == "axicabtagene_ciloleucel"
    assert request.predictors.disease == "LBCL"
    assert request.predictors.age == 64
    assert request.predictors.crp is None
    assert request.infusion_date is None


def test_a_quantity_is_kept_as_it_came_and_as_it_is_used() -> None:
    """8.4 mg/dL of CRP are 84 mg/L."""
    day = {"infusion_date": "2026-03-12"}
    crp = {"value": 8.4, "unit": "mg/dL", "measured_at": "2026-03-09T06:40:00Z"}
    request = read_patient(MINIMAL | day | {"crp": crp})
    kept = request.measurements["crp"]
    assert (request.predictors.crp, kept.value) == (84, 84)
    assert (kept.original_value, kept.original_unit) == (8.4, "mg/dL")
    assert kept.measured_on == date(2026, 3, 9)
    assert request.age_in_days("crp") == 3


def test_the_age_of_a_measurement_is_unknown_without_its_date() -> None:
    request = read_patient(MINIMAL | {"infusion_date": "2026-03-12"})
    assert request.age_in_days("age") is None
    assert request.age_in_days("crp") is None


def test_an_unknown_age_is_an_answer() -> None:
    request = read_patient(MINIMAL | {"age": "unknown"})
    assert request.predictors.age is None
    assert "age" not in request.measurements


@pytest.mark.parametrize("spelling", sorted(PRODUCT_SPELLINGS))
def test_products_are_known_by_every_name_in_any_case(spelling: str) -> None:
    for name in (spelling, spelling.upper()):
        request = read_patient(MINIMAL | {"product": name})
        assert request.predictors.product == PRODUCT_SPELLINGS[spelling]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(True, True), (False, False), ("yes", True), ("no", False), ("unknown", None), (None, None)],
)
def test_flags_are_yes_no_or_unknown(given: object, expected: bool | None) -> None:
    assert read_patient(MINIMAL | {"bulky_disease": given}).predictors.bulky_disease is expected


def test_null_is_missing() -> None:
    nothing = dict.fromkeys(set(PREDICTORS) - set(MINIMAL)) | {"infusion_date": None}
    assert read_patient(MINIMAL | nothing) == read_patient(MINIMAL)


@pytest.mark.parametrize("unit", ["mg/dl", "MG/DL", " mg / dL "])
def test_units_are_recognised_in_laboratory_spelling(unit: str) -> None:
    assert read_patient(MINIMAL | {"crp": {"value": 1, "unit": unit}}).predictors.crp == 10


@pytest.mark.parametrize("name", sorted(QUANTITIES))
def test_both_hard_limits_are_inside(name: str) -> None:
    declared = QUANTITIES[name]
    for limit in declared.hard:
        request = read_patient(MINIMAL | {name: {"value": limit, "unit": declared.unit}})
        assert getattr(request.predictors, name) == limit


def test_a_limit_is_a_limit_in_every_unit() -> None:
    """8.84 umol/L of creatinine are exactly the 0.1 mg/dL that are still read."""
    creatinine = {"value": 8.84, "unit": "umol/L"}
    assert read_patient(MINIMAL | {"creatinine": creatinine}).predictors.creatinine == 0.1


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(0.001, 0.999), st.data())
def test_the_unit_that_was_used_makes_no_difference(
    name: str, share: float, data: st.DataObject
) -> None:
    declared = QUANTITIES[name]
    unit = data.draw(st.sampled_from(list(declared.conversions)))
    low, high = declared.hard
    canonical = round(low + share * (high - low)) if declared.whole else low + share * (high - low)
    rule = declared.conversions[unit]
    sent = (canonical - float(rule.offset)) / float(rule.factor)
    request = read_patient(MINIMAL | {name: {"value": sent, "unit": unit}})
    assert getattr(request.predictors, name) == pytest.approx(canonical, rel=1e-12)


def test_values_stand_in_the_order_of_the_contract_however_they_were_sent() -> None:
    crp = {"crp": {"value": 1, "unit": "mg/dL"}, "bulky_disease": "no", "sex": "unknown"}
    request = read_patient(dict(reversed((crp | MINIMAL).items())))
    assert list(request.values) == [name for name in PREDICTORS if name in request.values]
    assert {name: getattr(request.predictors, name) for name in PREDICTORS} == (
        dict.fromkeys(PREDICTORS) | request.values
    )
    assert request.values.keys() == {*MINIMAL, *crp}


# ---- what is refused


@pytest.mark.parametrize("body", [None, [], [MINIMAL], "text", 1, True, math.nan])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert only(refusal_of(body).problems) == ("(body)", "not_an_object")


@pytest.mark.parametrize("name", ["product", "disease", "age"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_product_disease_and_age_are_required(name: str, how: str) -> None:
    rest = {key: value for key, value in MINIMAL.items() if key != name}
    body = rest if how == "absent" else rest | {name: None}
    assert only(refusal_of(body).problems) == (name, "required")


@pytest.mark.parametrize("name", sorted(QUANTITIES))
@pytest.mark.parametrize("bare", [8.4, 8, "8.4 mg/dL", True, [8.4, "mg/dL"]])
def test_a_quantity_without_its_unit_is_refused(name: str, bare: object) -> None:
    (problem,) = problems_of(**{name: bare})
    assert (problem.field, problem.code) == (name, "not_a_quantity")
    assert problem.accepted == tuple(QUANTITIES[name].conversions)


@pytest.mark.parametrize("name", ["platelets", "anc", "alc"])
@pytest.mark.parametrize(("unit", "value"), [("10*3/mm3", 2), ("K/mm3", 2), ("/mm3", 2000)])
def test_a_cubic_millimetre_is_a_microlitre(name: str, unit: str, value: float) -> None:
    request = read_patient(MINIMAL | {name: {"value": value, "unit": unit}})
    assert getattr(request.predictors, name) == 2


@pytest.mark.parametrize("unit", ["1", "{ECOG}", "{score}", "{ECOGPerformanceStatus}", "score"])
def test_a_pure_number_has_the_unit_one_whatever_its_annotation(unit: str) -> None:
    """UCUM, section 12: what stands in braces has no meaning, and alone it is the unit 1."""
    assert read_patient(MINIMAL | {"ecog": {"value": 2, "unit": unit}}).predictors.ecog == 2


@pytest.mark.parametrize("unit", ["{a}{b}", "{a", "%", "10*3", "mg/L{FEU}", "{}/L"])
def test_what_is_more_than_an_annotation_is_no_pure_number(unit: str) -> None:
    assert only(problems_of(ecog={"value": 2, "unit": unit})) == ("ecog", "unknown_unit")


@pytest.mark.parametrize("unit", ["mmol/L", "mg", "", None, 1, ["mg/L"], {}, "m" * 41])
def test_an_unknown_or_missing_unit_is_answered_with_the_accepted_ones(unit: object) -> None:
    (problem,) = problems_of(crp={"value": 8.4, "unit": unit})
    assert (problem.field, problem.code) == ("crp", "unknown_unit")
    assert problem.accepted == ("mg/L", "mg/dL", "ug/mL", "ug/L", "g/L")
    assert problems_of(crp={"value": 8.4}) == (problem,)


@pytest.mark.parametrize(
    "value",
    [None, True, False, "8.4", "", [8.4], {}, math.nan, math.inf, -math.inf, 1e308, 10**400],
)
def test_only_finite_numbers_are_numbers(value: object) -> None:
    problems = problems_of(crp={"value": value, "unit": "mg/L"})
    assert only(problems) == ("crp", "not_a_number")
    assert only(problems_of(crp={"unit": "mg/L"})) == ("crp", "not_a_number")


@pytest.mark.parametrize("value", ["<5", " < 0.6", "<0,6", "<"])
@pytest.mark.parametrize("name", sorted(QUANTITIES))
def test_below_the_detection_limit_half_of_it_is_asked_for(name: str, value: str) -> None:
    declared = QUANTITIES[name]
    (problem,) = problems_of(**{name: {"value": value, "unit": declared.unit}})
    assert (problem.field, problem.code) == (name, "not_a_number")
    assert ("send half of the limit" in problem.message) == declared.has_detection_limit
    assert ("without < or >" in problem.message) == (not declared.has_detection_limit)
    assert not any(digit in problem.message for digit in "0123456789")


@pytest.mark.parametrize("name", sorted(QUANTITIES))
def test_above_what_the_assay_measures_its_limit_is_asked_for(name: str) -> None:
    declared = QUANTITIES[name]
    (problem,) = problems_of(**{name: {"value": ">15000", "unit": declared.unit}})
    assert (problem.field, problem.code) == (name, "not_a_number")
    assert ("send the limit as the number" in problem.message) == declared.has_largest_result
    assert ("without < or >" in problem.message) == (not declared.has_largest_result)
    assert "15000" not in problem.message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0,35", "write a decimal point"),
        ("1.234,5", "write a decimal point"),
        ("8.4", "without quotation marks"),
        ("unknown", "leave the field out"),
    ],
)
def test_a_number_that_is_written_otherwise_is_told_how_to_be_sent(value: str, said: str) -> None:
    (problem,) = problems_of(crp={"value": value, "unit": "mg/L"})
    assert said in problem.message
    for other in (None, True, "", "five", "nan", "a,b"):
        (problem,) = problems_of(crp={"value": other, "unit": "mg/L"})
        assert problem.message == "the value must be a finite number"


@pytest.mark.parametrize("name", sorted(QUANTITIES))
@pytest.mark.parametrize("side", [0, 1])
def test_values_beyond_hard_limits_are_refused(name: str, side: int) -> None:
    declared = QUANTITIES[name]
    beyond = declared.hard[side] + (-1, 1)[side]
    (problem,) = problems_of(**{name: {"value": beyond, "unit": declared.unit}})
    assert (problem.field, problem.code) == (name, "outside_limits")
    assert problem.accepted == tuple(declared.conversions)
    assert all(f"{limit:g}" in problem.message for limit in declared.hard)
    other = "above" if side == 0 else "below"
    for part in filter(None, declared.note.split("; ")):
        assert (part in problem.message) == (other not in part.split())


def test_limits_are_checked_after_conversion() -> None:
    """A creatinine of 88.4 is normal in umol/L and impossible in mg/dL."""
    assert read_patient(MINIMAL | {"creatinine": {"value": 88.4, "unit": "umol/L"}})
    problems = problems_of(creatinine={"value": 88.4, "unit": "mg/dL"})
    assert only(problems) == ("creatinine", "outside_limits")
    (problem,) = problems_of(creatinine={"value": 0.9, "unit": "umol/L"})
    assert problem.message.startswith("must lie between 8.84 and 2210 umol/L (0.1 and 25 mg/dL)")
    assert "above 25" not in problem.message


@pytest.mark.parametrize("name", [n for n, d in QUANTITIES.items() if d.whole])
def test_scores_and_counts_are_whole_numbers(name: str) -> None:
    declared = QUANTITIES[name]
    half = declared.hard[0] + 0.5
    assert only(problems_of(**{name: {"value": half, "unit": declared.unit}})) == (
        name,
        "not_whole",
    )


@pytest.mark.parametrize("name", sorted(CATEGORIES))
@pytest.mark.parametrize("given", ["no such word", "", 1, True, ["LBCL"], {"value": "LBCL"}])
def test_a_word_that_is_no_choice_is_answered_with_the_choices(name: str, given: object) -> None:
    (problem,) = problems_of(**{name: given})
    assert (problem.field, problem.code) == (name, "not_a_choice")
    assert problem.accepted == CATEGORIES[name].choices


@pytest.mark.parametrize("name", sorted(CATEGORIES))
def test_unknown_is_a_word_of_the_contract_or_is_left_out(name: str) -> None:
    if "unknown" in CATEGORIES[name].choices:
        assert read_patient(MINIMAL | {name: "unknown"}).values[name] == "unknown"
        return
    (problem,) = problems_of(**{name: "unknown"})
    assert (problem.field, problem.code) == (name, "not_a_choice")
    assert ("leave the field out" in problem.message) == (name not in REQUIRED)
    (other,) = problems_of(**{name: "no such word"})
    assert "leave the field out" not in other.message


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("given", [1, 0, "true", "Yes", "", [], {}])
def test_a_flag_is_not_guessed(name: str, given: object) -> None:
    (problem,) = problems_of(**{name: given})
    assert (problem.field, problem.code) == (name, "not_a_choice")
    assert problem.accepted == ("yes", "no", "unknown")


def test_unknown_is_not_a_value_of_a_quantity_other_than_age() -> None:
    (problem,) = problems_of(crp="unknown")
    assert (problem.field, problem.code) == ("crp", "not_a_quantity")
    assert "leave the field out" in problem.message


def test_a_quantity_has_no_other_keys() -> None:
    crp = {"value": 8.4, "unit": "mg/L", "comment": "haemolysed"}
    assert only(problems_of(crp=crp)) == ("crp", "unknown_key")


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_what_is_computed_here_is_not_taken_from_outside(name: str) -> None:
    (problem,) = problems_of(**{name: 1})
    assert (problem.field, problem.code) == (name, "derived")
    assert DERIVED[name] in problem.message


@pytest.mark.parametrize("name", sorted(NEVER_PREDICTORS))
def test_what_no_model_may_learn_from_is_refused(name: str) -> None:
    assert only(problems_of(**{name: 1})) == (name, "never_a_predictor")


@pytest.mark.parametrize("column", ["crp_mg_l", "crp_mg_dl", "age_years", "platelets_10e9_l"])
def test_a_cohort_column_is_no_field(column: str) -> None:
    (problem,) = problems_of(**{column: 1})
    assert (problem.field, problem.code) == (column, "unknown_field")
    assert f"send {column.split('_', maxsplit=1)[0]} with its value and unit" in problem.message


def test_an_unknown_field_is_answered_with_similar_ones() -> None:
    (problem,) = problems_of(feritin={"value": 400, "unit": "ng/mL"})
    assert (problem.field, problem.code) == ("(unknown)", "unknown_field")
    assert problem.accepted == ("ferritin",)


def test_only_a_few_of_thousands_of_unknown_fields_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    def matches(name: str, known: Collection[str], **options: Any) -> list[str]:
        compared.extend(known)
        return get_close_matches(name, known, **options)

    monkeypatch.setattr("difflib.get_close_matches", matches)
    problems = problems_of(**{f"field number {i}": i for i in range(5000)})
    assert len(compared) <= 20 * len(PREDICTORS)
    assert {problem.code for problem in problems} == {"unknown_field"}


# ---- dates


@pytest.mark.parametrize(
    "measured_at",
    ["2026-03-13", "2026-03-13T00:00:00", "2026-03-13T07:00:00+08:00", "2026-03-13T00:30:00Z"],
)
def test_a_measurement_after_the_day_of_infusion_is_refused(measured_at: str) -> None:
    crp = {"value": 8.4, "unit": "mg/dL", "measured_at": measured_at}
    problems = problems_of(crp=crp, infusion_date="2026-03-12")
    assert only(problems) == ("crp", "measured_after_infusion")


@pytest.mark.parametrize(
    ("measured_at", "days"),
    [
        ("2026-03-12", 0),
        ("2026-03-12T23:30:00-05:00", 0),
        ("2026-03-11T23:30:00-05:00", 1),
        ("2026-03-10T00:30:00+14:00", 2),
        ("0001-01-01T00:00:00+14:00", 739686),
    ],
)
def test_a_measurement_counts_by_the_day_its_own_clock_showed(measured_at: str, days: int) -> None:
    """The infusion date is a local day, so no clock is moved to another zone."""
    crp = {"value": 8.4, "unit": "mg/dL", "measured_at": measured_at}
    request = read_patient(MINIMAL | {"crp": crp, "infusion_date": "2026-03-12"})
    assert request.age_in_days("crp") == days


@pytest.mark.parametrize("given", ["yesterday", "12.03.2026", "2026-02-30", "", 20260312, [], {}])
def test_what_is_no_date_is_refused_by_field(given: object) -> None:
    crp = {"value": 8.4, "unit": "mg/dL", "measured_at": given}
    problems = problems_of(crp=crp, infusion_date="2026-03-12")
    assert only(problems) == ("crp", "not_a_date")
    crp["measured_at"] = "2026-03-09"
    assert only(problems_of(crp=crp, infusion_date=given)) == ("infusion_date", "not_a_date")


@pytest.mark.parametrize(
    ("infusion", "measured_at", "refused"),
    [
        ("2026-03-12T10:00", "2026-03-12T09:59", False),
        ("2026-03-12T10:00", "2026-03-12T10:00", True),
        ("2026-03-12T10:00", "2026-03-12T15:00", True),
        ("2026-03-12T10:00", "2026-03-12", False),
        ("2026-03-12T10:00", "2026-03-12T10:30Z", True),
        ("2026-03-12T10:00+01:00", "2026-03-12T09:30Z", True),
        ("2026-03-12T10:00+01:00", "2026-03-12T08:30Z", False),
        ("2026-03-12T10:00Z", "0001-01-01T00:00+14:00", False),
        ("2026-03-12T00:00", "2026-03-12T15:00", False),
        ("2026-03-12", "2026-03-12T15:00", False),
    ],
)
def test_hours_are_compared_where_the_infusion_has_one(
    infusion: str, measured_at: str, refused: bool
) -> None:
    """Midnight is how many systems write a day without an hour, here as in a cohort table."""
    crp = {"value": 8.4, "unit": "mg/dL", "measured_at": measured_at}
    body = {"crp": crp, "infusion_date": infusion}
    if refused:
        assert only(problems_of(**body)) == ("crp", "measured_after_infusion")
    else:
        request = read_patient(MINIMAL | body)
        assert request.infusion_date == date(2026, 3, 12)
        assert request.predictors.crp == 84


def test_a_dated_measurement_needs_the_infusion_date() -> None:
    """One problem, however many measurements are dated."""
    dated = {"value": 84, "unit": "mg/L", "measured_at": "2026-03-09"}
    problems = problems_of(crp=dated, ldh=dated | {"unit": "U/L"})
    assert only(problems) == ("infusion_date", "required")


# ---- what is right at first sight

_NUMBERS = (
    st.floats(-1, 300)
    | st.integers(-1, 300)
    | st.sampled_from([-0.0, 1e308, math.nan, True, "8", 10**400])
)
_CLOCKS = st.sampled_from(
    [None, "2026-03-09", "2026-03-12", "2026-03-12T09:00", "2026-03-13", "soon", 3, []]
)
_PARTS = st.fixed_dictionaries(
    {},
    optional={
        "value": _NUMBERS,
        "unit": st.sampled_from(["mg/L", "mg/dL", "mg/dl", "U/L", "a", "", None, []]),
        "measured_at": _CLOCKS,
        "by": st.just("me"),
    },
)


@given(
    st.dictionaries(st.sampled_from(["crp", "ldh", "age", "ecog", "bulky_disease"]), _PARTS),
    st.sampled_from([None, "2026-03-12", "2026-03-12T09:30", "soon"]),
)
def test_what_is_read_at_first_sight_is_what_care_reads(body: Any, infusion: str | None) -> None:
    body = MINIMAL | body | {"infusion_date": infusion}
    careful = pytest.MonkeyPatch()
    careful.setattr("data_schemas.patient_request._PLAIN", {})
    found = []
    for _ in range(2):
        try:
            found.append((read_patient(body), str(read_patient(body).values)))
        except RequestProblems as refused:
            found.append((refused.problems, ""))
        careful.undo()
    assert found[0] == found[1]


# ---- all at once, and nothing repeated


def test_every_problem_is_reported_at_once() -> None:
    body = {
        "product": "aspirin",
        "age": {"value": 640, "unit": "a"},
        "crp": 84,
        "ferritin": {"value": "high", "unit": "furlong", "measured_at": "2026-03-13"},
        "ldh": {"value": 480, "unit": "U/L", "measured_at": "soon", "by": "me"},
        "ecog": {"value": 1.5, "unit": "{score}"},
        "bulky_disease": "maybe",
        "infusion_date": "2026-03-12",
        "easix": 3,
        "race_ethnicity": "-",
        "mtv_ml": 310,
        "colour": "blue",
    }
    refusal = refusal_of(body)
    assert {(problem.field, problem.code) for problem in refusal.problems} == {
        ("product", "not_a_choice"),
        ("disease", "required"),
        ("age", "outside_limits"),
        ("crp", "not_a_quantity"),
        ("ferritin", "unknown_unit"),
        ("ferritin", "not_a_number"),
        ("ferritin", "measured_after_infusion"),
        ("ldh", "not_a_date"),
        ("ldh", "unknown_key"),
        ("ecog", "not_whole"),
        ("bulky_disease", "not_a_choice"),
        ("easix", "derived"),
        ("race_ethnicity", "never_a_predictor"),
        ("mtv_ml", "unknown_field"),
        ("(unknown)", "unknown_field"),
    }
    assert str(refusal) == "15 problem(s) in the request"


_VALUES = st.sampled_from(
    [
        CANARY,
        NUMBER,
        [CANARY],
        {CANARY: CANARY},
        {"value": CANARY, "unit": CANARY},
        {"value": NUMBER, "unit": CANARY},
        {"value": 1, "unit": "mg/L", CANARY: {CANARY: [CANARY, NUMBER]}},
        {"value": {"value": CANARY}, "unit": [CANARY], "measured_at": {CANARY: NUMBER}},
        {"value": NUMBER, "unit": "1", "measured_at": CANARY},
    ]
)
_NAMES = st.sampled_from(
    [
        *(*PREDICTORS, *DERIVED, *NEVER_PREDICTORS, "infusion_date", "crp_mg_l", "colour"),
        *(CANARY, f"crp {CANARY}", f"{CANARY}_mg_l", f"ferritin{CANARY}"),
    ]
)


@given(st.dictionaries(_NAMES, _VALUES, min_size=1))
def test_nothing_that_was_sent_is_repeated(fields: dict[str, object]) -> None:
    """Neither values nor units nor unknown names: each may hold a patient's data."""
    refusal = refusal_of(MINIMAL | fields)
    told = repr(refusal.problems) + str(refusal) + repr(refusal) + repr(refusal.args)
    assert CANARY not in told
    assert CANARY.lower() not in told.lower()
    assert str(NUMBER) not in told
    assert str(round(NUMBER)) not in told
    known = {*PREDICTORS, *DERIVED, *NEVER_PREDICTORS, "infusion_date", "crp_mg_l", "(unknown)"}
    assert {problem.field for problem in refusal.problems} <= known


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*PREDICTORS, "infusion_date"]) | st.text(), _JSON) | _JSON)
def test_any_json_is_read_or_refused(body: object) -> None:
    """There is no third way: no body makes the reader fail."""
    with suppress(RequestProblems):
        read_patient(body)
