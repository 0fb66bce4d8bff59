"""What a cohort is refused by: rules broken, by column and row, and never by a value."""

from collections.abc import Iterable
from dataclasses import dataclass

from data_schemas.refusal import Refused

_ROWS_NAMED = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of the contract that a column breaks, in the rows named (counted from 1)."""

    column: str
    rule: str
    message: str
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Name the column, the rule and at most twenty rows."""
        if not self.rows:
            return f"{self.column}: {self.message} [{self.rule}]"
        shown = ", ".join(map(str, self.rows[:_ROWS_NAMED]))
        more = f" and {len(self.rows) - _ROWS_NAMED} more" if len(self.rows) > _ROWS_NAMED else ""
        return f"{self.column}: {self.message} [{self.rule}; row {shown}{more}]"


class CohortRefused(Refused):
    """A table that breaks the contract; ``violations`` holds every one of them."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        lines = "\n".join(f"  - {violation}" for violation in self.violations)
        super().__init__(f"the cohort was refused, nothing was read:\n{lines}")

    @property
    def rules(self) -> set[str]:
        """The names of the rules that were broken."""
        return {violation.rule for violation in self.violations}
