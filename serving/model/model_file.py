"""What the files of a model must hold, field by field; of numbers only finite ones."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from serving.model.joint_risk import Association
from serving.model.risk_model import Cell, Posterior, Recalibration, RiskModel
from serving.model.terms import Term
from serving.model.trees import TreeEnsemble
from serving.model.tumour_burden import BurdenScale


class Record(BaseModel):
    """A file of an artefact, read as it was written: no text is taken for a number."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid", frozen=True)


class _Posterior(Record):
    mean: list[float]
    covariance: list[list[float]]


class _Trees(Record):
    term: list[tuple[int, int, int]]
    threshold: list[tuple[float, float, float]]
    leaf: list[tuple[float, float, float, float]]


class ModelFile(Record):
    """A whole model as plain data."""

    outcome: str
    terms: tuple[Term, ...]
    cells: tuple[Cell, ...]
    posterior: _Posterior
    trees: _Trees
    recalibration: Recalibration
    misfit_sd: float
    burden_scale: BurdenScale
    association: Association | None

    def model(self) -> RiskModel:
        """Return the model.

        Raises
        ------
        ValueError
            If the rows of the covariance are not of one length.
        """
        return RiskModel(
            outcome=self.outcome,
            terms=self.terms,
            cells=self.cells,
            posterior=Posterior(
                np.array(self.posterior.mean, float), np.array(self.posterior.covariance, float)
            ),
            trees=TreeEnsemble.from_json(self.trees.model_dump()),
            recalibration=self.recalibration,
            misfit_sd=self.misfit_sd,
            burden_scale=self.burden_scale,
            association=self.association,
        )


class SelfTestFile(Record):
    """Invented patients, one column for each predictor, and the log-odds that each must get."""

    patients: dict[str, list[float | None] | list[str | None]]
    logit: list[float]


class _Believed(BaseModel):
    term: str
    holds_unread: bool


class PriorFile(BaseModel):
    """What the service reads of what was believed before any patient; it shows the rest."""

    effects: tuple[_Believed, ...]

    @property
    def resting_on_unread(self) -> frozenset[str]:
        """Terms whose effect rests on a published figure that was not read in its source."""
        return frozenset(effect.term for effect in self.effects if effect.holds_unread)


class _Verdict(BaseModel):
    accepted: bool | None


class VerdictFile(BaseModel):
    """What the service reads of a verdict; training reads the rest."""

    verdict: _Verdict
