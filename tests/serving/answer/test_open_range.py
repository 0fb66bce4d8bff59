"""What a missing predictor leaves open is the model's own answer at the ends of its values."""

from typing import Any

import numpy as np
import orjson
import pytest
from scipy.stats import norm

from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity
from serving.answer.words import percent_in_words
from serving.model.risk_model import RiskModel
from serving.model.terms import ASSUMED_LDH_LIMIT_U_L, FUNCTIONS, usual_creatinine
from serving.model.tumour_burden import SOURCES
from serving.ward import Ward
from tests.conftest import Body
from tests.serving.one_by_one import Columns, columns_of

Answers = list[tuple[Body, dict[str, Any]]]


@pytest.fixture(scope="module", params=["ward", "fitted_ward"])
def asked(request: pytest.FixtureRequest) -> Ward:
    ward: Ward = request.getfixturevalue(request.param)
    return ward


@pytest.fixture(scope="module")
def answers(asked: Ward, bodies: list[Body]) -> Answers:
    """Patients of whom some predictors were taken away, with their answers."""
    rng, found = np.random.default_rng(5), []
    assert asked.assessor is not None
    for body in bodies[::8]:
        kept = {
            name: given
            for name, given in body.items()
            if name in ("product", "disease", "age", "infusion_date") or rng.random() < 0.85
        }
        answer = orjson.loads(asked.assessor.assess(read_patient(kept)).to_json())
        found.append((kept, answer))
    return found


def settings(model: RiskModel, name: str, body: Body) -> list[Columns]:
    """The patient with a predictor at each end of what it may be, as a clinician would send it."""
    columns, disease = columns_of(read_patient(body)), body["disease"]
    if name == "tumour_burden":
        measure = SOURCES[disease][0]
        known = model.burden_scale.percentiles[measure], model.burden_scale.values[measure]
        return [columns | {measure: np.array([np.interp(p, *known)])} for p in (0.05, 0.95)]
    declared = PREDICTORS[name]
    if isinstance(declared, Category):
        words = [word for word in declared.choices if word != "unknown"]
        return [columns | {name: np.array([word], dtype=object)} for word in words]
    if isinstance(declared, Flag):
        return [columns | {name: np.array([value])} for value in (0.0, 1.0)]
    return [columns | {name: np.array([end])} for end in ends(model, name, declared, columns)]


def ends(model: RiskModel, name: str, declared: Quantity, columns: Columns) -> list[float]:
    disease = str(columns["disease"][0])
    term = next(t for t in model.terms if t.predictor == name and t.applies_in(disease))
    of = norm(term.centre_in(disease), term.scale)
    multiples = {"ldh_ratio": np.exp, "creatinine_ratio": np.exp}
    inverse = {"log": np.exp, "log1p": np.expm1, **multiples}
    found = [inverse.get(term.transform, float)(of.ppf(level)) for level in (0.05, 0.95)]
    if term.transform == "ldh_ratio":
        given = columns["ldh_uln"][0]
        limit = ASSUMED_LDH_LIMIT_U_L if np.isnan(given) else given
        return [end * limit for end in found]
    if term.transform == "creatinine_ratio":
        usual = float(usual_creatinine(np.asarray(columns["age"], dtype=float))[0])
        return [end * usual for end in found]
    found = [float(np.clip(end, *declared.hard)) for end in found]
    return [round(end) for end in found] if declared.whole else found


def test_the_range_is_that_of_the_model_itself(answers: Answers, asked: Ward) -> None:
    compared = set()
    for body, answer in answers:
        for outcome in (o for o in answer["outcomes"] if "risk" in o):
            model = asked.artefacts[outcome["outcome"]].model
            for one in outcome["explanation"]["range_if_measured"]:
                if one["predictor"] == "tumour_burden" and body["disease"] == "B_ALL":
                    continue  # its curve is not one to one at its lower end
                risks = [
                    float(model.predict(c).risk[0]) for c in settings(model, one["predictor"], body)
                ]
                assert one["low"] == pytest.approx(min(risks), abs=1e-9)
                assert one["high"] == pytest.approx(max(risks), abs=1e-9)
                compared.add(one["predictor"])
    assert compared >= {"crp", "ferritin", "ldh", "platelets", "tumour_burden", "crs_prophylaxis"}


