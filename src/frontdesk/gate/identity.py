"""Who makes a request: an API key, a token of a session or of the widget, a visitor's cookie, and never two of them."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from frontdesk.errors import NotSignedIn
from frontdesk.gate.arrival import Arrival
from frontdesk.gate.signing import Signer
from frontdesk.gate.widget import PREFIX as WIDGET_PREFIX
from frontdesk.gate.widget import WidgetDoor
from frontdesk.messages import Caller, Person, Role
from frontdesk.ports import Clock
from frontdesk.store.keys import PREFIX, Keys
from frontdesk.store.people import People
from frontdesk.store.sessions import Sessions

SESSION_COOKIE = "fd_session"
REFRESH_COOKIE = "fd_refresh"
VISITOR_COOKIE = "fd_visitor"

BELIEVED_SECONDS = (
    2.0  # how long another process may take to notice a sign-out or a revoked key; in this one it is at once
)
MOST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows. `by_cookie` makes it subject to the checks against forged requests from other sites."""

    kind: str
    text: str
    by_cookie: bool


def credential_of(arrival: Arrival) -> Credential | None:
    """The request's credential, or None. Raises `NotSignedIn` for two at once and for schemes that the desk lacks."""
    authorization, key = arrival.text(b"authorization"), arrival.text(b"x-api-key")
    if authorization and key:
        raise NotSignedIn("The request shows two credentials", hint="Send `Authorization` or `x-api-key`, not both.")
    if key:
        return Credential("key", key.strip(), by_cookie=False)
    if authorization:
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise NotSignedIn("The desk knows only `Authorization: Bearer …`")
        return _bearer(text.strip())
    if b"cookie" in arrival.headers:
        cookies = cookies_of(arrival)
        for kind, name in (("session", SESSION_COOKIE), ("visitor", VISITOR_COOKIE)):
            if cookies.get(name):
                return Credential(kind, cookies[name], by_cookie=True)
    return None


def _bearer(text: str) -> Credential:
    if text.startswith(WIDGET_PREFIX):
        return Credential("widget", text.removeprefix(WIDGET_PREFIX), by_cookie=False)
    return Credential("key" if text.startswith(PREFIX) else "session", text, by_cookie=False)


def cookies_of(arrival: Arrival) -> dict[str, str]:
    """The request's cookies by name."""
    pairs = (pair.strip().partition("=") for pair in arrival.text(b"cookie").split(";"))
    return {name: value for name, _, value in pairs}


class Identity:
    """Turns credentials into callers, and remembers them for a moment."""

    def __init__(
        self,
        people: People,
        sessions: Sessions,
        keys: Keys,
        access: Signer,
        visitors: Signer | None,
        clock: Clock,
        widget: WidgetDoor | None = None,
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._keys = keys
        self._access = access
        self._visitors = visitors
        self._clock = clock
        self._widget = widget
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._rows: set[str] = set()
        self._epoch = 0

    @property
    def takes_visitors(self) -> bool:
        """Whether people may come in without signing in."""
        return self._visitors is not None

    async def caller(self, credential: Credential) -> Caller | None:
        """Who shows this credential, or None when it is wrong, expired or withdrawn."""
        if credential.kind == "visitor":
            return self._visitor(credential.text)
        digest = sha256(credential.text.encode()).digest()
        known = self._known.get(digest)
        now = self._clock.monotonic()
        if known is not None and known[1] > now and known[0].credential == credential.kind:
            return known[0]
        epoch = self._epoch
        look_up = {"key": self._of_key, "widget": self._of_widget}.get(credential.kind, self._of_session)
        caller = await look_up(credential.text)
        if caller is None:
            self._known.pop(digest, None)
        elif epoch == self._epoch:  # nothing was withdrawn while the database answered
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[digest] = (caller, now + BELIEVED_SECONDS)
        return caller

    def new_visitor(self, person_id: str) -> tuple[Caller, str]:
        """Somebody who comes for the first time, and the text of the cookie to know them by."""
        if self._visitors is None:
            raise NotSignedIn("This desk asks everybody to sign in")
        return _visitor(person_id), self._visitors.issue(sub=person_id)

    async def settle(self, caller: Caller) -> None:
        """Give a visitor who does something a row; one who only looks leaves none."""
        if caller.person.id not in self._rows:
            await self._people.ensure_visitor(caller.person.id)
            if len(self._rows) >= MOST_KNOWN:
                self._rows.clear()
            self._rows.add(caller.person.id)

    def forget_credential(self, credential_id: str) -> None:
        """A session has ended or a key was revoked: its next request is looked up."""
        self._forget(lambda caller: caller.credential_id == credential_id)

    def forget_person(self, person_id: str) -> None:
        """A person was changed, blocked or erased: their next requests are looked up."""
        self._forget(lambda caller: caller.person.id == person_id)
        self._rows.discard(person_id)

    def _forget(self, concerns: Callable[[Caller], bool]) -> None:
        self._epoch += 1
        self._known = {digest: known for digest, known in self._known.items() if not concerns(known[0])}

    async def _of_key(self, text: str) -> Caller | None:
        return await self._keys.caller(text) if text.startswith(PREFIX) else None

    async def _of_widget(self, text: str) -> Caller | None:
        return await self._widget.caller(text) if self._widget is not None else None

    async def _of_session(self, text: str) -> Caller | None:
        claims = self._access.read(text)
        if claims is None:
            return None
        session_id = claims.get("sid", "")
        person = await self._sessions.holder(session_id)
        if person is None or person.id != claims.get("sub"):
            return None
        return Caller(person=person, credential="session", credential_id=session_id)

    def _visitor(self, text: str) -> Caller | None:
        claims = self._visitors.read(text) if self._visitors is not None else None
        return _visitor(claims["sub"]) if claims and claims.get("sub") else None


def _visitor(person_id: str) -> Caller:
    return Caller(
        person=Person(id=person_id, name="Visitor", role=Role.VISITOR), credential="visitor", credential_id=person_id
    )
