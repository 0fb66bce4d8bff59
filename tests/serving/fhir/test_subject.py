"""Sex, and age by the calendar."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.fhir.subject import age_in_years
from tests.serving.fhir.resources import read, refused

BIRTH_DATE = "Bundle.entry[0].resource.birthDate"


def age(born: Any) -> Any:
    return read(p1={"birthDate": born}).record.get("age")


@pytest.mark.parametrize(
    ("born", "years"),
    [
        ("1962-03-14", 64),
        ("2008-03-14", 18),
        ("1961-05-02", 64 + 316 / 365),
        ("2004-02-29", 22 + 13 / 365),
        ("2026-03-14", 0),
    ],
)
def test_age_is_counted_by_the_calendar(born: str, years: float) -> None:
    assert age(born) == {"value": pytest.approx(years), "unit": "a"}


def test_nobody_is_a_child_on_the_eighteenth_birthday() -> None:
    assert age("2008-03-15")["value"] < 18 <= age("2008-03-14")["value"]


@pytest.mark.parametrize(("born", "years", "within"), [("1962", 63.7, 0.5), ("1962-03", 64, 0.05)])
def test_part_of_a_date_is_read_with_a_warning(born: str, years: float, within: float) -> None:
    reading = read(p1={"birthDate": born})
    assert reading.record["age"]["value"] == pytest.approx(years, abs=within)
    assert any(text.startswith("Age at infusion: of the birth date") for text in reading.warned())


@given(st.dates(date(1900, 1, 1), date(2026, 3, 14)), st.integers(0, 40_000))
def test_age_never_falls_and_is_whole_on_birthdays(born: date, days: int) -> None:
    on = born + timedelta(days=days)
    older = age_in_years(born, on + timedelta(days=1))
    assert age_in_years(born, on) < older
    assert older - age_in_years(born, on) <= 1 / 365 + 1e-9
    if born.month != 2 or born.day != 29:
        assert age_in_years(born, born.replace(year=born.year + 30)) == 30
    assert age_in_years(born, on) == pytest.approx(days / 365.2425, abs=0.01)


@pytest.mark.parametrize("born", ["x", "62", "1962-13", "1962-02-30", 1962, [], "9999-01-01"])
def test_what_is_no_date_is_refused(born: Any) -> None:
    assert refused(read(p1={"birthDate": born})) == [(BIRTH_DATE, "not_a_date")]


def test_without_a_birth_date_it_must_be_said_that_none_is_known() -> None:
    assert refused(read(p1={"birthDate": None})) == [(BIRTH_DATE, "required")]
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    said = {"extension": [{"url": absent, "valueCode": "unknown"}]}
    reading = read(p1={"birthDate": None, "_birthDate": said})
    assert reading.problems == []
    assert reading.record["age"] == "unknown"


@pytest.mark.parametrize("gender", ["female", "male", "other", "unknown"])
def test_gender_is_read_where_it_is_given(gender: str) -> None:
    assert read(p1={"gender": gender}).record["sex"] == gender
    assert "sex" not in read().record
