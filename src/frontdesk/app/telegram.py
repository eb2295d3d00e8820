"""Telegram, wired: updates in, letters out."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import httpx2
import msgspec
import structlog
from starlette.routing import Route

from frontdesk.app.door import Door
from frontdesk.app.exports import exports, plain
from frontdesk.app.outward import outward_client
from frontdesk.app.store import Store
from frontdesk.app.work import Chores, Role, process_name
from frontdesk.channels.telegram import webhook
from frontdesk.channels.telegram.client import CallFailed, TelegramClient
from frontdesk.channels.telegram.commands import Commands, SetMyCommands
from frontdesk.channels.telegram.groups import Bot
from frontdesk.channels.telegram.intake import Intake
from frontdesk.channels.telegram.media import Media
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.telegram.outlet import TelegramOutlet
from frontdesk.channels.telegram.polling import Poller
from frontdesk.channels.telegram.presses import Presses
from frontdesk.channels.telegram.sender import TelegramSender
from frontdesk.channels.telegram.talk import Talk
from frontdesk.channels.telegram.updates import CHANNEL, User
from frontdesk.channels.telegram.visitors import Visitors
from frontdesk.errors import TelegramTokenRefused
from frontdesk.gate.limits import Window
from frontdesk.gate.signing import derived_key
from frontdesk.knowledge.readers import readers, suffixes
from frontdesk.models.transcription import EndpointTranscriber, TranscriptionOptions
from frontdesk.ports import Clock, Converse, Dispatcher, Job, Models, Transcriber
from frontdesk.system.options import DeskOptions
from frontdesk.system.system import System
from frontdesk.work.kinds import Kind

log = structlog.get_logger("frontdesk.telegram")

REMEMBERED = timedelta(days=7)  # how long a second copy of an update is known; Telegram repeats for a day
AGAIN = 30.0  # seconds between two tries to tell Telegram where it should post


@dataclass(slots=True, kw_only=True)
class Telegram:
    """The channel of one bot, from `open_telegram`. `begin` lets updates in, once there is somebody to hear them."""

    name: str = CHANNEL
    options: TelegramOptions
    client: TelegramClient
    outlet: TelegramOutlet
    sender: TelegramSender
    kind: Kind
    secret: str
    _rooms: "_Rooms"
    _intake: Intake | None = None
    _arrivals: webhook.Arrivals | None = None

    async def begin(self, converse: Converse, dispatcher: Dispatcher, role: Role, stack: AsyncExitStack) -> None:
        """Work on updates from now on; processes that serve HTTP also fetch them, or tell Telegram where to post."""
        rooms = self._rooms
        self._arrivals = webhook.Arrivals(rooms.store.updates, dispatcher)
        self._intake = rooms.intake(self, converse, dispatcher)
        if role.name == "worker":
            return
        if self.options.polls:
            poller = Poller(self.client, rooms.store.updates, self._arrivals, rooms.clock, process_name())
            await poller.start()
            stack.push_async_callback(poller.close)
        announcing = asyncio.create_task(self._announce(), name="telegram-announce")
        stack.push_async_callback(partial(_end, announcing))

    def route(self) -> Route:
        """The webhook."""
        return webhook.closed() if self._arrivals is None else webhook.route(self._arrivals, self.secret)

    async def run(self, lane: str) -> None:
        """Work on a lane of updates. For the dispatcher."""
        if self._intake is not None:
            await self._intake.run(lane)

    async def _announce(self) -> None:
        while True:
            try:
                await announce(self.client, self.options, self.secret)
            except TelegramTokenRefused as error:
                log.error("telegram_refused", code=error.code)
                return
            except CallFailed as error:
                log.warning("telegram_away", method=error.method, reason_code=error.reason)
                await self._rooms.clock.sleep(AGAIN)
            else:
                return


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What Telegram says of the bot. `webhook` is empty while updates are fetched; `waiting` counts them."""

    username: str
    webhook: str
    waiting: int
    last_error: str


