"""What a cohort cannot teach, because nothing in it differs: told with the model that it made.

The names of predictors and products are said, never a value.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from data_schemas.products import PRODUCTS
from serving.answer.words import label_of
from serving.model.tumour_burden import BURDEN, BurdenScale, tumour_burden
from training.cohort import LearningCohort
from training.learning.learner import Learnt
from training.learning.prior import ModelPrior
from training.report.labels import in_words, said, words_of

Array = np.ndarray

_NO_VALUE = "no value in the cohort learnt from, which teaches nothing of their effects"
# Away from the typical value such an effect is moved with the level: they cannot be told apart.
_ONE_VALUE = (
    "one value only in the cohort learnt from, which does not tell their effects from the level of "
    "risk"
)


def untaught(
    cohort: LearningCohort | None, learnt: Learnt, predictors: Sequence[str], prior: ModelPrior
) -> tuple[str, ...]:
    """Return a note for each kind of thing that the cohort of a model could not teach it.

    Parameters
    ----------
    predictors
        Those of the experiment.
    prior
        What was believed before the cohort.
    """
    if cohort is None or learnt.patients == 0:
        return ()
    notes = [*_of_effects(cohort, predictors, prior.burden_scale)]
    if prior.is_published:
        notes += _of_products(cohort)
    return tuple(notes)


def _of_effects(
    cohort: LearningCohort, predictors: Sequence[str], scale: BurdenScale
) -> Iterator[str]:
    different = {name: len(pd.unique(_known(name, cohort, scale))) for name in predictors}
    for values, said_of_them in enumerate((_NO_VALUE, _ONE_VALUE)):
        labels = [label_of(name) for name in predictors if different[name] == values]
        if labels:
            yield f"{said_of_them}: {', '.join(labels)}"


def _known(predictor: str, cohort: LearningCohort, scale: BurdenScale) -> Array:
    """Return the values or words of those patients of whom they are known."""
    if predictor == BURDEN:
        column = tumour_burden(cohort.columns, scale).percentile
    elif words_of(predictor):
        column = in_words(cohort.columns[predictor])
    else:
        column = np.asarray(cohort.columns[predictor], dtype=float)
    return column[~pd.isna(column)]


def _of_products(cohort: LearningCohort) -> Iterator[str]:
    products, diseases = (sorted(set(cohort.columns[name])) for name in ("product", "disease"))
    if len(products) == 1:
        given = PRODUCTS[products[0]].label
        where = f" in {said(diseases[0])}" if len(diseases) == 1 else ""
        yield (
            f"one product only in the cohort learnt from, {given}{where}: how others differ from "
            "it rests on the evidence"
        )
