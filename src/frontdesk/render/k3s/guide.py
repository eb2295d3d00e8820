"""The plan in words: what is done in which week, and how it is undone."""

from collections.abc import Iterable

from frontdesk.render import kubernetes
from frontdesk.render.docker import wants_gpu
from frontdesk.render.k3s.cards import card_configurations
from frontdesk.render.k3s.nodes import Node, labels, nodes
from frontdesk.render.k3s.scripts import K3S_VERSION
from frontdesk.render.k3s.today import own_stores
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.quantities import bytes_text, cores_text

TODAY = "today.yaml"
BRINGS = {  # who knows the objects of a group that is not Kubernetes' own
    "gateway.networking.k8s.io": "the Gateway API and an implementation of the class `{edge_class}` in `{edge_space}`",
    "cert-manager.io": "cert-manager, for certificates",
    "external-secrets.io": "External Secrets, and its ClusterSecretStore",
    "bitnami.com": "Sealed Secrets",
    "autoscaling.k8s.io": "the Vertical Pod Autoscaler, which only recommends",
}
OBJECTS = "kubernetes"  # the folder that `frontdesk render kubernetes` is written to


def guide(plan: Plan) -> str:
    """`README.md`."""
    first, *others = nodes(plan)
    ordered = sorted((each for each in plan.services if each.service.built), key=lambda each: each.stage)
    stateless = [each for each in ordered if not wants_gpu(each)]
    cards = [each for each in ordered if wants_gpu(each)]
    unbuilt = [each.name for each in plan.services if not each.service.built]
    parts = [
        f"# {plan.name} on k3s, in four weeks\n",
        f"k3s {K3S_VERSION}. The system stays where it runs until week 4, and can go back for a week after that.\n",
        _machines(nodes(plan)),
        _week_one(plan, first, others),
        _week_two(plan, stateless),
        _week_three(plan, cards),
        _week_four(plan),
    ]
    if unbuilt:
        parts.append(f"Described, but not built yet, and therefore not moved: {', '.join(unbuilt)}.\n")
    return "\n".join(parts)


def _machines(found: Iterable[Node]) -> str:
    lines = ["| node | cores | memory | card | labels |", "|---|---|---|---|---|"]
    for node in found:
        host = node.host
        size = (cores_text(host.cpu), bytes_text(host.memory)) if host else ("any", "any")
        card = f"{host.gpu.count} x {host.gpu.model}" if host and host.gpu else "none"
        chosen = ", ".join(f"`{key}={value}`" for key, value in labels(node).items())
        lines.append(f"| {node.name}{' (leads)' if node.leads else ''} | {size[0]} | {size[1]} | {card} | {chosen} |")
    return "\n".join(lines) + "\n"


def _week_one(plan: Plan, first: Node, others: list[Node]) -> str:
    joining = "\n".join(f"sh install.sh agent {node.name}" for node in others)
    more = f"""
On every other machine, with `K3S_URL=https://{_address(first)}:6443` and `K3S_TOKEN_FILE` set:

```sh
{joining}
```
"""
    shared = "\n".join(f"- {card.node}: {card.method}. {card.reason}." for card in card_configurations(plan))
    how = f"\nHow cards are shared:\n\n{shared}\n" if shared else ""
    return f"""\
## Week 1: cluster, registry, secrets

On every machine `sh install.sh check NODE` tells what it lacks. Then, as root, on the first one:

```sh
sh install.sh server {first.name}
```
{more if others else ""}{how}
{_images(plan)}
{_brought(plan)}Namespace, settings and secrets, before anything that reads them:

```sh
frontdesk render kubernetes --system system.yaml --environment {plan.environment} --out {OBJECTS}
kubectl apply --filename {OBJECTS}/00-namespace.yaml
kubectl apply --kustomize {OBJECTS} --dry-run=server
{_apply(_named(plan, "1"))}
```

Done when every node is `Ready`, the dry run is content, and `kubectl get secret {plan.secret_name}
--namespace {plan.deployment.namespace}` finds the secret. To undo: `k3s-uninstall.sh`, `k3s-agent-uninstall.sh`.
"""


