"""Every name that the description mentions is there, once, and nothing waits for itself."""

from collections.abc import Iterable, Iterator

from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.layout.plan import EDGE, MONITORING, Plan, Running, circle_of
from frontdesk.system.layout.proofs.found import Found, mistake, warning
from frontdesk.system.layout.services import ROLES, Service
from frontdesk.system.layout.stores import Postgres, StoresOptions
from frontdesk.system.load import near
from frontdesk.system.options import DeskOptions
from frontdesk.system.section import bindings


def references(plan: Plan) -> Iterator[Found]:
    """Names, circles, ports, secrets, hosts, images; and roles that are described but not built."""
    if plan.circle:
        way = " → ".join(plan.circle)
        path = f"services.{plan.circle[0]}.needs"
        yield mistake(
            plan, path, f"These services wait for each other: {way}", "Take one of them out of `needs` or `after`."
        )
    for running in plan.services:
        yield from unknown(plan, running)
        yield from _callers(plan, running.key, running.service)
        yield from _role(plan, running.key, running.service)
        yield from _agents(plan, running.key, running.service)
    yield from _agents_at_all(plan)
    yield from _secrets(plan)
    yield from _ports(plan)
    yield from _names(plan)
    yield from _unique(plan)
    yield from _edge(plan)
    yield from _images(plan)
    yield from _categories(plan)
    if plan.environment == "production" and plan.system.section(DeskOptions).debug:
        what = "`desk.debug` is on, and production never shows its insides"
        yield mistake(plan, "desk.debug", what, "Set it in the environments that need it: `environments.development`.")


def unknown(plan: Plan, running: Running, given: Iterable[str] = ()) -> Iterator[Found]:
    """Whom a service names and nobody describes. `given` are stores that are there all the same: a variable tells."""
    key, service = running.key, running.service
    services = [each.key for each in plan.services]
    stores = list(StoresOptions.model_fields)
    for field, names, known in (
        ("needs", service.needs, [*services, *plan.stores, *given]),
        ("after", service.after, services),
        ("calls", service.calls, [*services, *plan.stores, *plan.outside, *given]),
        ("host", service.host, list(plan.hosts)),
    ):
        for name in names:
            if name in known or (field == "host" and not plan.hosts):
                continue
            path = f"services.{key}.{field}"
            if name in stores:
                hint = (
                    f"Describe it under `stores.{name}`, or leave it out where somebody else's is told by a variable."
                )
            else:
                hint = near(name, known) or (f"There are: {', '.join(known)}." if known else "None is described yet.")
            yield mistake(plan, path, f"`{key}` names `{name}` under `{field}`, and there is none", hint)


def _callers(plan: Plan, key: str, service: Service) -> Iterator[Found]:
    for name in service.calls:
        target = next((running.service for running in plan.services if running.key == name), None)
        if target is not None and target.port is None and target.metrics_port is None:
            what = f"`{key}` calls `{name}`, which answers on no port"
            yield mistake(plan, f"services.{key}.calls", what, f"Give `{name}` a `port`, or take the call out.")
    for caller in service.called_by:
        if caller not in (EDGE, MONITORING) and "=" not in caller:
            what = f"`{key}` is called by `{caller}`, which is neither `edge`, `monitoring` nor a label"
            yield mistake(plan, f"services.{key}.called_by", what, "Write a label like `role=api-gateway`.")


def _role(plan: Plan, key: str, service: Service) -> Iterator[Found]:
    path = f"services.{key}"
    if not service.built:
        what = f"`{key}` is described but not built yet (role `{service.role}`: {ROLES[service.role]})"
        yield warning(
            plan, f"{path}.role", what, "It renders; `up --processes` refuses it, or leaves it out by `--skip-unbuilt`."
        )
    if service.role == "worker" and not service.queues:
        yield mistake(plan, path, f"`{key}` is a worker without `queues`", "Say `queues: [general, ml]`.")
    if service.role != "worker" and service.port is None:
        yield mistake(plan, path, f"`{key}` answers HTTP and has no `port`", "Say which.")
    if service.role == "frontend" and not any(_answers(plan, name) for name in service.calls):
        what = f"`{key}` shows pages and calls no service that answers them"
        yield mistake(plan, f"{path}.calls", what, "Name a service of the role `all` or `web`.")


