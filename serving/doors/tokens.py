"""Bearer tokens of an OpenID Connect issuer: signed JWTs (RFC 7519), verified here, offline.

Only RS256 and ES256 are accepted, so a token that names ``none`` or a symmetric algorithm is
refused whatever it says; issuer, audience and expiry must be right.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from data_schemas.refusal import Refused
from serving.api_keys import Scope
from serving.doors.problem import RequestRefused

ALGORITHMS = ("RS256", "ES256")
SCOPE_PREFIX = "cart-risk:"
_JWKS = "CART_RISK_OIDC_JWKS"
LEAST_RSA_BITS = 2048
"""What RS256 demands (RFC 7518, 3.3); fewer may sign nothing since 2014 (NIST SP 800-131A)."""
_LEEWAY_SECONDS = 30
_LONGEST_FETCH_SECONDS = 5
_UNREADABLE = (
    *(OSError, httpx.HTTPError, httpx.InvalidURL),
    *(ValueError, RecursionError, jwt.PyJWTError),
)
_log = logging.getLogger("cart_risk.tokens")


class IssuerRefused(Refused):
    """An issuer that is configured in part, or whose keys cannot be read."""


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """Whose tokens are taken, for whom they must be, and where the issuer's keys are."""

    issuer: str
    audience: str
    jwks: str
    """A file, or an https address: read at start, every hour, and for a key that is not known."""
    claim: str = "scope"
    """The claim that holds ``cart-risk:assess`` and the like, as words in a text or as a list."""

    @classmethod
    def from_environment(cls) -> "IssuerSettings | None":
        """Read ``CART_RISK_OIDC_ISSUER``, ``_AUDIENCE``, ``_JWKS`` and ``_CLAIM``."""
        given = {
            name: os.environ.get(f"CART_RISK_OIDC_{name.upper()}", "")
            for name in ("issuer", "audience", "jwks")
        }
        if not any(given.values()):
            return None
        if missing := [f"CART_RISK_OIDC_{name.upper()}" for name, v in given.items() if not v]:
            raise IssuerRefused(f"an issuer needs {', '.join(missing)} as well")
        return cls(**given, claim=os.environ.get("CART_RISK_OIDC_CLAIM") or "scope")


class TokenIssuer:
    """Verifies the tokens of one issuer."""

    def __init__(self, settings: IssuerSettings) -> None:
        """Read the issuer's keys.

        Raises
        ------
        IssuerRefused
            If they cannot be read.
        """
        self._settings = settings
        self._keys = _signing_keys(settings.jwks)
        self.met_unknown_key = False
        """Whether a token named a key that was not among those last read."""

    def refresh(self) -> None:
        """Read the issuer's keys again; if they cannot be read, the known ones stay.

        Raises
        ------
        IssuerRefused
            If they cannot be read.
        """
        self.met_unknown_key = False
        self._keys = _signing_keys(self._settings.jwks)

    def verified(self, token: str) -> tuple[str, frozenset[Scope]]:
        """Return the hashed subject and the scopes of a token.

        Raises
        ------
        RequestRefused
            401, for whatever reason; which one it was is not told.
        """
        try:
            claims = jwt.decode(
                token,
                self._key(jwt.get_unverified_header(token).get("kid")),
                algorithms=ALGORITHMS,
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            subject = hashlib.sha256(f"{claims['iss']} {claims['sub']}".encode()).hexdigest()
        except (jwt.PyJWTError, KeyError, ValueError, TypeError) as error:
            if isinstance(error, jwt.InvalidSignatureError) and None in self._keys:
                # A key without a name is not known by it: the issuer may have changed it.
                self.met_unknown_key = True
            detail = "send a valid key or token as `authorization: Bearer ...`"
            challenge = {"www-authenticate": 'Bearer realm="cart-risk", error="invalid_token"'}
            raise RequestRefused(HTTPStatus.UNAUTHORIZED, detail, headers=challenge) from None
        return f"token-{subject[:16]}", self._scopes(claims)

    def _key(self, kid: str | None) -> jwt.PyJWK:
        if kid not in self._keys:
            # The issuer may have changed its keys: who keeps watch reads them again.
            self.met_unknown_key = True
        return self._keys[kid]

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        said = claims.get(self._settings.claim)
        # An issuer may write null, or anything else, for whoever has no role.
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        return frozenset(scope for scope in Scope if SCOPE_PREFIX + scope in words)


def _signing_keys(jwks: str) -> dict[str | None, jwt.PyJWK]:
    try:
        keys = _keys_to_verify(json.loads(_read(jwks)))
    except _UNREADABLE as error:
        reason = type(error).__name__
        message = f"the issuer's keys cannot be read ({reason})"
        raise IssuerRefused(f"{message}: {_JWKS} names a file, or an address with https") from None
    signing = [key for key in keys if key.algorithm_name in ALGORITHMS]
    sound = {key.key_id: key for key in signing if _flaw(key) is None}
    flaws = [flaw for flaw in map(_flaw, signing) if flaw is not None]
    if not sound:
        named = f": left out is {' and '.join(sorted(set(flaws)))}" if flaws else ""
        raise IssuerRefused(f"no key that {_JWKS} names is for {' or '.join(ALGORITHMS)}{named}")
    for flaw in flaws:
        _log.warning("a key of the issuer verifies no token: it is %s", flaw)
    return sound


def _flaw(key: jwt.PyJWK) -> str | None:
    """Say why somebody else than the issuer could sign with a key; None if nobody could."""
    if isinstance(key.key, RSAPrivateKey | EllipticCurvePrivateKey):
        return "a private key, with which every reader could sign"
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
        return f"an RSA key of less than {LEAST_RSA_BITS} bits (RFC 7518, section 3.3)"
    return None


def _keys_to_verify(read: Any) -> list[jwt.PyJWK]:
    listed = read.get("keys") if isinstance(read, dict) else None
    if not listed or not isinstance(listed, list):
        raise ValueError
    meant = [one for one in listed if isinstance(one, dict) and _is_to_verify(one)]
    return jwt.PyJWKSet(meant).keys if meant else []


def _is_to_verify(key: Mapping[str, Any]) -> bool:
    """Tell whether a key is meant for signatures (RFC 7517, 4.2 and 4.3), as one unmarked is."""
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(key.get("kid", ""), str)
    )


def _read(jwks: str) -> bytes:
    if jwks.startswith("https://"):
        return httpx.get(jwks, timeout=_LONGEST_FETCH_SECONDS).raise_for_status().content
    return Path(jwks).read_bytes()
