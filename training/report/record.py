"""``report.json``: all that a report prints, and why a part of it is missing."""

from typing import Literal

from data_schemas.model_manifest import ModelManifest
from training.code_state import CodeState
from training.evaluation.estimate import Record
from training.evaluation.record import Evaluation
from training.experiment import Experiment
from training.judging.verdict import Verdict
from training.report.checklist_record import ProbastDomain, TripodItem
from training.report.model_record import ModelFacts
from training.report.patients_record import Flow, Missingness, TableOne

SCHEMA_VERSION = 1

Kind = Literal["development", "external validation", "rehearsal", "updating"]


class Standing(Record):
    """How many patients had a hand in the model, and how many judge it here."""

    fitted_on_real: int
    fitted_on_simulated: int
    judged_on_real: int
    judged_on_simulated: int
    validated_on_real: int
    """Real patients whom a finished version was tried on, before an update by them or without."""


class Marks(Record):
    """What stands in the title of every figure and table that simulated patients touch."""

    judged: str | None
    """On what was measured; None where real patients were judged."""
    fitted: str | None
    """On what the model is; None where no simulated patient had a hand in it."""


class Software(Record):
    """One package, or the language, and its version."""

    name: str
    version: str


class Environment(Record):
    """What is needed to run it again."""

    seed: int
    software: tuple[Software, ...]
    code: CodeState
    cohort_fingerprint: str | None
    """Of the judged patients' table; None where there is none."""
    evidence_fingerprint: str
    evidence_rows: int
    unread_rows: tuple[str, ...]


class Updating(Record):
    """What a centre's own patients would change of a finished model."""

    allowed: str
    """The update that their number of events allows, in words."""
    advisory: str
    """What the events point to, whether or not it may be applied."""


class Report(Record):
    """A report, whole: the page prints nothing else."""

    schema_version: int = SCHEMA_VERSION
    title: str
    kind: Kind
    version: str
    sha256: str
    marks: Marks
    standing: Standing
    verdict: Verdict
    evaluation: Evaluation
    flow: Flow | None
    table_one: TableOne | None
    missingness: tuple[Missingness, ...]
    model: ModelFacts
    updating: Updating | None
    limits: tuple[str, ...]
    tripod_ai: dict[str, TripodItem]
    probast_ai: tuple[ProbastDomain, ...]
    experiment: Experiment | None
    manifest: ModelManifest
    environment: Environment
    notices: tuple[str, ...]
    absent: dict[str, str]
    """Field of this record to the reason why it is None or empty, for each that is."""
