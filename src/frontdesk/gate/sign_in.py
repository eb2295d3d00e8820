"""Signing in, staying in and signing out."""

import contextlib
from datetime import timedelta
from hashlib import sha256

import msgspec

from frontdesk.errors import Forbidden, NotSignedIn
from frontdesk.gate.identity import Identity
from frontdesk.gate.options import GateOptions
from frontdesk.gate.passwords import Passwords
from frontdesk.gate.providers import Vouched
from frontdesk.gate.signing import Signer
from frontdesk.messages import Caller, Person, Role
from frontdesk.ports import Limiter
from frontdesk.store.links import Links
from frontdesk.store.people import People, PersonRow
from frontdesk.store.sessions import Opened, Sessions, TokenReused

OWNER_LINK = timedelta(hours=1)
INVITATION = timedelta(days=3)


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session that has just begun or gone on: a short access token, and the refresh token for the next one."""

    person: Person
    access_token: str
    session: Opened


class SignIn:
    """Every way in. `attempts` limits tries by address of the account; None: no limit."""

    def __init__(
        self,
        *,
        people: People,
        sessions: Sessions,
        identity: Identity,
        access: Signer,
        passwords: Passwords,
        options: GateOptions,
        attempts: Limiter | None,
        links: Links,
    ) -> None:
        self._links = links
        self._people = people
        self._sessions = sessions
        self._identity = identity
        self._access = access
        self._passwords = passwords
        self._options = options
        self._attempts = attempts

    async def owner_link_token(self) -> str:
        """A one-time token for the first owner, who is made when the desk has none: for the one who starts the desk.

        It goes into the fragment of the sign-in page's address, which browsers send to nobody.
        """
        owner = await self._people.owner() or await self._people.add(name="Owner", role=Role.OWNER)
        return await self._people.issue_link(owner.id, lifetime=OWNER_LINK)

    async def invite(self, person_id: str) -> str:
        """A one-time token for somebody who has been added."""
        return await self._people.issue_link(person_id, lifetime=INVITATION)

    async def by_link(self, token: str, *, instead_of: Caller | None) -> SignedIn:
        """Sign in with a one-time token. `NotSignedIn` for one that is used up, expired, empty or wrong."""
        return await self._begin(await self._people.redeem_link(token), instead_of)

    async def by_password(self, email: str, password: str, *, instead_of: Caller | None) -> SignedIn:
        """Sign in with address and password; an unknown address takes the same time as a wrong password."""
        if not self._options.local_sign_in:
            raise Forbidden("This desk does not take passwords", hint="Use one of its providers.")
        if self._attempts is not None:
            await self._attempts.hit(f"account:{sha256(email.strip().casefold().encode()).hexdigest()}")
        row = await self._people.by_email(email)
        if not await self._passwords.fits(password, row.password_hash if row else None) or row is None:
            raise NotSignedIn("The address or the password is wrong", hint="Check both, or ask for a sign-in link.")
        return await self._begin(row, instead_of)

    async def by_provider(self, vouched: Vouched, *, link_to: str, instead_of: Caller | None) -> SignedIn:
        """Sign in whom a provider vouches for: the person of this issuer and subject.

        With `link_to` (a person's id) the subject is connected to that person first. An unknown subject becomes a new
        member where the options let its verified address join. An address alone never opens an existing account.
        """
        row = await self._people.by_identity(vouched.issuer, vouched.subject)
        if link_to and (row is None or row.id != link_to):
            await self._people.link(link_to, vouched.issuer, vouched.subject)
            row = await self._people.get(link_to)
        if row is None:
            row = await self._join(vouched)
        return await self._begin(row, instead_of)

    async def refresh(self, token: str) -> SignedIn:
        """Go on with a session. A refresh token that was used before ends it for both who hold it: `NotSignedIn`."""
        try:
            opened = await self._sessions.rotate(token)
        except TokenReused as reused:
            self._identity.forget_credential(reused.session_id)
            raise
        row = await self._people.get(opened.person_id)
        if row.state != "active":
            raise NotSignedIn("This account is blocked")
        return self._signed_in(row, opened)

    async def sign_out(self, caller: Caller) -> None:
        """End the caller's session at once."""
        if caller.credential == "session":
            await self._sessions.end(caller.credential_id)
            self._identity.forget_credential(caller.credential_id)

    async def abandon(self, token: str) -> None:
        """End the session of a refresh token whose access token has run out; nothing happens for an unknown one."""
        with contextlib.suppress(NotSignedIn):
            opened = await self._sessions.rotate(token)
            await self._sessions.end(opened.id)
            self._identity.forget_credential(opened.id)

    def forget(self, person_id: str) -> None:
        """The person was renamed or erased: what was remembered of them no longer holds."""
        self._identity.forget_person(person_id)

    async def sign_out_everywhere(self, person_id: str, *, but: str | None = None) -> None:
        """End all sessions of a person, or all but one: after a change of role, state or password."""
        await self._sessions.end_all(person_id, but=but)
        self._identity.forget_person(person_id)

    async def set_password(self, caller: Caller, password: str, current: str) -> None:
        """Set the caller's password, who must know the one that stands; other sessions end. `NotSignedIn` otherwise."""
        row = await self._people.get(caller.person.id)
        if row.password_hash is not None and not await self._passwords.fits(current, row.password_hash):
            raise NotSignedIn(
                "The current password is wrong", where="current", hint="Sign in by a link to set a new one."
            )
        await self._people.set_password_hash(row.id, await self._passwords.hash(password))
        await self.sign_out_everywhere(row.id, but=caller.credential_id)

    async def _join(self, vouched: Vouched) -> PersonRow:
        domain = vouched.email.rpartition("@")[2].casefold()
        listed = {email.casefold() for email in self._options.sign_up_emails}
        domains = {name.casefold() for name in self._options.sign_up_domains}
        if not vouched.email or (domain not in domains and vouched.email.casefold() not in listed):
            raise Forbidden("This account is not known at this desk", hint="Ask its owner for an invitation.")
        if await self._people.by_email(vouched.email) is not None:
            raise Forbidden(
                "Somebody at this desk has this e-mail address already",
                hint="Sign in as before, then connect the provider to your account.",
            )
        return await self._people.add(
            name=vouched.name,
            role=Role.MEMBER,
            email=vouched.email,
            identity=(vouched.issuer, vouched.subject),
        )

    async def _begin(self, row: PersonRow, instead_of: Caller | None) -> SignedIn:
        if row.state != "active":
            raise NotSignedIn("This account is blocked")
        if instead_of is not None:
            await self.sign_out(instead_of)
            await self._keep_words(instead_of, row.id)
        opened = await self._sessions.open(row.id, lifetime=self._options.session_lifetime)
        await self._people.signed_in(row.id)
        return self._signed_in(row, opened)

    async def _keep_words(self, visitor: Caller, person_id: str) -> None:
        """What somebody said before they signed in stays theirs: this browser has shown both credentials."""
        if visitor.credential == "visitor":
            await self._links.keep(visitor.person.id, person_id)
            self._identity.forget_person(visitor.person.id)

    def _signed_in(self, row: PersonRow, opened: Opened) -> SignedIn:
        return SignedIn(person=row.person, access_token=self._access.issue(sub=row.id, sid=opened.id), session=opened)
