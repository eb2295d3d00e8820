"""Target `k3s`: a small cluster on machines of one's own, and the way of the system into it in four weeks.

The system's objects come from the target `kubernetes`; here are the cluster, its nodes and how they share their cards.
"""

from frontdesk.render.k3s.cards import card_configurations, device_plugin
from frontdesk.render.k3s.guide import TODAY, guide
from frontdesk.render.k3s.nodes import configuration, nodes, registries
from frontdesk.render.k3s.scripts import install
from frontdesk.render.k3s.today import bridge, own_stores
from frontdesk.render.target import Files, Target, yaml_text
from frontdesk.system.layout.plan import Plan


def files(plan: Plan) -> Files:
    """The plan, the script, and a folder with the configuration of each node or kind of nodes."""
    found = {"README.md": guide(plan), "install.sh": install(plan), "registries.yaml": registries(plan)}
    for node in nodes(plan):
        found[f"nodes/{node.name}.yaml"] = yaml_text(configuration(node))
    if own_stores(plan):
        found[TODAY] = bridge(plan)
    if cards := card_configurations(plan):
        found["manifests/nvidia-device-plugin.yaml"] = device_plugin(cards)
    return found


target = Target(
    summary="k3s: a cluster on machines of your own, and a four-week way into it",
    files=files,
    next_step="read {out}/README.md; on the first machine, as root: sh {out}/install.sh server NODE",
)
