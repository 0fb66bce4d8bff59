"""The RiskAssessment: both outcomes, what they rest on, and who computed them.

FHIR R4 writes a probability as a percentage, from 0 to 100: ``percent`` is the one place that
converts.
"""

from datetime import date, timedelta
from typing import Any

from data_schemas.outcomes import OUTCOMES
from data_schemas.risk_assessment import Status
from data_schemas.terminology import UCUM
from serving.answer.words import label_of
from serving.fhir.names import SOFTWARE, SOFTWARE_VERSION, code_system, extension, naming_system
from serving.fhir.reading import Reading

TITLE = "Pre-infusion CAR-T severe toxicity risk"
_CODES = {
    "severe_crs": "severe-crs-astct-3plus-d28",
    "severe_icans": "severe-icans-astct-3plus-d28",
}
_INTERVAL_METHOD = "posterior interval: knows the model and its evidence only"
_Json = dict[str, Any]


def percent(probability: float) -> float:
    """Return a probability as FHIR R4 writes it: a percentage, to one decimal."""
    return round(100 * probability, 1)


def risk_resource(answer: _Json, reading: Reading, notes: list[str]) -> _Json:
    """Return the RiskAssessment of every outcome that has a risk."""
    outcomes = [one for one in answer["outcomes"] if "risk" in one]
    final = answer["status"] == Status.OK
    found: _Json = {
        "resourceType": "RiskAssessment",
        "id": answer["assessment_id"],
        "contained": [_device(answer)],
        "identifier": [
            {"system": naming_system("assessment-id"), "value": answer["assessment_id"]}
        ],
        "status": "final" if final else "preliminary",
        "method": _method(outcomes),
        "code": {"text": TITLE},
        "subject": {"reference": reading.subject},
        "occurrenceDateTime": answer["assessed_at"],
        "performer": {"reference": "#sw"},
        "basis": [{"reference": one} for one in _basis(answer, reading)],
        "prediction": [_prediction(one, answer, reading) for one in outcomes],
        "note": [{"text": note} for note in notes],
    }
    if reading.order is not None:
        found["basedOn"] = {"reference": reading.order}
    if reading.encounter is not None:
        found["encounter"] = {"reference": reading.encounter}
    if reading.condition is not None:
        found["condition"] = {"reference": reading.condition}
        found["reasonReference"] = [{"reference": reading.condition}]
    return found


def notes_of(answer: _Json, reading: Reading) -> list[str]:
    """Return what must be read beside the numbers, and why there may be none."""
    notes = [
        f"{one['label']}: fitted on {one['model']['fitted_on_real_patients']} and validated on "
        f"{one['model']['validated_on_real_patients']} real patients. {one['model']['statement']}"
        for one in answer["outcomes"]
    ]
    notes += [answer["intended_use"], answer["low_risk_statement"]]
    notes += [answer["uncertainty_statement"]]
    notes += [f"Caution: {one['text']}" for one in answer["cautions"]]
    notes += [f"Warning: {text}" for text in reading.warned()]
    if missing := [one["label"] for one in answer["missing"]]:
        notes.append(f"Not known, typical is assumed: {', '.join(missing)}.")
    return notes


def _device(answer: _Json) -> _Json:
    versions = [("software", SOFTWARE_VERSION)]
    versions += [
        (f"{kind} {one['outcome']}", one["model"][name])
        for one in answer["outcomes"]
        for kind, name in (("model", "version"), ("model-sha256", "sha256"))
    ]
    return {
        "resourceType": "Device",
        "id": "sw",
        "identifier": [{"system": naming_system("software"), "value": SOFTWARE}],
        "status": "active",
        "deviceName": [{"name": "CAR-T pre-infusion risk service", "type": "model-name"}],
        "version": [{"type": {"text": kind}, "value": value} for kind, value in versions],
        "property": [
            {"type": {"text": "intended-use"}, "valueCode": [{"text": answer["intended_use"]}]}
        ],
    }


def _method(outcomes: list[_Json]) -> _Json:
    said = {one["outcome"]: one["model"]["local_deviation"] for one in outcomes}
    versions = ";".join(f"{one['outcome']}@{one['model']['version']}" for one in outcomes)
    coding = {"system": code_system("method"), "version": versions, "code": "log-odds-model"}
    changed = "; ".join(f"{name}: {text}" for name, text in said.items())
    return {
        "coding": [coding],
        "text": "Log-odds model with an exact account of every contribution. "
        f"What a cohort changed: {changed}",
    }


def _basis(answer: _Json, reading: Reading) -> list[str]:
    """Return every resource whose value a model used, the infusion date's included."""
    used = {one["predictor"] for one in answer["values_used"] if one["used_by_model"]}
    return list(
        dict.fromkeys(
            reference
            for name, references in reading.basis.items()
            if name in used or name == "infusion_date"
            for reference in references
        )
    )


