"""A real OpenID Connect issuer on loopback, with a GitHub-like side door: for testing sign-in without the internet.

It signs ID tokens (RS256), serves discovery and keys, checks PKCE, client and redirect address; a code is good once.
`claims`, `algorithm` and `named_issuer` make it lie.
"""

import base64
import hmac
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from urllib.parse import urlencode

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from frontdesk.ports import Clock
from frontdesk.testing.serve import serve


@dataclass
class Account:
    """Somebody whom the issuer knows; the next sign-in is theirs."""

    subject: str = "1001"
    name: str = "Ann"
    email: str = "ann@example.com"
    email_verified: bool = True


@dataclass
class Issuer:
    """The issuer's state. `claims` overrides claims of the ID tokens; `algorithm` "none" or "HS256" forges them."""

    clock: Clock
    client_id: str = "desk"
    client_secret: str = field(default_factory=secrets.token_urlsafe)
    account: Account = field(default_factory=Account)
    claims: dict[str, object] = field(default_factory=dict[str, object])
    algorithm: str = "RS256"
    named_issuer: str = ""
    url: str = ""
    token_calls: int = 0
    key: RSAKey = field(default_factory=lambda: _first_key())
    _codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    _tokens: set[str] = field(default_factory=set[str])

    def change_key(self) -> None:
        """Sign with another key from now on, as issuers do from time to time."""
        self.key = _new_key(secrets.token_hex(4))

    def app(self) -> Starlette:
        """The issuer's pages."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/login/oauth/authorize", self._authorize),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Route("/user", self._user),
                Route("/user/emails", self._emails),
            ]
        )

    async def _configuration(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.named_issuer or self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != self.client_id or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=302)

    async def _token(self, request: Request) -> Response:
        self.token_calls += 1
        form = {name: str(value) for name, value in (await request.form()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        right = (
            asked is not None
            and hmac.compare_digest(challenge.decode(), asked["code_challenge"])
            and form.get("redirect_uri") == asked["redirect_uri"]
            and self._is_client(request, form)
        )
        if asked is None or not right:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        access = secrets.token_urlsafe(16)
        self._tokens.add(access)
        return JSONResponse(
            {"access_token": access, "token_type": "Bearer", "id_token": self._id_token(asked.get("nonce", ""))}
        )

    async def _user(self, request: Request) -> Response:
        if not self._is_bearer(request):
            return JSONResponse({"message": "Bad credentials"}, status_code=401)
        return JSONResponse({"id": int(self.account.subject), "login": "ann", "name": self.account.name})

    async def _emails(self, request: Request) -> Response:
        if not self._is_bearer(request):
            return JSONResponse({"message": "Bad credentials"}, status_code=401)
        verified = self.account.email_verified
        return JSONResponse([{"email": self.account.email, "primary": True, "verified": verified}])

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        by_form = (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)
        return by_form or request.headers.get("authorization") == f"Basic {basic}"

    def _is_bearer(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self._tokens

    def _id_token(self, nonce: str) -> str:
        now = int(self.clock.now().timestamp())
        claims: dict[str, object] = {
            "iss": self.url,
            "aud": self.client_id,
            "sub": self.account.subject,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "name": self.account.name,
            "email": self.account.email,
            "email_verified": self.account.email_verified,
        } | self.claims
        if self.algorithm == "none":
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        if self.algorithm == "HS256":  # the classic confusion: the public key taken for a shared secret
            signed = f"{_part({'alg': 'HS256', 'kid': str(self.key.kid)})}.{_part(claims)}"
            mark = hmac.new(self.key.as_pem(private=False), signed.encode(), sha256).digest()
            return f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"
        return jwt.encode({"alg": "RS256", "kid": str(self.key.kid)}, claims, self.key)


@asynccontextmanager
async def running_issuer(clock: Clock) -> AsyncGenerator[Issuer]:
    """The issuer, listening on a free loopback port."""
    issuer = Issuer(clock)
    async with serve(issuer.app()) as url:
        issuer.url = url
        yield issuer


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


@cache
def _first_key() -> RSAKey:
    return _new_key("first")  # made once a process: a key takes a quarter of a second


def _new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)
