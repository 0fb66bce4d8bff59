"""One outcome's part of an answer, one patient at a time; what the model fixes is JSON already."""

from typing import NamedTuple

from orjson import Fragment

from data_schemas.evidence import Evidence, Incidence
from data_schemas.model_manifest import ModelManifest
from data_schemas.products import DISEASES
from data_schemas.risk_assessment import (
    BaseRate,
    CautionCode,
    Interval,
    ModelReference,
    PublishedCohort,
    Status,
)
from serving.answer.compiled_cautions import CompiledCautions, Raised, of_outcome, raised, status_of
from serving.answer.compiled_model import CompiledModel, Said
from serving.answer.compiled_terms import PatientTerms, Values
from serving.answer.explanation import Explainer
from serving.answer.open_range import OpenRanges
from serving.answer.together import Risk, interval
from serving.answer.told import Measured, Told, fragment
from serving.answer.words import natural_frequency, percent_in_words
from serving.model.applicability import WIDEST_INTERVAL, of_the_model
from serving.model.artefact import Artefact
from serving.model.risk_model import Cell, Origin, expit_of_one


class Patient(NamedTuple):
    """One patient, read once for every model that reads the same terms."""

    values: Values
    terms: PatientTerms
    measured: Measured
    raised: list[Raised]
    """Cautions about the values themselves."""

    @property
    def disease(self) -> str:
        """The patient's disease."""
        return str(self.values["disease"])


class Judged(NamedTuple):
    """What one model made of the patient, not yet told; ``said`` and ``risk`` where it may be."""

    cell: int
    status: Status
    reasons: list[str]
    raised: list[Raised]
    said: Said | None = None
    risk: Risk | None = None


class CompiledOutcome:
    """Answers for one outcome."""

    def __init__(self, artefact: Artefact, evidence: Evidence) -> None:
        """Settle what depends on the model alone."""
        model, manifest = artefact.model, artefact.manifest
        self.name = model.outcome
        self._model = CompiledModel(model)
        self._explainer = Explainer(model, artefact.resting_on_unread)
        self._ranges = {disease: OpenRanges(model, disease) for disease in DISEASES}
        self._cautions = CompiledCautions(model, _of_the_model(artefact))
        self._wide = of_outcome(CautionCode.WIDE_INTERVAL, manifest.outcome.label)
        self._rates = [cell.base_rate for cell in model.cells]
        self._head: dict[str, object] = {
            "outcome": model.outcome,
            "label": manifest.outcome.label,
            "definition": manifest.outcome.definition,
        }
        self._base_rates = [_json(base_rate(c, model.outcome, evidence)) for c in model.cells]
        self._reference = _json(model_reference(artefact))

    def judge(self, patient: Patient) -> Judged:
        """Return what the model makes of one patient."""
        values, terms, measured, shared = patient
        disease = patient.disease
        cell = self._model.cell_index.get((str(values["product"]), disease), -1)
        found = self._cautions.raised(shared, values, cell, terms)
        said = self._model.say(cell, disease, terms, measured.missing) if cell >= 0 else None
        weight = 0.0 if said is None else said.missing_weight
        risk = None if said is None else _risk(said)
        wide = risk is not None and risk.high - risk.low > WIDEST_INTERVAL
        status, reason = status_of(values, cell, weight, cautious=bool(found) or wide)
        if said is None or reason:
            return Judged(cell, status, [reason], found)
        if wide:
            found.append(self._wide)
        return Judged(cell, status, [caution.text for caution in found], found, said, risk)

    def tell(self, judged: Judged, disease: str, told: Told) -> dict[str, object]:
        """Return the fields of an :class:`OutcomeRisk`."""
        cell, status, reasons, _, said, risk = judged
        fields = {**self._head, "status": status, "reasons": reasons}
        if said is not None and risk is not None:
            fields |= {
                "risk": risk.risk,
                "interval": interval(risk.low, risk.high),
                "natural_frequency": natural_frequency(risk.risk),
                **self._compared(risk, cell),
                "base_rate": self._base_rates[cell],
                "explanation": self._explanation(said, risk, cell, disease, told),
            }
        fields["model"] = self._reference
        return fields

    def tell_briefly(self, judged: Judged) -> dict[str, object]:
        """Return the fields of a :class:`BriefOutcome`."""
        _, status, reasons, _, said, risk = judged
        fields: dict[str, object] = {"outcome": self.name, "status": status, "reasons": reasons}
        if said is not None and risk is not None:
            fields |= {
                "risk": risk.risk,
                "interval": interval(risk.low, risk.high),
                "base": said.base,
                "contributions": said.contributions,
                "total": said.logit,
            }
        fields["model"] = self._reference
        return fields

    def _compared(self, risk: Risk, cell: int) -> dict[str, object]:
        """Compare a patient with the base rate: by the interval, and how often it is in words."""
        rate = self._rates[cell]
        side, ruled_out = "near", "the interval does not rule that rate out"
        if risk.low > rate:
            side, ruled_out = "above", "all of the interval lies above that rate"
        elif risk.high < rate:
            side, ruled_out = "below", "all of the interval lies below that rate"
        times = f"{risk.risk / rate:.2g} times the base rate of {percent_in_words(rate)} %"
        return {"comparison": side, "comparison_text": f"{times}; {ruled_out}"}

    def _explanation(
        self, said: Said, risk: Risk, cell: int, disease: str, told: Told
    ) -> dict[str, object]:
        explained = self._explainer.explain(said, cell, told, expit_of_one(said.base), risk.risk)
        if ends := self._model.open_ends(disease, said, told.measured.missing):
            explained["range_if_measured"] = self._ranges[disease].of(ends)
        return explained


def _of_the_model(artefact: Artefact) -> list[Raised]:
    label = artefact.manifest.outcome.label
    return [
        of_outcome(code, label) if code is CautionCode.LIMITS_NOT_KEPT else raised(code, None)
        for code in of_the_model(artefact)
    ]


def _risk(said: Said) -> Risk:
    return Risk(expit_of_one(said.logit), expit_of_one(said.low), expit_of_one(said.high))


def _json(record: BaseRate | ModelReference) -> Fragment:
    return fragment(record.model_dump(mode="json", exclude_none=True))


def model_reference(artefact: Artefact) -> ModelReference:
    """Say which model answers, and on whom it rests."""
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


_SYNTHESIS = (
    "random-effects synthesis of published cohorts, on the ASTCT 2019 scale, "
    "drawn towards those of other products"
)
_RATE_NOTES: dict[Origin, str] = {
    "published": _SYNTHESIS,
    "borrowed": f"{_SYNTHESIS}; our tables hold none of this product in this disease, "
    "so it is borrowed",
    "own cohort": "the pooled rate of the cohort that the model was fitted on; none is published",
}


def base_rate(cell: Cell, outcome: str, evidence: Evidence) -> BaseRate:
    """Return a cell's base rate with the cohorts behind it."""
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
