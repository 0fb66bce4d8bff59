"""The same risks, one kind of patient at a time; groups too small to judge are not judged."""

from collections.abc import Mapping

import numpy as np

from training.evaluation.asked import Asked
from training.evaluation.calibration import observed_over_expected_estimate, slope_estimate
from training.evaluation.decision_curve import net_benefit_estimate
from training.evaluation.discrimination import auroc_estimate
from training.evaluation.intervals import missing
from training.evaluation.record import Cell, Subgroups
from training.evaluation.seen import Seen

Array = np.ndarray


def subgroups(seen: Seen, groups: Mapping[str, Array], asked: Asked) -> tuple[Subgroups, ...]:
    """Return one table for each way of sorting the patients; ``groups`` holds (n,) words each."""
    return tuple(
        Subgroups(by=by, cells=cells(seen, words[seen.patients], asked))
        for by, words in groups.items()
    )


def cells(seen: Seen, words: Array, asked: Asked) -> tuple[Cell, ...]:
    """Return one cell for each word, in alphabetical order; ``words`` has shape (m,)."""
    return tuple(cell(name, seen.take(words == name), asked) for name in sorted(set(words)))


def cell(group: str, seen: Seen, asked: Asked) -> Cell:
    """Measure one group, unless too few of it had, or were without, the outcome."""
    if min(seen.events, len(seen) - seen.events) < asked.smallest_cell:
        absent = missing(f"fewer than {asked.smallest_cell} with or without the outcome")
        return Cell(
            group=group,
            patients=len(seen),
            suppressed=True,
            events=None,
            auroc=absent,
            calibration_slope=absent,
            observed_over_expected=absent,
            net_benefit=(absent,) * len(asked.thresholds),
        )
    return measured(group, seen, asked)


def measured(group: str, seen: Seen, asked: Asked) -> Cell:
    """Measure one group, however few of it had the outcome."""
    return Cell(
        group=group,
        patients=len(seen),
        suppressed=False,
        events=seen.events,
        auroc=auroc_estimate(seen),
        calibration_slope=slope_estimate(seen),
        observed_over_expected=observed_over_expected_estimate(seen),
        net_benefit=tuple(net_benefit_estimate(seen, t) for t in asked.thresholds),
    )