_BANDS = {
    "above": "above product average",
    "near": "product average within the interval",
    "below": "below product average",
}
"""near tells what the interval holds, not that the risk is like the product's rate."""


def _prediction(one: _Json, answer: _Json, reading: Reading) -> _Json:
    """Return one outcome's prediction."""
    rate, band = one["base_rate"]["risk"], f"{one['comparison']}-product-average"
    words = _BANDS[one["comparison"]]
    found = {
        "extension": [
            _interval(one),
            _comparator(one["base_rate"]),
            *_explanation(one["explanation"], answer["values_used"]),
        ],
        "outcome": _outcome(one),
        "probabilityDecimal": percent(one["risk"]),
        "qualitativeRisk": {
            "coding": [
                {"system": code_system("risk-band"), "version": "1", "code": band, "display": words}
            ],
            "text": f"{words} (relative to the same product in the same disease)",
        },
        "rationale": rationale(one["explanation"]),
    }
    # An outcome that a site declared says its horizon in its definition alone.
    if (declared := OUTCOMES.get(one["outcome"])) is not None:
        found["whenPeriod"] = _period(declared.horizon_days, reading.record["infusion_date"])
    if rate > 0:
        found["relativeRisk"] = round(one["risk"] / rate, 2)
    return found


def _outcome(one: _Json) -> _Json:
    text = f"{one['label']}: {one['definition']}"
    coding = {
        "system": code_system("outcome"),
        "code": _CODES.get(one["outcome"], one["outcome"].replace("_", "-")),
        "display": one["label"],
    }
    return {"coding": [coding], "text": text}


def _period(days: int, infusion: str) -> dict[str, str]:
    start = date.fromisoformat(infusion[:10])
    return {"start": start.isoformat(), "end": (start + timedelta(days=days)).isoformat()}


def _extension(name: str, parts: list[_Json]) -> _Json:
    return {"url": extension(name), "extension": parts}


def _interval(one: _Json) -> _Json:
    interval = one["interval"]
    return _extension(
        "probability-interval",
        [
            {"url": "low", "valueDecimal": percent(interval["low"])},
            {"url": "high", "valueDecimal": percent(interval["high"])},
            {"url": "level", "valueDecimal": percent(interval["level"])},
            {"url": "method", "valueString": _INTERVAL_METHOD},
        ],
    )


def _comparator(rate: _Json) -> _Json:
    return _extension(
        "comparator-risk",
        [
            {"url": "value", "valueDecimal": percent(rate["risk"])},
            {"url": "population", "valueString": rate["note"]},
            {"url": "n", "valueInteger": rate["patients"]},
        ],
    )


def _explanation(explained: _Json, values: list[_Json]) -> list[_Json]:
    """Return the base and every contribution: they add up to the log-odds of the risk."""
    points = {one["predictor"]: one["points"] for one in explained["reasons"]}
    used = {one["predictor"]: one for one in values}
    base = {"url": extension("log-odds-at-base"), "valueDecimal": explained["base"]}
    return [base] + [
        _extension("attribution", _attribution(one, used.get(one["predictor"]), points))
        for one in explained["contributions"]
        if one["measured"] or one["log_odds"]
    ]


def _attribution(one: _Json, used: _Json | None, points: dict[str, int]) -> list[_Json]:
    name = one["predictor"]
    parts: list[_Json] = [{"url": "feature", "valueCode": name}]
    if used is not None:
        parts.append({"url": "value", **_value(used)})
    parts.append({"url": "log-odds", "valueDecimal": one["log_odds"]})
    if name in points:
        parts.append({"url": "points", "valueInteger": points[name]})
    if one.get("unread"):
        parts.append({"url": "unread", "valueBoolean": True})
    return parts


def _value(used: _Json) -> _Json:
    value, unit = used["value"], used.get("unit")
    if unit is not None:
        quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
        return {"valueQuantity": quantity}
    return {"valueBoolean": value} if isinstance(value, bool) else {"valueString": value}


def rationale(explained: _Json) -> str:
    """Say in one plain sentence what raises and what lowers the estimate most."""
    said = []
    unread = {one["predictor"] for one in explained["contributions"] if one.get("unread")}
    for direction, verb in (("higher", "raised"), ("lower", "lowered")):
        names = [
            label_of(one["predictor"]) + (" (figure unread)" if one["predictor"] in unread else "")
            for one in explained["reasons"]
            if one["direction"] == direction
        ]
        if names:
            said.append(f"{verb} most by {', '.join(names)}")
    told = "; ".join(said) or "moved by nothing that was measured"
    return f"Against the typical patient of this product and disease: {told}."
