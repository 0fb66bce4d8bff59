"""How little can be lost? The best that knows how the truths are drawn, beside ours.

    make bench-bound

Before any patient the evidence-only model is judged beside a logistic regression on the same terms,
products and diseases, fitted to the true risks of hundreds of other simulated centres.
After some patients the default is judged beside a Bayesian who starts from the law that centres'
coefficients follow there, estimated from the same true risks, and updates it by our own posterior.
Neither is a rival, for both have seen what nobody can. Every patient is simulated.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from joblib import Parallel, delayed
from learning_centres import (
    LOCAL,
    ROOT,
    Answer,
    Centre,
    Task,
    anchor_of,
    judged,
    prior_of,
    recipe_fit,
    seen_by_peers,
    simulated_centre,
)
from learning_law import Known, gaussian_law
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from serving.model.risk_model import Posterior
from training.cohort import where_known
from training.learning.learner import rows_of
from training.learning.posterior import Prior, laplace, posterior_mode
from training.learning.recipes import DEFAULT
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray

FIRST_SEED = 900_000
"""No centre of the learning benchmark has it, nor one of the next hundreds."""

OTHERS, PATIENTS = 500, 400
CENTRES, JUDGED = 40, 2000
SIZES = (100, 200, 500)
PEERS = ("local_ridge", "local_forest")
"""The local learners that are best at these sizes in the learning benchmark."""


def words(outcome: str) -> dict[str, list[str]]:
    """Return every product and disease that the prior knows."""
    cells = prior_of(outcome).cells
    return {
        "product": sorted({cell.product for cell in cells}),
        "disease": sorted({cell.disease for cell in cells}),
    }


def other_centre(seed: int) -> dict[str, tuple[Array, Known]]:
    """Simulate a centre to learn the law of truths from.

    By outcome: what peers see of its patients, and its rows with their true risks.
    """
    simulated = simulate(PATIENTS, 1, seed)
    table = read_cohort(simulated.table, Purpose.SCORING)
    seen = {}
    for name in OUTCOMES:
        risk = simulated.truth[name].to_numpy()
        # The true risk stands where an outcome would.
        rows = rows_of(anchor_of(name), where_known(table, risk))
        seen[name] = seen_by_peers(table.columns(), prior_of(name), words(name)), (rows.X, rows.y)
    return seen


def marginal_law(centres: list[tuple[Array, Known]]) -> LogisticRegression:
    """Fit the true risks of other centres: each patient counts as both, by the true risk."""
    X = np.vstack([seen for seen, _ in centres])
    risk = np.concatenate([known[1] for _, known in centres])
    weight = np.concatenate([risk, 1 - risk])
    law = LogisticRegression(C=1.0, max_iter=5000)
    return law.fit(np.vstack([X, X]), np.repeat([1, 0], len(risk)), sample_weight=weight)


def updated(law: Prior, centre: Centre, n: int) -> Answer:
    """Answer by the law after n patients of a centre: no grid, no directions, no trees."""
    anchor = anchor_of(centre.prior.outcome)
    rows = rows_of(anchor, centre.cohort.take(np.arange(n)))
    mode = posterior_mode(rows.X, rows.y, law)
    covariance, _ = laplace(rows.X, rows.y, law, mode)
    model = replace(anchor, posterior=Posterior(mode, covariance))
    return Answer(model.predict(centre.columns).logit)


def lost(
    outcome: str, place: int, marginal: LogisticRegression, law: Prior
) -> list[dict[str, object]]:
    """Return the excess log-loss of each at one centre of the benchmark, by number of patients."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patients = 2 * max(SIZES) + JUDGED
        here = simulated_centre(Task("perturbed", outcome, place, patients, ()))
        known = seen_by_peers(here.columns, prior_of(outcome), words(outcome))
        said = {
            (0, name): recipe_fit(name, here, 0, place) for name in ("product_rate", "evidence")
        }
        said[0, "law"] = Answer(marginal.decision_function(known))
        for n in SIZES:
            said[n, "law"] = updated(law, here, n)
            said[n, DEFAULT] = recipe_fit(DEFAULT, here, n, place)
            said |= {(n, peer): LOCAL[peer](here, n, place) for peer in PEERS}
        return [
            {
                "outcome": outcome,
                "n": n,
                "learner": name,
                "lost": 1000 * judged(answer, here.true_risk)["excess_log_loss"],
            }
            for (n, name), answer in said.items()
        ]


