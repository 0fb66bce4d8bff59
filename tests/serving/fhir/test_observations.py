"""Which Observation tells a predictor: status, window, code, unit, comparator, the latest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.terminology import NOT_READ
from serving.fhir.names import PREDICTOR, WORD
from serving.openapi_fhir import observation
from tests.serving.fhir.resources import LOINC, SNOMED, SUBJECT, UCUM, again, concept, drug, read

EVERY_CODE = [
    (name, code)
    for name, declared in PREDICTORS.items()
    for code in declared.loinc
    if name not in ("age", "platelets_d0", "involved_flc")
]
QUANTITIES = [n for n, d in PREDICTORS.items() if isinstance(d, Quantity)]


def crp(**changes: Any) -> Any:
    return read(crp=changes).record.get("crp")


def quantity(**changes: Any) -> dict[str, Any]:
    return {"value": 8.4, "system": UCUM, "code": "mg/dL"} | changes


def warned(reading: Any) -> str:
    return "\n".join(reading.warned())


@pytest.mark.parametrize(("name", "code"), EVERY_CODE)
def test_every_loinc_code_of_the_contract_is_read(name: str, code: str) -> None:
    declared = PREDICTORS[name]
    assert isinstance(declared, Quantity)
    unit = "pmol/L" if code == "14723-1" else declared.unit
    if name == "d_dimer":
        unit = "mg/L"  # the basis is that of the code
    value, day = (
        sum(declared.soft) / 2,
        "2026-03-12" if declared.look_back_days == 2 else "2026-03-09",
    )
    sent = observation(name, code, value, unit) | {"id": "one", "effectiveDateTime": day}
    changes = {name: None} if name in {"crp", "ferritin", "ldh", "platelets"} else {}
    changes |= (
        {name: None} if name in {"albumin", "creatinine", "hemoglobin", "anc", "ecog"} else {}
    )
    reading = read(sent, **changes)
    assert reading.record[name]["value"] == value
    assert reading.record[name]["measured_at"] == day
    assert reading.basis[name] == ["Observation/one"]


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_final_status_is_read(status: str) -> None:
    assert crp(status=status)["value"] == 8.4


def test_a_preliminary_one_is_read_with_a_warning() -> None:
    reading = read(crp={"status": "preliminary"})
    assert reading.record["crp"]["value"] == 8.4
    assert "C-reactive protein: a preliminary result" in reading.warned()


@pytest.mark.parametrize(
    "status", ["entered-in-error", "cancelled", "unknown", "registered", None, 7]
)
def test_another_status_is_not_read(status: Any) -> None:
    reading = read(crp={"status": status})
    assert "crp" not in reading.record
    assert "status is not final" in warned(reading)


@pytest.mark.parametrize(
    ("when", "is_read"),
    [
        ("2026-02-28", True),  # 14 days before
        ("2026-02-27", False),
        ("2026-03-14", True),  # the day of infusion, no hour said
        ("2026-03-14T10:59:00+01:00", True),
        ("2026-03-14T09:59:00Z", True),
        ("2026-03-14T11:00:00+01:00", False),
        ("2026-03-14T10:00:00Z", False),
        ("2026-03-15", False),
        ("2026-03", False),
        ("2026", False),
        ("2026-03-09T07:40:00", False),  # a time without its zone
        ("yesterday", False),
        (None, False),
        (5, False),
    ],
)
def test_only_what_was_measured_in_the_window_and_before_infusion_is_read(
    when: Any, is_read: bool
) -> None:
    assert (crp(effectiveDateTime=when) is not None) is is_read


def test_what_was_measured_after_infusion_is_counted() -> None:
    late = [again("crp", "1988-5", 200, "mg/L", id=f"late{i}", effectiveDateTime="2026-03-20")
            for i in range(3)]  # fmt: skip
    reading = read(*late)
    assert reading.record["crp"]["value"] == 8.4
    assert (
        "C-reactive protein: measured at or after infusion (post_infusion_ignored): not read "
        "(3 times)"
    ) in reading.warned()


def test_of_a_period_the_end_counts() -> None:
    period = {"start": "2026-03-01", "end": "2026-03-15"}
    assert crp(effectiveDateTime=None, effectivePeriod=period) is None
    assert crp(effectiveDateTime=None, effectivePeriod={"start": "2026-03-01"}) is not None
    assert crp(effectiveDateTime=None, effectiveInstant="2026-03-09T07:40:00Z") is not None


def test_an_absent_value_is_silently_missing() -> None:
    absent = concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed")
    reading = read(crp={"valueQuantity": None, "dataAbsentReason": absent})
    assert "crp" not in reading.record
    assert "C-reactive" not in warned(reading)


@pytest.mark.parametrize("system", ["https://loinc.org", "http://loinc.org/", "LOINC", None, 3])
def test_the_code_system_is_exactly_that_of_loinc(system: Any) -> None:
    assert crp(code={"coding": [{"system": system, "code": "1988-5"}]}) is None
    both = [{"system": system, "code": "7"}, {"system": LOINC, "code": "1988-5"}]
    assert crp(code={"coding": both}) is not None


@pytest.mark.parametrize(
    "given",
    [
        quantity(code="mmol/L"),
        quantity(code=None),
        quantity(code=""),
        quantity(code=3),
        quantity(system=None),
        quantity(system="http://ucum.org"),
        {"value": 8.4, "unit": "mg/dL"},
        {"value": 8.4},
        {"system": UCUM, "code": "mg/dL"},
        "8.4 mg/dL",
        quantity(comparator="ad"),
    ],
)
def test_a_value_without_a_known_unit_is_missing_with_a_warning(given: Any) -> None:
    reading = read(crp={"valueQuantity": given})
    assert "crp" not in reading.record
    assert reading.problems == []
    assert warned(reading).count("C-reactive protein") == 1
    assert "8.4" not in warned(reading)


def test_words_beside_the_code_of_a_unit_are_never_read() -> None:
    assert crp(valueQuantity=quantity(unit="g/L"))["unit"] == "mg/dL"


@pytest.mark.parametrize(
    ("name", "code", "spelling", "unit"),
    [
        ("crp", "1988-5", "mg/dl", "mg/dL"),
        ("platelets", "777-3", "10^9/L", "10*9/L"),
        ("platelets", "777-3", "K/uL", "10*3/uL"),
        ("platelets", "777-3", "x10^3/ul", "10*3/uL"),
        ("platelets", "777-3", "GPt/L", "10*9/L"),
        ("creatinine", "14682-9", "µmol/L", "umol/L"),
        ("ldh", "14804-9", "IU/l", "[IU]/L"),
        ("ldh", "14804-9", "ukat/l", "ukat/L"),
    ],
)
def test_common_spellings_of_a_unit_are_known(
    name: str, code: str, spelling: str, unit: str
) -> None:
    reading = read(again(name, code, 40, spelling), **{name: None})
    assert reading.record[name]["unit"] == unit


@pytest.mark.parametrize(
    ("comparator", "value"), [("<", 4.2), ("<=", 8.4), (">", 8.4), (">=", 8.4)]
)
def test_a_value_beyond_the_assay_is_used_and_said(comparator: str, value: float) -> None:
    reading = read(crp={"valueQuantity": quantity(comparator=comparator)})
    assert reading.record["crp"]["value"] == value
    assert "censored" in warned(reading)


@pytest.mark.parametrize("comparator", ["<", "<=", ">", ">="])
def test_a_score_or_a_count_is_never_halved_or_taken_for_its_limit(comparator: str) -> None:
    """Fewer than four lines are not two."""
    score = again(
        "ecog",
        "89247-1",
        2,
        "{score}",
        valueQuantity=quantity(value=2, code="{score}", comparator=comparator),
    )
    reading = read(score, ecog=None)
    assert "ecog" not in reading.record
    assert "not told exactly" in warned(reading)


@pytest.mark.parametrize("comparator", [">", ">="])
def test_a_limit_stands_for_nothing_that_no_assay_limits(comparator: str) -> None:
    """Of a left ventricle that ejects more than 55 % nobody knows that it ejects 55 %."""
    above = quantity(value=55, code="%", comparator=comparator)
    reading = read(again("lvef", "10230-1", 55, "%", valueQuantity=above))
    assert "lvef" not in reading.record
    assert "not told exactly" in warned(reading)


@pytest.mark.parametrize("comparator", ["<", "<="])
def test_half_of_a_limit_stands_for_nothing_that_no_assay_limits(comparator: str) -> None:
    """An LDH below 250 U/L is one below its limit of normal, and 125 for nobody."""
    below = quantity(value=250, code="U/L", comparator=comparator)
    reading = read(again("ldh", "14804-9", 250, "U/L", valueQuantity=below), ldh=None)
    assert "ldh" not in reading.record
    assert "not told exactly" in warned(reading)


@pytest.mark.parametrize("focus", ["Patient/donor", "RelatedPerson/r1", ""])
def test_what_was_observed_of_somebody_else_is_not_read(focus: str) -> None:
    """Of a donor or an unborn child the subject is the Patient all the same."""
    reading = read(crp={"focus": [{"reference": focus}]})
    assert "crp" not in reading.record
    assert "about something else than the Patient" in warned(reading)
    assert crp(focus=[SUBJECT])["value"] == 8.4


def test_the_latest_wins_then_the_last_issued_then_the_lowest_id() -> None:
    later = {"effectiveDateTime": "2026-03-10T07:00:00+01:00"}
    assert read(again("crp", "1988-5", 9, "mg/L", **later)).record["crp"]["value"] == 9
    same = {"effectiveDateTime": "2026-03-09T06:40:00Z"}
    issued = {"issued": "2026-03-09T09:00:00Z"}
    assert read(again("crp", "1988-5", 9, "mg/L", **same, **issued)).record["crp"]["value"] == 9
    assert read(again("crp", "1988-5", 9, "mg/L", **same)).record["crp"]["value"] == 8.4
    lowest = again("crp", "1988-5", 9, "mg/L", **same) | {"id": "a"}
    assert read(lowest).record["crp"]["value"] == 9


def test_of_one_moment_a_final_result_outweighs_a_preliminary_one() -> None:
    same = {"effectiveDateTime": "2026-03-09T06:40:00Z", "issued": "2026-03-09T09:00:00Z"}
    early = again("crp", "1988-5", 9, "mg/L", status="preliminary", **same) | {"id": "a"}
    assert read(early).record["crp"]["value"] == 8.4


def test_what_is_told_of_a_value_is_told_of_the_one_that_is_used() -> None:
    older = {"effectiveDateTime": "2026-03-05T07:00:00+01:00", "status": "preliminary"}
    below = {"value": 5, "comparator": "<", "system": UCUM, "code": "mg/L"}
    reading = read(again("crp", "1988-5", 5, "mg/L", **older, valueQuantity=below))
    assert reading.record["crp"]["value"] == 8.4
    assert not any("censored" in text or "preliminary" in text for text in reading.warned())
    alone = read(crp=older | {"valueQuantity": below})
    assert ["censored" in warned(alone), "preliminary" in warned(alone)] == [True, True]


def test_a_later_one_that_cannot_be_read_leaves_the_earlier_one_and_a_warning() -> None:
    reading = read(again("crp", "1988-5", 9, "nmol/L", effectiveDateTime="2026-03-12"))
    assert reading.record["crp"]["value"] == 8.4
    assert "its unit is missing" in warned(reading)


@pytest.mark.parametrize("row", NOT_READ.rows, ids=lambda row: row.code)
def test_what_only_looks_like_a_predictor_is_not_read(row: Any) -> None:
    declared = PREDICTORS[row.means]
    assert isinstance(declared, Quantity)
    sent = observation("x", row.code, declared.soft[1], declared.unit)
    changes = {row.means: None} if row.means in ("ldh", "anc", "crp") else {}
    reading = read(sent, **changes)
    assert row.means not in reading.record
    assert row.display in warned(reading)


def test_ferritin_in_moles_needs_the_code_that_says_so() -> None:
    sent = again("ferritin", "2276-4", 4000, "pmol/L")
    assert "ferritin" not in read(sent, ferritin=None).record
    sent["code"] = concept(LOINC, "14723-1")
    assert read(sent, ferritin=None).record["ferritin"]["unit"] == "pmol/L"


@pytest.mark.parametrize(
    ("code", "unit", "expected"),
    [
        ("48065-7", "ug/mL", "ug/mL{FEU}"),
        ("48066-5", "ng/mL", "ng/mL{DDU}"),
        ("48065-7", "ug/mL{FEU}", "ug/mL{FEU}"),
        ("48065-7", "ng/mL{DDU}", None),
        ("48066-5", "mg/L{FEU}", None),
        ("48065-7", "mmol/L", None),
    ],
)
def test_the_basis_of_d_dimer_comes_from_code_or_unit(
    code: str, unit: str, expected: str | None
) -> None:
    found = read(observation("dd", code, 1, unit)).record.get("d_dimer")
    assert (found and found["unit"]) == expected


def ldh(*ranges: Any) -> Any:
    return read(ldh={"referenceRange": list(ranges)})


HIGH = {"value": 4, "system": UCUM, "code": "ukat/L"}


def test_the_limit_of_ldh_is_that_of_the_same_observation() -> None:
    other = again("ldh", "2532-0", 300, "U/L", effectiveDateTime="2026-03-08",
                  referenceRange=[{"high": HIGH}])  # fmt: skip
    assert read(other).record["ldh_uln"] == {"value": 240, "unit": "U/L"}
    reading = ldh({"high": HIGH})
    assert reading.record["ldh_uln"] == {"value": 4, "unit": "ukat/L"}
    assert reading.basis["ldh_uln"] == ["Observation/ldh"]
    assert reading.places["ldh_uln"].endswith("referenceRange[0].high")


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [{"low": HIGH}],
        [{"high": {"value": 240, "unit": "U/L"}}],
        [{"high": HIGH | {"value": None}}],
        [{"high": HIGH}, {"high": HIGH | {"value": 5}}],
        [{"high": HIGH, "type": concept("x", "treatment")}],
        ["240"],
        240,
    ],
)
def test_without_one_certain_limit_there_is_none(ranges: Any) -> None:
    assert "ldh_uln" not in read(ldh={"referenceRange": ranges}).record


def test_a_normal_range_is_told_from_another() -> None:
    normal = {"high": HIGH, "type": concept("x", "normal")}
    other = {"high": HIGH | {"value": 9}, "type": concept("x", "treatment")}
    assert ldh(other, normal).record["ldh_uln"]["value"] == 4


def years(**bounds: float) -> dict[str, Any]:
    return {side: {"value": n, "system": UCUM, "code": "a"} for side, n in bounds.items()}


@pytest.mark.parametrize(
    ("age", "is_read"),
    [
        ({"high": 18}, False),
        ({"low": 18}, True),
        ({"low": 18, "high": 64}, True),
        ({"low": 65}, False),
        ({}, True),
    ],
)
def test_a_range_of_another_age_is_not_the_patients(age: Any, is_read: bool) -> None:
    """The patient of the example is 64 on the day of infusion."""
    reading = ldh({"high": HIGH, "age": years(**age)})
    assert ("ldh_uln" in reading.record) is is_read
    assert ("another age" in warned(reading)) is not is_read


def test_of_ranges_by_age_that_of_the_patient_holds() -> None:
    child = {"high": HIGH | {"value": 9}, "age": years(high=18)}
    adult = {"high": HIGH, "age": years(low=18)}
    assert ldh(child, adult).record["ldh_uln"]["value"] == 4


@pytest.mark.parametrize(
    "bound", [{"value": 18}, {"value": "18", "system": UCUM, "code": "a"}, {"code": "a"}]
)
def test_a_range_whose_age_cannot_be_read_is_not_read(bound: Any) -> None:
    assert "ldh_uln" not in ldh({"high": HIGH, "age": {"low": bound}}).record


def test_a_range_in_months_is_compared_in_years() -> None:
    months = {"high": {"value": 216, "system": UCUM, "code": "mo"}}
    assert "ldh_uln" not in ldh({"high": HIGH, "age": months}).record


def limit(value: Any, unit: str = "U/L", **more: Any) -> dict[str, Any]:
    """The upper limit of LDH as an Observation of its own, under our code system."""
    sent = observation("uln", "none", value, unit) | {"effectiveDateTime": "2026-03-09"}
    return sent | {"code": concept(PREDICTOR, "ldh_uln"), **more}


def test_a_limit_of_ldh_under_our_own_code_is_read() -> None:
    reading = read(limit(480), ldh={"referenceRange": None})
    assert reading.record["ldh_uln"]["value"] == 480
    assert reading.basis["ldh_uln"] == ["Observation/uln"]
    assert reading.places["ldh_uln"].endswith(".value")
    assert reading.problems == []
    assert "upper limit" not in warned(reading)


@pytest.mark.parametrize("left_out", [{"status": "cancelled"}, {"effectiveDateTime": None}])
def test_a_limit_of_ldh_that_is_left_out_is_told(left_out: Any) -> None:
    reading = read(limit(480) | left_out, ldh={"referenceRange": None})
    assert "ldh_uln" not in reading.record
    assert "LDH upper limit of normal" in warned(reading)


@pytest.mark.parametrize(
    ("apart", "unit", "differ"),
    [(480, "U/L", True), (240, "U/L", False), (4, "ukat/L", False), ("240", "U/L", True)],
)
def test_the_range_beside_the_ldh_has_precedence_and_a_difference_is_told(
    apart: Any, unit: str, differ: bool
) -> None:
    reading = read(limit(apart, unit))
    assert reading.record["ldh_uln"] == {"value": 240, "unit": "U/L"}
    assert reading.basis["ldh_uln"] == ["Observation/ldh"]
    said = "LDH upper limit of normal: the reference range of the LDH says another one"
    assert (said in warned(reading)) is differ


def test_a_limit_sent_apart_settles_which_of_several_ranges_holds() -> None:
    ranges = [{"high": HIGH}, {"high": HIGH | {"value": 5}}]
    reading = read(limit(300), ldh={"referenceRange": ranges})
    assert reading.record["ldh_uln"]["value"] == 300


@pytest.mark.parametrize(
    ("name", "where"),
    [("age", "the Patient"), ("sex", "the Patient"), ("disease", "the Condition"),
     ("product", "the order")],
)  # fmt: skip
def test_what_is_read_elsewhere_is_told_under_our_own_code(name: str, where: str) -> None:
    sent = observation("x", "none", 64, "a") | {"code": concept(PREDICTOR, name)}
    reading = read(sent)
    assert reading.record == read().record
    assert f"{PREDICTORS[name].label}: read from {where}" in warned(reading)


MII = (
    "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/CodeSystem/"
    "mii-cs-onko-allgemeiner-leistungszustand-ecog"
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueInteger": 2}, 2),
        ({"valueQuantity": {"value": 2, "system": UCUM, "code": "{score}"}}, 2),
        ({"valueQuantity": {"value": 2, "system": UCUM, "code": "1"}}, 2),
        ({"valueQuantity": {"value": 2}}, None),
        ({"valueCodeableConcept": concept(LOINC, "LA9622-7")}, 0),
        ({"valueCodeableConcept": concept(LOINC, "LA9626-8")}, 4),
        ({"valueCodeableConcept": concept(LOINC, "LA9627-6")}, 5),
        ({"valueCodeableConcept": concept(SNOMED, "422512005")}, 1),
        ({"valueCodeableConcept": concept(MII, "3")}, 3),
        ({"valueCodeableConcept": concept(MII, "U")}, None),
        ({"valueCodeableConcept": concept(SNOMED, "1")}, None),
        ({"valueString": "ECOG 1"}, None),
    ],
)
@pytest.mark.parametrize("code", ["89247-1", "89262-0"])
def test_ecog_is_read_as_number_quantity_or_answer(
    code: str, value: dict[str, Any], expected: int | None
) -> None:
    changed = {"valueQuantity": None, "code": concept(LOINC, code)} | value
    reading = read(ecog=changed)
    found = reading.record.get("ecog")
    assert (found and found["value"]) == expected
    assert (expected is None) == ("ECOG performance status" in warned(reading))


def test_an_integer_is_no_quantity_with_a_unit() -> None:
    assert crp(valueQuantity=None, valueInteger=8) is None


def specimen(code: str, system: str = SNOMED) -> dict[str, Any]:
    return {"resourceType": "Specimen", "id": "s1", "type": concept(system, code)}


@pytest.mark.parametrize(
    ("kind", "is_read"),
    [
        (specimen("119364003"), True),
        (specimen("122575003"), False),  # urine
        (specimen("UR", "http://terminology.hl7.org/CodeSystem/v2-0487"), False),
        (specimen("SER", "http://terminology.hl7.org/CodeSystem/v2-0487"), True),
        (specimen("U", "urn:local"), True),  # of a system that is not known here
    ],
)
@pytest.mark.parametrize("contained", [True, False])
def test_the_specimen_is_checked_where_it_is_known(
    kind: dict[str, Any], is_read: bool, contained: bool
) -> None:
    if contained:
        found = crp(specimen={"reference": "#s1"}, contained=[kind])
    else:
        found = read(kind, crp={"specimen": {"reference": "Specimen/s1"}}).record.get("crp")
    assert (found is not None) is is_read


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-03-09", "platelets"),
        ("2026-03-12", "platelets"),
        ("2026-03-13", "platelets_d0"),
        ("2026-03-12T22:59:00+01:00", "platelets"),
        ("2026-03-12T23:00:00+01:00", "platelets_d0"),
        ("2026-03-14T09:00:00+01:00", "platelets_d0"),
    ],
)
def test_platelets_of_the_last_hours_are_those_at_infusion(day: str, name: str) -> None:
    reading = read(platelets={"effectiveDateTime": day})
    assert {"platelets", "platelets_d0"} & reading.record.keys() == {name}
    assert "latelets" not in warned(reading)


def test_what_lymphodepletion_changed_is_not_read_as_before_it() -> None:
    started = drug("flu", "L01BB05", "2026-03-09T08:00:00+01:00")
    after = {"effectiveDateTime": "2026-03-10"}
    reading = read(started, crp=after, ecog=after, platelets={"effectiveDateTime": "2026-03-13"})
    assert "crp" not in reading.record
    assert "C-reactive protein: measured after lymphodepletion began: not read" in reading.warned()
    assert reading.record["ecog"]["value"] == 1
    assert reading.record["platelets_d0"]["value"] == 74
    assert reading.record["ferritin"]["value"] == 1850  # that morning


def test_components_are_read() -> None:
    pressure = {
        "resourceType": "Observation",
        "id": "bp",
        "status": "final",
        "code": concept(LOINC, "85354-9"),
        "subject": SUBJECT,
        "effectiveDateTime": "2026-03-13",
        "component": [
            "nothing",
            {
                "code": concept(LOINC, "8480-6"),
                "valueQuantity": {"value": 120, "system": UCUM, "code": "mm[Hg]"},
            },
        ],
    }
    reading = read(pressure)
    assert reading.record["sbp"]["value"] == 120
    assert reading.places["sbp"].endswith(".resource.component[1].value")


def own(name: str, **value: Any) -> dict[str, Any]:
    made = observation(name, name, 0, "") | value
    del made["valueQuantity"]
    return made | {"code": concept(PREDICTOR, name)}


def test_what_has_no_code_elsewhere_is_read_by_our_own() -> None:
    reading = read(
        own("diabetes", valueBoolean=True),
        own("cns_involvement", valueCodeableConcept=concept(WORD, "none")),
        own("prior_lines", valueInteger=3),
        own("bulky_disease", valueString="yes"),
        own("bridging", valueString="none"),
        own("age", valueInteger=3),
        own("product", valueCodeableConcept=concept(WORD, "tisagenlecleucel")),
    )
    assert reading.record["diabetes"] == "yes"
    assert reading.record["cns_involvement"] == "none"
    assert reading.record["prior_lines"]["value"] == 3
    assert {"bulky_disease", "bridging"}.isdisjoint(reading.record)
    assert reading.record["product"] == "axicabtagene_ciloleucel"
    assert reading.record["age"]["value"] == 64


@given(st.permutations(range(5)), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_the_order_of_resources_does_not_matter(order: list[int], days: list[int]) -> None:
    values = [again("crp", "1988-5", 10 + i, "mg/L", id=f"o{i}",
                    effectiveDateTime=f"2026-03-1{day}") for i, day in enumerate(days)]  # fmt: skip
    straight = read(*values).record
    assert read(*[values[i] for i in order]).record == straight
    latest = max(days)
    assert straight["crp"]["value"] == 10 + days.index(latest)
