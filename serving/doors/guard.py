"""Who may pass: API keys and bearer tokens, their scopes, and how often."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from data_schemas.refusal import Refused
from serving.api_keys import KeyFile, KeyRefused, KeyRing, Scope
from serving.doors.problem import RequestRefused
from serving.doors.rate_limit import RateLimit
from serving.doors.tokens import TokenIssuer

_SCHEME = "bearer"
_NO_FILE = (0, 0)


class NoAccess(Refused):
    """A service that nobody could ask: it does not start."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the id of a key, or the hashed subject of a token; never a name."""

    id: str
    scopes: frozenset[Scope]


class Guard:
    """Asks every caller for a key or a token."""

    def __init__(
        self,
        key_file: KeyFile,
        rate_limit: RateLimit,
        issuer: TokenIssuer | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read the keys.

        Raises
        ------
        NoAccess
            If no key is valid and no issuer of tokens is configured.
        """
        self._key_file = key_file
        self._rate_limit = rate_limit
        self._issuer = issuer
        self._clock = clock
        self._seen = _changed(key_file)
        self._keys = KeyRing(key_file.listed())
        self._unread: str | None = None
        self._had_file = self._seen != _NO_FILE
        if nobody := self._why_nobody():
            raise NoAccess(nobody)

    def refresh(self) -> None:
        """Read the keys again if their file changed; until it can be read, the former ones stay.

        Raises
        ------
        KeyRefused
            Each time that the file changed and cannot be read, or is no key file.
        """
        seen = _changed(self._key_file)
        if seen == self._seen and self._unread is None:
            return
        try:
            self._keys = KeyRing(self._key_file.listed())
        except KeyRefused as refused:
            self._unread = str(refused)
            raise
        self._seen, self._unread = seen, None
        self._had_file |= seen != _NO_FILE

    @property
    def refusal(self) -> str | None:
        """Why the keys are not those of the file, or let nobody pass; None if all is well."""
        if self._had_file and self._seen == _NO_FILE:
            return f"{self._key_file.path.name} is gone: no key opens anything until it is back"
        return self._unread or self._why_nobody()

    def _why_nobody(self) -> str | None:
        if self._issuer is not None or self._keys.opens_anything(self._clock()):
            return None
        return (
            f"no valid key in {self._key_file.path.name} and no issuer of tokens: run "
            "`cart-risk keys add`, or set CART_RISK_OIDC_ISSUER"
        )

    @property
    def met_unknown_key(self) -> bool:
        """Whether a token named a key of the issuer that is not known here."""
        return self._issuer is not None and self._issuer.met_unknown_key

    def refresh_issuer(self) -> None:
        """Read the issuer's keys again.

        Raises
        ------
        IssuerRefused
            If they cannot be read; the known ones stay.
        """
        if self._issuer is not None:
            self._issuer.refresh()

    def let_pass(self, authorization: str, scope: Scope) -> Caller:
        """Return the caller.

        Raises
        ------
        RequestRefused
            401 without a valid key or token, 403 without the scope, 429 if asked too often.
        """
        caller = self._caller(authorization)
        if scope not in caller.scopes:
            raise lacks_scope(scope)
        self._rate_limit.pass_one(caller.id)
        return caller

    def _caller(self, authorization: str) -> Caller:
        scheme, _, presented = authorization.partition(" ")
        presented = presented.strip()
        if scheme.lower() == _SCHEME and presented:
            key = self._keys.owner(presented, self._clock())
            if key is not None:
                return Caller(key.id, frozenset(key.scopes))
            if self._issuer is not None and presented.count(".") == 2:
                subject, scopes = self._issuer.verified(presented)
                return Caller(subject, scopes)
        raise not_recognised()


def not_recognised() -> RequestRefused:
    """Return the one answer to a missing, unknown, revoked or expired key or token."""
    detail = "send a valid key or token as `authorization: Bearer ...`"
    challenge = {"www-authenticate": 'Bearer realm="cart-risk"'}
    return RequestRefused(HTTPStatus.UNAUTHORIZED, detail, headers=challenge)


def lacks_scope(scope: Scope) -> RequestRefused:
    """Return the refusal of a caller who may do other things than this one."""
    detail = f"this key or token lacks the scope {scope}"
    challenge = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
    return RequestRefused(HTTPStatus.FORBIDDEN, detail, headers=challenge)


def _changed(key_file: KeyFile) -> tuple[int, int]:
    try:
        found = key_file.path.stat()
    except OSError:
        return _NO_FILE
    # Not the time of the content: whoever copies a file may keep it, and no chmod changes it.
    return (found.st_ctime_ns, found.st_ino)
