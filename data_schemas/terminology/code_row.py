"""One code of a terminology, what it means here, and where that was read."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

_WITHOUT_DOT = re.compile(r"^([A-Z][0-9][0-9A-Z])(?=[0-9A-Z])(.)")
"""The start of an ICD-10 code as claims and billing systems send it: ``C8338`` is ``C83.38``."""


class Code(BaseModel):
    """One row of a table.

    A code of a classification stands for every code below it: ``C83.3`` for ``C83.38``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    """The short name of a terminology in ``systems.toml``."""
    code: str
    means: str
    display: str
    source: str
    verified: Literal["read", "unread"]
    """Whether the code was found in its source when the row was written, or taken over unread."""


class CodeTable:
    """Finds what a coding means; a system by any of the addresses under which it is sent."""

    def __init__(
        self, rows: Iterable[Code], addresses: Mapping[str, Iterable[str]], below: Iterable[str]
    ) -> None:
        """Sort the rows; ``below``: systems whose codes stand for those below them, too."""
        self.rows = tuple(rows)
        self._rows = {(row.system, row.code): row for row in self.rows}
        self._systems = {uri: system for system, uris in addresses.items() for uri in uris}
        self._below = frozenset(below)
        self._longest = max((len(row.code) for row in self.rows), default=0)

    def find(self, system: object, code: object) -> Code | None:
        """Return the row of a coding, the most exact one, or None."""
        known = self._systems.get(system) if isinstance(system, str) else None
        if known is None or not isinstance(code, str):
            return None
        if known in self._below:
            code = _WITHOUT_DOT.sub(r"\1.\2", code)
        exact = self._rows.get((known, code))
        if exact is not None or known not in self._below:
            return exact
        for length in range(min(len(code) - 1, self._longest), 0, -1):
            found = self._rows.get((known, code[:length]))
            if found is not None:
                return found
        return None

    def classifies(self, system: object) -> bool:
        """Tell whether its rows of the system are whole blocks: a code outside is none of them."""
        known = self._systems.get(system) if isinstance(system, str) else None
        return known in self._below and self.speaks(system)

    def speaks(self, system: object) -> bool:
        """Tell whether the table has any code of the system."""
        known = self._systems.get(system) if isinstance(system, str) else None
        return any(row.system == known for row in self.rows)
