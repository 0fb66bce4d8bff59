"""What answered when: the ledger of promotions in the store, read only."""

import hashlib
import json
from pathlib import Path
from typing import Any

from starlette.responses import Response

from serving.doors.json_answer import json_answer
from serving.doors.visit import Visit

LEDGER_FILE = "promotions.jsonl"
_BEGINNING = "0" * 64


class History:
    """Reads the ledger that promotions write."""

    def __init__(self, store: Path) -> None:
        """Name the store."""
        self._path = store / LEDGER_FILE

    async def history(self, _visit: Visit) -> Response:
        """Return every promotion, oldest first, and whether each line follows the one before."""
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        promotions, previous, intact = [], _BEGINNING, True
        for line in lines:
            promotion = _promotion(line)
            intact = intact and promotion.pop("previous", None) == previous
            promotions.append(promotion)
            previous = hashlib.sha256(line).hexdigest()
        return json_answer({"intact": intact, "history": [p for p in promotions if p]})


def _promotion(line: bytes) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
