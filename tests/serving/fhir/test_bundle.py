"""The container: its types, its patient, whose its resources are."""

from typing import Any

import pytest

from serving.fhir.bundle import TYPES
from serving.fhir.patient_record import read_bundle
from serving.openapi_fhir import EXAMPLE_BUNDLE, RESOURCES, bundle_of
from tests.serving.fhir.resources import SNOMED, Json, concept, condition, example, read, refused

RECORD = read_bundle(EXAMPLE_BUNDLE).record


@pytest.mark.parametrize("kind", TYPES)
def test_the_accepted_types_of_bundle_are_read_alike(kind: str) -> None:
    reading = read_bundle(bundle_of(RESOURCES, kind))
    assert reading.problems == []
    assert reading.record == RECORD


@pytest.mark.parametrize("kind", ["document", "batch", "history", None, 3])
def test_another_type_is_refused_and_all_else_is_read_on(kind: Any) -> None:
    reading = read_bundle(bundle_of(example(p1={"birthDate": "x"}), kind))
    assert refused(reading) == [
        ("Bundle.type", "bundle_type"),
        ("Bundle.entry[0].resource.birthDate", "not_a_date"),
    ]


@pytest.mark.parametrize("given", [None, [], "Bundle", {}, {"resourceType": "Patient"}])
def test_what_is_no_bundle_is_refused(given: Any) -> None:
    assert refused(read_bundle(given)) == [("Bundle", "not_a_bundle")]


def test_a_transaction_of_searches_is_read_through() -> None:
    inner = [bundle_of(RESOURCES[:3], "searchset"), bundle_of(RESOURCES[3:], "searchset")]
    reading = read_bundle(bundle_of(inner, "transaction-response"))
    assert reading.record == RECORD
    assert reading.places["crp"] == "Bundle.entry[1].resource.entry[0].resource.value"
    twice = read_bundle(bundle_of([bundle_of([bundle_of(RESOURCES)])]))
    assert refused(twice) == [("Bundle", "required")]


def test_entries_without_a_resource_are_passed_over() -> None:
    bundle = bundle_of(RESOURCES, "transaction-response")
    bundle["entry"].append({"response": {"status": "404"}})
    assert read_bundle(bundle).problems == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (5, ("Bundle.entry[0]", "not_an_object")),
        ({"resource": 5}, ("Bundle.entry[0].resource", "not_a_resource")),
        ({"resource": {}}, ("Bundle.entry[0].resource", "not_a_resource")),
        ({"resource": {"resourceType": 5}}, ("Bundle.entry[0].resource", "not_a_resource")),
    ],
)
def test_an_entry_that_is_none_is_named(entry: Any, problem: tuple[str, str]) -> None:
    bundle = bundle_of(RESOURCES)
    assert refused(read_bundle(bundle | {"entry": [entry, *bundle["entry"]]})) == [problem]
    assert ("Bundle.entry", "not_a_list") in refused(read_bundle(bundle | {"entry": entry}))


def test_a_bundle_is_about_one_patient() -> None:
    assert refused(read(p1=None))[0] == ("Bundle", "required")
    second = {"resourceType": "Patient", "id": "p2", "birthDate": "1950-01-01"}
    assert refused(read(second)) == [("Bundle.entry[13].resource", "several_patients")]


@pytest.mark.parametrize("kind", ["Observation", "Encounter", "AllergyIntolerance"])
@pytest.mark.parametrize("name", ["subject", "patient"])
@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Patient/p2"},
        {"reference": "Group/p1"},
        {"reference": "urn:uuid:00000000-0000-0000-0000-000000000000"},
        {"display": "Mr Kowalski"},
        {"reference": 5},
        "Patient/p1",
        None,
        [],
    ],
)
def test_nothing_of_another_subject_is_read(kind: str, name: str, reference: Any) -> None:
    other = {"resourceType": kind, "id": "x", "subject": {"reference": "Patient/p1"}}
    reading = read(other | {name: reference})
    assert refused(reading) == [(f"Bundle.entry[13].resource.{name}", "another_subject")]


@pytest.mark.parametrize("name", ["crp", "c1", "m1"])
def test_what_does_not_say_whose_it_is_is_refused(name: str) -> None:
    place = {"crp": 3, "c1": 1, "m1": 2}[name]
    path = f"Bundle.entry[{place}].resource.subject"
    assert (path, "required") in refused(read(**{name: {"subject": None}}))


