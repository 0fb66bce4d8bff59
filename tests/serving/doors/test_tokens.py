"""Tokens of an issuer: only signed as asked, for us, in time; never `none`, never our own key."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serving.api_keys import Scope
from serving.doors import tokens
from serving.doors.problem import RequestRefused
from serving.doors.tokens import IssuerRefused, IssuerSettings, TokenIssuer

ISSUER, AUDIENCE = "https://id.hospital.example", "cart-risk"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
SHORT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2047)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(algorithm: str, key: Any, kid: str) -> dict[str, Any]:
    described = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return described | {"kid": kid, "alg": algorithm, "use": "sig"}


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    symmetric = {"kty": "oct", "kid": "hs", "alg": "HS256", "k": "c2VjcmV0"}
    keys = [jwk("RS256", RSA_KEY, "rs"), jwk("ES256", EC_KEY, "es"), symmetric]
    file.write_text(json.dumps({"keys": keys}), "utf-8")
    return file


@pytest.fixture
def issuer(jwks: Path) -> TokenIssuer:
    return TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, str(jwks)))


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    standard = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ehr", "exp": now + 300}
    return standard | {"scope": "openid cart-risk:assess"} | other


def token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str = "rs", **other: Any) -> str:
    return jwt.encode(claims(**other), key, algorithm, headers={"kid": kid})


def test_a_signed_token_gives_a_hashed_subject_and_its_scopes(issuer: TokenIssuer) -> None:
    subject, scopes = issuer.verified(token())
    assert scopes == {Scope.ASSESS}
    assert subject.startswith("token-")
    assert "ehr" not in subject
    assert issuer.verified(token(EC_KEY, "ES256", "es"))[0] == subject
    assert issuer.verified(token(sub="other"))[0] != subject


def test_scopes_may_be_a_list_in_another_claim(jwks: Path) -> None:
    issuer = TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, str(jwks), claim="roles"))
    sent = token(roles=["cart-risk:admin", "cart-risk:outcomes", "cart-risk:cook"])
    assert issuer.verified(sent)[1] == {Scope.ADMIN, Scope.OUTCOMES}


@pytest.mark.parametrize("said", [None, True, 5, {"cart-risk:admin": 1}, [["cart-risk:admin"]]])
def test_a_claim_that_is_neither_words_nor_a_list_of_them_opens_nothing(
    issuer: TokenIssuer, said: Any
) -> None:
    assert issuer.verified(token(scope=said))[1] == set()


def public_pem() -> bytes:
    return RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def unsigned() -> str:
    return jwt.encode(claims(), None, "none", headers={"kid": "rs"})


def signed_with_the_public_key() -> str:
    """The classic confusion: an asymmetric key taken for a shared secret."""
    import base64
    import hashlib
    import hmac

    def part(data: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "kid": "rs"}) + b"." + part(claims())
    signature = hmac.new(public_pem(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


WRONG = {
    "expired": lambda: token(exp=int(time.time()) - 120),
    "not yet": lambda: token(nbf=int(time.time()) + 600),
    "another issuer": lambda: token(iss="https://elsewhere.example"),
    "another audience": lambda: token(aud="payroll"),
    "another key": lambda: token(OTHER),
    "an unknown key": lambda: token(kid="new"),
    "no key named": lambda: jwt.encode(claims(), RSA_KEY, "RS256"),
    "unsigned": unsigned,
    "public key as secret": signed_with_the_public_key,
    "symmetric key of the set": lambda: token("secret" * 8, "HS256", "hs"),
    "no expiry": lambda: token(exp=None),
    "no subject": lambda: token(sub=None),
    "half a character as subject": lambda: token(sub="\ud800"),
    "no token": lambda: "a.b.c",
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("made", WRONG.values(), ids=WRONG)
def test_any_other_token_is_refused_without_a_reason(issuer: TokenIssuer, made: Any) -> None:
    with pytest.raises(RequestRefused) as caught:
        issuer.verified(made())
    assert caught.value.status == 401
    assert caught.value.detail == "send a valid key or token as `authorization: Bearer ...`"


def test_keys_of_an_address_are_fetched_and_outlive_its_failure(
    jwks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [httpx.Response(200, content=jwks.read_bytes()), httpx.Response(500)]

    def get(url: str, timeout: float) -> httpx.Response:
        assert (url, timeout) == ("https://id.hospital.example/keys", 5)
        answer = answers.pop(0)
        answer.request = httpx.Request("GET", url)
        return answer

    monkeypatch.setattr(tokens.httpx, "get", get)
    issuer = TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, "https://id.hospital.example/keys"))
    with pytest.raises(IssuerRefused):
        issuer.refresh()
    assert issuer.verified(token())


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", "3", '{"keys": []}', '{"keys": [{"kty": "?"}]}', "[" * 100_000, None],
    ids=range(8),
)
def test_keys_that_cannot_be_read_are_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(IssuerRefused, match=r"keys cannot be read .*CART_RISK_OIDC_JWKS"):
        TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, str(file)))


def test_an_issuer_without_a_key_that_could_open_anything_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text('{"keys": [{"kty": "oct", "kid": "hs", "k": "c2VjcmV0"}]}', "utf-8")
    with pytest.raises(IssuerRefused, match="is for RS256 or ES256"):
        TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, str(file)))


@pytest.mark.parametrize(
    "meant", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": "verify"}, {"use": 5}]
)
def test_a_key_that_is_not_meant_for_signatures_verifies_none(
    tmp_path: Path, meant: dict[str, Any]
) -> None:
    unmarked = {name: v for name, v in jwk("RS256", RSA_KEY, "rs").items() if name[0] in "kne"}
    file = tmp_path / "jwks.json"
    settings = IssuerSettings(ISSUER, AUDIENCE, str(file))
    file.write_text(json.dumps({"keys": [unmarked, jwk("ES256", EC_KEY, "es")]}), "utf-8")
    assert TokenIssuer(settings).verified(token())
    file.write_text(json.dumps({"keys": [unmarked | meant, jwk("ES256", EC_KEY, "es")]}), "utf-8")
    issuer = TokenIssuer(settings)
    assert issuer.verified(token(EC_KEY, "ES256", "es"))
    with pytest.raises(RequestRefused):
        issuer.verified(token())
    file.write_text(json.dumps({"keys": [unmarked | meant]}), "utf-8")
    with pytest.raises(IssuerRefused, match="is for RS256 or ES256"):
        issuer.refresh()


def private(algorithm: str, key: Any) -> dict[str, Any]:
    described = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)
    return described | {"kid": "flawed", "alg": algorithm, "key_ops": ["verify"]}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")  # when it signs
@pytest.mark.parametrize(
    ("key", "described", "reason"),
    [
        (SHORT_KEY, jwk("RS256", SHORT_KEY, "flawed"), "RSA key of less than 2048 bits"),
        (OTHER, private("RS256", OTHER), "a private key"),
        (EC_KEY, private("ES256", EC_KEY), "a private key"),
    ],
)
def test_a_key_that_others_could_sign_with_verifies_no_token(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    key: Any,
    described: dict[str, Any],
    reason: str,
) -> None:
    """RFC 7518, 3.3: a key of 2048 bits or larger must be used with RS256."""
    file = tmp_path / "jwks.json"
    settings = IssuerSettings(ISSUER, AUDIENCE, str(file))
    file.write_text(json.dumps({"keys": [described, jwk("RS256", RSA_KEY, "rs")]}), "utf-8")
    issuer = TokenIssuer(settings)
    assert reason in caplog.text
    assert issuer.verified(token())
    with pytest.raises(RequestRefused):
        issuer.verified(token(key, described["alg"], "flawed"))
    file.write_text(json.dumps({"keys": [described]}), "utf-8")
    with pytest.raises(IssuerRefused, match=reason):
        TokenIssuer(settings)


def test_an_unknown_key_is_remembered_until_the_keys_are_read_again(issuer: TokenIssuer) -> None:
    issuer.verified(token())
    with pytest.raises(RequestRefused):
        issuer.verified(token(OTHER))
    assert not issuer.met_unknown_key
    with pytest.raises(RequestRefused):
        issuer.verified(token(kid="new"))
    assert issuer.met_unknown_key
    issuer.refresh()
    assert not issuer.met_unknown_key


def test_a_key_without_a_name_that_was_changed_is_read_again(tmp_path: Path) -> None:
    """OpenID Connect Core 10.1 lets an issuer with a single key leave its name out."""
    file = tmp_path / "jwks.json"

    def issued(key: rsa.RSAPrivateKey) -> str:
        named = jwk("RS256", key, "")
        del named["kid"]
        file.write_text(json.dumps({"keys": [named]}), "utf-8")
        return jwt.encode(claims(), key, "RS256")

    before = issued(RSA_KEY)
    issuer = TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, str(file)))
    issuer.verified(before)
    after = issued(OTHER)
    with pytest.raises(RequestRefused):
        issuer.verified(after)
    assert issuer.met_unknown_key
    issuer.refresh()
    assert issuer.verified(after)


@pytest.mark.parametrize("jwks", ["http://id.hospital.example/keys", "https://id:port/keys"])
def test_an_address_that_cannot_be_asked_is_refused_by_the_setting(jwks: str) -> None:
    with pytest.raises(IssuerRefused, match="CART_RISK_OIDC_JWKS names a file, or an address"):
        TokenIssuer(IssuerSettings(ISSUER, AUDIENCE, jwks))


def test_the_environment_names_an_issuer_wholly_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ISSUER", "AUDIENCE", "JWKS", "CLAIM"):
        monkeypatch.delenv(f"CART_RISK_OIDC_{name}", raising=False)
    assert IssuerSettings.from_environment() is None
    monkeypatch.setenv("CART_RISK_OIDC_ISSUER", ISSUER)
    with pytest.raises(IssuerRefused, match="CART_RISK_OIDC_AUDIENCE, CART_RISK_OIDC_JWKS"):
        IssuerSettings.from_environment()
    monkeypatch.setenv("CART_RISK_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("CART_RISK_OIDC_JWKS", "/etc/jwks.json")
    assert IssuerSettings.from_environment() == IssuerSettings(
        ISSUER, AUDIENCE, "/etc/jwks.json", "scope"
    )
