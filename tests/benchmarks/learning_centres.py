"""Learners at simulated centres, judged against the true risks there.

Every centre is simulated from a seed that no other part of the project uses.
A learner sees the first n patients of a centre and is judged on others of the same centre.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import peers
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.evidence import load_evidence
from data_schemas.outcomes import OUTCOMES
from serving.model.risk_model import RiskModel
from serving.model.terms import design
from training.cohort import LearningCohort, with_outcome
from training.evaluation.calibration import slope
from training.evaluation.overall_accuracy import log_losses
from training.experiment import read_experiment
from training.learning.learner import learn
from training.learning.prior import ModelPrior, evidence_prior
from training.learning.recipes import RECIPES
from training.simulation.synthetic_cohort import simulate
from training.simulation.synthetic_truth import TruthName

Array = np.ndarray

ROOT = Path(__file__).parents[2]
FIRST_SEED = 77_000
TEST_PATIENTS = 2000
WITHOUT_OUTCOME = 0.1
"""More than the share of simulated patients whose outcome is not known."""

OTHER_TRUTHS: dict[TruthName, tuple[int, ...]] = {
    "reversed": (200,),
    "null": (200,),
    "shifted": (200,),
    "stronger": (0, 100, 200),
}
"""Truths beside the main one, with the numbers of patients to learn from there."""


@dataclass(frozen=True)
class Plan:
    """What is run: how many centres, and who learns from how many patients."""

    centres: int = 40
    slow_centres: int = 12
    sizes: tuple[int, ...] = (0, 50, 100, 200, 500, 1500, 5000)
    flaml_sizes: tuple[int, ...] = (200, 500)

    @property
    def patients(self) -> int:
        """How many patients a centre has, those that it is judged on among them."""
        return int(max(self.sizes) * (1 + WITHOUT_OUTCOME)) + TEST_PATIENTS


QUICK = Plan(centres=4, slow_centres=1, sizes=(0, 100, 500), flaml_sizes=(500,))


@dataclass(frozen=True)
class Answer:
    """Log-odds of the judged patients, with their 90 % interval where a learner gives one."""

    log_odds: Array
    low: Array | None = None
    high: Array | None = None


@dataclass(frozen=True)
class Centre:
    """One outcome at one simulated centre.

    ``cohort`` are the patients to learn from and ``design`` (n, p) what peers see of them; of the
    judged patients there are the contract's ``columns``, ``new`` (m, p) and the true risks (m,).
    """

    prior: ModelPrior
    cohort: LearningCohort
    design: Array
    columns: dict[str, Array]
    new: Array
    true_risk: Array


Fit = Callable[[Centre, int, int], Answer]
"""From a centre, a number of its patients and a seed to what is said of the judged patients."""


def recipe_fit(name: str, centre: Centre, n: int, seed: int) -> Answer:
    """Learn by one of the project's own recipes."""
    cohort = centre.cohort.take(np.arange(n)) if n else None
    prediction = learn(centre.prior, cohort, seed, RECIPES[name]).model.predict(centre.columns)
    assert prediction.in_scope.all(), "a simulated patient is outside the model's cells"
    return Answer(prediction.logit, prediction.low, prediction.high)


def peer_fit(peer: peers.Peer, centre: Centre, n: int, seed: int) -> Answer:
    """Learn from the centre alone."""
    X, y = centre.design[:n], centre.cohort.outcome[:n]
    return Answer(peers.answer(peer, X, y, centre.new, seed))


OWN: dict[str, Fit] = {
    name: partial(recipe_fit, name)
    for name in ("product_rate", "evidence", "recalibrated_evidence", "anchored_ridge", "anchored")
}
LOCAL: dict[str, Fit] = {
    "local_ridge": partial(peer_fit, peers.ridge),
    "local_forest": partial(peer_fit, peers.random_forest),
    "local_boosting": partial(peer_fit, peers.calibrated_boosting),
}
XGBOOST: dict[str, Fit] = {"local_xgboost": partial(peer_fit, peers.tuned_xgboost)}
ANCHORED_XGBOOST: dict[str, Fit] = {"anchored_xgboost": partial(recipe_fit, "anchored_xgboost")}
FLAML: dict[str, Fit] = {"local_flaml": partial(peer_fit, peers.flaml)}


@dataclass(frozen=True)
class Task:
    """Some learners at one centre."""

    truth: TruthName
    outcome: str
    centre: int
    patients: int
    fits: tuple[tuple[str, int], ...]
    """Learner and number of patients to learn from."""


