"""How little can be lost before any patient? The best that knows how the truths are drawn.

    make bench-bound

The evidence-only model is judged beside a logistic regression on the same terms, products and
diseases, fitted to the true risks of hundreds of other simulated centres.
It is no rival, for it has seen what nobody can: it is the floor below which no sum of terms can get
at a centre of which nothing is known. Every patient is simulated.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from joblib import Parallel, delayed
from learning_centres import (
    ROOT,
    Answer,
    Task,
    judged,
    prior_of,
    recipe_fit,
    seen_by_peers,
    simulated_centre,
)
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray

FIRST_SEED = 900_000
"""No centre of the learning benchmark has it, nor one of the next hundreds."""

OTHERS, PATIENTS = 500, 400
CENTRES, JUDGED = 40, 2000


def words(outcome: str) -> dict[str, list[str]]:
    """Return every product and disease that the prior knows."""
    cells = prior_of(outcome).cells
    return {
        "product": sorted({cell.product for cell in cells}),
        "disease": sorted({cell.disease for cell in cells}),
    }


def other_centre(seed: int) -> dict[str, tuple[Array, Array]]:
    """Simulate a centre to learn the law of truths from: its design and true risks by outcome."""
    simulated = simulate(PATIENTS, 1, seed)
    columns = read_cohort(simulated.table, Purpose.SCORING).columns()
    return {
        name: (
            seen_by_peers(columns, prior_of(name), words(name)),
            simulated.truth[name].to_numpy(),
        )
        for name in OUTCOMES
    }


def lost(outcome: str, centre: int, law: LogisticRegression) -> dict[str, object]:
    """Return the excess log-loss of each at one centre of the benchmark."""
    with threadpool_limits(1):
        here = simulated_centre(Task("perturbed", outcome, centre, JUDGED + 100, ()))
        known = seen_by_peers(here.columns, prior_of(outcome), words(outcome))
        answers = {name: recipe_fit(name, here, 0, centre) for name in ("product_rate", "evidence")}
        answers["law"] = Answer(law.decision_function(known))
        losses = {n: judged(a, here.true_risk)["excess_log_loss"] for n, a in answers.items()}
    return {"outcome": outcome, **losses}


def law_of(outcome: str, others: list[dict[str, tuple[Array, Array]]]) -> LogisticRegression:
    """Fit the true risks of other centres: each patient counts as both, by the true risk."""
    X = np.vstack([centre[outcome][0] for centre in others])
    risk = np.concatenate([centre[outcome][1] for centre in others])
    weight = np.concatenate([risk, 1 - risk])
    law = LogisticRegression(C=1.0, max_iter=5000)
    return law.fit(np.vstack([X, X]), np.repeat([1, 0], len(risk)), sample_weight=weight)


def page(rows: pd.DataFrame) -> str:
    """Return the page."""
    mean = 1000 * rows.groupby("outcome").mean()
    lines = [
        "`make bench-bound` made this page: **every patient in it is simulated, and nothing in it "
        "is clinical performance.**\n",
        "# How little can be lost before any patient\n",
        f"Mean excess log-loss (x1000) at the {CENTRES} centres of the "
        "[learning benchmark](learning-benchmark.md), with no patient of the centre seen and on "
        "other patients than there. *Law* is "
        "a logistic regression on the same terms, products and diseases, fitted to the true risks "
        f"of {OTHERS} other simulated centres: the best sum of terms for whoever knows how "
        "truths are drawn, which nobody does.\n",
        "| outcome | product rate | evidence | law | evidence / rate | law / rate |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for outcome, row in mean.iterrows():
        rate, evidence, law = row["product_rate"], row["evidence"], row["law"]
        lines.append(
            f"| {OUTCOMES[str(outcome)].label} | {rate:.1f} | {evidence:.1f} | {law:.1f} | "
            f"{evidence / rate:.3f} | {law / rate:.3f} |"
        )
    lines.append(
        "\nThe rest is what a centre has of its own, and only its own patients can tell: its level "
        "of risk, and effects that differ from those of other centres."
    )
    return "\n".join(lines) + "\n"


def main(
    out: Annotated[Path, typer.Option(help="The page.")] = ROOT / "docs" / "learning-bound.md",
    workers: Annotated[int, typer.Option(help="How many processes.")] = 2,
) -> None:
    """Compare the evidence with the best that could be known before any patient."""
    pool = Parallel(n_jobs=workers)
    others = pool(delayed(other_centre)(FIRST_SEED + i) for i in range(OTHERS))
    laws = {name: law_of(name, others) for name in OUTCOMES}
    rows = pool(delayed(lost)(o, c, laws[o]) for o in OUTCOMES for c in range(CENTRES))
    out.write_text(page(pd.DataFrame(rows)), "utf-8")


if __name__ == "__main__":
    typer.run(main)
