"""The models that every service of the benchmark answers with."""

from pathlib import Path

from answer_models import of_evidence, with_trees
from models_in_store import write_store
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import Purpose, read_cohort
from training.simulation.synthetic_cohort import simulate

SEED = 20_261_128


def write_models(store: Path) -> None:
    """Let models of 200 trees of depth 2 for each outcome answer from a store."""
    with threadpool_limits(1):
        simulated = simulate(1000, 4, SEED)
        columns = read_cohort(simulated.table, Purpose.SCORING).columns()
        few = {name: column[:3] for name, column in columns.items()}
        write_store(with_trees(of_evidence(), simulated), store, few)
