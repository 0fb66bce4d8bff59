"""The explanation is exact, sorted, adds up after rounding, and blames nothing not measured."""

import re
from collections import defaultdict
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS
from serving.answer.explanation import chosen_reasons
from serving.answer.told import GROUPS, NOT_MEASURED
from serving.model.artefact import Artefact
from serving.model.risk_model import expit_of_one as expit
from serving.ward import Ward
from tests.conftest import Body, Store

Explained = list[dict[str, Any]]
CAUSAL = r"caus|because|due to|lowers|raises|leads to|result of"


@pytest.fixture(scope="module", params=["ward", "fitted_ward"])
def explained(request: pytest.FixtureRequest, bodies: list[Body]) -> Explained:
    """Every explained outcome of some hundred patients, with its risk."""
    ward: Ward = request.getfixturevalue(request.param)
    assert ward.assessor is not None
    answers = [orjson.loads(ward.assessor.assess(read_patient(b)).to_json()) for b in bodies[::3]]
    found = [
        o["explanation"] | {"risk": o["risk"]}
        for a in answers
        for o in a["outcomes"]
        if "risk" in o
    ]
    assert len(found) > 300
    return found


def group_of(predictor: str) -> str:
    return PREDICTORS[predictor].group if predictor in PREDICTORS else "tumour"


# --- contributions ----------------------------------------------------------------------------


def test_contributions_are_the_distance_from_the_starting_point(explained: Explained) -> None:
    for one in explained:
        added = sum(c["log_odds"] for c in one["contributions"])
        assert one["base"] + added == pytest.approx(one["total"], abs=1e-12)
        assert expit(one["total"]) == one["risk"]


def test_there_is_one_contribution_a_predictor_largest_first(explained: Explained) -> None:
    for one in explained:
        sizes = [abs(c["log_odds"]) for c in one["contributions"]]
        assert sizes == sorted(sizes, reverse=True)
        assert len({c["predictor"] for c in one["contributions"]}) == len(sizes)


def test_what_was_not_measured_contributes_exactly_nothing(explained: Explained) -> None:
    unmeasured = [c for one in explained for c in one["contributions"] if not c["measured"]]
    assert unmeasured
    assert {c["log_odds"] for c in unmeasured} == {0.0}
    texts = {c["text"] for c in unmeasured}
    assert {"C-reactive protein not measured; typical assumed"} <= texts
    assert "Bridging therapy not known; none assumed" in texts
    assert "Pre-existing neurological disorder not known; absent assumed" in texts


def test_the_sentence_says_the_direction(explained: Explained) -> None:
    for c in (c for one in explained for c in one["contributions"] if c["measured"]):
        assert c["text"].startswith(c["label"])
        assert ("goes with a higher risk" in c["text"]) == (c["log_odds"] > 1e-12)
        assert ("goes with a lower risk" in c["text"]) == (c["log_odds"] < -1e-12)


def test_an_effect_that_rests_on_an_unread_figure_is_marked(
    ward: Ward, evidence_store: Store, bodies: list[Body]
) -> None:
    """The mark of `/v1/model` reaches contribution and reason, of the very word that was given."""
    assert ward.assessor is not None
    marks = {name: marked_terms(artefact) for name, artefact in evidence_store.artefacts.items()}
    seen = set()
    for body in bodies:
        answer = orjson.loads(ward.assessor.assess(read_patient(body)).to_json())
        for outcome in (o for o in answer["outcomes"] if "risk" in o):
            explained = outcome["explanation"]
            for c in (c for c in explained["contributions"] if c["log_odds"]):
                name = c["predictor"]
                own = {name, f"{name}:{body['disease']}", f"{name}:{body.get(name)}"}
                expected = bool(own & marks[outcome["outcome"]])
                assert c.get("unread", False) == expected
                assert c["text"].endswith("(by a figure that is unread)") == expected
                seen.add((outcome["outcome"], name, expected))
            for r in explained["reasons"]:
                marked = (outcome["outcome"], r["predictor"], True) in seen
                assert r["text"].endswith("unread)") <= marked
    assert {("severe_crs", "age", True), ("severe_icans", "age", False)} <= seen


def marked_terms(artefact: Artefact) -> set[str]:
    return {e["term"] for e in artefact.prior["effects"] if e["holds_unread"]}


def test_burden_names_the_measure_it_came_from(explained: Explained) -> None:
    texts = [
        c["text"]
        for one in explained
        for c in one["contributions"]
        if c["predictor"] == "tumour_burden" and c["measured"]
    ]
    assert texts
    assert all(re.search(r"percentile \d+ \([a-z].* .*\)", text) for text in texts)


def test_no_word_of_it_speaks_of_causes_or_of_an_average(explained: Explained) -> None:
    for one in explained:
        words = orjson.dumps(one).decode().replace("not an average risk", "")
        assert not re.search(rf"{CAUSAL}|average", words)
        assert one["starting_point"].startswith("The starting point of the calculation")


# --- groups and points ------------------------------------------------------------------------


