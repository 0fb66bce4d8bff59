"""A scored cohort as one Parquet file: whoever has it can compute every number of a report again.

Columns are named ``kind/name``: ``left_out/3``, ``without/site``, ``refit/17``, ``drawn/17``,
``comparator/product_rate``, ``group/sex``. The file holds no patient identifier, but rows of
patients all the same: its owner alone may read it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_schemas.refusal import Refused
from serving.whole_file import FOR_ITS_OWNER, whole_file
from training.evaluation.scored_cohort import ScoredCohort

Array = np.ndarray

SCORED_FILE = "scored.parquet"
_SAID = b"scored_cohort"
_KNOWN_BY = "known_by"
_IN_WORDS = ("on", "fitted_here", "not_cross_validated")


class NoScoredCohort(Refused):
    """The folder holds no scored cohort that can be read."""


def save(scored: ScoredCohort, folder: Path) -> Path:
    """Write the file whole or not at all, for its owner only; return its path."""
    said = {name: getattr(scored, name) for name in _IN_WORDS}
    metadata = {_SAID: json.dumps(said).encode()}
    table = pa.table(dict(_columns(scored))).replace_schema_metadata(metadata)
    path = folder / SCORED_FILE
    with whole_file(path, FOR_ITS_OWNER) as sink:
        pq.write_table(table, sink)
    return path


def _columns(scored: ScoredCohort) -> Iterator[tuple[str, Array]]:
    yield from (("outcome", scored.outcome), ("model", scored.model))
    yield from (("low", scored.low), ("high", scored.high))
    if len(scored.known_by):
        yield (_KNOWN_BY, scored.known_by)
    for kind, rows in _rows(scored).items():
        yield from ((f"{kind}/{i}", row) for i, row in enumerate(rows))
    for kind, named in _named(scored).items():
        yield from ((f"{kind}/{name}", column) for name, column in named.items())


def _rows(scored: ScoredCohort) -> dict[str, Array]:
    return {"left_out": scored.left_out, "refit": scored.refits, "drawn": scored.drawn}


def _named(scored: ScoredCohort) -> dict[str, Mapping[str, Array]]:
    return {"without": scored.without, "comparator": scored.comparators, "group": scored.groups}


def load(folder: Path) -> ScoredCohort:
    """Read a scored cohort back, number for number.

    Raises
    ------
    NoScoredCohort
        If the folder holds none, or another kind of file by its name.
    """
    path = folder / SCORED_FILE
    if not path.is_file():
        raise NoScoredCohort(f"the folder has no {SCORED_FILE}: is it that of an evaluation?")
    try:
        table = pq.read_table(path)
        said = json.loads((table.schema.metadata or {})[_SAID])
    except (pa.ArrowInvalid, KeyError):
        raise NoScoredCohort(f"{SCORED_FILE} is not what an evaluation wrote") from None
    columns = {name: table[name].to_numpy() for name in table.column_names}

    def named(kind: str) -> dict[str, Array]:
        start = f"{kind}/"
        return {n.removeprefix(start): c for n, c in columns.items() if n.startswith(start)}

    def rows(kind: str, of: type) -> Array:
        found = list(named(kind).values())
        return np.array(found, dtype=of) if found else np.empty((0, 0), dtype=of)

    return ScoredCohort(
        on=said["on"],
        fitted_here=said["fitted_here"],
        not_cross_validated=said.get("not_cross_validated", ""),  # older files do not say it
        **{name: columns[name] for name in ("outcome", "model", "low", "high")},
        left_out=rows("left_out", float),
        without=named("without"),
        refits=rows("refit", float),
        drawn=rows("drawn", int),
        comparators=named("comparator"),
        groups=named("group"),
        known_by=columns.get(_KNOWN_BY, np.empty(0, dtype=np.uint64)),
    )
