"""E-mail, handed to the owner's mail server.

The server takes a message when it answers the end of its data. Where it says no before, it has not taken it; where its
answer to the data never comes, it may have: such a letter is never sent again of its own accord.

Where a letter bears the link that stops it, its head tells the mailbox how it is stopped: `List-Unsubscribe` (RFC 2369)
and one click of the mailbox's own (RFC 8058). Mailboxes believe that of signed mail alone: to sign (DKIM) is the mail
server's part.
"""

import asyncio
import contextlib
import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from hashlib import sha256

import msgspec

from frontdesk.delivery.delivery import NotSent
from frontdesk.delivery.options import SmtpOptions
from frontdesk.engagement import Envelope
from frontdesk.ports import Clock
from frontdesk.store.outbox import Letter

TAKEN = 250
GO_ON = 354
STOP = "List-Unsubscribe"


class _Unbroken(UnstructuredHeader, BaseHeader):
    """A header in one line: the usual folding would write a long link as an encoded word, which no mailbox reads."""

    def fold(self, *, policy: Policy) -> str:
        return f"{STOP}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type(STOP.lower(), _Unbroken)
MAIL = SMTP.clone(header_factory=_HEADERS)


class Smtp:
    """Delivery's `Sender` for letters to customers whose body is an `Envelope`."""

    def __init__(self, options: SmtpOptions, clock: Clock, *, seconds: float) -> None:
        self._options = options
        self._clock = clock
        self._seconds = seconds

    async def send(self, letter: Letter) -> str:
        envelope = msgspec.json.decode(letter.body, type=Envelope)
        message = self._message(letter, envelope)
        await asyncio.to_thread(self._hand_over, envelope.to, message.as_bytes(policy=MAIL))
        return str(message["Message-ID"])

    def _message(self, letter: Letter, envelope: Envelope) -> EmailMessage:
        sender, link = self._options.sender, envelope.unsubscribe_url
        message = EmailMessage(policy=MAIL)
        try:
            message["From"], message["To"] = sender, envelope.to
            message["Subject"] = envelope.subject
            message["Date"] = self._clock.now()
            message["Message-ID"] = f"<{sha256(letter.key.encode()).hexdigest()[:32]}@{_domain(sender)}>"
            message["Auto-Submitted"] = "auto-generated"
            if link:
                message[STOP], message[f"{STOP}-Post"] = f"<{link}>", f"{STOP}=One-Click"
            message.set_content(envelope.body)
        except (ValueError, MessageError) as error:
            raise NotSent("not_an_address", final=True) from error
        return message

    def _hand_over(self, to: str, data: bytes) -> None:
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(type(error).__name__) from error
        try:
            self._address(server, to)
            self._transmit(server, data)
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()

    def _connected(self) -> smtplib.SMTP:
        options, secure = self._options, ssl.create_default_context()
        if options.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(options.host, options.port, timeout=self._seconds, context=secure)
        else:
            server = smtplib.SMTP(options.host, options.port, timeout=self._seconds)
        try:
            if options.security == "starttls":
                server.starttls(context=secure)
            if options.user:
                server.login(options.user, options.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _address(self, server: smtplib.SMTP, to: str) -> None:
        """All that comes before the data: whatever fails here, nothing was taken."""
        try:
            server.ehlo_or_helo_if_needed()
            for code, _ in (server.mail(_bare(self._options.sender)), server.rcpt(to)):
                _must_be(code, 250, 251)
            _must_be(server.docmd("DATA")[0], GO_ON)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise NotSent(type(error).__name__, final=isinstance(error, UnicodeError)) from error

    def _transmit(self, server: smtplib.SMTP, data: bytes) -> None:
        lines = data.replace(b"\r\n.", b"\r\n..")  # RFC 5321, 4.5.2: a line that begins with a dot gets another one
        ending = b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            server.send(lines + ending)
            code, _ = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(type(error).__name__, ambiguous=True) from error
        _must_be(code, TAKEN)


def _must_be(code: int, *expected: int) -> None:
    """RFC 5321, 4.2.1: 5xx is for ever, 4xx for now."""
    if code not in expected:
        raise NotSent(f"smtp_{code}", final=code >= 500)


def _bare(sender: str) -> str:
    return sender.rpartition("<")[2].rstrip("> ")


def _domain(sender: str) -> str:
    return _bare(sender).rpartition("@")[2] or "localhost"
