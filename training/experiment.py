"""What an experiment file may say. It states what is wanted, never how; unknown keys are errors."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_schemas.outcomes import OUTCOMES, Outcome
from data_schemas.predictors import PREDICTORS
from data_schemas.refusal import Refused
from serving.model.tumour_burden import BURDEN
from training.acceptance import Acceptance
from training.learning.recipes import DEFAULT, RECIPES


class ExperimentRefused(Refused):
    """An experiment file that cannot be run; the message names every key and its remedy."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OutcomeSection(_Section):
    """Which outcome: a name of the contract, or one that defines itself."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,40}$")]
    label: str | None = None
    definition: str | None = None
    horizon_days: Annotated[int, Field(gt=0)] | None = None
    reference: str | None = None

    @model_validator(mode="after")
    def _defined_once(self) -> "OutcomeSection":
        own = (self.label, self.definition, self.horizon_days, self.reference)
        if self.name in OUTCOMES and any(value is not None for value in own):
            raise ValueError(f"{self.name} is defined in the contract: give its name only")
        if self.name not in OUTCOMES and any(value is None for value in own):
            raise ValueError(
                "an outcome of your own needs label, definition, horizon_days, reference"
            )
        return self

    def outcome(self) -> Outcome:
        """Return the outcome as the contract speaks of it."""
        if self.name in OUTCOMES:
            return OUTCOMES[self.name]
        assert self.label is not None
        assert self.definition is not None
        assert self.horizon_days is not None
        assert self.reference is not None
        return Outcome(
            name=self.name,
            label=self.label,
            definition=self.definition,
            horizon_days=self.horizon_days,
            reference=self.reference,
        )


class AnchorSection(_Section):
    """Where the model starts: published evidence, or the cohort's own pooled rate."""

    evidence: bool = True


class TogetherSection(_Section):
    """With which other outcome of the contract this one's answer is joined."""

    other: Literal[tuple(OUTCOMES)]  # type: ignore[valid-type]  # the names in one place


class LearnerSection(_Section):
    """What corrects the anchor."""

    name: Literal[tuple(RECIPES)] = DEFAULT  # type: ignore[valid-type]  # the names in one place


Threshold = Annotated[float, Field(gt=0.0, lt=1.0)]


class ValidationSection(_Section):
    """How the whole fit is repeated to judge it, and at which risks somebody would act."""

    folds: Annotated[int, Field(ge=2, le=20)] = 5
    repeats: Annotated[int, Field(ge=1, le=20)] = 5
    bootstrap_refits: Annotated[int, Field(ge=0, le=1000)] = 200
    simulated_centres: Annotated[int, Field(ge=1, le=200)] = 20
    simulated_patients: Annotated[int, Field(ge=20)] = 400
    net_benefit_range: tuple[Threshold, Threshold] | None = None
    """Lowest and highest threshold of the decision curve; the outcome's own where none is given."""
    thresholds: tuple[Threshold, ...] = ()
    """Risks at which somebody acts; sensitivity and its like are given at these only."""

    @model_validator(mode="after")
    def _ascending(self) -> "ValidationSection":
        for name in ("net_benefit_range", "thresholds"):
            risks = getattr(self, name) or ()
            if list(risks) != sorted(set(risks)):
                raise ValueError(f"{name}: risks ascend and none stands twice")
        return self


class Experiment(_Section):
    """One decision: which outcome, which predictors, which anchor, which seed."""

    name: str
    outcome: OutcomeSection
    predictors: tuple[str, ...]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    anchor: AnchorSection = AnchorSection()
    together: TogetherSection | None = None
    learner: LearnerSection = LearnerSection()
    validation: ValidationSection = ValidationSection()
    acceptance: Acceptance = Acceptance()

    @field_validator("predictors")
    @classmethod
    def _predictors_are_known(cls, predictors: tuple[str, ...]) -> tuple[str, ...]:
        usable = {*PREDICTORS, BURDEN} - {"product", "disease", "ldh_uln"}
        if unknown := sorted(set(predictors) - usable):
            raise ValueError(f"not predictors that a model can use: {', '.join(unknown)}")
        if len(set(predictors)) != len(predictors):
            raise ValueError("a predictor is listed twice")
        if not predictors:
            raise ValueError("list at least one predictor")
        return predictors

    @model_validator(mode="after")
    def _evidence_is_published(self) -> "Experiment":
        if self.anchor.evidence and self.outcome.name not in OUTCOMES:
            raise ValueError(
                "no evidence is published for this outcome: set anchor.evidence = false"
            )
        return self

    @model_validator(mode="after")
    def _association_is_published(self) -> "Experiment":
        if self.together and {self.outcome.name, self.together.other} != set(OUTCOMES):
            raise ValueError(f"together joins {' and '.join(OUTCOMES)}, nothing else")
        return self


def read_experiment(path: Path) -> Experiment:
    """Read an experiment file; its name is the experiment's.

    Raises
    ------
    ExperimentRefused
        With every unknown key and every value that is not allowed.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ExperimentRefused(f"{path.name} cannot be read ({type(error).__name__})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExperimentRefused(f"{path.name} is not TOML: {error}") from None
    try:
        return Experiment.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        lines = [
            f"  - {'.'.join(map(str, e['loc'])) or path.name}: {e['msg']}" for e in error.errors()
        ]
        raise ExperimentRefused(f"{path.name} was refused:\n" + "\n".join(lines)) from None
