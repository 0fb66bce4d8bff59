"""What the environment decides about the doors, read once."""

import os
from dataclasses import dataclass
from math import inf
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
            Naming the setting that cannot be meant, and what can.
        """
        return cls(
            workers=_workers(),
            requests_per_second=_number("CART_RISK_REQUESTS_PER_SECOND", "10000", least=0.1),
            product_what_if=_is_on("CART_RISK_PRODUCT_WHAT_IF"),
            otlp_endpoint=_address("CART_RISK_OTLP"),
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


def _workers() -> int:
    workers = _number("CART_RISK_WORKERS", "1", least=1)
    if workers != int(workers):
        raise SettingRefused("CART_RISK_WORKERS must be a whole number")
    return int(workers)


def _number(name: str, default: str, *, least: float) -> float:
    try:
        number = float(os.environ.get(name) or default)
    except ValueError:
        number = 0.0
    if not least <= number < inf:
        raise SettingRefused(f"{name} must be a number of at least {least:g}")
    return number


def _is_on(name: str) -> bool:
    given = os.environ.get(name) or "off"
    if given not in ("on", "off"):
        raise SettingRefused(f"{name} must be on or off")
    return given == "on"


def _address(name: str) -> str | None:
    given = os.environ.get(name) or None
    if given is not None and not given.startswith(("http://", "https://")):
        raise SettingRefused(f"{name} must begin with http:// or https://")
    return given