def _answers(plan: Plan, name: str) -> bool:
    return any(running.key == name and running.service.role in ("all", "web") for running in plan.services)


def _agents(plan: Plan, key: str, service: Service) -> Iterator[Found]:
    known = {agent.name for running in plan.services for agent in running.service.agents}
    for agent in service.agents:
        for need in agent.needs:
            if need not in known:
                what = f"The agent `{agent.name}` needs `{need}`, and there is none"
                hint = near(need, known) or f"There are {len(known)}; `needs` names one of them."
                yield mistake(plan, f"services.{key}.agents", what, hint)


def _agents_at_all(plan: Plan) -> Iterator[Found]:
    """Agents have names of their own, and do not wait for each other."""
    first: dict[str, str] = {}
    graph: dict[str, tuple[str, ...]] = {}
    for running in plan.services:
        for at, agent in enumerate(running.service.agents):
            owner = first.setdefault(agent.name, running.key)
            if agent.name in graph:
                what = f"Two agents are called `{agent.name}`, of `{owner}` and of `{running.key}`"
                yield mistake(plan, f"services.{running.key}.agents.{at}", what, "Rename one of them.")
            graph[agent.name] = agent.needs
    if way := circle_of(graph):
        path = f"services.{first.get(way[0], '')}.agents"
        yield mistake(plan, path, f"These agents wait for each other: {' → '.join(way)}", "Take one out of `needs`.")


def _secrets(plan: Plan) -> Iterator[Found]:
    """A secret that a service gets is one that something reads, and comes as a secret."""
    marks = [
        binding.env for name, section in plan.system.sections.items() for binding in bindings((name,), type(section))
    ]
    named = {secret.variable for section in plan.system.sections.values() for secret in section.named_secrets()}
    known = {mark.name for mark in marks} | named
    secret = {mark.name for mark in marks if mark.secret} | named
    for running in plan.services:
        for name in running.service.secrets if running.service.built else ():
            if name not in known:
                what = f"`{running.key}` gets the secret {name}, and no setting reads it"
                hint = near(name, known) or "Take it out, or name it in the section that needs it."
                yield mistake(plan, f"services.{running.key}.secrets", what, hint)
        for name in running.service.variables:
            if name in secret:
                what = f"`{running.key}` is given {name} as a variable: a secret never stands in the system file"
                hint = f"Take it out here and name it under `services.{running.key}.secrets`."
                yield mistake(plan, f"services.{running.key}.variables.{name}", what, hint)


def _ports(plan: Plan) -> Iterator[Found]:
    """Two of one machine do not listen on the same port. Of ports for metrics the next free one is taken."""
    taken: dict[tuple[str, int], str] = {}
    for path, hosts, name, port in _listening(plan):
        for host in hosts:
            first = taken.setdefault((host, port), name)
            if first != name:
                what = f"{name} and {first} both listen on port {port}{f' of {host}' if host else ''}"
                yield mistake(plan, path, f"{what[:1].upper()}{what[1:]}", "Give one of them another port.")


def _listening(plan: Plan) -> Iterator[tuple[str, tuple[str, ...], str, int]]:
    """Where it stands, on which hosts, who, and on which port. Stores count where their machines are named."""
    for name, store in plan.stores.items():
        if not store.managed:
            yield f"stores.{name}.port", store.host, f"the store `{name}`", store.port
    for running in plan.services:
        key, service = running.key, running.service
        hosts = service.host or ("",)
        if service.port is not None:
            yield f"services.{key}.port", hosts, f"`{key}`", service.port
        for at, agent in enumerate(service.agents):
            yield f"services.{key}.agents.{at}.port", hosts, f"the agent `{agent.name}` of `{key}`", agent.port


