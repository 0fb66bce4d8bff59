"""Conversions are exact, reversible, and refuse rules that are none."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.units import (
    IDENTITY,
    LARGEST,
    PURE_NUMBERS,
    Conversion,
    column_suffix,
    conversion,
    normalise_unit,
)

QUANTITIES = {name: d for name, d in PREDICTORS.items() if isinstance(d, Quantity)}
PAIRS = [(name, unit) for name, d in QUANTITIES.items() for unit in d.conversions]

GRAMS_PER_LITRE = {
    "g/L": "1",
    "mg/L": "1e-3",
    "ug/L": "1e-6",
    "ng/L": "1e-9",
    "g/dL": "10",
    "mg/dL": "1e-2",
    "ug/dL": "1e-5",
    "ng/dL": "1e-8",
    "mg/mL": "1",
    "ug/mL": "1e-3",
    "ng/mL": "1e-6",
    "pg/mL": "1e-9",
}
MOLES_PER_LITRE = {"mmol/L": 1e-3, "umol/L": 1e-6, "nmol/L": 1e-9, "pmol/L": 1e-12}
GRAMS_PER_MOLE = {
    "creatinine": 113.12,  # C4H7N3O
    "bilirubin": 584.66,  # C33H36N4O6
    "urate": 168.11,  # C5H4N4O3
    "triglycerides": 885.4,  # triolein, C57H104O6
    "hemoglobin": 64_458 / 4,  # one haem with its chain
    "albumin": 66_500,
    "fibrinogen": 340_000,
    "ferritin": 445_000,
    "beta2_microglobulin": 11_800,
    "ntprobnp": 8_457,
}


def to_canonical(name: str, unit: str, value: float) -> float:
    return QUANTITIES[name].conversions[unit](value)


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("creatinine", 88.4, "umol/L", 1),
        ("crp", 8.4, "mg/dL", 84),
        ("crp", 8.41, "mg/dL", 84.1),
        ("ldh", 4, "ukat/L", 240),
        ("ldh", 4000, "nkat/L", 240),
        ("ldh_uln", 4.15, "ukat/L", 249),
        ("temperature", 98.6, "[degF]", 37),
        ("temperature", 104, "[degF]", 40),
        ("bilirubin", 17.1, "umol/L", 1),
        ("albumin", 3.8, "g/dL", 38),
        ("platelets", 150_000, "/uL", 150),
        ("platelets", 74, "10*3/uL", 74),
        ("anc", 500, "{cells}/uL", 0.5),
        ("hemoglobin", 9.3, "g/dL", 93),
        ("fibrinogen", 300, "mg/dL", 3),
        ("d_dimer", 500, "ng/mL{DDU}", 1),
        ("il6", 0.25, "ng/mL", 250),
        ("spd", 3723, "mm2", 37.23),
        ("mtv", 0.31, "L", 310),
        ("largest_lesion", 75, "mm", 7.5),
        ("age", 18, "mo", 1.5),
        ("weight", 1, "[lb_av]", 0.45359237),
        ("height", 70, "[in_i]", 177.8),
        ("spo2", 0.95, "1", 95),
        ("cell_dose", 2.5, "10*8", 250),
        ("cy_total", 0.9, "g/m2", 900),
    ],
)
def test_known_conversions_are_exact(name: str, value: float, unit: str, expected: float) -> None:
    assert expected == to_canonical(name, unit, value)


def test_haemoglobin_in_mmol_counts_iron_monomers() -> None:
    assert to_canonical("hemoglobin", "mmol/L", 6.2) == pytest.approx(99.9, abs=0.05)


@pytest.mark.parametrize(("name", "unit"), [p for p in PAIRS if p[1] in MOLES_PER_LITRE])
def test_amounts_follow_from_the_molar_mass(name: str, unit: str) -> None:
    grams = GRAMS_PER_MOLE[name] * MOLES_PER_LITRE[unit]
    expected = grams / float(GRAMS_PER_LITRE[QUANTITIES[name].unit])
    assert expected == pytest.approx(to_canonical(name, unit, 1), rel=1e-3)


@pytest.mark.parametrize(("name", "unit"), [p for p in PAIRS if p[1] in GRAMS_PER_LITRE])
def test_masses_follow_from_the_prefixes(name: str, unit: str) -> None:
    expected = Fraction(GRAMS_PER_LITRE[unit]) / Fraction(GRAMS_PER_LITRE[QUANTITIES[name].unit])
    assert Conversion(expected) == QUANTITIES[name].conversions[unit]


@given(st.sampled_from(PAIRS), st.floats(0, 1))
def test_converting_there_and_back_changes_nothing(pair: tuple[str, str], share: float) -> None:
    name, unit = pair
    low, high = QUANTITIES[name].hard
    canonical = low + share * (high - low)
    if 0 < canonical < 1e-6:
        canonical = 1e-6
    rule = QUANTITIES[name].conversions[unit]
    sent = float((Fraction(canonical) - rule.offset) / rule.factor)
    assert canonical == pytest.approx(rule(sent), rel=1e-12, abs=0)


@given(st.integers(0, 10**7), st.integers(0, 4), st.sampled_from(["10", "100", "1000"]))
def test_a_power_of_ten_only_moves_the_decimal_point(digits: int, places: int, rule: str) -> None:
    """8.41 mg/dL and 84.1 mg/L are one number, though neither is a binary fraction."""
    written = float(f"{digits}e-{places}")
    assert float(f"{digits * int(rule)}e-{places}") == conversion(rule)(written)


@given(
    st.floats(-LARGEST / 10**9, LARGEST / 10**9)
    | st.integers(-(10**30), 10**30)
    | st.decimals(-(10**6), 10**6, places=3).map(float),
    st.sampled_from(PAIRS),
)
def test_a_conversion_is_the_fraction_rounded_once(value: float, pair: tuple[str, str]) -> None:
    rule = QUANTITIES[pair[0]].conversions[pair[1]]
    exact = Fraction(str(value)) * rule.factor + rule.offset
    assert rule(value) == float(exact)


@given(st.floats(0, LARGEST, exclude_max=True), st.sampled_from(PAIRS))
def test_no_number_that_is_read_overflows(value: float, pair: tuple[str, str]) -> None:
    assert to_canonical(*pair, value) < float("inf")


def test_the_canonical_unit_changes_nothing() -> None:
    assert {IDENTITY} == {d.conversions[d.unit] for d in QUANTITIES.values()}


def test_factors_are_read_as_they_are_written() -> None:
    assert Conversion(Fraction(10)) == conversion("10")
    assert Conversion(Fraction(1, 1000)) == conversion("0.001")
    assert Conversion(Fraction(10, 884)) == conversion("1/88.4")
    assert Conversion(Fraction(5, 9), Fraction(-160, 9)) == conversion("(x-32)/1.8")


@pytest.mark.parametrize(
    "rule",
    [
        *("", "ten", "nan", "inf", "1e3", "0", "0.0", "-1", "0/5", "1/0", "1/2/3", "1/-2", " 10"),
        *("10 ", "x*2", "(x-32)", "(x-32)/0", "(x+32)/1.8", "(x-1.2.3)/1.8"),
    ],
)
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        conversion(rule)


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("10^9 / L", "10*9/L"),
        ("x10E9/L", "10*9/L"),
        ("Gpt/l", "10*9/L"),
        ("K/µL", "10*3/uL"),  # micro sign
        ("K/μL", "10*3/uL"),  # Greek mu
        ("µmol/l", "umol/L"),
        ("μg/L", "ug/L"),
        ("µg/mL", "ug/mL"),
        ("/µl", "/uL"),
        ("K/mm3", "10*3/mm3"),
        ("IU/L", "[IU]/L"),
        ("°F", "[degF]"),
        ("Years", "a"),
        ("cm²", "cm2"),
        ("ccc", "ccc"),
        ("", ""),
    ],
)
def test_laboratory_spellings_become_ucum(spelling: str, code: str) -> None:
    assert code == normalise_unit(spelling)


def test_every_accepted_unit_is_its_own_spelling() -> None:
    assert [unit for _, unit in PAIRS] == [normalise_unit(unit) for _, unit in PAIRS]


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise_unit(text) == normalise_unit(normalise_unit(text))


@pytest.mark.parametrize(
    ("unit", "suffix"),
    [
        ("mg/dL", "mg_dl"),
        ("10*9/L", "10e9_l"),
        ("10*6/kg", "10e6_kg"),
        ("%", "pct"),
        ("1", "fraction"),
        ("[degF]", "degf"),
        ("a", "years"),
        ("{score}", ""),
        ("{INR}", ""),
    ],
)
def test_column_suffixes_are_readable(unit: str, suffix: str) -> None:
    assert suffix == column_suffix(unit)


def test_no_two_units_share_a_column_suffix() -> None:
    units = {unit for _, unit in PAIRS} - PURE_NUMBERS
    assert len(units) == len({column_suffix(unit) for unit in units})


def test_no_predictor_accepts_two_units_that_differ_by_case_only() -> None:
    """A request's unit is also recognised with the wrong case."""
    for declared in QUANTITIES.values():
        assert len(declared.conversions) == len({unit.lower() for unit in declared.conversions})
