"""Every figure that is read, every effect that follows from figures, and rows that are altered."""

from dataclasses import replace

import pytest

from data_schemas.evidence import Evidence
from training.synthesis.figures import STEPS

EVERY_STEP = [
    pytest.param(outcome, key, step, id=f"{outcome}-{key[0]}{key[2]}-{step[1]}")
    for outcome, by_key in STEPS.items()
    for key, steps in by_key.items()
    for step in steps
]
EVERY_EFFECT = [
    pytest.param(outcome, key, id=f"{outcome}-{'-'.join(key)}")
    for outcome, by_key in STEPS.items()
    for key in by_key
]


def changed(evidence: Evidence, row_id: str, **update: object) -> Evidence:
    """Return the evidence with one association altered."""
    rows = tuple(
        row.model_copy(update=update) if row.id == row_id else row for row in evidence.associations
    )
    assert rows != evidence.associations
    return replace(evidence, associations=rows)
