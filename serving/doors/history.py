"""What answered when: the ledger of promotions in the store, read only."""

import hashlib
import json
from pathlib import Path
from typing import Any

from starlette.responses import Response

from serving.doors.json_answer import json_answer
from serving.doors.visit import Visit
from serving.promotion_files import BEGINNING, HEAD_FILE, LEDGER_FILE


class History:
    """Reads the ledger that promotions write."""

    def __init__(self, store: Path) -> None:
        """Name the store."""
        self._path = store / LEDGER_FILE
        self._head = store / HEAD_FILE

    async def history(self, _visit: Visit) -> Response:
        """Return every promotion, oldest first, and whether the ledger is as it was written.

        Each line follows the one before, and the last is the one that was written last.
        """
        ends = self._ends()
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        ends |= self._ends()  # a promotion in between has written one of the two already
        promotions, previous, intact = [], BEGINNING, True
        for line in lines:
            promotion = _promotion(line)
            intact = intact and promotion.pop("previous", None) == previous
            promotions.append(promotion)
            previous = hashlib.sha256(line).hexdigest()
        intact = intact and (not ends or previous in ends)
        return json_answer({"intact": intact, "history": [p for p in promotions if p]})

    def _ends(self) -> set[str]:
        """Return what the hash of the last line may be; older ledgers do not know."""
        return set(self._head.read_text("utf-8").split()) if self._head.exists() else set()


def _promotion(line: bytes) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