def test_only_what_is_missing_leaves_something_open_widest_first(answers: Answers) -> None:
    for _, answer in answers:
        missing = {one["predictor"] for one in answer["missing"]}
        for outcome in (o for o in answer["outcomes"] if "risk" in o):
            ranges = outcome["explanation"]["range_if_measured"]
            assert {one["predictor"] for one in ranges} <= missing
            widths = [one["high"] - one["low"] for one in ranges]
            assert widths == sorted(widths, reverse=True)
            assert all(width > 0 for width in widths)


def test_a_missing_predictor_without_a_range_moves_nothing(answers: Answers, asked: Ward) -> None:
    silent = 0
    for body, answer in answers[::4]:
        for outcome in (o for o in answer["outcomes"] if "risk" in o):
            model = asked.artefacts[outcome["outcome"]].model
            open_ = {one["predictor"] for one in outcome["explanation"]["range_if_measured"]}
            for one in answer["missing"]:
                name = one["predictor"]
                if name in open_ | {"tumour_burden"}:
                    continue
                for columns in settings(model, name, body):
                    assert float(model.predict(columns).risk[0]) == pytest.approx(
                        outcome["risk"], abs=1e-12
                    )
                silent += 1
    if asked.artefacts["severe_crs"].manifest.cohort.patients == 0:
        assert silent > 50


def test_the_sentence_says_the_ends_and_that_it_was_not_measured(answers: Answers) -> None:
    for _, answer in answers:
        for outcome in (o for o in answer["outcomes"] if "risk" in o):
            for one in outcome["explanation"]["range_if_measured"]:
                low, high = percent_in_words(one["low"]), percent_in_words(one["high"])
                risk = low if low == high else f"{low} to {high}"
                is_word = isinstance(PREDICTORS.get(one["predictor"]), Category | Flag)
                absent = f"{one['label']} not {'known' if is_word else 'measured'}: "
                assert one["text"].startswith(absent)
                assert one["text"].endswith(f"the estimate would be {risk} %")


def test_the_words_that_are_named_are_those_that_differ(ward: Ward, patient: Body) -> None:
    """Anakinra moves nothing in the models: the range is not one of 'whichever plan it is'."""
    assert ward.assessor is not None
    body = {name: given for name, given in patient.items() if name != "crs_prophylaxis"}
    answer = orjson.loads(ward.assessor.assess(read_patient(body)).to_json())
    for outcome in answer["outcomes"]:
        model = ward.artefacts[outcome["outcome"]].model
        declared = PREDICTORS["crs_prophylaxis"]
        assert isinstance(declared, Category)
        plans = [word for word in declared.choices if word != "unknown"]
        said = [model.predict(one).risk[0] for one in settings(model, "crs_prophylaxis", body)]
        risk = dict(zip(plans, said, strict=True))
        named = [word for word in plans if word == "none" or risk[word] != risk["none"]]
        (left,) = [
            one["text"]
            for one in outcome["explanation"]["range_if_measured"]
            if one["predictor"] == "crs_prophylaxis"
        ]
        assert f"with {', '.join(named[:-1])} or {named[-1]} (of others no effect is" in left
        assert "anakinra" not in left.partition(":")[2]


def test_the_worked_example(ward: Ward, patient: Body) -> None:
    """Ferritin: median 342, spread 1.48 on the log scale, so 30 and 3902 ng/mL."""
    assert ward.assessor is not None
    del patient["ferritin"]
    answer = orjson.loads(ward.assessor.assess(read_patient(patient)).to_json())
    one = answer["outcomes"][0]["explanation"]["range_if_measured"][0]
    between = "between its 5th and 95th centile (30 and 3902 ng/mL)"
    assert one["predictor"] == "ferritin"
    assert one["text"].startswith(f"Ferritin not measured: {between} the estimate would be ")


@pytest.mark.parametrize("name", [n for n, d in PREDICTORS.items() if isinstance(d, Quantity)])
def test_every_value_within_hard_limits_has_a_place_on_its_scale(name: str) -> None:
    declared = PREDICTORS[name]
    assert isinstance(declared, Quantity)
    transformed = FUNCTIONS[declared.transform](np.array(declared.hard))
    assert np.isfinite(transformed).all()
