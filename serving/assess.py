"""From one patient to one assessment: the whole use case on one page.

Everything that the models fix is settled once, when they are loaded (see
docs/decisions/0017-compiled-answers.md); one patient is then read, computed and put into words.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson

from data_schemas.evidence import Evidence
from data_schemas.model_manifest import INTENDED_USE
from data_schemas.patient_request import PatientRequest
from data_schemas.risk_assessment import CautionCode, RiskAssessment, Status
from serving.answer.compiled_cautions import Raised, of_values
from serving.answer.compiled_outcome import CompiledOutcome, Outcome, Patient, model_statement
from serving.answer.compiled_scores import scores
from serving.answer.compiled_terms import CompiledTerms, Values
from serving.answer.together import TwoOutcomes
from serving.answer.told import Teller
from serving.answer.values_used import MissingPredictors, ValuesUsed
from serving.model.artefact import Artefact
from serving.model.risk_model import RiskModel
from serving.model.terms import are_read_alike

__all__ = ["Answered", "Assessor", "assess", "model_statement"]

_SEVERITY = {status: place for place, status in enumerate(Status)}
_STATEMENTS = {
    name: RiskAssessment.model_fields[name].default
    for name in ("low_risk_statement", "uncertainty_statement")
} | {"intended_use": INTENDED_USE}


class Answered(NamedTuple):
    """An answer: the fields of a :class:`RiskAssessment`, and what an operator counts of it.

    Parts of the fields are JSON already: they are for orjson alone.
    """

    fields: dict[str, object]
    status: Status
    cautions: tuple[CautionCode, ...]
    missing: tuple[str, ...]

    def to_json(self) -> bytes:
        """Return the answer as it is sent."""
        return orjson.dumps(self.fields)


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
        self._values_used = ValuesUsed(used)
        self._missing = MissingPredictors(used)
        self._two = next(_two_outcomes(artefacts), None)

    def assess(self, request: PatientRequest) -> Answered:
        """Return the assessment of one patient."""
        values, days = request.values, days_before_infusion(request)
        patients = self._read(values, of_values(values, days))
        outcomes: list[Outcome] = []
        raised: dict[Raised, None] = {}
        measured: set[str] = set()
        for compiled, reader in self._outcomes:
            patient = patients[reader]
            outcome = compiled.answer(patient)
            outcomes.append(outcome)
            raised.update(dict.fromkeys(outcome.raised))
            measured.update(patient.terms.distance)
        status = max([outcome.status for outcome in outcomes], key=_SEVERITY.__getitem__)
        missing = self._missing.of(str(values["disease"]), measured)
        fields: dict[str, object] = {
            "status": status,
            "cautions": [caution.shown() for caution in raised],
            "outcomes": [outcome.fields for outcome in outcomes],
        }
        if self._two and (together := self._two.together({o.name: o.risk for o in outcomes})):
            fields["together"] = together
        fields["values_used"] = self._values_used.of(request, days)
        fields["missing"] = self._missing.shown(missing)
        if patients[0].terms.burden is not None:
            fields["tumour_burden_source"] = patients[0].terms.burden[0]
        fields["published_scores"] = scores(values)
        fields |= _STATEMENTS
        return Answered(fields, status, tuple([c.code for c in raised]), tuple(missing))

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
            told = teller.told(values, terms, disease)
            patients.append(Patient(values, terms, told, raised))
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