def _brought(plan: Plan) -> str:
    """What must be installed before objects that a cluster does not know by itself."""
    groups = {str(each["apiVersion"]).partition("/")[0] for each in kubernetes.objects(plan)}
    lines = [f"- {what}" for group, what in BRINGS.items() if group in groups]
    if not lines:
        return ""
    said = "\n".join(lines).format(edge_class=plan.edge.class_name, edge_space=plan.edge.namespace)
    return f"Install what the objects ask for:\n\n{said}\n\n"


def _images(plan: Plan) -> str:
    if plan.deployment.images.registry:
        return f"Images come from `{plan.deployment.images.registry}`; its credentials go into `registries.yaml`.\n"
    return (
        "Without a registry, one machine gets the images by `docker save IMAGE | k3s ctr images import -`, and the\n"
        "embedded registry gives them to the others.\n"
    )


def _week_two(plan: Plan, stateless: list[Running]) -> str:
    return f"""\
## Week 2: what keeps nothing and has no card

{_bridge(plan)}Start them in this order, each when the one before is ready:

```sh
{_applied(plan, stateless)}
```

Done when `frontdesk verify` is content with the new addresses and has been for two days. To undo: scale to 0.
"""


def _bridge(plan: Plan) -> str:
    if not own_stores(plan):
        return ""
    return f"""\
They work on the stores that the system uses today: `{TODAY}` gives those the names that they will have here. Put the
right address in, if it is another one, and let the stores take connections from the nodes.

```sh
kubectl apply --filename {TODAY}
```

"""


def _week_three(plan: Plan, cards: list[Running]) -> str:
    stores = own_stores(plan)
    first = (
        f"""\
Stores ({", ".join(store.name for store in stores)}), empty at first; a backup of today's is tried in them:

```sh
kubectl delete --filename {TODAY}
{_apply(_named(plan, "2"))}
frontdesk backup create               # in the old place
frontdesk backup verify
frontdesk restore latest --yes        # here, with DATABASE_URL of the new store
```
"""
        if stores
        else "The stores are somebody else's and stay where they are.\n"
    )
    second = f"\nThen what has a card:\n\n```sh\n{_applied(plan, cards)}\n```\n" if cards else ""
    return f"""\
## Week 3: stores and cards

{first}{second}
And nothing is reached that need not be:

```sh
{_apply(_named(plan, "6"))}
```

Done when counts and audit chain of the restored data are those of the original, and every card shows its services in
`nvidia-smi`. To undo: the old stores were only read.
"""


def _week_four(plan: Plan) -> str:
    hosts = ", ".join(dict.fromkeys(host.host for host in plan.edge.hosts)) or "the callers' addresses"
    return f"""\
## Week 4: over, with the way back kept for 7 days

1. Tell people; stop taking new work in the old place: `docker compose stop` of its services, not of its stores.
2. A last backup there, a last restore here, as in week 3; counts must be equal.
3. The way in, scaling, and backups from now on: `{_apply(_named(plan, "4", "5", "7", "8", "9"))}`.
4. Point {hosts} at the cluster's edge.
5. `frontdesk verify`, and look at the dashboards for an hour.

Back within 7 days: point the names to the old place and `docker compose start`; what was written here since is in the
backups of these days. After 7 days: `docker compose down`, and its volumes only when a restore from backup has been
tried.
"""


def _applied(plan: Plan, services: Iterable[Running]) -> str:
    stages: dict[int, list[str]] = {}
    for running in services:
        stages.setdefault(running.stage, []).append(running.name)
    lines: list[str] = []
    for names in stages.values():
        lines.append(_apply(f"{OBJECTS}/30-services/{name}.yaml" for name in names))
        waited = " ".join(f"deployment/{name}" for name in names)
        space = plan.deployment.namespace
        lines.append(f"kubectl wait --for=condition=Available --timeout=600s --namespace {space} {waited}")
    return "\n".join(lines) or "true # none"


def _named(plan: Plan, *beginnings: str) -> list[str]:
    """The files of the target `kubernetes` whose names begin so."""
    return [f"{OBJECTS}/{name}" for name in sorted(kubernetes.files(plan)) if name.startswith(beginnings)]


def _apply(files: Iterable[str]) -> str:
    return " ".join(["kubectl apply", *(f"--filename {file}" for file in files)])


def _address(node: Node) -> str:
    return (node.host.address if node.host else "") or "FIRST"
