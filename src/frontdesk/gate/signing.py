"""Signed tokens: access tokens, visitors' cookies, the state of a sign-in under way. One algorithm, one key a kind."""

import contextlib
import hmac
import os
import secrets
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from frontdesk.ports import Clock, Ids

ALGORITHM = "HS256"
ISSUER = "frontdesk"


class Signer:
    """Issues and reads the tokens of one kind (RFC 7519, HS256).

    The key is derived from the desk's secret for this kind alone, so a token of one kind is never good for another. A
    token's header must be exactly ours: no algorithm, key id or key address of the sender's choosing is looked at.
    """

    def __init__(self, secret: bytes, kind: str, lifetime: timedelta, clock: Clock, ids: Ids) -> None:
        self._key = OctKey.import_key(derived_key(secret, kind))
        self._header = {"alg": ALGORITHM, "typ": f"{kind}+jwt"}
        self._kind = kind
        self._lifetime = lifetime
        self._clock = clock
        self._ids = ids

    @property
    def lifetime(self) -> timedelta:
        """How long a token is good."""
        return self._lifetime

    def issue(self, **claims: str) -> str:
        """A token that says `claims`."""
        now = int(self._clock.now().timestamp())
        standard = {"iss": ISSUER, "aud": self._kind, "iat": now, "exp": now + int(self._lifetime.total_seconds())}
        return jwt.encode(
            self._header, {**claims, **standard, "jti": self._ids.new("jwt")}, self._key, algorithms=[ALGORITHM]
        )

    def read(self, token: str) -> dict[str, str] | None:
        """What the token says, or None unless it is ours, of this kind and in its time."""
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": self._kind},
            exp={"essential": True},
        )
        try:
            read = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            rules.validate(read.claims)
        except (JoseError, ValueError):
            return None
        if read.header != self._header:
            return None
        return {name: value for name, value in read.claims.items() if isinstance(value, str)}


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose: HMAC-SHA-256 of the purpose under the secret."""
    return hmac.new(secret, f"frontdesk {purpose}".encode(), sha256).digest()


def _secret() -> str:
    return secrets.token_urlsafe(48)


def kept_secret(configured: str, file: Path, make: Callable[[], str] = _secret) -> bytes:
    """The configured secret, or one that this desk made for itself and keeps in `file` for its owner's eyes alone."""
    if configured:
        return configured.encode()
    if not file.exists():
        draft = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(make().encode())
        with contextlib.suppress(FileExistsError):  # another process was faster: its secret stands
            os.link(draft, file)
        draft.unlink()
    return file.read_bytes()
