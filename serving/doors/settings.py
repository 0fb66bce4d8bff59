"""What the environment decides about the doors, read once."""

import os
from dataclasses import dataclass
from pathlib import Path

from data_schemas.refusal import Refused
from serving.api_keys import KeyFile
from serving.doors.guard import Guard
from serving.doors.rate_limit import RateLimit
from serving.doors.tokens import IssuerSettings, TokenIssuer


class SettingRefused(Refused):
    """A setting that cannot be meant."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How many workers, how often a caller may ask, and what is switched on."""

    workers: int
    requests_per_second: float
    product_what_if: bool
    otlp_endpoint: str | None

    @classmethod
    def from_environment(cls) -> "DoorSettings":
        """Read ``CART_RISK_WORKERS``, ``_REQUESTS_PER_SECOND``, ``_PRODUCT_WHAT_IF``, ``_OTLP``.

        Raises
        ------
        SettingRefused
            Naming the setting that is no number, or too small.
        """
        return cls(
            workers=int(_number("CART_RISK_WORKERS", "1", least=1)),
            requests_per_second=_number("CART_RISK_REQUESTS_PER_SECOND", "10000", least=0.1),
            product_what_if=os.environ.get("CART_RISK_PRODUCT_WHAT_IF") == "on",
            otlp_endpoint=os.environ.get("CART_RISK_OTLP") or None,
        )

    def guard(self, store: Path) -> Guard:
        """Return the guard of a service whose models lie in ``store``.

        Raises
        ------
        NoAccess, KeyRefused, IssuerRefused
            If nobody could ask, or keys cannot be read.
        """
        issuer = IssuerSettings.from_environment()
        return Guard(
            KeyFile.beside(store),
            RateLimit(self.requests_per_second),
            TokenIssuer(issuer) if issuer else None,
        )


def _number(name: str, default: str, *, least: float) -> float:
    try:
        number = float(os.environ.get(name) or default)
    except ValueError:
        number = 0.0
    if not number >= least:
        raise SettingRefused(f"{name} must be a number of at least {least:g}")
    return number
