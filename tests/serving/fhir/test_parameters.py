"""Parameters: each by its name, each problem at its place."""

from typing import Any

import pytest

from serving.fhir.parameters import ELEMENTS, MOST_PARAMETERS
from serving.fhir.patient_record import read_bundle, read_sent
from serving.openapi_fhir import EXAMPLE_BUNDLE, bundle_of
from tests.serving.fhir.resources import Json, element, example, refused

BUNDLE: Json = {"name": "bundle", "resource": EXAMPLE_BUNDLE}
REFERENCE: Json = {"name": "reference", "valueString": "study-7:0042"}
CLOSED: Json = {"name": "closedWorld", "valueCode": "Condition"}


def parameters(*given: Any) -> Json:
    return {"resourceType": "Parameters", "parameter": list(given)}


def test_a_bundle_alone_is_read_as_if_it_were_sent_bare() -> None:
    bare, within = read_bundle(EXAMPLE_BUNDLE), read_sent(parameters(BUNDLE))
    assert read_sent(EXAMPLE_BUNDLE) == bare
    assert within.problems == []
    assert (within.record, within.basis) == (bare.record, bare.basis)
    assert within.warned() == bare.warned()
    places = {name: place.partition(".")[2] for name, place in bare.places.items()}
    assert within.places == {n: f"Parameters.parameter[0].resource.{p}" for n, p in places.items()}


@pytest.mark.parametrize(
    "order", [[BUNDLE, REFERENCE, CLOSED], [CLOSED, CLOSED, REFERENCE, BUNDLE]]
)
def test_parameters_come_in_any_order_and_closed_world_more_than_once(order: list[Json]) -> None:
    reading = read_sent(parameters(*order) | {"id": "x", "meta": {}})
    assert reading.problems == []
    assert reading.record["reference"] == "study-7:0042"
    assert reading.record["diabetes"] == "no"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (5, ("Parameters.parameter[1]", "not_an_object")),
        ({}, ("Parameters.parameter[1].name", "unknown_parameter")),
        ({"name": 5}, ("Parameters.parameter[1].name", "unknown_parameter")),
        ({"name": ["bundle"]}, ("Parameters.parameter[1].name", "unknown_parameter")),
        ({"name": "closedworld"}, ("Parameters.parameter[1].name", "unknown_parameter")),
        (BUNDLE, ("Parameters.parameter[1]", "repeated_parameter")),
        ({"name": "reference"}, ("Parameters.parameter[1].value", "wrong_type")),
        ({"name": "reference", "valueCode": "x"}, ("Parameters.parameter[1].value", "wrong_type")),
        (REFERENCE | {"valueCode": "x"}, ("Parameters.parameter[1].value", "wrong_type")),
        (REFERENCE | {"part": []}, ("Parameters.parameter[1].value", "wrong_type")),
        (
            {"name": "closedWorld", "valueString": "Condition"},
            ("Parameters.parameter[1].value", "wrong_type"),
        ),
        *(
            (CLOSED | {"valueCode": word}, ("Parameters.parameter[1].value", "not_a_choice"))
            for word in ("condition", "Procedure", "*", "", 5, None, ["Condition"], {})
        ),
    ],
)
def test_what_is_no_parameter_is_named_at_its_place(given: Any, problem: tuple[str, str]) -> None:
    assert refused(read_sent(parameters(BUNDLE, given))) == [problem]


def test_the_accepted_names_and_words_are_told() -> None:
    sent = parameters(BUNDLE, {"name": "x"}, CLOSED | {"valueCode": "x"})
    name, word = read_sent(sent).problems
    assert name.accepted == ("bundle", "reference", "closedWorld") == tuple(ELEMENTS)
    assert word.accepted == ("Condition",)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ([], [("Parameters", "required")]),
        ([REFERENCE], [("Parameters", "required")]),
        ([{"name": "bundle"}], [("Parameters.parameter[0].resource", "wrong_type")]),
        (
            [{"name": "bundle", "valueString": "x"}],
            [("Parameters.parameter[0].resource", "wrong_type")],
        ),
        (
            [{"name": "bundle", "resource": {"resourceType": "Patient"}}],
            [("Parameters.parameter[0].resource", "not_a_bundle")],
        ),
        (
            [{"name": "bundle", "resource": parameters(BUNDLE)}],
            [("Parameters.parameter[0].resource", "not_a_bundle")],
        ),
        (
            [REFERENCE, {"name": "bundle", "resource": bundle_of([])}],
            [("Parameters.parameter[1].resource", "required")],
        ),
    ],
)
def test_there_is_one_bundle(given: list[Json], problems: list[tuple[str, str]]) -> None:
    assert refused(read_sent(parameters(*given))) == problems


@pytest.mark.parametrize("given", [5, None, {}, "x"])
def test_what_is_no_list_is_named(given: Any) -> None:
    sent = {"resourceType": "Parameters", "parameter": given}
    assert refused(read_sent(sent)) == [("Parameters.parameter", "not_a_list")]
    assert refused(read_sent({"resourceType": "Parameters"})) == [("Parameters", "required")]


def test_a_flood_of_parameters_is_read_to_a_limit() -> None:
    assert len(refused(read_sent(parameters(BUNDLE, *[5] * (MOST_PARAMETERS - 1))))) == 99
    problems = refused(read_sent(parameters(BUNDLE, *[5] * 5_000)))
    assert problems[0] == ("Parameters.parameter", "too_many_parameters")
    assert len(problems) == MOST_PARAMETERS


def test_every_problem_is_told_at_once_and_found_in_what_was_sent() -> None:
    """FHIRPath begins at what was sent: so a client finds the element by evaluating it there."""
    resources = example(p1={"birthDate": "x"}, anc={"subject": {"reference": "Patient/p2"}})
    bundle = {"name": "bundle", "resource": bundle_of(resources, "history")}
    sent = parameters({"name": "x"}, bundle, CLOSED | {"valueCode": "x"}, REFERENCE | {"part": 1})
    reading = read_sent(sent)
    within = "Parameters.parameter[1].resource"
    assert refused(reading) == [
        ("Parameters.parameter[0].name", "unknown_parameter"),
        ("Parameters.parameter[2].value", "not_a_choice"),
        ("Parameters.parameter[3].value", "wrong_type"),
        (f"{within}.type", "bundle_type"),
        (f"{within}.entry[11].resource.subject", "another_subject"),
        (f"{within}.entry[0].resource.birthDate", "not_a_date"),
    ]
    for place, _ in refused(reading):
        element(sent, place)