def _names(plan: Plan) -> Iterator[Found]:
    """A name means one thing: among services, stores and addresses outside, and among those that are looked up."""
    services = [running.key for running in plan.services]
    for section, names, others in (
        ("services", services, plan.stores),
        ("outside", plan.outside, (*services, *plan.stores)),
    ):
        for name in names:
            if name in others:
                what = f"`{name}` stands under `{section}`, and is the name of something else as well"
                yield mistake(plan, f"{section}.{name}", what, "Give one of them another name.")
    looked_up: dict[str, str] = {}
    for path, name in _looked_up(plan):
        first = looked_up.setdefault(name, path)
        if first != path:
            what = f"`{path.partition('.')[2]}` and `{first.partition('.')[2]}` are both reached as {name}"
            yield mistake(plan, path, what, "Give one of them another name.")


def _looked_up(plan: Plan) -> Iterator[tuple[str, str]]:
    """Whoever is reached by a name within the system, and each name once."""
    for key, store in plan.stores.items():
        if not store.managed:
            copies = (store.replica_name,) if store.replicas else ()
            pooler = (store.pooler.name,) if isinstance(store, Postgres) and store.pooler else ()
            yield from ((f"stores.{key}", name) for name in dict.fromkeys((store.name, *store.names, *copies, *pooler)))
    for running in plan.services:
        own = dict.fromkeys((running.name, running.host_name, *running.service.names))
        yield from ((f"services.{running.key}", name) for name in own)


def _unique(plan: Plan) -> Iterator[Found]:
    """Alerts, objectives and dashboards have names of their own; an alert quiets alerts that are there."""
    rules = plan.system.section(AlertsOptions).rules
    alerts = [rule.name for rule in rules]
    for path, what, names in (
        ("alerts.rules", "Two alerts are called", alerts),
        ("objectives.list", "Two objectives are called", [each.name for each in plan.objectives.all]),
        ("dashboards.list", "Two dashboards have the uid", [each.uid for each in plan.dashboards.all]),
    ):
        for at, name in enumerate(names):
            if name in names[:at]:
                yield mistake(plan, f"{path}.{at}", f"{what} `{name}`", "Rename one of them.")
    for at, rule in enumerate(rules):
        for name in rule.quiets:
            if name not in alerts:
                hint = near(name, alerts) or "Name an alert of this file."
                yield mistake(
                    plan, f"alerts.rules.{at}.quiets", f"{rule.name} quiets `{name}`, and there is none", hint
                )


def _edge(plan: Plan) -> Iterator[Found]:
    services = {running.key: running.service for running in plan.services}
    for public in plan.edge.hosts:
        service = services.get(public.service)
        if service is None:
            hint = near(public.service, services) or f"There are: {', '.join(services)}."
            yield mistake(plan, "edge.hosts", f"{public.host} leads to `{public.service}`, and there is none", hint)
        elif service.port is None:
            what = f"{public.host} leads to `{public.service}`, which answers on no port"
            yield mistake(plan, "edge.hosts", what, f"Give `{public.service}` a `port`.")
    ways = [(public.host, public.path) for public in plan.edge.hosts]
    for host, path in {way for way in ways if ways.count(way) > 1}:
        yield mistake(plan, "edge.hosts", f"{host}{path} leads to two services", "Keep one.")


def _images(plan: Plan) -> Iterator[Found]:
    for name, store in plan.stores.items():
        tag = store.image.rpartition("/")[2].partition(":")[2]
        if "@" not in store.image and tag in ("", "latest"):
            what = f"The image of `{name}` has no version: {store.image}"
            yield mistake(
                plan, f"stores.{name}.image", what, f"Name one, like `{type(store).model_fields['image'].default}`."
            )
    if plan.deployment.images.tag == "latest":
        what = "The images' tag `latest` says nothing about what runs"
        yield mistake(plan, "deployment.images.tag", what, "Name a release, or leave it out for this version.")


def _categories(plan: Plan) -> Iterator[Found]:
    named = {running.service.category for running in plan.services}
    for objective in plan.objectives.all:
        if objective.category and objective.category not in named:
            what = (
                f"The objective `{objective.name}` holds the category `{objective.category}`, and no service is of it"
            )
            hint = near(objective.category, named) or "Say `category` at the services, or leave it out here."
            yield mistake(plan, "objectives.list", what, hint)