def tasks(plan: Plan) -> list[Task]:
    """Return what there is to do, the slow first, so that all workers end together."""
    fast = [n for n in plan.sizes if n]
    grown = [n for n in fast if n <= 1500]
    every = [(name, n) for name in OWN for n in plan.sizes]
    every += [(name, n) for name in LOCAL for n in fast]
    every += [(name, n) for name in XGBOOST for n in grown]
    slow = [(name, n) for name in XGBOOST for n in fast if n not in grown]
    slow += [(name, n) for name in ANCHORED_XGBOOST for n in grown]
    if find_spec("flaml"):
        slow += [(name, n) for name in FLAML for n in plan.flaml_sizes]
    other = {
        truth: [(name, n) for n in sizes for name in (*OWN, *(LOCAL if n else ()))]
        for truth, sizes in OTHER_TRUTHS.items()
    }

    def at(truth: TruthName, centres: int, fits: list[tuple[str, int]]) -> Iterator[Task]:
        for centre in range(centres):
            for outcome in OUTCOMES:
                yield Task(truth, outcome, centre, plan.patients, tuple(fits))

    return [
        *at("perturbed", plan.slow_centres, slow),
        *at("perturbed", plan.centres, every),
        *(task for truth, fits in other.items() for task in at(truth, plan.centres, fits)),
    ]


def run(task: Task) -> list[dict[str, object]]:
    """Return one row a learner and number of patients; the same whichever process runs it."""
    known = {**OWN, **LOCAL, **XGBOOST, **ANCHORED_XGBOOST, **FLAML}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        centre = simulated_centre(task)
        rows = []
        for name, n in task.fits:
            start = time.process_time()
            answer = known[name](centre, n, task.centre)
            seconds = time.process_time() - start
            said = {"truth": task.truth, "outcome": task.outcome, "centre": task.centre}
            events = int(centre.cohort.outcome[:n].sum())
            said |= {"n": n, "learner": name, "events": events, "seconds": seconds}
            rows.append(said | judged(answer, centre.true_risk))
    return rows


def simulated_centre(task: Task) -> Centre:
    """Simulate a centre: first the patients to learn from, last those to be judged on."""
    simulated = simulate(task.patients, 1, FIRST_SEED + task.centre, truth=task.truth)
    outcome = OUTCOMES[task.outcome]
    table = read_cohort(simulated.table, Purpose.DEVELOPMENT, [outcome])
    believed = prior_of(task.outcome)
    known = table.outcomes[outcome.name].notna().to_numpy()
    learnable = with_outcome(table, outcome).take(np.arange(known[:-TEST_PATIENTS].sum()))
    columns = {name: column[-TEST_PATIENTS:] for name, column in table.columns().items()}
    words = words_of(table.columns())
    return Centre(
        prior=believed,
        cohort=learnable,
        design=seen_by_peers(learnable.columns, believed, words),
        columns=columns,
        new=seen_by_peers(columns, believed, words),
        true_risk=simulated.truth[task.outcome].to_numpy()[-TEST_PATIENTS:],
    )


def words_of(columns: dict[str, Array]) -> dict[str, list[str]]:
    """Return the products and diseases of a cohort."""
    return {name: sorted(set(columns[name])) for name in ("product", "disease")}


def seen_by_peers(
    columns: dict[str, Array], believed: ModelPrior, words: dict[str, list[str]]
) -> Array:
    """Return the terms and one column for each product and disease, shape (n, p)."""
    values = design(columns, believed.terms, believed.burden_scale).values
    held = [columns[name] == word for name in words for word in words[name]]
    return np.column_stack([values, *held]).astype(float)


@cache
def prior_of(outcome: str) -> ModelPrior:
    """Return what is published on an outcome."""
    experiment = read_experiment(ROOT / "experiments" / f"{outcome}.toml")
    return evidence_prior(load_evidence(), experiment)


@cache
def anchor_of(outcome: str) -> RiskModel:
    """Return the model of no patients."""
    return learn(prior_of(outcome), None, 0).model


def judged(answer: Answer, true_risk: Array) -> dict[str, float]:
    """Judge answers against true risks, by expectation and without drawing an outcome.

    ``excess_log_loss`` is the expected log-loss minus that of the true risk. ``auroc`` counts each
    patient as one with the event by the true risk and as one without by the rest, ``best_auroc``
    is that of the true risk. ``slope`` is NaN where everyone gets the same answer.
    """
    z = answer.log_odds
    true_log_odds = np.log(true_risk / (1 - true_risk))
    differs = float(np.std(z)) > 1e-6
    covered = np.nan
    if answer.low is not None and answer.high is not None:
        covered = float(np.mean((answer.low <= true_log_odds) & (true_log_odds <= answer.high)))
    lost = log_losses(z, true_risk) - log_losses(true_log_odds, true_risk)
    return {
        "excess_log_loss": float(lost.mean()),
        "auroc": expected_auroc(z, true_risk),
        "best_auroc": expected_auroc(true_log_odds, true_risk),
        "slope": float(slope(z, true_risk, np.ones((1, len(z))))[0]) if differs else np.nan,
        "coverage": covered,
    }


def expected_auroc(log_odds: Array, true_risk: Array) -> float:
    """Return the AUROC over outcomes drawn from the true risks, in expectation."""
    n = len(true_risk)
    return float(
        roc_auc_score(
            np.repeat([1, 0], n),
            np.tile(log_odds, 2),
            sample_weight=np.concatenate([true_risk, 1 - true_risk]),
        )
    )
