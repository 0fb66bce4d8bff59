"""One patient in, one assessment out: exact, monotone, the same in every unit, never silent."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from data_schemas.cohort_table import Cohort
from data_schemas.evidence import load_evidence
from data_schemas.model_manifest import CohortStatement, ModelManifest
from data_schemas.outcomes import OUTCOMES
from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity
from data_schemas.products import PRODUCTS
from data_schemas.risk_assessment import CAUTION_TEXTS, CautionCode, RiskAssessment, Status
from data_schemas.units import IDENTITY
from serving.assess import assess, model_statement
from serving.model.applicability import statuses
from serving.model.risk_model import Recalibration, RiskModel
from serving.rest import Ward
from tests.conftest import Body, Store
from training.scoring import score_cohort

Answer = dict[str, Any]
Asked = Callable[[Body], Answer]
IDE = "idecabtagene_vicleucel"
NUMBERS = {"risk", "interval", "natural_frequency", "comparison", "base_rate", "explanation"}
DIRECTED = [
    name
    for name, declared in PREDICTORS.items()
    if declared.direction.severe_crs or declared.direction.severe_icans
]


def asked(ward: Ward, body: Body) -> Answer:
    """Return the answer as its JSON reads."""
    assert ward.assessor is not None
    return orjson.loads(ward.assessor.assess(read_patient(body)).to_json())


@pytest.fixture
def ask(ward: Ward) -> Asked:
    """Ask the models of published evidence."""
    return lambda body: asked(ward, body)


@pytest.fixture(scope="module")
def answers(fitted_ward: Ward, bodies: list[Body]) -> list[Answer]:
    """Ask the models with trees about a thousand patients."""
    return [asked(fitted_ward, body) for body in bodies]


def cautions_of(answer: Answer) -> dict[tuple[str, str | None], str]:
    return {(c["code"], c.get("predictor")): c["text"] for c in answer["cautions"]}


def has_no_number(answer: Answer) -> bool:
    return not any(NUMBERS & set(outcome) for outcome in answer["outcomes"])


# --- a thousand requests ----------------------------------------------------------------------


def test_the_thousand_are_of_every_kind(answers: list[Answer]) -> None:
    assert len(answers) == 1000
    assert {answer["status"] for answer in answers} >= {"caution", "insufficient_data"}
    assert {len(answer["missing"]) for answer in answers} >= {0, 1, 2, 3}
    assert (
        len({answer["tumour_burden_source"] for answer in answers if answer["missing"] == []}) > 3
    )


@pytest.mark.parametrize("of", ["ward", "fitted_ward"])
def test_every_answer_is_the_declared_record_and_nothing_else(
    of: str, bodies: list[Body], request: pytest.FixtureRequest
) -> None:
    """What is sent reads as a ``RiskAssessment``, and that writes the same JSON again."""
    answering: Ward = request.getfixturevalue(of)
    assert answering.assessor is not None
    sizes = set()
    for body in bodies:
        sent = answering.assessor.assess(read_patient(body)).to_json()
        record = RiskAssessment.model_validate_json(sent)
        assert orjson.dumps(record.model_dump(mode="json", exclude_none=True)) == sent
        sizes.add(len(sent))
    assert len(sizes) > 500


def test_what_is_counted_of_an_answer_is_in_it(bodies: list[Body], fitted_ward: Ward) -> None:
    assert fitted_ward.assessor is not None
    for body in bodies[::20]:
        answered = fitted_ward.assessor.assess(read_patient(body))
        sent = orjson.loads(answered.to_json())
        assert sent["status"] == answered.status
        assert [c["code"] for c in sent["cautions"]] == list(answered.cautions)
        assert [m["predictor"] for m in sent["missing"]] == list(answered.missing)


def test_every_answer_adds_up(answers: list[Answer]) -> None:
    explained = 0
    for outcome in (o for answer in answers for o in answer["outcomes"] if "risk" in o):
        explanation, risk = outcome["explanation"], outcome["risk"]
        total = explanation["base"] + sum(c["log_odds"] for c in explanation["contributions"])
        assert total == pytest.approx(explanation["total"], abs=1e-6)
        assert total == pytest.approx(np.log(risk / (1 - risk)), abs=1e-6)
        assert outcome["interval"]["low"] < risk < outcome["interval"]["high"]
        explained += 1
    assert explained > 1000


def test_a_status_without_a_risk_has_no_number(answers: list[Answer]) -> None:
    for outcome in (o for answer in answers for o in answer["outcomes"]):
        assert set(outcome) >= NUMBERS or not NUMBERS & set(outcome)
        assert ("risk" in outcome) == Status(outcome["status"]).has_risk


def test_the_worst_status_of_the_outcomes_is_that_of_the_answer(answers: list[Answer]) -> None:
    order = [status.value for status in Status]
    for answer in answers:
        worst = max((o["status"] for o in answer["outcomes"]), key=order.index)
        assert answer["status"] == worst


def test_batch_scoring_gives_the_same_answers(
    answers: list[Answer], cohort: Cohort, fitted_store: Store
) -> None:
    scored = score_cohort(cohort, fitted_store.root)
    for answer, (_, row) in zip(answers, scored.iterrows(), strict=True):
        for outcome in answer["outcomes"]:
            name = outcome["outcome"]
            assert row[f"{name}_status"] == outcome["status"]
            if "risk" not in outcome:
                assert pd.isna(row[[name, f"{name}_low", f"{name}_high"]]).all()
                continue
            single = [outcome["risk"], outcome["interval"]["low"], outcome["interval"]["high"]]
            batch = row[[name, f"{name}_low", f"{name}_high"]].astype(float)
            np.testing.assert_allclose(batch, single, rtol=0, atol=1e-9)


def test_the_unit_does_not_matter(
    answers: list[Answer], bodies: list[Body], fitted_ward: Ward
) -> None:
    rng, seen = np.random.default_rng(1), set()
    for answer, body in zip(answers[::3], bodies[::3], strict=True):
        elsewhere = {name: _in_another_unit(name, given, rng) for name, given in body.items()}
        seen |= {(name, g["unit"]) for name, g in elsewhere.items() if isinstance(g, dict)}
        again = asked(fitted_ward, elsewhere)
        for one, other in zip(answer["outcomes"], again["outcomes"], strict=True):
            assert other["status"] == one["status"]
            assert other.get("risk", 0) == pytest.approx(one.get("risk", 0), abs=1e-9)
    assert len(seen) > 40


def _in_another_unit(name: str, given: Any, rng: np.random.Generator) -> Any:
    declared = PREDICTORS.get(name)
    if not isinstance(declared, Quantity):
        return given
    others = [(u, c) for u, c in declared.conversions.items() if c != IDENTITY]
    if not others:
        return given
    unit, rule = others[rng.integers(len(others))]
    return given | {
        "value": float((Fraction(given["value"]) - rule.offset) / rule.factor),
        "unit": unit,
    }


# --- monotone in every declared direction -----------------------------------------------------


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("store", ["evidence_store", "fitted_store"])
def test_every_declared_direction_is_kept_for_a_thousand_patients(
    store: str, outcome: str, cohort: Cohort, request: pytest.FixtureRequest
) -> None:
    artefact = request.getfixturevalue(store).artefacts[outcome]
    assert artefact.manifest.directions_released == ()
    model, columns = artefact.model, cohort.columns()
    before, rng, moved = _risks(model, columns), np.random.default_rng(7), set()
    for name in DIRECTED:
        sign = PREDICTORS[name].direction.for_outcome(outcome)
        for raised, measured in _raised(name, columns, rng):
            after = _risks(model, {**columns, name: raised})
            change = sign * (after - before)[measured]
            assert not (change < -1e-12).any(), name
            if (change > 1e-6).any():
                moved.add(name)
    assert moved > {"crp", "ferritin", "ldh", "platelets", "mtv", "spd"}


def _risks(model: RiskModel, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Return each patient's risk as it is answered: missing where no number is given."""
    prediction = model.predict(columns)
    found, _ = statuses(columns, prediction, [])
    return np.where([status.has_risk for status in found], prediction.risk, np.nan)


