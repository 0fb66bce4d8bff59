"""From one patient to one assessment: the whole use case on one page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data_schemas.evidence import Evidence, Incidence
from data_schemas.model_manifest import INTENDED_USE, ModelManifest
from data_schemas.patient_request import PatientRequest
from data_schemas.predictors import PREDICTORS, Category, Quantity
from data_schemas.products import DISEASES
from data_schemas.risk_assessment import (
    CAUTION_TEXTS,
    BaseRate,
    Caution,
    Explanation,
    Interval,
    MissingPredictor,
    ModelReference,
    OutcomeRisk,
    PublishedCohort,
    RiskAssessment,
    Score,
    Status,
    ValueUsed,
)
from serving.applicability import RaisedCaution, cautions, statuses
from serving.artefact import Artefact
from serving.explanation import BURDEN, contributions, natural_frequency
from serving.published_scores import PUBLISHED_SCORES, published_scores
from serving.risk_model import Cell, Origin, Prediction, expit
from serving.together import together
from serving.tumour_burden import NO_SOURCE, SOURCES, TumourBurden, tumour_burden

Array = np.ndarray
Columns = Mapping[str, Array]

_BURDEN_MEASURES = frozenset(measure for measures in SOURCES.values() for measure in measures)


@dataclass(frozen=True, slots=True)
class _Answered:
    """What one model made of the patient."""

    risk: OutcomeRisk
    cautions: list[RaisedCaution]


def assess(
    request: PatientRequest, artefacts: Mapping[str, Artefact], evidence: Evidence
) -> RiskAssessment:
    """Return the assessment of one patient by every model that is current."""
    columns = columns_of(request)
    days = {
        name: np.array([float(age)])
        for name in request.measurements
        if (age := request.age_in_days(name)) is not None
    }
    answered = [_answer(artefact, columns, days, evidence) for artefact in artefacts.values()]
    used = {t.predictor for a in artefacts.values() for t in a.model.terms}
    burden = _burden(artefacts, columns)
    return RiskAssessment(
        status=max((a.risk.status for a in answered), key=list(Status).index),
        cautions=_cautions(answered),
        outcomes=tuple(a.risk for a in answered),
        together=together([a.risk for a in answered], artefacts),
        values_used=_values_used(request, used),
        missing=_missing(columns, used, burden),
        tumour_burden_source=None if burden.source[0] == NO_SOURCE else str(burden.source[0]),
        published_scores=_scores(columns),
        intended_use=INTENDED_USE,
    )


def columns_of(request: PatientRequest) -> dict[str, Array]:
    """Return the patient as contract columns of one row."""
    columns: dict[str, Array] = {}
    for name, declared in PREDICTORS.items():
        value = request.values.get(name)
        if isinstance(declared, Category):
            columns[name] = np.array([value], dtype=object)
        else:
            columns[name] = np.array([np.nan if value is None else float(value)])
    return columns


def _answer(artefact: Artefact, columns: Columns, days: Columns, evidence: Evidence) -> _Answered:
    model, manifest = artefact.model, artefact.manifest
    prediction = model.predict(columns)
    raised = cautions(columns, days, model, simulated=manifest.cohort.is_simulated)
    (status,), (reason,) = statuses(columns, prediction, raised)
    answer = OutcomeRisk(
        outcome=model.outcome,
        label=manifest.outcome.label,
        definition=manifest.outcome.definition,
        status=status,
        reasons=(reason,) if reason else tuple(_text(c) for c in raised),
        model=_reference(artefact),
    )
    if status.has_risk:
        answer = answer.model_copy(update=_numbers(artefact, prediction, columns, evidence))
    return _Answered(answer, raised)


def _numbers(
    artefact: Artefact, prediction: Prediction, columns: Columns, evidence: Evidence
) -> dict[str, object]:
    """Return the part of an answer that holds numbers."""
    model = artefact.model
    cell = model.cells[int(model.cell_of(columns)[0])]
    interval = Interval(low=float(expit(prediction.low)[0]), high=float(expit(prediction.high)[0]))
    risk = float(prediction.risk[0])
    return {
        "risk": risk,
        "interval": interval,
        "natural_frequency": natural_frequency(risk),
        "comparison": _comparison(interval, cell.base_rate),
        "base_rate": _base_rate(cell, model.outcome, evidence),
        "explanation": _explanation(artefact, prediction, columns, cell),
    }


def _reference(artefact: Artefact) -> ModelReference:
    manifest = artefact.manifest
    cohort = manifest.cohort
    return ModelReference(
        version=artefact.version,
        sha256=artefact.sha256,
        fitted_on_real_patients=cohort.real_patients,
        fitted_on_simulated_patients=cohort.simulated_patients,
        validated_on_real_patients=manifest.validated_on_real_patients,
        local_deviation=manifest.local_deviation,
        statement=model_statement(manifest),
    )


def model_statement(manifest: ModelManifest) -> str:
    """Say in one sentence on whom a model rests."""
    cohort = manifest.cohort
    if cohort.patients == 0:
        fitted = "Rests on published evidence alone: fitted on no patient"
    else:
        fitted = f"Fitted on {cohort.real_patients} real patients"
        if cohort.simulated_patients:
            fitted += f" and {cohort.simulated_patients} simulated ones"
    validated = manifest.validated_on_real_patients
    return f"{fitted}; validated on {validated or 'no'} real patients. Not for clinical use."


def _comparison(interval: Interval, base_rate: float) -> Literal["above", "near", "below"]:
    if interval.low > base_rate:
        return "above"
    return "below" if interval.high < base_rate else "near"


_SYNTHESIS = "random-effects synthesis of published cohorts, on the ASTCT 2019 scale"
_RATE_NOTES: dict[Origin, str] = {
    "published": _SYNTHESIS,
    "borrowed": f"{_SYNTHESIS}; no cohort of this product in this disease was found, "
    "so it is borrowed",
    "own cohort": "the pooled rate of the cohort that the model was fitted on; none is published",
}


def _base_rate(cell: Cell, outcome: str, evidence: Evidence) -> BaseRate:
    return BaseRate(
        product=cell.product,
        disease=cell.disease,
        risk=cell.base_rate,
        interval=Interval(low=cell.low, high=cell.high),
        patients=cell.patients,
        sources=tuple(
            _published(evidence.row(row_id), outcome, evidence) for row_id in cell.sources
        ),
        note=_RATE_NOTES[cell.origin],
    )


def _published(row: Incidence, outcome: str, evidence: Evidence) -> PublishedCohort:
    crs = outcome == "severe_crs"
    return PublishedCohort(
        id=row.id,
        study=row.study,
        patients=row.n_treated,
        percent=row.crs_severe_pct if crs else row.icans_severe_pct,
        grading_scale=row.crs_scale if crs else row.neurotoxicity_scale,
        citation=evidence.references[row.reference].citation,
        verified=row.verified,
    )


def _explanation(
    artefact: Artefact, prediction: Prediction, columns: Columns, cell: Cell
) -> Explanation:
    model = artefact.model
    burden = tumour_burden(columns, model.burden_scale)
    return Explanation(
        reference=f"the typical patient with {DISEASES[cell.disease]} given {cell.product}",
        base=float(prediction.base[0]),
        contributions=contributions(model, prediction, 0, columns, burden),
        total=float(prediction.logit[0]),
    )


def _text(caution: RaisedCaution) -> str:
    text = CAUTION_TEXTS[caution.code]
    declared = PREDICTORS.get(caution.predictor or "")
    return f"{declared.label}: {text}" if declared else text


def _cautions(answered: list[_Answered]) -> tuple[Caution, ...]:
    raised = {(c.code, c.predictor): c for answer in answered for c in answer.cautions}
    return tuple(
        Caution(code=code, predictor=predictor, text=_text(caution))
        for (code, predictor), caution in raised.items()
    )


def _burden(artefacts: Mapping[str, Artefact], columns: Columns) -> TumourBurden:
    scale = next(iter(artefacts.values())).model.burden_scale
    return tumour_burden(columns, scale)


def _values_used(request: PatientRequest, used: set[str]) -> tuple[ValueUsed, ...]:
    values = []
    for name, declared in PREDICTORS.items():
        value = request.values.get(name)
        if value is None:
            continue
        by_model = name in used | {"product", "disease", "ldh_uln"} and not _is_absent(value)
        by_model |= BURDEN in used and name in _BURDEN_MEASURES
        sent = request.measurements.get(name)
        values.append(
            ValueUsed(
                predictor=name,
                label=declared.label,
                value=value,
                unit=declared.unit if isinstance(declared, Quantity) else None,
                sent_value=sent.original_value if sent else None,
                sent_unit=sent.original_unit if sent else None,
                converted=sent is not None
                and sent.original_unit != getattr(declared, "unit", None),
                days_before_infusion=request.age_in_days(name),
                used_by_model=by_model,
            )
        )
    return tuple(values)


def _missing(
    columns: Columns, used: set[str], burden: TumourBurden
) -> tuple[MissingPredictor, ...]:
    disease = str(columns["disease"][0])
    missing = []
    for name, declared in PREDICTORS.items():
        absent = _is_absent(columns[name][0])
        if name in used and absent and declared.applies_to(disease):
            missing.append(MissingPredictor(predictor=name, label=declared.label))
    if BURDEN in used and burden.source[0] == NO_SOURCE:
        missing.append(MissingPredictor(predictor=BURDEN, label="Tumour burden"))
    return tuple(missing)


def _is_absent(value: object) -> bool:
    return value is None or value == "unknown" or (isinstance(value, float) and np.isnan(value))


def _scores(columns: Columns) -> tuple[Score, ...]:
    inputs = {name for score in PUBLISHED_SCORES for name in score.inputs}
    values = {n: float(columns[n][0]) for n in sorted(inputs) if not np.isnan(columns[n][0])}
    return tuple(
        Score(
            name=result.name,
            label=result.label,
            value=result.value,
            log2=result.log2,
            missing=result.missing,
            above_cut_off=result.above_cut_off,
            note=result.note,
        )
        for result in published_scores(values)
    )
