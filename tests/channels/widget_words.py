"""What a site's server signs about its visitor."""

import secrets
import time

from joserfc import jwt
from joserfc.jwk import OctKey

SECRET = "0123456789abcdef0123456789abcdef"


def word(sub: object, *, secret: str = SECRET, header: dict[str, str] | None = None, **claims: object) -> str:
    """A token for the site `main`, good for five minutes and used for the first time, unless `claims` say otherwise."""
    now = int(time.time())
    said = {"aud": "main", "sub": sub, "iat": now, "exp": now + 300, "jti": secrets.token_hex(8)} | claims
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(header or {"alg": "HS256"}, kept, OctKey.import_key(secret), algorithms=["HS256", "HS512"])
