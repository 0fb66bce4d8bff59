"""A worker in small: writes to the log until it is killed, and prints the id of what is on disk.

``python writing_process.py ADDRESS KEY_FILE``
"""

import asyncio
import os
import sys
from pathlib import Path

from serving.assessment_log.entries import LogEntry
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogUnavailable
from serving.settings import LogSettings

CALLERS = 16


async def call(log: AssessmentLog) -> None:
    """Ask again and again; whatever was acknowledged is said at once."""
    while True:
        try:
            receipt = await log.append(LogEntry(answer=b'{"risk": 0.1}' * 100, input=b"{}"))
        except LogUnavailable:
            await asyncio.sleep(0.01)
        else:
            os.write(1, f"{receipt.id}\n".encode())


async def work(settings: LogSettings) -> None:
    """Open the log and let the callers call."""
    log = AssessmentLog.open(settings)
    await asyncio.gather(*(call(log) for _ in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(work(LogSettings(sys.argv[1], Path(sys.argv[2]))))
