"""What the environment may decide, read once."""

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STORE = Path("models/in_service")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the models in service lie."""

    store: Path

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read ``CART_RISK_MODELS``; by default the store lies under the working directory."""
        return cls(store=Path(os.environ.get("CART_RISK_MODELS") or DEFAULT_STORE))
