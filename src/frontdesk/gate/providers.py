"""Sign-in through other sites: any OpenID Connect issuer (Google among them), and GitHub.

Authorization code flow with PKCE (RFC 7636, S256), state and nonce. What counts afterwards is the pair of issuer and
subject; an e-mail address is only believed where the provider says that it has verified it.
"""

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from frontdesk.errors import FrontdeskError, NotSignedIn
from frontdesk.gate.options import GateOptions
from frontdesk.ports import Clock

GOOGLE = "https://accounts.google.com"
GITHUB = "https://github.com"
GITHUB_API = "https://api.github.com"

SIGNATURES = ("RS256", "ES256", "PS256", "EdDSA")  # never `none`, never a shared key
KEY_KINDS = ("RSA", "EC", "OKP")
FRESH_SECONDS = 3600.0  # how long an issuer's configuration and keys are believed
LARGEST_ANSWER = 1_000_000
LEEWAY = 60  # seconds that an issuer's clock may differ

T = TypeVar("T")


class ProviderUnavailable(FrontdeskError):
    """The site that was to vouch for somebody does not answer, or not as its protocol says."""

    code = "provider_unavailable"
    status = 502
    default_hint = "Try again, or sign in another way."


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets of one sign-in under way, and where the provider sends the browser back to."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """The verifier's S256 challenge (RFC 7636, 4.2)."""
        return base64.urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a provider vouches for. `email` is empty unless the provider has verified it."""

    issuer: str
    subject: str
    name: str
    email: str


class Provider(Protocol):
    """A site that vouches for people."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    async def start(self, flow: Flow) -> str:
        """Where to send the browser."""
        ...

    async def finish(self, flow: Flow, code: str) -> Vouched:
        """Trade the code that came back. Raises `NotSignedIn` or `ProviderUnavailable`."""
        ...


class _Configuration(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _KeySet(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, object], ...]


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str = ""
    id_token: str = ""


class OpenIdProvider:
    """An OpenID Connect issuer, known by its discovery document (OpenID Connect Discovery 1.0)."""

    def __init__(
        self, id: str, name: str, issuer: str, client: tuple[str, str], http: httpx2.AsyncClient, clock: Clock
    ) -> None:
        self.id = id
        self.name = name
        self._issuer = issuer.rstrip("/")
        self._client_id, self._client_secret = client
        self._http = http
        self._clock = clock
        self._known: tuple[_Configuration, KeySet, float] | None = None

    async def start(self, flow: Flow) -> str:
        """Where to send the browser."""
        configuration, _ = await self._configuration()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": flow.redirect_uri,
            "scope": "openid email profile",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return f"{configuration.authorization_endpoint}?{urlencode(query)}"

    async def finish(self, flow: Flow, code: str) -> Vouched:
        """Trade the code for an ID token and check it (OpenID Connect Core 1.0, 3.1.3.7)."""
        configuration, _ = await self._configuration()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        by_header = "client_secret_basic" in configuration.token_endpoint_auth_methods_supported
        if not by_header:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        auth = (self._client_id, self._client_secret) if by_header else None
        tokens = await _post(self._http, configuration.token_endpoint, form, auth)
        return self._vouched(await self._claims(tokens.id_token), flow.nonce)

    async def _claims(self, token: str) -> Mapping[str, object]:
        _, keys = await self._configuration()
        try:
            return self._checked(token, keys)
        except (JoseError, ValueError):
            _, keys = await self._configuration(again=True)  # the issuer may have changed its keys
        try:
            return self._checked(token, keys)
        except (JoseError, ValueError) as error:
            raise NotSignedIn(f"{self.name} sent an ID token that does not hold: {type(error).__name__}") from error

    def _checked(self, token: str, keys: KeySet) -> Mapping[str, object]:
        read = jwt.decode(token, keys, algorithms=SIGNATURES)
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        rules.validate(read.claims)
        return read.claims

    def _vouched(self, claims: Mapping[str, object], nonce: str) -> Vouched:
        if claims.get("nonce") != nonce or claims.get("azp", self._client_id) != self._client_id:
            raise NotSignedIn(f"{self.name} answered another sign-in than this one")
        email = str(claims.get("email", "")) if claims.get("email_verified") is True else ""
        name = str(claims.get("name") or claims.get("preferred_username") or email or self.name)
        return Vouched(issuer=self._issuer, subject=str(claims["sub"]), name=name[:200], email=email)

    async def _configuration(self, *, again: bool = False) -> tuple[_Configuration, KeySet]:
        now = self._clock.monotonic()
        if self._known is not None and now < self._known[2] and not again:
            return self._known[0], self._known[1]
        address = f"{self._issuer}/.well-known/openid-configuration"
        found = await _get(self._http, address, _Configuration, {})
        if found.issuer.rstrip("/") != self._issuer:
            raise ProviderUnavailable(f"{self.name} calls itself {found.issuer}", where=address)
        for endpoint in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            if urlsplit(endpoint).scheme != "https" and urlsplit(self._issuer).scheme == "https":
                raise ProviderUnavailable(f"{self.name} names an endpoint without HTTPS", where=endpoint)
        raw = await _get(self._http, found.jwks_uri, _KeySet, {})
        fit = [key for key in raw.keys if key.get("kty") in KEY_KINDS]
        keys = KeySet.import_key_set(
            {"keys": [{name: value for name, value in key.items() if isinstance(value, str)} for key in fit]}
        )
        self._known = (found, keys, now + FRESH_SECONDS)
        return found, keys