class _WebhookInfo(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#webhookinfo"""

    url: str
    pending_update_count: int = 0
    last_error_message: str = ""


async def status_of(client: TelegramClient) -> Status:
    """Ask Telegram. Raises `CallFailed`, `TelegramTokenRefused`."""
    me = await client.call("getMe", None, User)
    info = await client.call("getWebhookInfo", None, _WebhookInfo)
    return Status(
        username=me.username,
        webhook=info.url,
        waiting=info.pending_update_count,
        last_error=info.last_error_message,
    )


async def announce(client: TelegramClient, options: TelegramOptions, secret: str) -> None:
    """Tell Telegram the bot's commands and, unless the desk polls, where to post. Raises `CallFailed`."""
    if options.webhook_url and not options.polls:
        await client.call("setWebhook", webhook.SetWebhook(url=options.webhook_url, secret_token=secret), bool)
    await client.call("setMyCommands", SetMyCommands(), bool)


def open_telegram(
    system: System,
    store: Store,
    door: Door,
    models: Models,
    desk_secret: bytes,
    chores: Chores,
    clock: Clock,
    stack: AsyncExitStack,
) -> Telegram:
    """The channel of the bot that is set up. Its `kind` is work, its `sender` and `outlet` serve letters."""
    options = system.section(TelegramOptions)
    client = client_of(options)
    stack.push_async_callback(client.close)
    rates = options.rates
    sender = TelegramSender(
        client,
        chats=door.limiter("telegram.chat", [Window(rates.chat_per_second, 1)]),
        groups=door.limiter("telegram.group", [Window(rates.group_per_minute, 60)]),
        everyone=door.limiter("telegram.all", [Window(rates.all_per_second, 1)]),
        clock=clock,
    )
    http = outward_client()
    stack.push_async_callback(http.aclose)
    chores.add("updates.tidy", partial(_tidy, store, clock), "daily 03:40")
    telegram = Telegram(
        options=options,
        client=client,
        outlet=TelegramOutlet(client, options, clock),
        sender=sender,
        kind=Kind(
            name="update", queue="general", run=lambda lane: telegram.run(lane), sweep=store.updates.due, every=1
        ),
        secret=secret_of(options, desk_secret),
        _rooms=_Rooms(system=system, store=store, door=door, models=models, http=http, clock=clock),
    )
    return telegram


def client_of(options: TelegramOptions) -> TelegramClient:
    """A client of the configured bot."""
    return TelegramClient(options.bot_token.get_secret_value(), options.api_url)


def secret_of(options: TelegramOptions, desk_secret: bytes) -> str:
    """The webhook's secret: the configured one, or one that every process of the desk comes to by itself."""
    return options.webhook_secret.get_secret_value() or derived_key(desk_secret, "telegram webhook").hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rooms:
    """What the channel stands on."""

    system: System
    store: Store
    door: Door
    models: Models
    http: httpx2.AsyncClient
    clock: Clock

    def intake(self, telegram: Telegram, converse: Converse, dispatcher: Dispatcher) -> Intake:
        store, client, options = self.store, telegram.client, telegram.options
        visitors = Visitors(
            store.people,
            self.door.limiter("telegram.person", [Window(options.messages_per_minute, 60)]),
            self.door.limiter("telegram.notice", [Window(1, 60)]),
            self.clock,
        )
        greeting = self.system.section(DeskOptions).greeting
        commands = Commands(store.places, store.links, self._export, client, self.clock, greeting)
        media = Media(
            client,
            store.files.add,
            largest=options.largest_file,
            sees=lambda: self.models.facts.images,
            reads=_reads,
            kinds=lambda: ", ".join(sorted(suffixes())),
            transcriber=self._transcriber(),
        )
        talk = Talk(converse, visitors, commands, media, store.places, Bot(client), options)
        presses = Presses(client, visitors, store.feedback, store.surveys, self._erase, self.clock)
        return Intake(store.updates, talk, presses, visitors, store.places, telegram.outlet, dispatcher, self.clock)

    def _transcriber(self) -> Transcriber | None:
        options = self.system.section(TranscriptionOptions)
        return EndpointTranscriber(self.http, options) if options.url else None

    async def _export(self, person_id: str) -> bytes:
        gathered = {name: await give(person_id) for name, give in exports(self.store).items()}
        person = plain(await self.store.people.get(person_id), but="password_hash")
        return msgspec.json.format(msgspec.json.encode({"person": person, **gathered}))

    async def _erase(self, person_id: str) -> None:
        await self.store.people.erase(person_id)
        self.door.identity.forget_person(person_id)


def _reads(name: str, media_type: str) -> bool:
    """Whether a reader takes documents of this name or media type."""
    known = {kind for reader in readers() for kind in reader.media_types}
    return media_type in known or any(name.casefold().endswith(suffix) for suffix in suffixes())


async def _tidy(store: Store, clock: Clock, _: Job) -> None:
    await store.updates.tidy(clock.now() - REMEMBERED)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
