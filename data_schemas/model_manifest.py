"""What a model must say of itself before it may answer."""

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_FILE = "manifest.json"
SCHEMA_VERSION = 1

INTENDED_USE = (
    "Supports clinicians who plan prophylaxis, bed and monitoring before a CAR-T infusion. "
    "Research use only: not validated on patients and not for clinical decisions. "
    "Not for use after infusion, and never a reason to withhold treatment. "
    "The risk is under current practice, including the prophylaxis that was named."
)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    performance: tuple[Measure, ...] = ()
    lineage: tuple[UpdateStatement, ...] = ()
    """How the model came from the one that was first trained, oldest update first."""
    limitations: tuple[str, ...] = ()
    """What the model does not know, in words."""
    intended_use: str = INTENDED_USE
    software: dict[str, str]
    files: dict[str, str]