def test_groups_are_the_sums_of_their_members(explained: Explained) -> None:
    for one in explained:
        sums: dict[str, float] = defaultdict(float)
        members: dict[str, set[str]] = defaultdict(set)
        for c in one["contributions"]:
            group = group_of(c["predictor"]) if c["measured"] else NOT_MEASURED
            assert c["group"] == group_of(c["predictor"])
            sums[group] += c["log_odds"]
            members[group].add(c["predictor"])
        members["product"].add("product")
        assert sorted(g["group"] for g in one["groups"]) == sorted(GROUPS)
        for g in one["groups"]:
            assert g["log_odds"] == pytest.approx(sums[g["group"]], abs=1e-12)
            assert set(g["predictors"]) == members[g["group"]]
        sizes = [abs(g["log_odds"]) for g in one["groups"]]
        assert sizes == sorted(sizes, reverse=True)
        assert one["groups"][-1]["group"] == NOT_MEASURED


def test_points_add_up_to_the_displayed_difference(explained: Explained) -> None:
    for one in explained:
        assert one["percent"] == round(100 * one["risk"])
        assert one["percent_at_base"] == round(100 * expit(one["base"]))
        difference = one["percent"] - one["percent_at_base"]
        assert sum(g["points"] for g in one["groups"]) == difference
        assert sum(r["points"] for r in one["reasons"]) + one["other"]["points"] == difference
    assert len({one["percent"] - one["percent_at_base"] for one in explained}) > 20


def test_a_point_is_a_rounded_share_of_the_difference(explained: Explained) -> None:
    for one in explained:
        difference = 100 * (one["risk"] - expit(one["base"]))
        if abs(one["total"] - one["base"]) < 1e-3:
            continue
        for part in (*one["groups"], *one["reasons"], one["other"]):
            exact = part["log_odds"] * difference / (one["total"] - one["base"])
            assert abs(part["points"] - exact) < 1
            assert part["points"] * part["log_odds"] >= 0


# --- reasons ----------------------------------------------------------------------------------


def test_reasons_are_few_measured_and_the_largest(explained: Explained) -> None:
    several = 0
    for one in explained:
        added = {c["predictor"]: c["log_odds"] for c in one["contributions"] if c["measured"]}
        reasons = {r["predictor"]: r["log_odds"] for r in one["reasons"]}
        assert len(reasons) == len(one["reasons"]) <= 4
        assert reasons.items() <= added.items()
        left = sum(added.values()) - sum(reasons.values())
        assert one["other"]["log_odds"] == pytest.approx(left, abs=1e-12)
        largest = sorted(added.values(), key=abs, reverse=True)
        assert list(reasons.values())[:3] == largest[: len(reasons)][:3]
        several += len(reasons) > 2
    assert several > 100


def test_both_directions_are_told_where_both_weigh(explained: Explained) -> None:
    both = 0
    for one in explained:
        slope = abs(100 * (one["risk"] - expit(one["base"])) / (one["total"] - one["base"]))
        weighs = [
            c["log_odds"] for c in one["contributions"] if abs(c["log_odds"]) * slope > 0.5001
        ]
        told = {r["direction"] for r in one["reasons"]}
        assert told == {"higher" if added > 0 else "lower" for added in weighs}
        both += len(told) == 2
    assert both > 50


def test_a_reason_says_value_centile_and_direction(explained: Explained) -> None:
    centiles = 0
    for r in (r for one in explained for r in one["reasons"]):
        assert (r["direction"] == "higher") == (r["log_odds"] > 0)
        said = r["text"].removesuffix(" (by a figure that is unread)")
        assert said.endswith(f"goes with a {r['direction']} risk than typical")
        found = re.search(r", (higher|lower) than in (\d+) % of typical patients", r["text"])
        if found and found[1] == "higher":
            assert r["centile"] == int(found[2]) >= 50
        elif found:
            assert r["centile"] == 100 - int(found[2]) < 50
        centiles += found is not None
    assert centiles > 100


ADDED = st.lists(st.floats(-2, 2).filter(lambda x: abs(x) > 1e-6), max_size=9, unique_by=abs).map(
    lambda values: [(f"p{v}", v) for v in sorted(values, key=abs, reverse=True)]
)


@given(ADDED, st.floats(0.01, 30))
def test_the_largest_are_chosen_and_one_against_them(
    added: list[tuple[str, float]], per_log_odds: float
) -> None:
    chosen, left = chosen_reasons(added, per_log_odds)
    others = [v for name, v in added if (name, v) not in chosen]
    assert left == pytest.approx(sum(others), abs=1e-12)
    worth = [one for one in added if abs(one[1]) * per_log_odds >= 0.5]
    assert len(chosen) == min(4, len(worth))
    assert chosen[:3] == worth[:3]
    assert {v > 0 for _, v in chosen} == {v > 0 for _, v in worth}
    fourth = [one for one in worth[3:] if one not in chosen]
    if chosen[3:] and fourth and abs(fourth[0][1]) > abs(chosen[3][1]):
        assert {v > 0 for _, v in chosen[:3]} == {fourth[0][1] > 0} != {chosen[3][1] > 0}
