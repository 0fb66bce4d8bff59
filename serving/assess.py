"""From one patient to one assessment: the whole use case on one page.

Everything that the models fix is settled once, when they are loaded (see
docs/decisions/0017-compiled-answers.md); one patient is then read, computed and put into words.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

import orjson

from data_schemas.evidence import Evidence
from data_schemas.model_manifest import intended_use
from data_schemas.patient_request import PatientRequest
from data_schemas.risk_assessment import CautionCode, RiskAssessment, Status
from serving.answer.compiled_cautions import Raised, of_infusion, of_values
from serving.answer.compiled_outcome import CompiledOutcome, Judged, Patient, model_statement
from serving.answer.compiled_scores import scores
from serving.answer.compiled_terms import CompiledTerms, Values
from serving.answer.together import TwoOutcomes
from serving.answer.told import Teller
from serving.answer.values_used import MissingPredictors, ValuesUsed
from serving.model.artefact import Artefact
from serving.model.inputs import inputs_of
from serving.model.risk_model import RiskModel
from serving.model.terms import are_read_alike

__all__ = ["Answered", "Assessor", "Detail", "assess", "model_statement"]

_SEVERITY = {status: place for place, status in enumerate(Status)}
_STATEMENTS = {
    name: RiskAssessment.model_fields[name].default
    for name in ("low_risk_statement", "uncertainty_statement")
}


class Detail(StrEnum):
    """How much an answer holds."""

    FULL = "full"
    """Everything in words: a :class:`RiskAssessment`."""
    BRIEF = "brief"
    """The numbers alone: a :class:`BriefAssessment`."""


class Answered(NamedTuple):
    """An answer: its fields, and what an operator counts of it.

    Parts of the fields are JSON already: they are for orjson alone.
    """

    fields: dict[str, object]
    status: Status
    cautions: tuple[CautionCode, ...]
    missing: tuple[str, ...]

    def to_json(self) -> bytes:
        """Return the answer as it is sent."""
        return orjson.dumps(self.fields)


class _Case(NamedTuple):
    """One patient as the models see and judge him or her."""

    request: PatientRequest
    days: dict[str, int]
    patients: list[Patient]
    """By reader."""
    judged: list[Judged]
    """By outcome."""
    raised: dict[Raised, None]
    missing: list[str]


class Assessor:
    """Assesses one patient at a time by every model in service, all made ready beforehand."""

    def __init__(self, artefacts: Mapping[str, Artefact], evidence: Evidence) -> None:
        """Make the models ready."""
        self.model_hashes = {name: artefact.sha256 for name, artefact in artefacts.items()}
        self._readers: list[tuple[CompiledTerms, Teller]] = []
        self._outcomes = [
            (CompiledOutcome(artefact, evidence), self._reader(artefact.model))
            for artefact in artefacts.values()
        ]
        used = {term.predictor for a in artefacts.values() for term in a.model.terms}
        self.inputs = inputs_of(artefact.model for artefact in artefacts.values())
        self._values_used = ValuesUsed(self.inputs)
        self._missing = MissingPredictors(used)
        self._two = next(_two_outcomes(artefacts), None)
        manifests = {a.manifest.outcome.label: a.manifest for a in artefacts.values()}
        self._statements = _STATEMENTS | {"intended_use": intended_use(manifests)}

    def assess(
        self, request: PatientRequest, detail: Detail = Detail.FULL, today: date | None = None
    ) -> Answered:
        """Return the assessment of one patient.

        Parameters
        ----------
        today
            The day of the question, for a caution if the infusion is over. No number depends on it.
        """
        case = self._judged(request, today)
        status = max([judged.status for judged in case.judged], key=_SEVERITY.__getitem__)
        told = self._in_full(case) if detail is Detail.FULL else self._in_brief(case)
        cautions = tuple([caution.code for caution in case.raised])
        return Answered({"status": status, **told}, status, cautions, tuple(case.missing))

    def _judged(self, request: PatientRequest, today: date | None) -> _Case:
        days = days_before_infusion(request)
        shared = of_infusion(request.infusion_date, today) + of_values(request.values, days)
        patients = self._read(request.values, shared)
        judged: list[Judged] = []
        raised: dict[Raised, None] = {}
        measured: set[str] = set()
        for compiled, reader in self._outcomes:
            judged.append(made := compiled.judge(patients[reader]))
            raised.update(dict.fromkeys(made.raised))
            terms = patients[reader].terms
            measured.update(terms.distance, terms.not_asked)
        missing = self._missing.of(patients[0].disease, measured)
        return _Case(request, days, patients, judged, raised, missing)

    def _in_full(self, case: _Case) -> dict[str, object]:
        """Return the fields of a :class:`RiskAssessment` but its status."""
        values, disease = case.request.values, case.patients[0].disease
        told = [
            teller.told(values, patient.terms, disease)
            for (_, teller), patient in zip(self._readers, case.patients, strict=True)
        ]
        burdens = [patient.terms.burden for patient in case.patients]
        source = next((burden[0] for burden in burdens if burden is not None), None)
        fields: dict[str, object] = {
            "cautions": [caution.shown() for caution in case.raised],
            "outcomes": [
                compiled.tell(judged, disease, told[reader])
                for (compiled, reader), judged in zip(self._outcomes, case.judged, strict=True)
            ],
            **self._together(case),
            "values_used": self._values_used.of(case.request, disease, case.days, source),
            "missing": self._missing.shown(case.missing),
        }
        if source is not None:
            fields["tumour_burden_source"] = source
        return fields | {"published_scores": scores(values), **self._statements}

    def _in_brief(self, case: _Case) -> dict[str, object]:
        """Return the fields of a :class:`BriefAssessment` but its status."""
        return {
            "detail": Detail.BRIEF,
            "cautions": [caution.shown() for caution in case.raised],
            "outcomes": [
                compiled.tell_briefly(judged)
                for (compiled, _), judged in zip(self._outcomes, case.judged, strict=True)
            ],
            **self._together(case),
            "missing": case.missing,
            **self._statements,
        }

    def _together(self, case: _Case) -> dict[str, object]:
        if self._two is None:
            return {}
        names = [compiled.name for compiled, _ in self._outcomes]
        risks = dict(zip(names, [judged.risk for judged in case.judged], strict=True))
        together = self._two.together(risks)
        return {} if together is None else {"together": together}

    def _reader(self, model: RiskModel) -> int:
        """Return the place of the reader of a model's terms; equal ones are read once."""
        for place, (known, _) in enumerate(self._readers):
            alike = are_read_alike(known.terms, model.terms)
            if alike and known.burden_scale == model.burden_scale:
                return place
        reader = CompiledTerms(model.terms, model.burden_scale)
        self._readers.append((reader, Teller(model.terms)))
        return len(self._readers) - 1

    def _read(self, values: Values, raised: list[Raised]) -> list[Patient]:
        disease, patients = str(values["disease"]), []
        for reader, teller in self._readers:
            terms = reader.read(values, disease)
            patients.append(Patient(values, terms, teller.measured(terms), raised))
        return patients


def assess(
    request: PatientRequest, artefacts: Mapping[str, Artefact], evidence: Evidence
) -> RiskAssessment:
    """Return the assessment of one patient by models that are made ready for this one alone."""
    return RiskAssessment.model_validate_json(
        Assessor(artefacts, evidence).assess(request).to_json()
    )


def _two_outcomes(artefacts: Mapping[str, Artefact]) -> Iterator[TwoOutcomes]:
    for name, artefact in artefacts.items():
        association = artefact.model.association
        if association is not None and association.other in artefacts:
            yield TwoOutcomes(name, association)


def days_before_infusion(request: PatientRequest) -> dict[str, int]:
    """Return how many days before infusion each predictor was measured, where that is known."""
    if request.infusion_date is None:
        return {}
    ages = {name: request.age_in_days(name) for name in request.measurements}
    return {name: age for name, age in ages.items() if age is not None}
