"""Who writes in the widget: anybody, as a visitor, or whom the site's own server vouches for.

The site's server signs a short token (JWT, HS256, with the secret that it shares with the desk): `aud` is the site's
id, `sub` its own id of the person, `exp` at most ten minutes after `iat`, and `jti` counts once. `name` and `email` are
optional. Whoever shows anything else is a visitor, and never that person.

The desk answers with tokens of its own: a bearer for an hour, which opens the widget's calls and nothing else, one to
come back with, and, for visitors, one that ends with the browser's session and proves which conversations began in it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from frontdesk.errors import BadSetting, Conflict, Forbidden, NotFound, Unprocessable
from frontdesk.gate.signing import ALGORITHM, Signer
from frontdesk.gate.sites import SHORTEST_SECRET, PreChatField, Site
from frontdesk.messages import Caller, Person, Role
from frontdesk.ports import Clock, Ids
from frontdesk.store.people import People, PersonRow
from frontdesk.store.widget import Told, WidgetVisitors

log = structlog.get_logger("frontdesk.gate")

PREFIX = "fdw_"
BEARER = timedelta(hours=1)
VISITORS_RETURN = timedelta(days=30)  # a visitor who comes back later is a new one
PERSONS_RETURN = timedelta(days=1)  # the site's server vouches anew on each of its pages
VISIT = timedelta(hours=12)
LONGEST_VOUCH = timedelta(minutes=10)
SKEW = timedelta(minutes=1)  # between the clocks of the site's server and the desk
LONGEST_ANSWER = 500
VISITOR = "Visitor"  # the name of people without one


class IdentityRequired(Forbidden):
    """The site lets nobody chat whom its own server does not vouch for."""

    code = "identity_required"
    default_hint = "Sign in on this site, then open the chat again."


class Vouch(msgspec.Struct, frozen=True, kw_only=True):
    """What the site's server says of its visitor. `aud` is checked by the library."""

    sub: str
    jti: str
    iat: float
    exp: float
    name: str = ""
    email: str = ""


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has come in. Without `token` the form must be filled in first."""

    person: Person
    known: bool
    token: str
    renewal: str
    visit: str
    email: str
    conversation_id: str | None


class WidgetDoor:
    """The widget's way in. `secrets` are those of sites that vouch, by the site's id; `key` signs the desk's tokens."""

    def __init__(
        self,
        sites: Sequence[Site],
        secrets: Mapping[str, str],
        people: People,
        visitors: WidgetVisitors,
        key: bytes,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._sites = {site.id: site for site in sites}
        self._keys = {site: OctKey.import_key(_long_enough(secret, site)) for site, secret in secrets.items()}
        self._people = people
        self._visitors = visitors
        self._clock = clock
        self._ids = ids
        self._bearer = Signer(key, "widget", BEARER, clock, ids)
        self._visit = Signer(key, "widget-visit", VISIT, clock, ids)
        self._return = {
            False: Signer(key, "widget-visitor", VISITORS_RETURN, clock, ids),
            True: Signer(key, "widget-person", PERSONS_RETURN, clock, ids),
        }

    def site(self, site_id: str) -> Site:
        """The site, or `NotFound`."""
        if site_id not in self._sites:
            raise NotFound("This desk knows no such site", where="site")
        return self._sites[site_id]

    @property
    def sites(self) -> tuple[Site, ...]:
        """All sites that show the widget."""
        return tuple(self._sites.values())

    async def enter(
        self,
        site_id: str,
        *,
        identity: str = "",
        renewal: str = "",
        visit: str = "",
        answers: Mapping[str, str] | None = None,
    ) -> Entered:
        """Come in, or go on. `identity` is the site's word, `renewal` and `visit` are from the last time.

        What a visitor began in this visit goes over to the person whom the site now vouches for. Raises `NotFound` for
        an unknown site, `IdentityRequired`, `Unprocessable` for answers that the form does not take.
        """
        site = self.site(site_id)
        told_now = _checked(site.pre_chat, answers) if answers is not None else None
        row = await self._vouched(site, identity) if identity else None
        if row is not None:
            await self._carry_over(site, visit, row.id)
            return await self._begun(site, row.person, known=True, visit="", answers=told_now)
        for known in (True, False):
            person = await self._returned(site, renewal, known=known)
            if person is not None and (known or not site.require_identity):
                return await self._begun(site, person, known=known, visit=visit, answers=told_now)
        if site.require_identity:
            raise IdentityRequired("This chat is for people who are signed in on this site")
        person = _visitor(self._ids.new("per"))
        return await self._begun(site, person, known=False, visit="", answers=told_now)

    async def caller(self, token: str) -> Caller | None:
        """Whose bearer token this is; None when it is wrong, expired, of a former site, or its person is gone."""
        claims = self._bearer.read(token)
        if claims is None or claims.get("site") not in self._sites:
            return None
        person = await self._person(claims["sub"], known=claims["known"] == "1")
        if person is None:
            return None
        return Caller(person=person, credential="widget", credential_id=f"widget:{claims['site']}", scopes=("chat",))

    async def _begun(
        self, site: Site, person: Person, *, known: bool, visit: str, answers: Mapping[str, str] | None
    ) -> Entered:
        told = await self._visitors.told(person.id)
        if answers is not None:
            person, told = await self._tell(site, person, told, answers)
        conversation_id = await self._visitors.conversation(person.id)
        if answers and conversation_id is None:
            title = answers.get("name") or next(iter(answers.values()))
            conversation_id = await self._visitors.begin(person.id, title, _note(site, answers))
        claims = {"sub": person.id, "site": site.id}
        is_asked = _missing(site, told) is not None
        return Entered(
            person=person,
            known=known,
            token="" if is_asked else PREFIX + self._bearer.issue(known="1" if known else "", **claims),
            renewal=self._return[known].issue(**claims),
            visit="" if known else self._kept_visit(visit, claims),
            email=told.email if told else "",
            conversation_id=conversation_id,
        )

    async def _tell(
        self, site: Site, person: Person, before: Told | None, answers: Mapping[str, str]
    ) -> tuple[Person, Told]:
        """Keep the answers; a visitor's `name` becomes the name of the person."""
        addresses = [answers[field.name] for field in site.pre_chat if field.kind == "email" and field.name in answers]
        told = Told(
            person_id=person.id,
            site=site.id,
            email=addresses[0] if addresses else before.email if before else "",
            answers={**(before.answers if before else {}), **answers},
            told_at=self._clock.now(),
        )
        if (missing := _missing(site, told)) is not None:
            raise Unprocessable("The form needs an answer here", where=f"answers.{missing}")
        await self._people.ensure_visitor(person.id)
        await self._visitors.tell(told)
        if person.role is Role.VISITOR and answers.get("name"):
            person = (await self._people.change(person.id, name=answers["name"])).person
        return person, told

    async def _vouched(self, site: Site, identity: str) -> PersonRow | None:
        """The person whom the site's server names; None unless its word is good, and used for the first time."""
        vouch = self._read(site, identity)
        if vouch is None:
            return None
        if not await self._visitors.spend(site.id, vouch.jti, _moment(vouch.exp) + SKEW):
            log.warning("widget_identity_refused", reason_code="replayed")
            return None
        row = await self._named(site, vouch)
        if row.state != "active" or row.role not in (Role.VISITOR, Role.MEMBER):
            return None
        if vouch.name and row.role is Role.VISITOR and row.name != vouch.name:
            row = await self._people.change(row.id, name=vouch.name)
        await self._believe(site, row.id, vouch)
        return row

    async def _named(self, site: Site, vouch: Vouch) -> PersonRow:
        """The person of this site and subject, who is added when they come for the first time."""
        identity = (f"widget:{site.id}", vouch.sub)
        row = await self._people.by_identity(*identity)
        if row is not None:
            return row
        try:
            return await self._people.add(name=vouch.name or VISITOR, role=Role.VISITOR, identity=identity)
        except Conflict:  # another tab was faster
            row = await self._people.by_identity(*identity)
            if row is None:
                raise
            return row

    async def _believe(self, site: Site, person_id: str, vouch: Vouch) -> None:
        """Keep what the site says of the person, as if they had said it in the form."""
        before = await self._visitors.told(person_id)
        answers = {**(before.answers if before else {}), **({"name": vouch.name} if vouch.name else {})}
        email = vouch.email or (before.email if before else "")
        if before is None or (before.email, before.answers) != (email, answers):
            now = self._clock.now()
            await self._visitors.tell(
                Told(person_id=person_id, site=site.id, email=email, answers=answers, told_at=now)
            )

    def _read(self, site: Site, identity: str) -> Vouch | None:
        key, now = self._keys.get(site.id), self._clock.now().timestamp()
        if key is None:
            return None
        rules = jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=int(SKEW.total_seconds()),
            aud={"essential": True, "value": site.id},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            read = jwt.decode(identity, key, algorithms=[ALGORITHM])
            rules.validate(read.claims)
            vouch = msgspec.convert(read.claims, Vouch)
        except (JoseError, ValueError):  # msgspec's errors are ValueErrors
            log.warning("widget_identity_refused", reason_code="invalid")
            return None
        is_plain = set(read.header) <= {"alg", "typ"}  # nothing in a header may point to another key
        is_short = 0 < vouch.exp - vouch.iat <= LONGEST_VOUCH.total_seconds()
        sizes = (0 < len(vouch.sub) <= 200, 8 <= len(vouch.jti) <= 200, len(vouch.name) <= 200, len(vouch.email) <= 320)
        if not (is_plain and is_short and all(sizes)) or "\0" in vouch.sub + vouch.name + vouch.email:
            log.warning("widget_identity_refused", reason_code="claims")
            return None
        return vouch

    async def _returned(self, site: Site, renewal: str, *, known: bool) -> Person | None:
        claims = self._return[known].read(renewal) if renewal else None
        if claims is None or claims.get("site") != site.id:
            return None
        return await self._person(claims["sub"], known=known)

    async def _person(self, person_id: str, *, known: bool) -> Person | None:
        try:
            row = await self._people.get(person_id)
        except NotFound:  # a visitor who has only looked so far leaves no row
            return None if known else _visitor(person_id)
        is_theirs = row.role is Role.VISITOR or (known and row.role is Role.MEMBER)
        return row.person if row.state == "active" and is_theirs else None

    async def _carry_over(self, site: Site, visit: str, person_id: str) -> None:
        claims = self._visit.read(visit) if visit else None
        if claims is not None and claims.get("site") == site.id:
            await self._visitors.carry(claims["sub"], person_id, datetime.fromisoformat(claims["since"]))

    def _kept_visit(self, visit: str, claims: Mapping[str, str]) -> str:
        """The visit that goes on, or a new one."""
        running = self._visit.read(visit) if visit else None
        if running is not None and running.items() >= claims.items():
            return visit
        return self._visit.issue(**claims, since=self._clock.now().isoformat())


def _visitor(person_id: str) -> Person:
    return Person(id=person_id, name=VISITOR, role=Role.VISITOR)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _missing(site: Site, told: Told | None) -> str | None:
    """The first of the form's required questions that neither the person nor the site's server has answered."""
    given = told.answers if told else {}
    has_email = bool(told and told.email)
    required = (field for field in site.pre_chat if field.required and field.name not in given)
    return next((field.name for field in required if not (field.kind == "email" and has_email)), None)


def _checked(fields: Sequence[PreChatField], answers: Mapping[str, str]) -> dict[str, str]:
    """The answers that were given. Raises `Unprocessable` for one that the form does not ask for or does not take."""
    by_name = {field.name: field for field in fields}
    given = {name: text.strip() for name, text in answers.items() if text.strip()}
    for name, text in given.items():
        field = by_name.get(name)
        if field is None or len(text) > LONGEST_ANSWER or (field.kind == "choice" and text not in field.choices):
            raise Unprocessable("The form does not take this answer", where=f"answers.{name[:40]}")
        local, _, domain = text.partition("@")
        if field.kind == "email" and not (local and "." in domain.strip(".") and " " not in text and "@" not in domain):
            raise Unprocessable("This is not an e-mail address", where=f"answers.{name}")
    return given


def _note(site: Site, answers: Mapping[str, str]) -> str:
    return "\n".join(f"{field.label}: {answers[field.name]}" for field in site.pre_chat if field.name in answers)


def _long_enough(secret: str, site: str) -> str:
    if len(secret) < SHORTEST_SECRET:
        raise BadSetting(
            f"The secret of the widget's site {site!r} is missing or shorter than {SHORTEST_SECRET} characters",
            where="widget.sites",
            hint="Make one with `openssl rand -hex 32`, and give it to the site's server too.",
        )
    return secret