@pytest.mark.parametrize(
    ("full_url", "reference"),
    [
        ("https://ehr.example.org/fhir/Patient/p1", "https://ehr.example.org/fhir/Patient/p1"),
        ("https://ehr.example.org/fhir/Patient/p1", "Patient/p1/_history/3"),
        ("urn:uuid:01a20595-05f6-710d-abc4-280aa77dad40",
         "urn:uuid:01a20595-05f6-710d-abc4-280aa77dad40"),
        (None, "https://ehr.example.org/fhir/Patient/p1"),
    ],
)  # fmt: skip
def test_a_reference_is_followed_in_each_of_its_forms(full_url: Any, reference: str) -> None:
    bundle = bundle_of(example(crp={"subject": {"reference": reference}}))
    bundle["entry"][0]["fullUrl"] = full_url
    reading = read_bundle(bundle)
    assert reading.problems == []
    assert reading.subject == "Patient/p1"


def test_the_same_words_on_another_server_are_another_patient() -> None:
    there = {"reference": "https://elsewhere.example.org/fhir/Patient/p1"}
    bundle = bundle_of(example(crp={"subject": there}))
    bundle["entry"][0]["fullUrl"] = "https://ehr.example.org/fhir/Patient/p1"
    assert refused(read_bundle(bundle)) == [("Bundle.entry[3].resource.subject", "another_subject")]


def test_resources_without_an_id_are_referred_to_by_their_full_url() -> None:
    bundle = bundle_of(example(crp={"id": None}))
    assert refused(read_bundle(bundle)) == [("Bundle.entry[3].resource.id", "no_reference")]
    url = "urn:uuid:01a20595-05f6-710d-abc4-280aa77dad40"
    bundle["entry"][3]["fullUrl"] = url
    assert read_bundle(bundle).basis["crp"] == [url]


@pytest.mark.parametrize("nothing", ["", "/_history/1"])
def test_a_reference_to_nothing_finds_no_resource_that_has_no_id(nothing: str) -> None:
    """It found the first of them: a urine specimen that nobody referred to took the CRP away."""
    urine = {"resourceType": "Specimen", "type": concept(SNOMED, "122575003")}
    reading = read(urine, crp={"specimen": {"reference": nothing}})
    assert reading.problems == []
    assert reading.basis["crp"] == ["Observation/crp"]


@pytest.mark.parametrize("wrong", ["a b", "x" * 65, "", "ä", 5, "\ud800"])
def test_an_id_that_is_none_is_refused(wrong: Any) -> None:
    assert refused(read(crp={"id": wrong})) == [("Bundle.entry[3].resource.id", "no_reference")]


def test_the_same_resource_twice_counts_once_and_another_under_its_id_is_refused() -> None:
    crp = next(one for one in RESOURCES if one["id"] == "crp")
    assert read(crp).problems == []
    assert refused(read(crp | {"status": "amended"})) == [
        ("Bundle.entry[13].resource", "duplicate")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"link": [{"relation": "self", "url": "x"}, {"relation": "next", "url": "x"}]},
        {"entry": [*EXAMPLE_BUNDLE["entry"], {"resource": {
            "resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}}]},
        {"entry": [*EXAMPLE_BUNDLE["entry"], {"response": {"status": "500 Failed"}}]},
    ],
)  # fmt: skip
def test_a_bundle_that_says_it_is_not_complete_is_read_with_a_warning(change: Json) -> None:
    reading = read_bundle(EXAMPLE_BUNDLE | {"type": "searchset"} | change)
    assert reading.record == RECORD
    assert any(text.startswith("Bundle: it says itself") for text in reading.warned())


def test_a_hint_of_a_search_is_no_warning() -> None:
    hint = {"resourceType": "OperationOutcome", "issue": [{"severity": "information"}]}
    assert not any(text.startswith("Bundle") for text in read(hint).warned())


MODIFIED = {"modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]}


@pytest.mark.parametrize(
    "change",
    [
        MODIFIED,
        {"referenceRange": [MODIFIED]},
        {"component": [{"code": {}, **MODIFIED}]},
        {"contained": [{"resourceType": "Specimen", "id": "s", **MODIFIED}]},
    ],
)
def test_what_may_mean_the_opposite_is_left_out_with_a_warning(change: Json) -> None:
    reading = read(crp=change)
    assert "crp" not in reading.record
    assert any(text.startswith("Observation: its modifierExtension") for text in reading.warned())
    assert read(crp={"modifierExtension": []}).record == RECORD


@pytest.mark.parametrize("name", ["m1", "c1"])
def test_an_order_or_a_disease_that_may_mean_the_opposite_is_none(name: str) -> None:
    assert ("Bundle", "required") in refused(read(**{name: MODIFIED}))


def test_a_patient_who_may_mean_another_is_refused() -> None:
    assert refused(read(p1=MODIFIED)) == [
        ("Bundle.entry[0].resource.modifierExtension", "modifier_extension")
    ]


def test_what_is_not_read_changes_nothing() -> None:
    more = [
        {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "x"}]},
        condition("c9", "J45.9"),
    ]
    assert read(*more).record == RECORD