def _raised(
    name: str, columns: dict[str, np.ndarray], rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a predictor raised by steps within its hard limits, and who had it measured."""
    declared, given = PREDICTORS[name], columns[name]
    if isinstance(declared, Category):
        untreated = given == declared.choices[0]
        words = [word for word in declared.choices[1:] if word != "unknown"]
        return [(np.where(untreated, word, given), untreated) for word in words]
    if isinstance(declared, Flag):
        return [(np.where(given == 0.0, 1.0, given), given == 0.0)]
    measured, highest = ~np.isnan(given), declared.hard[1]
    if not measured.any():
        return []
    part_of_the_way = given + rng.random(len(given)) * (highest - given)
    by_up_to_double = np.minimum(given * (1 + rng.random(len(given))), highest)
    return [(part_of_the_way, measured), (by_up_to_double, measured)]


def test_a_declared_direction_is_kept_in_the_answers(
    answers: list[Answer], bodies: list[Body], fitted_ward: Ward
) -> None:
    rng = np.random.default_rng(3)
    for i in range(0, 1000, 100):
        for name in {*DIRECTED} & {*bodies[i]}:
            declared, given = PREDICTORS[name], bodies[i][name]
            if not isinstance(declared, Quantity):
                continue
            higher = given["value"] + rng.random() * (declared.hard[1] - given["value"])
            raised = asked(fitted_ward, {**bodies[i], name: {**given, "value": higher}})
            for one, other in zip(answers[i]["outcomes"], raised["outcomes"], strict=True):
                sign = declared.direction.for_outcome(one["outcome"])
                if "risk" in one and "risk" in other:
                    assert sign * (other["risk"] - one["risk"]) >= -1e-12, name


# --- who is answered, and who is not ----------------------------------------------------------


def test_a_complete_patient_of_a_studied_product_is_answered_without_caution(
    ask: Asked, patient: Body
) -> None:
    ordinary = {"crp": {"value": 20, "unit": "mg/L"}, "ferritin": {"value": 400, "unit": "ug/L"}}
    answer = ask(patient | ordinary)
    assert (answer["status"], answer["cautions"], answer["missing"]) == ("ok", [], [])
    assert [outcome["outcome"] for outcome in answer["outcomes"]] == list(OUTCOMES)
    assert all(set(outcome) >= NUMBERS for outcome in answer["outcomes"])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"product": "other"}, "the model knows no such product in large B-cell lymphoma"),
        ({"product": "ide-cel"}, "ide-cel has no evidence in large B-cell lymphoma"),
        ({"disease": "other"}, "axi-cel has no evidence in another disease"),
        (
            {"age": {"value": 12, "unit": "a"}},
            "the evidence for axi-cel in large B-cell lymphoma is from adults",
        ),
    ],
)
def test_who_the_evidence_does_not_speak_of_is_out_of_scope(
    ask: Asked, patient: Body, given: Body, reason: str
) -> None:
    answer = ask(patient | given)
    assert answer["status"] == "out_of_scope"
    assert has_no_number(answer)
    for outcome in answer["outcomes"]:
        assert outcome["status"] == "out_of_scope"
        assert reason in outcome["reasons"][0]


def test_no_answer_out_of_scope_names_the_age(ask: Asked, patient: Body) -> None:
    answer = ask(patient | {"age": {"value": 12.7, "unit": "a"}})
    assert "12.7" not in json.dumps(answer["outcomes"])


CHILD: Body = {
    "product": "Kymriah",
    "disease": "B_ALL",
    "age": {"value": 12, "unit": "a"},
    "marrow_blast": {"value": 40, "unit": "%"},
    "crp": {"value": 20, "unit": "mg/L"},
    "ferritin": {"value": 2000, "unit": "ng/mL"},
    "ldh": {"value": 600, "unit": "U/L"},
    "ldh_uln": {"value": 300, "unit": "U/L"},
    "platelets": {"value": 60, "unit": "10*9/L"},
    "creatinine": {"value": 0.5, "unit": "mg/dL"},
    "prior_lines": {"value": 3, "unit": "{count}"},
    "ecog": {"value": 1, "unit": "{score}"},
    "crs_prophylaxis": "none",
}


def test_a_child_with_leukaemia_is_answered(ask: Asked) -> None:
    answer = ask(CHILD)
    assert set(cautions_of(answer)) == {("effects_borrowed", "disease")}
    assert [outcome["status"] for outcome in answer["outcomes"]] == ["ok", "caution"]
    assert all("risk" in outcome for outcome in answer["outcomes"])
    assert answer["tumour_burden_source"] == "marrow_blast"


def test_an_unknown_age_gives_no_number(ask: Asked, patient: Body) -> None:
    answer = ask(patient | {"age": "unknown"})
    assert answer["status"] == "insufficient_data"
    assert has_no_number(answer)
    assert {tuple(outcome["reasons"]) for outcome in answer["outcomes"]} == {("age is unknown",)}
    assert "age" in {missing["predictor"] for missing in answer["missing"]}


@pytest.mark.parametrize("product", PRODUCTS)
def test_product_disease_and_age_alone_never_give_a_low_number(ask: Asked, product: str) -> None:
    for disease in PRODUCTS[product].diseases:
        age = PRODUCTS[product].up_to_years.get(disease, 60)
        bare = {"product": product, "disease": disease, "age": {"value": age, "unit": "a"}}
        answer = ask(bare)
        assert answer["status"] == "insufficient_data"
        assert has_no_number(answer)
        assert "the missing predictors carry" in answer["outcomes"][0]["reasons"][0]


# --- cautions in words ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "predictor", "words"),
    [
        ({"cns_involvement": "active"}, "active_cns_disease", "cns_involvement", "CNS disease"),
        (
            {"active_infection": "uncontrolled"},
            "uncontrolled_infection",
            "active_infection",
            "Active infection at LD: uncontrolled; published",
        ),
        ({"weight": {"value": 200, "unit": "kg"}}, "soft_limit", "weight", "Weight: outside its"),
        (
            {"ferritin": {"value": 900, "unit": "ug/L", "measured_at": "2026-02-23"}},
            "old_value",
            "ferritin",
            "Ferritin: measured longer before infusion than",
        ),
        (
            {"ldh_uln": {"value": 790, "unit": "U/L"}},
            "soft_limit",
            "ldh_uln",
            "LDH upper limit of normal: outside its",
        ),
        ({"ldh_uln": None}, "ldh_limit_assumed", "ldh_uln", "250 U/L was assumed"),
        ({"mtv": None}, "burden_not_measured", "tumour_burden", "no measure of tumour burden"),
        (
            {"largest_lesion": {"value": 18, "unit": "cm"}, "mtv": {"value": 10, "unit": "mL"}},
            "burden_measures_disagree",
            "tumour_burden",
            "another measure of tumour burden stands much higher",
        ),
        ({"ferritin": None}, "predictor_not_measured", "ferritin", "Ferritin: a main predictor"),
    ],
)
def test_each_reason_for_care_is_said_in_words(
    ask: Asked, patient: Body, given: Body, code: str, predictor: str, words: str
) -> None:
    answer = ask(patient | given)
    assert answer["status"] == "caution"
    # What nobody has published the effect of may widen the interval as well.
    assert set(cautions_of(answer)) - {("wide_interval", None)} == {(code, predictor)}
    text = cautions_of(answer)[code, predictor]
    assert words in text
    assert text in {reason for outcome in answer["outcomes"] for reason in outcome["reasons"]}
    assert any("risk" in outcome for outcome in answer["outcomes"])


def test_a_value_of_the_last_day_of_its_window_is_not_old(ask: Asked, patient: Body) -> None:
    answer = ask(
        patient | {"crp": {"value": 84, "unit": "mg/L", "measured_at": "2026-02-24T08:00:00Z"}}
    )
    assert ("old_value", "crp") not in cautions_of(answer)
    used = {value["predictor"]: value for value in answer["values_used"]}
    assert used["crp"]["days_before_infusion"] == 14


def test_a_model_of_simulated_patients_says_so_in_every_answer(answers: list[Answer]) -> None:
    for answer in answers:
        text = cautions_of(answer)["fitted_on_simulated_patients", None]
        assert "a rehearsal, not a clinical estimate" in text
        for outcome in answer["outcomes"]:
            assert outcome["model"]["fitted_on_real_patients"] == 0
            assert outcome["model"]["fitted_on_simulated_patients"] > 900
            assert "events: local deviation fitted" in outcome["model"]["local_deviation"]
            assert "Fitted on 0 real patients and 9" in outcome["model"]["statement"]


# --- what stands beside the number ------------------------------------------------------------


def test_a_converted_unit_is_shown_beside_what_was_sent(ask: Asked, patient: Body) -> None:
    answer = ask(patient | {"crp": {"value": 8.4, "unit": " mg / dl "}})
    used = {value["predictor"]: value for value in answer["values_used"]}
    crp = used["crp"]
    assert (crp["value"], crp["unit"], crp["converted"]) == (84.0, "mg/L", True)
    assert (crp["sent_value"], crp["sent_unit"]) == (8.4, "mg/dL")
    assert not used["ferritin"]["converted"]
    assert used["mtv"]["used_by_model"]
    assert used["ldh_uln"]["used_by_model"]


def test_a_value_that_no_model_uses_is_shown_as_such(ask: Asked, patient: Body) -> None:
    answer = ask(patient | {"igg": {"value": 7, "unit": "g/L"}, "diabetes": "yes"})
    used = {value["predictor"]: value for value in answer["values_used"]}
    assert not used["igg"]["used_by_model"]
    assert used["diabetes"]["value"] is True
    assert [o["risk"] for o in answer["outcomes"]] == [o["risk"] for o in ask(patient)["outcomes"]]


def test_only_the_measure_of_burden_that_was_used_is_shown_as_used(
    ask: Asked, patient: Body
) -> None:
    other = {"largest_lesion": {"value": 5, "unit": "cm"}, "bulky_disease": "no"}
    answer = ask(patient | other)
    used = {value["predictor"]: value["used_by_model"] for value in answer["values_used"]}
    assert answer["tumour_burden_source"] == "mtv"
    assert [used[name] for name in ("mtv", "largest_lesion", "bulky_disease")] == [
        *(True, False, False)
    ]
    without = ask({**patient, **other, "mtv": None})
    used = {value["predictor"]: value["used_by_model"] for value in without["values_used"]}
    assert [used[name] for name in ("largest_lesion", "bulky_disease")] == [True, False]


def test_a_child_is_compared_with_children(ask: Asked) -> None:
    """An ordinary child of ten with an ordinary creatinine for ten years."""
    child = CHILD | {
        "age": {"value": 10, "unit": "a"},
        "creatinine": {"value": 0.5, "unit": "mg/dL"},
    }
    answer = ask(child)
    assert ("soft_limit", "age") not in cautions_of(answer)
    for outcome in answer["outcomes"]:
        by_name = {c["predictor"]: c for c in outcome["explanation"]["contributions"]}
        assert abs(by_name["creatinine"]["log_odds"]) < 0.01
        assert abs(by_name["age"]["log_odds"]) < 0.01
    low = ask(
        child | {"creatinine": {"value": 0.3, "unit": "mg/dL"}, "age": {"value": 3, "unit": "a"}}
    )
    for one, other in zip(low["outcomes"], answer["outcomes"], strict=True):
        assert one["risk"] == pytest.approx(other["risk"], rel=0.03)


def test_an_interval_that_leaves_nearly_everything_open_is_a_reason_for_care(
    answers: list[Answer],
) -> None:
    width = {True: [0.0], False: [1.0]}
    for outcome in (o for answer in answers for o in answer["outcomes"] if "risk" in o):
        interval = outcome["interval"]
        said = any("the model can hardly tell" in reason for reason in outcome["reasons"])
        width[not said].append(interval["high"] - interval["low"])
        if said:
            assert outcome["status"] == "caution"
            assert any(r.startswith(f"{outcome['label']}: the int") for r in outcome["reasons"])
    assert max(width[True]) <= 0.75 < min(width[False])
    assert len(width[False]) > 1


def test_a_measure_that_only_the_second_model_uses_is_shown_as_used(
    patient: Body, ward: Ward
) -> None:
    first = ward.artefacts["severe_crs"]
    terms = tuple(
        replace(term, predictor="anc", transform="log1p") if term.transform == "burden" else term
        for term in first.model.terms
    )
    without = replace(first, model=replace(first.model, terms=terms))
    artefacts = {**ward.artefacts, "severe_crs": without}
    answer = assess(read_patient(patient), artefacts, ward.evidence)
    assert answer.tumour_burden_source == "mtv"
    assert {v.predictor for v in answer.values_used if v.used_by_model} >= {"mtv"}


def test_a_child_is_not_asked_for_a_score_of_adults(ask: Asked) -> None:
    """Children under 16 are scored by Lansky: for want of an ECOG they had no risk of ICANS."""
    child = {
        "product": "tisagenlecleucel",
        "disease": "B_ALL",
        "age": {"value": 9, "unit": "a"},
        "platelets": {"value": 60, "unit": "10*9/L"},
        "ldh": {"value": 300, "unit": "U/L"},
        "creatinine": {"value": 0.5, "unit": "mg/dL"},
        "marrow_blast": {"value": 40, "unit": "%"},
    }

    def lacks(body: Body) -> tuple[bool, bool]:
        answer = ask(body)
        listed = "ecog" in {one["predictor"] for one in answer["missing"]}
        return listed, ("predictor_not_measured", "ecog") in cautions_of(answer)

    assert lacks(child) == (False, False)
    assert lacks(child | {"age": {"value": 17, "unit": "a"}}) == (True, True)
    assert "risk" in ask(child)["outcomes"][1]
    scored = ask(child | {"ecog": {"value": 2, "unit": "{score}"}})["outcomes"][1]
    assert scored["risk"] > ask(child)["outcomes"][1]["risk"]


def test_what_is_missing_is_listed_by_name(ask: Asked, patient: Body) -> None:
    answer = ask(patient | {"albumin": None, "cns_involvement": "unknown", "mtv": None})
    missing = {one["predictor"]: one for one in answer["missing"]}
    assert set(missing) == {"albumin", "cns_involvement", "tumour_burden"}
    assert missing["albumin"]["label"] == "Albumin"
    assert "contributes nothing" in missing["albumin"]["assumed"]
    assert "tumour_burden_source" not in answer


def test_the_base_rate_carries_its_sources_and_their_marks(
    ask: Asked, patient: Body, ward: Ward
) -> None:
    for outcome in ask(patient)["outcomes"]:
        base = outcome["base_rate"]
        assert (base["product"], base["disease"]) == (patient["product"], patient["disease"])
        assert base["interval"]["low"] < base["risk"] < base["interval"]["high"]
        assert len(base["sources"]) > 3
        for source in base["sources"]:
            row = ward.evidence.row(source["id"])
            assert source["verified"] == row.verified
            assert source["citation"] == ward.evidence.references[row.reference].citation
            crs = outcome["outcome"] == "severe_crs"
            assert source.get("percent") == (row.crs_severe_pct if crs else row.icans_severe_pct)
        assert "unread" in {source["verified"] for source in base["sources"]}


def test_myeloma_is_told_whose_effects_it_borrows_and_what_no_part_of_the_answer_is(
    ask: Asked, patient: Body
) -> None:
    in_myeloma = {
        "product": "ciltacabtagene_autoleucel",
        "disease": "MM",
        "marrow_plasma_cell": {"value": 40, "unit": "%"},
    }
    plain = {
        **{name: patient[name] for name in ("age", "platelets", "ldh", "ldh_uln", "ecog")},
        "creatinine": {"value": 0.9, "unit": "mg/dL"},
        "ferritin": {"value": 340, "unit": "ng/mL"},
    }
    cilta, ide = (ask(plain | in_myeloma | {"product": p}) for p in (in_myeloma["product"], IDE))
    for answer in (cilta, ide):
        (told,) = [c for c in answer["cautions"] if c["code"] == "effects_borrowed"]
        assert told["text"].endswith("those published in others")
        assert answer["status"] == "caution"
    assert ("delayed_neurotoxicity", "product") in cautions_of(cilta)
    assert ("delayed_neurotoxicity", "product") not in cautions_of(ide)
    assert ("effects_borrowed", "disease") not in cautions_of(ask(patient))


def test_leukaemia_is_told_that_effects_on_icans_are_borrowed_and_what_splits_a_dose(
    ask: Asked, patient: Body
) -> None:
    """Of severe CRS a figure for blasts was read in leukaemia, of severe ICANS none."""
    of_both = {name: patient[name] for name in ("age", "platelets", "ldh", "ldh_uln", "ecog")}
    blasts = {"disease": "B_ALL", "marrow_blast": {"value": 60, "unit": "%"}}
    obe, brexu = (
        ask(of_both | blasts | {"product": f"{name}cabtagene_autoleucel"})
        for name in ("obe", "brexu")
    )
    for answer in (obe, brexu):
        (told,) = [c for c in answer["cautions"] if c["code"] == "effects_borrowed"]
        assert told["text"].startswith("Severe neurotoxicity (ICANS): ")
    assert "2 % had severe CRS" in cautions_of(obe)["dose_split_by_burden", "product"]
    assert ("dose_split_by_burden", "product") not in cautions_of(brexu)


def test_what_is_told_of_a_split_dose_is_what_its_trial_found() -> None:
    row = load_evidence().row("blasts-20-crs-severe-felix")
    text = CAUTION_TEXTS[CautionCode.DOSE_SPLIT_BY_BURDEN]
    assert row.mark("percent_exposed") == row.mark("percent_unexposed") == "read"
    told = f"{row.percent_exposed:g} % had severe CRS with up to {row.threshold:g} % blasts"
    assert f"{told} and {row.percent_unexposed:g} % with more" in text


def test_a_borrowed_base_rate_says_so(ask: Asked, patient: Body, ward: Ward) -> None:
    cells = ward.artefacts["severe_crs"].model.cells
    product = next(c.product for c in cells if c.disease == "LBCL" and c.origin == "borrowed")
    answer = ask(patient | {"product": product})
    assert "base rate is borrowed" in cautions_of(answer)["few_data_for_product", "product"]
    base = answer["outcomes"][0]["base_rate"]
    assert (base["sources"], base["patients"]) == ([], 0)
    assert "it is borrowed" in base["note"]


def test_what_is_not_counted_is_not_said_to_make_no_difference(ask: Asked, patient: Body) -> None:
    given = {
        "cns_involvement": "active",
        "neuro_comorbidity": True,
        "albumin": {"value": 17, "unit": "g/L"},
        "crs_prophylaxis": "other",
        "bridging": "none",
    }
    for outcome in ask(patient | given)["outcomes"]:
        texts = {c["predictor"]: c["text"] for c in outcome["explanation"]["contributions"]}
        for name in given:
            assert texts[name].endswith(
                ": not counted; how much it matters for this outcome is not known"
            )
    plain = ask(patient | {"crs_prophylaxis": "none"})["outcomes"][0]["explanation"]
    texts = {c["predictor"]: c["text"] for c in plain["contributions"]}
    assert texts["crs_prophylaxis"].endswith(": makes no difference to the risk")


def test_what_is_not_counted_is_named_beside_the_reasons(ask: Asked, patient: Body) -> None:
    """C-reactive protein of 300 mg/L moves nothing in leukaemia: a reader must not think it did."""
    in_leukaemia = {
        **{name: patient[name] for name in ("age", "ldh", "ldh_uln", "platelets")},
        "product": "brexucabtagene_autoleucel",
        "disease": "B_ALL",
        "crp": {"value": 300, "unit": "mg/L"},
        "neuro_comorbidity": "yes",
        "cns_involvement": "none",
        "marrow_blast": {"value": 60, "unit": "%"},
    }
    answer = ask(in_leukaemia)
    used = {one["predictor"]: one for one in answer["values_used"]}
    for name, counted in {"crp": False, "neuro_comorbidity": False, "ldh": True}.items():
        assert used[name]["used_by_model"]
        assert used[name]["counted"] is counted
    for explanation in (outcome["explanation"] for outcome in answer["outcomes"]):
        _, named = explanation["other"]["text"].split("how much they matter here is not known: ")
        assert {"C-reactive protein", "Pre-existing neurological disorder"} <= {*named.split(", ")}
        assert "CNS" not in named  # there is none, which says nothing
    crp = ask(in_leukaemia | {"disease": "LBCL", "product": "axicabtagene_ciloleucel"})
    assert next(one for one in crp["values_used"] if one["predictor"] == "crp")["counted"]


def test_a_plan_of_an_unknown_drug_leaves_more_open_than_none(ask: Asked, patient: Body) -> None:
    none, other = (ask(patient | {"crs_prophylaxis": word}) for word in ("none", "other"))
    for one, unknown in zip(none["outcomes"], other["outcomes"], strict=True):
        assert unknown["risk"] == one["risk"]
        assert unknown["interval"]["low"] < one["interval"]["low"]
        assert unknown["interval"]["high"] > one["interval"]["high"]


def test_the_comparison_says_where_the_whole_interval_lies(answers: list[Answer]) -> None:
    """Never a word that calms while the interval shown beside it holds the base rate."""
    for outcome in (o for answer in answers for o in answer["outcomes"] if "risk" in o):
        rate, interval = outcome["base_rate"]["risk"], outcome["interval"]
        side = "above" if interval["low"] > rate else "below" if interval["high"] < rate else "near"
        assert outcome["comparison"] == side
        times = f"{outcome['risk'] / rate:.2g} times the base rate of "
        assert outcome["comparison_text"].startswith(times)


@pytest.mark.parametrize(
    ("shift", "side", "words"),
    [
        (-8.0, "below", "all of the interval lies below that rate"),
        (0.0, "near", "the interval does not rule that rate out"),
        (8.0, "above", "all of the interval lies above that rate"),
    ],
)
def test_the_comparison_can_be_on_either_side(
    patient: Body, ward: Ward, shift: float, side: str, words: str
) -> None:
    first = ward.artefacts["severe_crs"]
    moved = replace(first, model=replace(first.model, recalibration=Recalibration(shift, 1.0)))
    (answer,) = assess(read_patient(patient), {"severe_crs": moved}, ward.evidence).outcomes
    assert answer.comparison == side
    assert answer.comparison_text.endswith(f"; {words}")


def test_the_level_of_an_updated_model_is_not_taken_for_the_patients_own(
    patient: Body, ward: Ward
) -> None:
    """An ordinary patient at a centre of lower risk is near the rate, wherever that lies."""
    plain = {name: patient[name] for name in ("product", "disease", "age")}
    plain |= {
        "mtv": {"value": 147.5, "unit": "mL"},
        "ldh": {"value": 236, "unit": "U/L"},
        "ldh_uln": {"value": 250, "unit": "U/L"},
        "platelets": {"value": 150, "unit": "10*9/L"},
        "crp": {"value": 15, "unit": "mg/L"},
        "ferritin": {"value": 342, "unit": "ng/mL"},
        "creatinine": {"value": 0.9, "unit": "mg/dL"},
    }
    first = ward.artefacts["severe_crs"]
    cohort = CohortStatement(
        patients=250, real_patients=250, simulated_patients=0, events=5, sites=1
    )
    updated = replace(
        first,
        model=replace(first.model, recalibration=Recalibration(-0.5, 1.0)),
        manifest=first.manifest.model_copy(update={"cohort": cohort}),
    )
    (answer,) = assess(read_patient(plain), {"severe_crs": updated}, ward.evidence).outcomes
    assert answer.base_rate is not None
    assert answer.interval is not None
    assert answer.risk < 0.6 * answer.base_rate.risk < answer.base_rate.risk < answer.interval.high
    assert answer.comparison == "near"


def test_the_answer_says_that_no_real_patient_stands_behind_it(ask: Asked, patient: Body) -> None:
    answer = ask(patient)
    for model in (outcome["model"] for outcome in answer["outcomes"]):
        assert model["fitted_on_real_patients"] == 0
        assert model["validated_on_real_patients"] == 0
        assert "fitted on no patient; validated on no real patients" in model["statement"]
        assert model["statement"].endswith("Not for clinical use.")
    assert (
        "only: not validated on patients and not for clinical decisions." in answer["intended_use"]
    )
    assert "does not exclude severe toxicity" in answer["low_risk_statement"]
    assert "larger than the interval" in answer["uncertainty_statement"]


def test_a_model_of_real_patients_says_how_many(ward: Ward) -> None:
    manifest = ward.artefacts["severe_crs"].manifest
    cohort = CohortStatement(
        patients=250, real_patients=250, simulated_patients=0, events=20, sites=2
    )
    real = manifest.model_copy(update={"cohort": cohort, "validated_on_real_patients": 90})
    said = "Fitted on 250 real patients; validated on 90 real patients. Not for clinical use."
    assert model_statement(real) == said


@pytest.mark.parametrize(
    ("fitted", "validated", "said"),
    [
        (0, 0, "only: not validated on patients and not for clinical decisions."),
        (250, 90, "only: fitted on 250 and validated on 90 real patients, and not for clinical"),
        (0, 90, "only: fitted on no and validated on 90 real patients, and not for clinical"),
        (250, 0, "only: fitted on 250 and validated on no real patients, and not for clinical"),
    ],
)
def test_the_intended_use_is_true_of_the_models_that_answer(
    ward: Ward, patient: Body, fitted: int, validated: int, said: str
) -> None:
    artefacts = {
        name: replace(artefact, manifest=standing_on(artefact.manifest, fitted, validated))
        for name, artefact in ward.artefacts.items()
    }
    answer = assess(read_patient(patient), artefacts, ward.evidence)
    assert said in answer.intended_use


def test_models_that_stand_on_other_patients_are_named(ward: Ward, patient: Body) -> None:
    artefacts = dict(ward.artefacts)
    crs = artefacts["severe_crs"]
    artefacts["severe_crs"] = replace(crs, manifest=standing_on(crs.manifest, 0, 90))
    said = assess(read_patient(patient), artefacts, ward.evidence).intended_use
    assert (
        "only: Severe cytokine release syndrome: fitted on no and validated on 90 real patients; "
        "Severe neurotoxicity (ICANS): not validated on patients, and not for clinical" in said
    )


def standing_on(manifest: ModelManifest, fitted: int, validated: int) -> ModelManifest:
    cohort = manifest.cohort.model_copy(update={"real_patients": fitted})
    return manifest.model_copy(update={"cohort": cohort, "validated_on_real_patients": validated})


def test_the_risk_of_either_and_of_both_agrees_with_the_risk_of_each(answers: list[Answer]) -> None:
    seen = 0
    for answer in answers:
        risks = [outcome["risk"] for outcome in answer["outcomes"] if "risk" in outcome]
        assert ("together" in answer) == (len(risks) == 2)
        if "together" not in answer:
            continue
        either, both = (answer["together"][name] for name in ("either", "both"))
        assert either["risk"] + both["risk"] == pytest.approx(sum(risks), abs=1e-12)
        assert both["risk"] <= min(risks) <= max(risks) <= either["risk"]
        for joint in (either, both):
            assert joint["interval"]["low"] <= joint["risk"] <= joint["interval"]["high"]
        seen += 1
    assert seen > 500


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_one_model_alone_says_nothing_of_two_outcomes(
    outcome: str, ward: Ward, patient: Body
) -> None:
    alone = Ward(artefacts={outcome: ward.artefacts[outcome]})
    answer = asked(alone, patient)
    assert [one["outcome"] for one in answer["outcomes"]] == [outcome]
    assert "together" not in answer


def test_published_scores_stand_beside_the_risk(ask: Asked, patient: Body) -> None:
    scores = {score["name"]: score for score in ask(patient)["published_scores"]}
    assert scores["easix"]["value"] == pytest.approx(480 * 0.9 / 74)
    without = {score["name"]: score for score in ask(patient | {"ldh": None})["published_scores"]}
    assert "value" not in without["easix"]
    assert without["easix"]["missing"] == ["ldh"]


def test_the_same_patient_gets_the_same_answer(ask: Asked, patient: Body) -> None:
    assert ask(patient) == ask(dict(reversed(patient.items())))


def test_made_ready_for_one_patient_alone_the_models_answer_the_same(
    ask: Asked, patient: Body, ward: Ward
) -> None:
    alone = assess(read_patient(patient), ward.artefacts, ward.evidence)
    assert alone.model_dump(mode="json", exclude_none=True) == ask(patient)
