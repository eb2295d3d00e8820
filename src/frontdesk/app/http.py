"""The HTTP face: every channel's routes, the gate round them, telemetry round that."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files as package_files
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

import frontdesk
from frontdesk.api import errors
from frontdesk.app.exports import exports
from frontdesk.app.inbox import shelf_of, team_routers
from frontdesk.app.mail import stop_links
from frontdesk.app.programs import PATH as MCP
from frontdesk.app.programs import Programs
from frontdesk.app.readiness import checks_of
from frontdesk.app.rooms import Desk
from frontdesk.app.widget import widget_router, widget_routes
from frontdesk.channels import health, sign_in
from frontdesk.channels.openai_api.routes import routes as openai_routes
from frontdesk.channels.pages import Pages
from frontdesk.channels.telegram import webhook
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.telegram.updates import CHANNEL
from frontdesk.channels.web import approvals, chat, conversations, files, links, memories, opinions, passages, usage
from frontdesk.channels.web import desk as desk_face
from frontdesk.console import audit, handoffs, keys, knowledge, overview, people, tools
from frontdesk.console import models as console_models
from frontdesk.console import usage as all_usage
from frontdesk.console import work as all_work
from frontdesk.conversation.options import ConversationOptions
from frontdesk.gate.caller import RULE
from frontdesk.gate.options import GateOptions
from frontdesk.gate.policy import Policy
from frontdesk.gate.signing import derived_key
from frontdesk.gate.wrapper import Gate
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.system.options import DeskOptions, TelemetryOptions
from frontdesk.telemetry.http import Measured

FIRST_QUESTIONS = ("How do I add my own documents?", "Which models can I use?", "How do I invite people?")
PAGES = Path(str(package_files(frontdesk))) / "pages"


def application(desk: Desk) -> ASGIApp:
    """The desk as one ASGI application. It serves from the moment its lifespan has begun."""
    policy = Policy()
    app = routed(desk, policy)
    production = desk.system.environment == "production"
    options = desk.system.section(GateOptions)
    gate = Gate(
        Direct(app, _hot(desk)),
        options=options,
        policy=policy,
        identity=desk.door.identity,
        limits=desk.door.limits,
        audit=desk.store.audit,
        ids=desk.ids,
        address_key=derived_key(desk.secrets.desk, "address"),
        production=production,
    )
    return Measured(gate, template=_template, new_id=lambda: desk.ids.new("req"))


class Direct:
    """Hands calls of the OpenAI-compatible API, and questions for decisions, to their endpoints without the framework's
    layers between.

    Each layer costs these hot routes time and gives them nothing: they answer their own errors, and the gate has
    checked address and method.
    """

    def __init__(self, app: FastAPI, posts: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._posts = posts
        self._endpoints = {
            route.path: route.app
            for route in app.router.routes
            if isinstance(route, Route) and route.path.startswith("/v1/") and "{" not in route.path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._app
        if scope["type"] == "http":
            endpoint = self._endpoints.get(scope["path"], self._app)
            if scope["method"] == "POST":
                endpoint = self._posts.get(scope["path"], endpoint)
        await endpoint(scope, receive, send)


def routed(desk: Desk, policy: Policy) -> FastAPI:
    """Every route of the desk, with nobody at the door yet."""

    programs = Programs(desk.knowledge, desk.converse, desk.ids)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with programs.run():
            yield

    app = FastAPI(
        title="Frontdesk",
        version=frontdesk.__version__,
        description="The native API of a Frontdesk. The OpenAI-compatible one is under `/v1`.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=TelemetryConfig(
            tracing=False, metrics=False, logs=False, auto_configure=False
        ),  # it tells errors' words
    )
    app.router.routes[:0] = [*_raw_routes(desk), Route(MCP, endpoint=programs, methods=["POST"])]
    for router in _routers(desk, policy):
        app.include_router(router)
    app.router.routes.extend(_customer_pages(desk))
    app.router.routes.extend(widget_routes(desk.system, desk.door.widget, PAGES))
    app.router.routes.extend(Pages(PAGES).routes())
    errors.install(app)
    return app


def _raw_routes(desk: Desk) -> Sequence[BaseRoute]:
    """The hot routes, and those that speak a protocol of their own."""
    store = desk.store
    return [
        *openai_routes(
            desk.converse,
            store.conversations,
            desk.models,
            desk.embedder,
            store.requests,
            store.files,
            desk.clock,
            desk.ids,
        ),
        *health.routes(checks_of(desk), desk.exposition if desk.system.section(TelemetryOptions).metrics else None),
        webhook.closed() if desk.telegram is None else desk.telegram.route(),
    ]


def _routers(desk: Desk, policy: Policy) -> Sequence[APIRouter]:
    store, door = desk.store, desk.door
    shelf = shelf_of(store)
    largest = desk.system.section(GateOptions).max_upload_bytes
    return [
        desk_face.router(lambda: _face(desk)),
        sign_in.router(door.sign_in, door.cookies),
        sign_in.provider_router(door.sign_in, door.cookies, door.providers, door.flows, desk.ids),
        sign_in.me_router(door.sign_in, store.people, door.identity, door.cookies, exports(store)),
        widget_router(desk.system, door.widget),
        chat.router(desk.converse, store.turns, store.conversations, shelf, desk.ids),
        conversations.router(store.conversations, shelf),
        *team_routers(desk, shelf),
        *_engagement_routers(desk),
        opinions.router(store.feedback, store.handoffs),
        files.router(store.files, largest),
        passages.router(desk.knowledge),
        memories.router(store.memories, desk.embedder),
        links.router(store.links, _linkable(desk)),
        usage.router(store.calls, store.budgets),
        approvals.router(desk.approvals),
        people.router(store.people, door.sign_in),
        keys.router(store.keys, store.people, door.identity, policy.scopes()),
        audit.router(store.audit),
        knowledge.router(
            desk.knowledge,
            largest=largest,
            quote_confidence=desk.system.section(ConversationOptions).quote_confidence,
            has_strong_model=lambda: desk.models.facts.strength == "strong",
        ),
        tools.router(desk.toolbox),
        overview.router(
            store.turns,
            store.watch,
            store.handoffs,
            store.feedback,
            store.calls,
            desk.models,
            desk.knowledge,
            store.people,
        ),
        handoffs.router(store.handoffs),
        console_models.router(desk.models),
        all_usage.router(store.calls, store.budgets),
        all_work.router(
            store.queues, store.workers, store.dead, store.schedules, store.updates, store.outbox, desk.queues
        ),
    ]


def _hot(desk: Desk) -> Mapping[str, ASGIApp]:
    if desk.engagement is None:
        return {}
    from frontdesk.app.engagement import routes

    return routes.hot(desk.engagement)


def _engagement_routers(desk: Desk) -> Sequence[APIRouter]:
    if desk.engagement is None:
        return ()
    from frontdesk.app.engagement import routes

    return routes.routers(desk.engagement, desk.clock)


def _customer_pages(desk: Desk) -> Sequence[Route]:
    if desk.engagement is None:
        return ()
    from frontdesk.app.engagement import routes

    links = stop_links(desk.system, desk.secrets.desk)
    return routes.pages(desk.engagement, links, desk.system.section(DeskOptions).name)


def _linkable(desk: Desk) -> Sequence[links.OtherChannel]:
    """The channels on which somebody can show a code that the desk's pages gave them."""
    has_bot = desk.system.section(TelegramOptions).bot_token.get_secret_value()
    return [links.OtherChannel(id=CHANNEL, name="Telegram")] if has_bot else []


def _face(desk: Desk) -> desk_face.DeskView:
    about, gate = desk.system.section(DeskOptions), desk.system.section(GateOptions)
    facts = desk.models.facts
    knows_itself = desk.system.section(KnowledgeOptions).own_documentation
    return desk_face.DeskView(
        name=about.name,
        greeting=about.greeting,
        suggestions=list(about.suggestions or (FIRST_QUESTIONS if knows_itself else ())),
        version=frontdesk.__version__,
        sign_in="open" if gate.visitors else "required",
        providers=[desk_face.ProviderView(id=each.id, name=each.name) for each in desk.door.providers.values()],
        local_sign_in=gate.local_sign_in,
        model=desk_face.ModelView(name=desk.models.names[0], strength=facts.strength),
        max_upload_bytes=gate.max_upload_bytes,
        engagement=desk.engagement is not None,
    )


def _template(scope: Scope) -> str | None:
    rule = scope.get(RULE)
    return None if rule is None else rule.path
