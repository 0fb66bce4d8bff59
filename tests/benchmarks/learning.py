"""The learner beside others, on simulated centres whose true risks are known.

    make bench-learning

The truth of every centre departs from the published evidence; in a second part it contradicts it,
or is what the literature said before we shrank it.
Nothing here is clinical performance.
"""

from pathlib import Path
from typing import Annotated

import learning_figure
import learning_page
import learning_table
import pandas as pd
import typer
from joblib import Parallel, delayed
from learning_centres import QUICK, ROOT, Plan, run, tasks
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def run_all(plan: Plan, workers: int) -> pd.DataFrame:
    """Run every task; the rows do not depend on the number of workers."""
    todo = tasks(plan)
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar) as progress:
        shown = progress.add_task("simulated centres", total=len(todo))
        rows: list[dict[str, object]] = []
        pool = Parallel(n_jobs=workers, return_as="generator_unordered")
        for done in pool(delayed(run)(task) for task in todo):
            rows += done
            progress.advance(shown)
    return pd.DataFrame(rows).sort_values(["truth", "outcome", "n", "learner", "centre"])


def command(out: Path, quick: bool) -> str:
    """Return what to type for the same again."""
    if not quick and out.resolve() == ROOT / "docs" / "learning-benchmark":
        return "make bench-learning"
    return f".venv/bin/python tests/benchmarks/learning.py --out {out}{' --quick' * quick}"


def main(
    out: Annotated[Path, typer.Option(help="Where .md, .csv and .png go, without suffix.")],
    quick: Annotated[bool, typer.Option(help="A look at a few centres.")] = False,
    workers: Annotated[int, typer.Option(help="How many processes.")] = 2,
    redraw: Annotated[bool, typer.Option(help="Page and figure again, from the CSV.")] = False,
) -> None:
    """Compare the learner with others on simulated centres; never clinical performance."""
    plan = QUICK if quick else Plan()
    table = out.with_suffix(".csv")
    if not redraw:
        rows = run_all(plan, workers)
        summary = learning_table.summarise(rows, plan.slow_centres)
        summary.to_csv(table, index=False, float_format="%.4g", lineterminator="\n")
    # One of the truths is called null.
    summary = pd.read_csv(table, keep_default_na=False, na_values=[""])
    out.with_suffix(".md").write_text(
        learning_page.page(summary, out, command(out, quick)), "utf-8"
    )
    out.with_suffix(".png").write_bytes(learning_figure.figure(summary))


if __name__ == "__main__":
    typer.run(main)
