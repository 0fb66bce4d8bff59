"""What the environment may decide, read once."""

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STORE = Path("models/in_service")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the assessment log lies; :mod:`serving.assessment_log.opening` says what is accepted.

    ``url`` and ``key_file`` are None where the environment does not name them.
    """

    url: str | None = None
    key_file: Path | None = None
    inputs: str = "encrypted"

    @classmethod
    def from_environment(cls) -> "LogSettings":
        """Read ``CART_RISK_LOG_URL``, ``CART_RISK_LOG_KEY_FILE`` and ``CART_RISK_LOG_INPUTS``."""
        key_file = os.environ.get("CART_RISK_LOG_KEY_FILE")
        return cls(
            url=os.environ.get("CART_RISK_LOG_URL") or None,
            key_file=Path(key_file) if key_file else None,
            inputs=os.environ.get("CART_RISK_LOG_INPUTS") or "encrypted",
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the models in service lie."""

    store: Path

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read ``CART_RISK_MODELS``; by default the store lies under the working directory."""
        return cls(store=Path(os.environ.get("CART_RISK_MODELS") or DEFAULT_STORE))
