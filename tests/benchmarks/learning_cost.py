"""What learning costs in time and memory, from a thousand patients to a million.

    make bench-cost

Each learner meets each cohort in a process of its own, which reads it from its file as training
does. Every patient is simulated.
"""

import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import learning_cost_page
import pandas as pd
import peers
import typer
from learning_centres import prior_of, seen_by_peers, words_of
from rich.progress import track
from threadpoolctl import threadpool_limits

from data_schemas.outcomes import OUTCOMES
from training.cohort import LearningCohort, learning_cohort
from training.learning.learner import learn
from training.simulation.synthetic_cohort import simulate, write

OUTCOME = "severe_crs"
CENTRES = 8
SEED = 77_900
"""No centre of the learning benchmark has it."""

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LARGEST_OF_RIDGE = 100_000
LARGEST_REPEATED = 10_000
REPEATS = 3
KIB = 1024
"""Linux counts resident memory in KiB."""


def default(cohort: LearningCohort) -> int:
    """Learn by the default recipe and return how many trees it grew."""
    return learn(prior_of(OUTCOME), cohort, SEED).rounds


def ridge(cohort: LearningCohort) -> int:
    """Learn by the local ridge of the learning benchmark, which grows no tree."""
    X = seen_by_peers(cohort.columns, prior_of(OUTCOME), words_of(cohort.columns))
    peers.ridge(X, cohort.outcome, X[:1], SEED)
    return 0


LEARNERS: dict[str, Callable[[LearningCohort], int]] = {"anchored": default, "local_ridge": ridge}


def write_cohort(n: int, path: Path) -> None:
    """Simulate n patients into a file."""
    write(simulate(n, CENTRES, SEED), path)


def cost(learner: str, n: int, path: Path) -> dict[str, object]:
    """Return what a learner takes for a cohort in a file, one thread, at its fastest."""
    runs = []
    with threadpool_limits(1):
        cohort = learning_cohort(path, OUTCOMES[OUTCOME])
        prior_of(OUTCOME)
        read = peak_megabytes()
        for _ in range(REPEATS if n <= LARGEST_REPEATED else 1):
            elapsed, processor = time.perf_counter(), time.process_time()
            trees = LEARNERS[learner](cohort)
            runs.append((time.process_time() - processor, time.perf_counter() - elapsed))
    processor, elapsed = min(runs)
    return {
        **{"n": n, "learner": learner, "patients": len(cohort), "events": cohort.events},
        **{"trees": trees, "seconds": elapsed, "processor_seconds": processor},
        **{"megabytes": peak_megabytes(), "megabytes_read": read},
    }


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 1e6


def measure(sizes: tuple[int, ...]) -> pd.DataFrame:
    """Return one row a size and learner, none of them run beside another."""
    rows, load = [], os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        for n in track(sizes, "cohorts"):
            path = Path(folder) / f"{n}.parquet"
            with _fresh_process() as process:
                process.submit(write_cohort, n, path).result()
            for learner in LEARNERS if n <= LARGEST_OF_RIDGE else ("anchored",):
                with _fresh_process() as process:
                    rows.append(process.submit(cost, learner, n, path).result())
    return pd.DataFrame(rows).assign(load_at_start=load)


def _fresh_process() -> ProcessPoolExecutor:
    """Return a process whose peak memory owes nothing to what ran before it."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def main(
    out: Annotated[Path, typer.Option(help="Where .md, .csv and .png go, without suffix.")],
    largest: Annotated[int, typer.Option(help="The largest cohort.")] = SIZES[-1],
    redraw: Annotated[bool, typer.Option(help="Page and figure again, from the CSV.")] = False,
) -> None:
    """Measure what learning costs; every patient is simulated."""
    table = out.with_suffix(".csv")
    if not redraw:
        rows = measure(tuple(n for n in SIZES if n <= largest))
        rows.to_csv(table, index=False, float_format="%.4g", lineterminator="\n")
    rows = pd.read_csv(table)
    out.with_suffix(".md").write_text(learning_cost_page.page(rows, out.name), "utf-8")
    out.with_suffix(".png").write_bytes(learning_cost_page.figure(rows))


if __name__ == "__main__":
    typer.run(main)
