"""The aims that the project set itself for the learner, and whether the default reaches them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd
from learning_table import DEFAULT, LABELS, MAIN, OUTCOMES, best_local, markdown, ratio

Range = tuple[float, float]

COVERAGE: Range = (0.85, 0.95)
"""What share of the true risks 90 % intervals shall hold, unless an aim says otherwise."""

WORSE = 1.02
"""From this ratio of losses on, the default is said to fall short of another learner."""


@dataclass(frozen=True)
class Aim:
    """What the default shall reach when it has learnt from n patients of a centre.

    ``loss`` is the highest ratio of its excess log-loss to that of the best local learner or,
    where n is 0, of the product's rate; ``slope`` holds the median calibration slope.
    """

    n: int
    truth: str = MAIN
    loss: float | None = None
    slope: Range | None = None
    coverage: Range = COVERAGE


USUAL = (
    Aim(0, loss=0.45, slope=(0.80, 1.25), coverage=(0.85, 0.97)),
    Aim(100, loss=0.40, slope=(0.80, 1.25)),
    Aim(200, loss=0.45, slope=(0.85, 1.20)),
    Aim(500, loss=0.70, slope=(0.90, 1.15)),
    Aim(5000, loss=1.00, slope=(0.95, 1.05)),
)
AIMS = (
    *USUAL,
    Aim(200, "reversed", loss=1.00),
    # A literature that holds whole is no excuse: the same aims.
    *(replace(aim, truth="stronger") for aim in USUAL if aim.n <= 200),
)


def aim_of(n: int, truth: str) -> Aim:
    """Return the aim for a cell of the comparison; where none is stated, that of coverage."""
    stated = [aim for aim in AIMS if (aim.n, aim.truth) == (n, truth)]
    return stated[0] if stated else Aim(n, truth)


@dataclass(frozen=True)
class Check:
    """One number of the default beside its aim."""

    what: str
    wanted: str
    reached: str
    met: bool


def checks(aim: Aim, by_name: pd.DataFrame) -> Iterator[Check]:
    """Hold the lines of one cell, indexed by learner, against its aim."""
    us = by_name.loc[DEFAULT]
    if aim.loss is not None:
        yield _loss_check(aim, by_name)
    if aim.slope:
        low, high = aim.slope
        wanted, reached = f"{low:.2f} to {high:.2f}", f"{us['slope']:.2f}"
        yield Check("median calibration slope", wanted, reached, low <= us["slope"] <= high)
    low, high = aim.coverage
    wanted, reached = f"{100 * low:.0f} to {100 * high:.0f} %", f"{100 * us['coverage']:.1f} %"
    yield Check("coverage of 90 % intervals", wanted, reached, low <= us["coverage"] <= high)


def _loss_check(aim: Aim, by_name: pd.DataFrame) -> Check:
    other = best_local(by_name) if aim.n else by_name.loc["product_rate"]
    assert aim.loss is not None
    assert other is not None
    return Check(
        f"excess log-loss / {'best local' if aim.n else 'product rate'}",
        f"at most {aim.loss:.2f}",
        ratio(other, 3),
        other["default_over_this"] <= aim.loss,
    )


def aims_part(everyone: pd.DataFrame) -> str:
    """Return the section that holds both outcomes against the aims.

    Parameters
    ----------
    everyone
        The lines over all centres, under every truth.
    """
    body = []
    for aim in AIMS:
        cells = [_cell(everyone, outcome, aim.n, aim.truth) for outcome in OUTCOMES]
        if any(cell.empty for cell in cells):
            continue
        where = f"{aim.n}" if aim.truth == MAIN else f"{aim.n}, literature {aim.truth}"
        for pair in zip(*(checks(aim, cell) for cell in cells), strict=True):
            said = [c.reached if c.met else f"**{c.reached}, missed**" for c in pair]
            body.append([where, pair[0].what, pair[0].wanted, *said])
    head = ["n", "what", "aim", *OUTCOMES.values()]
    return (
        "## The aims of the project\n\n"
        f"What the default shall reach, and what it reached over {everyone['centres'].max()} "
        "centres, in parentheses a 90 % interval over centres:\n\n" + markdown(head, body, 3)
    )


def _cell(frame: pd.DataFrame, outcome: str, n: int, truth: str) -> pd.DataFrame:
    """Return the lines of one cell of the comparison, indexed by learner."""
    here = (frame["outcome"] == outcome) & (frame["n"] == n) & (frame["truth"] == truth)
    return frame[here].set_index("learner")


def shortcomings(everyone: pd.DataFrame, slow: pd.DataFrame) -> list[str]:
    """Return what the default does not do well, in words: aims missed, then better learners.

    Parameters
    ----------
    everyone
        The lines over all centres, under every truth.
    slow
        The lines over the few centres on which slow learners ran.
    """
    missed = [
        f"{_where(outcome, n, truth)}: {check.what} is {check.reached}; the aim is {check.wanted}."
        for truth, outcome, n in _cells(everyone)
        for check in checks(aim_of(n, truth), _cell(everyone, outcome, n, truth))
        if not check.met
    ]
    # Those of many centres come first and stay where a learner ran on both.
    compared = pd.concat([everyone, slow]).drop_duplicates(["truth", "outcome", "n", "learner"])
    better = [
        _better(line, _where(outcome, n, truth))
        for truth, outcome, n in _cells(compared)
        for _, line in _cell(compared, outcome, n, truth).iterrows()
        if line["default_over_this"] > WORSE
    ]
    return [*missed, *better] or ["Nothing found."]


def _cells(frame: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Return truth, outcome and n of every cell, those of the main comparison first."""
    found = frame[["truth", "outcome", "n"]].drop_duplicates().itertuples(index=False, name=None)
    return sorted(found, key=lambda cell: (cell[0] != MAIN, *cell))


def _where(outcome: str, n: int, truth: str) -> str:
    return f"{OUTCOMES[outcome]}, n = {n}" + ("" if truth == MAIN else f", {truth}")


def _better(line: pd.Series, where: str) -> str:
    sure = "clearly" if line["ratio_low"] > 1 else "within the noise of the centres"
    return (
        f"{where}: {LABELS[str(line.name)]} loses less, {line['excess_log_loss']:.1f}; "
        f"the default loses {ratio(line)} times as much, {sure}."
    )