class _GitHubUser(msgspec.Struct, frozen=True):
    id: int
    login: str
    name: str | None = None


class _GitHubEmail(msgspec.Struct, frozen=True):
    email: str
    primary: bool
    verified: bool


class GitHubProvider:
    """GitHub, which speaks OAuth 2 without ID tokens: its API tells who holds the access token."""

    id = "github"
    name = "GitHub"

    def __init__(
        self, client: tuple[str, str], http: httpx2.AsyncClient, *, site: str = GITHUB, api: str = GITHUB_API
    ) -> None:
        self._client_id, self._client_secret = client
        self._http = http
        self._site = site
        self._api = api

    async def start(self, flow: Flow) -> str:
        """Where to send the browser."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": flow.redirect_uri,
            "scope": "read:user user:email",
            "state": flow.state,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._site}/login/oauth/authorize?{urlencode(query)}"

    async def finish(self, flow: Flow, code: str) -> Vouched:
        """Trade the code for an access token, and ask whose it is."""
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        tokens = await _post(self._http, f"{self._site}/login/oauth/access_token", form, None)
        headers = {"Authorization": f"Bearer {tokens.access_token}"}
        user = await _get(self._http, f"{self._api}/user", _GitHubUser, headers)
        emails = await _get(self._http, f"{self._api}/user/emails", list[_GitHubEmail], headers)
        email = next((entry.email for entry in emails if entry.primary and entry.verified), "")
        return Vouched(issuer=self._site, subject=str(user.id), name=(user.name or user.login)[:200], email=email)


def providers_of(options: GateOptions, http: httpx2.AsyncClient, clock: Clock) -> dict[str, Provider]:
    """The providers that the options set up, by id."""
    found: list[Provider] = []
    if options.google_client_id:
        client = (options.google_client_id, options.google_client_secret.get_secret_value())
        found.append(OpenIdProvider("google", "Google", GOOGLE, client, http, clock))
    if options.github_client_id:
        found.append(GitHubProvider((options.github_client_id, options.github_client_secret.get_secret_value()), http))
    if options.oidc_issuer and options.oidc_client_id:
        client = (options.oidc_client_id, options.oidc_client_secret.get_secret_value())
        found.append(OpenIdProvider("oidc", options.oidc_name, options.oidc_issuer, client, http, clock))
    return {provider.id: provider for provider in found}


async def _post(http: httpx2.AsyncClient, url: str, form: dict[str, str], auth: tuple[str, str] | None) -> _Tokens:
    basic = httpx2.BasicAuth(*auth) if auth else httpx2.USE_CLIENT_DEFAULT
    try:
        answer = await http.post(url, data=form, auth=basic, headers={"Accept": "application/json"})
    except httpx2.HTTPError as error:
        raise ProviderUnavailable(f"The provider did not answer: {type(error).__name__}", where=url) from error
    if answer.status_code in (400, 401, 403):
        raise NotSignedIn("The provider refused the code; it works once and not for long", hint="Sign in again.")
    tokens = _read(answer, _Tokens)
    if not (tokens.access_token or tokens.id_token):
        raise NotSignedIn("The provider refused the code; it works once and not for long", hint="Sign in again.")
    return tokens


async def _get(http: httpx2.AsyncClient, url: str, kind: type[T], headers: dict[str, str]) -> T:
    try:
        answer = await http.get(url, headers={"Accept": "application/json", **headers})
    except httpx2.HTTPError as error:
        raise ProviderUnavailable(f"The provider did not answer: {type(error).__name__}", where=url) from error
    return _read(answer, kind)


def _read(answer: httpx2.Response, kind: type[T]) -> T:
    where = str(answer.url)
    if answer.status_code != 200 or len(answer.content) > LARGEST_ANSWER:
        raise ProviderUnavailable(f"The provider answered {answer.status_code}", where=where)
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.MsgspecError as error:
        raise ProviderUnavailable("The provider's answer is not of its protocol's form", where=where) from error