def page(rows: pd.DataFrame) -> str:
    """Return the page."""
    mean = rows.groupby(["outcome", "n", "learner"])["lost"].mean()
    lines = [
        "`make bench-bound` made this page: **every patient in it is simulated, and nothing in it "
        "is clinical performance.**\n",
        "# How little can be lost\n",
        f"Mean excess log-loss (x1000) at the {CENTRES} centres of the "
        "[learning benchmark](learning-benchmark.md), on other patients than there: what ours "
        "loses, and what would be lost by whoever knows how truths are drawn, which nobody does.\n",
        "## Before any patient\n",
        "*Law* is a logistic regression on the same terms, products and diseases, fitted to the "
        f"true risks of {OTHERS} other simulated centres of {PATIENTS} patients: the best sum of "
        "terms for all centres together.\n",
        "| outcome | product rate | evidence | law | evidence / rate | law / rate |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for outcome, declared in OUTCOMES.items():
        rate, evidence, law = (mean[outcome, 0, x] for x in ("product_rate", "evidence", "law"))
        lines.append(
            f"| {declared.label} | {rate:.1f} | {evidence:.1f} | {law:.1f} | "
            f"{evidence / rate:.3f} | {law / rate:.3f} |"
        )
    lines += [
        "\nThe rest is what a centre has of its own, and only its own patients can tell: its level "
        "of risk, and effects that differ from those of other centres.\n",
        "## After some patients\n",
        "*Law* starts from the mean and the covariance that intercept, products in diseases and "
        "effects have over the same other centres, misfit of the terms told apart, and is updated "
        "by the centre's patients with our own posterior: no grid, no directions. It is no strict "
        "floor: a grid of beliefs may do better than one Gaussian, and the law is itself an "
        "estimate. *Best local* is ridge or random forest, whichever loses less over all "
        "centres.\n",
        "| outcome | n | best local | default | law | default / best local | law / best local | "
        "default / law (90 % interval) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for outcome, declared in OUTCOMES.items():
        for n in SIZES:
            local = min(mean[outcome, n, peer] for peer in PEERS)
            ours, law = mean[outcome, n, DEFAULT], mean[outcome, n, "law"]
            low, high = over_law(rows[(rows["outcome"] == outcome) & (rows["n"] == n)])
            lines.append(
                f"| {declared.label} | {n} | {local:.1f} | {ours:.1f} | {law:.1f} | "
                f"{ours / local:.3f} | {law / local:.3f} | "
                f"{ours / law:.2f} ({low:.2f} to {high:.2f}) |"
            )
    return "\n".join(lines) + "\n"


def over_law(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the 90 % bootstrap interval, over centres, of the default's loss over the law's."""
    ours, law = (rows.loc[rows["learner"] == x, "lost"].to_numpy() for x in (DEFAULT, "law"))
    drawn = np.random.default_rng(1).integers(0, len(ours), (2000, len(ours)))
    low, high = np.quantile(ours[drawn].mean(axis=1) / law[drawn].mean(axis=1), [0.05, 0.95])
    return float(low), float(high)


def main(
    out: Annotated[Path, typer.Option(help="The page.")] = ROOT / "docs" / "learning-bound.md",
    workers: Annotated[int, typer.Option(help="How many processes.")] = 2,
) -> None:
    """Compare ours with the best that could be known, before any patient and after some."""
    pool = Parallel(n_jobs=workers)
    others = pool(delayed(other_centre)(FIRST_SEED + i) for i in range(OTHERS))
    by_outcome = {name: [centre[name] for centre in others] for name in OUTCOMES}
    marginal = {name: marginal_law(centres) for name, centres in by_outcome.items()}
    with threadpool_limits(1):
        laws = {
            name: gaussian_law([known for _, known in centres], prior_of(name).prior)
            for name, centres in by_outcome.items()
        }
    todo = (delayed(lost)(o, c, marginal[o], laws[o]) for o in OUTCOMES for c in range(CENTRES))
    out.write_text(page(pd.DataFrame([row for rows in pool(todo) for row in rows])), "utf-8")


if __name__ == "__main__":
    typer.run(main)
