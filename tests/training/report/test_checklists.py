"""Every item of guidance stands in the report, and none claims what the run cannot show."""

import pytest

from tests.training.report.conftest import Told
from training.report.checklists import tripod_ai
from training.report.record import Kind

ITEMS = """
1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15
16 17 18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c
"""
KINDS: tuple[Kind, ...] = ("development", "external validation", "rehearsal", "updating")


@pytest.mark.parametrize("kind", KINDS)
def test_every_item_is_there_in_its_order(kind: Kind) -> None:
    assert list(tripod_ai(kind)) == ITEMS.split()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_answered_has_a_place_and_what_is_the_authors_has_none(kind: Kind) -> None:
    for item in tripod_ai(kind).values():
        assert (item.section is None) is (item.status == "todo")
        assert item.note


def test_every_place_is_on_the_page(each: Told) -> None:
    ids = {value for _, name, value in each.seen.attributes if name == "id"}
    assert {item.section for item in each.report.tripod_ai.values() if item.section} <= ids


@pytest.mark.parametrize("item", ["1", "2", "8c", "17", "18a", "18b", "19", "25", "27c"])
def test_what_only_a_person_knows_stays_the_authors(item: str) -> None:
    assert tripod_ai("development")[item].status == "todo"


@pytest.mark.parametrize("item", ["5b", "11", "20a", "20b", "20c", "23b"])
def test_without_patients_nothing_is_claimed_of_them(item: str) -> None:
    assert tripod_ai("development")[item].status == "auto"
    assert tripod_ai("rehearsal")[item].status == "todo"


def test_elsewhere_the_patients_of_development_are_not_at_hand() -> None:
    assert tripod_ai("external validation")["20c"].status == "todo"
    assert tripod_ai("external validation")["20a"].status == "auto"


def test_no_judgement_of_bias_is_made(each: Told) -> None:
    domains = each.report.probast_ai
    names = [domain.domain for domain in domains]
    assert names == ["participants and data", "predictors", "outcome", "analysis"]
    assert {domain.judgement for domain in domains} == {None}


def test_facts_count_the_patients_of_the_run(developed: Told) -> None:
    facts = [fact.text for domain in developed.report.probast_ai for fact in domain.facts]
    flow = developed.report.flow
    assert flow is not None
    assert f"of 300 rows {300 - flow.analysed} were left out" in " ".join(facts)
    assert any("20 bootstrap refits" in fact for fact in facts)
