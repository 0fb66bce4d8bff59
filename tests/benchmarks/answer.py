"""How long an answer takes in process, beside the libraries that made its trees.

    make bench-answer

Every patient is simulated; nothing here is clinical performance.
"""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated

import answer_page
import numpy as np
import orjson
import typer
from answer_library import LibraryPath
from answer_models import ROUNDS, Models, of_evidence, with_trees
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import Purpose, predictor_columns, read_cohort
from data_schemas.evidence import load_evidence
from data_schemas.outcomes import OUTCOMES
from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Quantity
from serving.assess import Assessor
from serving.doors.strict_json import read_json
from serving.model.risk_model import expit, predictions
from serving.model.terms import design
from serving.openapi import EXAMPLE_PATIENT
from training.simulation.synthetic_cohort import simulate

SEED = 20_260_402
PATIENTS = 200
REPEATS = 20
MANY = 100_000
FEW = 4_000
"""So many patients are enough to time a library that explains thousands a second."""

AGREEMENT = 1e-6


def timed(assessor: Assessor, contents: list[bytes]) -> np.ndarray:
    """Answer each request and return the microseconds of each step, shape (n, n_steps)."""
    steps = np.empty((len(contents), len(answer_page.STEPS)))
    for i, content in enumerate(contents):
        start = perf_counter()
        given = read_json(content)
        read = perf_counter()
        request = read_patient(given)
        checked = perf_counter()
        answered = assessor.assess(request)
        assessed = perf_counter()
        answered.to_json()
        steps[i] = np.diff([start, read, checked, assessed, perf_counter()]) * 1e6
    return steps


def side_by_side(
    assessor: Assessor, library: LibraryPath, contents: list[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Return microseconds of both for the same patients, taking turns; shapes (n,)."""
    ours, theirs = [], []
    for content in contents:
        ours += timed(assessor, [content] * 5).sum(axis=1).tolist()
        start = perf_counter()
        library.answer(content)
        theirs.append((perf_counter() - start) * 1e6)
    return np.array(ours), np.array(theirs)


def largest_difference(assessor: Assessor, library: LibraryPath, contents: list[bytes]) -> float:
    """Return how far contributions of the two are from each other, in log-odds."""
    most = 0.0
    for content in contents:
        numbers = orjson.loads(library.answer(content))
        answer = orjson.loads(assessor.assess(read_patient(orjson.loads(content))).to_json())
        for outcome in (o for o in answer["outcomes"] if "risk" in o):
            theirs = numbers[outcome["outcome"]]["contributions"]
            for one in outcome["explanation"]["contributions"]:
                own = [v for n, v in theirs.items() if n.split(":")[0] == one["predictor"]]
                most = max(most, abs(sum(own) - one["log_odds"]))
    return most


def rate(work: Callable[[], object], patients: int) -> float:
    """Return patients a second, at the fastest of three."""
    seconds = []
    for _ in range(3):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return patients / min(seconds)


def batch_rates(
    plain: Models, grown: Models, library: LibraryPath, columns: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return patients a second, explained for both outcomes, by what was timed."""
    first = next(iter(grown.artefacts.values())).model
    few = {name: column[:FEW] for name, column in columns.items()}
    terms = design(few, first.terms, first.burden_scale).values.astype(np.float32)
    return {
        f"both outcomes with {ROUNDS} trees each": rate(lambda: scored(grown, columns), MANY),
        "both outcomes without trees": rate(lambda: scored(plain, columns), MANY),
        "XGBoost `pred_contribs`": rate(
            lambda: [library.path_dependent(name, terms) for name in OUTCOMES], FEW
        ),
        "`shap.TreeExplainer`": rate(
            lambda: [library.shap_values(name, terms) for name in OUTCOMES], FEW
        ),
    }


def scored(models: Models, columns: dict[str, np.ndarray]) -> None:
    """Compute risk, interval and contributions of every patient."""
    for said in predictions({n: a.model for n, a in models.artefacts.items()}, columns).values():
        for log_odds in (said.logit, said.low, said.high):
            expit(log_odds)


def requests(n: int) -> list[bytes]:
    """Return simulated patients as requests."""
    cohort = read_cohort(simulate(n, 4, SEED).table, Purpose.SCORING)
    contents = []
    for i in range(n):
        body: dict[str, object] = {}
        for name, column in cohort.columns().items():
            declared, value = PREDICTORS[name], column[i]
            if isinstance(declared, Quantity) and not np.isnan(value):
                body[name] = {"value": float(value), "unit": declared.unit}
            elif isinstance(value, str):
                body[name] = value
            elif isinstance(value, float) and not np.isnan(value):
                body[name] = bool(value)
        contents.append(orjson.dumps(body))
    return contents


def many_columns() -> dict[str, np.ndarray]:
    """Return a table of simulated patients, each several times."""
    cohort = read_cohort(simulate(FEW, 4, SEED).table, Purpose.SCORING)
    place = np.random.default_rng(SEED).integers(0, FEW, MANY)
    return predictor_columns({n: c[place] for n, c in cohort.columns().items()}, MANY)


def main(out: Annotated[Path, typer.Option(help="Where the page goes, without suffix.")]) -> None:
    """Time answers in process, one thread; never clinical performance."""
    with threadpool_limits(1):
        load = os.getloadavg()[0]
        plain = of_evidence()
        grown = with_trees(plain, simulate(1000, 4, SEED))
        library, evidence = LibraryPath(grown), load_evidence()
        assessors, ready = {}, {}
        for name, models in (("published evidence", plain), (f"{ROUNDS} trees", grown)):
            start = perf_counter()
            assessors[name] = Assessor(models.artefacts, evidence)
            ready[name] = (perf_counter() - start) * 1e3
        with_library = assessors[f"{ROUNDS} trees"]
        simulated = requests(PATIENTS)
        difference = largest_difference(with_library, library, simulated)
        assert difference < AGREEMENT, difference
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        sets = {"the example": [orjson.dumps(EXAMPLE_PATIENT)] * PATIENTS, "simulated": simulated}
        answers = {
            (model, kind): timed(assessor, contents * REPEATS)
            for model, assessor in assessors.items()
            for kind, contents in sets.items()
        }
        beside = side_by_side(with_library, library, simulated)
        batch = batch_rates(plain, grown, library, many_columns())
    measured = answer_page.Measured(answers, beside, batch, ready, difference, load)
    out.with_suffix(".md").write_text(answer_page.page(measured), "utf-8")


if __name__ == "__main__":
    typer.run(main)
