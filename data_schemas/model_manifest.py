"""What a model must say of itself before it may answer."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_FILE = "manifest.json"
SCHEMA_VERSION = 1

_INTENDED_USE = (
    "Supports clinicians who plan prophylaxis, bed and monitoring before a CAR-T infusion. "
    "Research use only: {standing} and not for clinical decisions. "
    "Not for use after infusion, and never a reason to withhold treatment. "
    "The risk is under current practice, including the prophylaxis that was named."
)


_NOT_VALIDATED = "not validated on patients"


def intended_use(models: Mapping[str, "ModelManifest"]) -> str:
    """Say what models are for, and how many real patients each was fitted and validated on.

    Parameters
    ----------
    models
        By the label of their outcome, which is named where they differ.
    """
    standing = {label: _standing(manifest) for label, manifest in models.items()}
    if len(set(standing.values())) == 1:
        (said,) = set(standing.values())
    else:
        said = "; ".join(f"{label}: {told}" for label, told in standing.items())
    comma = "" if said == _NOT_VALIDATED else ","
    return _INTENDED_USE.format(standing=said + comma)


def _standing(manifest: "ModelManifest") -> str:
    fitted, validated = manifest.cohort.real_patients, manifest.validated_on_real_patients
    if not fitted and not validated:
        return _NOT_VALIDATED
    return f"fitted on {fitted or 'no'} and validated on {validated or 'no'} real patients"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OutcomeStatement(_Record):
    """The outcome in words, as the model's own record of it."""

    name: str
    label: str
    definition: str
    horizon_days: int
    reference: str


class CohortStatement(_Record):
    """On whom the model was fitted. All zero: on nobody, from published evidence alone."""

    patients: int = Field(ge=0)
    real_patients: int = Field(ge=0)
    simulated_patients: int = Field(ge=0)
    events: int = Field(ge=0)
    sites: int = Field(ge=0)
    fingerprint: str = ""

    @property
    def is_simulated(self) -> bool:
        """Tell whether any simulated patient had a hand in the model."""
        return self.simulated_patients > 0


class EvidenceStatement(_Record):
    """Which published figures the model rests on."""

    fingerprint: str
    rows: int
    unread_rows: tuple[str, ...]
    """Rows whose figures were not re-read in their source."""


class Measure(_Record):
    """One number by which the model was judged, and on whom."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    on: str
    """"simulated centres", "cross-validation on real patients", ..."""
    patients: int


class UpdateStatement(_Record):
    """One update of an earlier version by a centre's own patients."""

    parent_version: str
    parent_sha256: str
    change: str
    """What was updated, and by which rule."""
    intercept: float
    slope: float
    """The new log-odds are intercept + slope times those of the parent."""
    patients: int = Field(ge=0)
    real_patients: int = Field(ge=0)
    events: int = Field(ge=0)
    sites: int = Field(ge=0)
    cohort_fingerprint: str


class ModelManifest(_Record):
    """The self-description of an artefact, and the sha256 of each of its files."""

    schema_version: int = SCHEMA_VERSION
    experiment: str
    outcome: OutcomeStatement
    learner: str
    seed: int
    cohort: CohortStatement
    validated_on_real_patients: int = 0
    evidence: EvidenceStatement
    local_deviation: str
    """What the cohort was allowed to change, and why: the rule by number of events."""
    directions_released: tuple[str, ...] = ()
    """Terms whose declared direction the cohort contradicted so strongly that it was let go."""
    untaught: tuple[str, ...] = ()
    """What the cohort could not teach because nothing in it differs, in words."""
    performance: tuple[Measure, ...] = ()
    lineage: tuple[UpdateStatement, ...] = ()
    """How the model came from the one that was first trained, oldest update first."""
    limitations: tuple[str, ...] = ()
    """What the model does not know, in words."""
    intended_use: str = _INTENDED_USE.format(standing=_NOT_VALIDATED)
    software: dict[str, str]
    files: dict[str, str]
