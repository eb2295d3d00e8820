"""Target `systemd`: the system on bare hosts, a unit for each service and a target unit for each host.

A system whose hosts have addresses is laid out over them, a folder each; any other one runs whole on the one host that
the files are taken to. There is one process of a service on a host: a second replica is a second host. PostgreSQL and
Redis are those of the distribution.
"""

from frontdesk.render import docker
from frontdesk.render.systemd.cards import card_units
from frontdesk.render.systemd.places import Machine, machines
from frontdesk.render.systemd.scripts import install
from frontdesk.render.systemd.units import environment_file, target_unit, unit
from frontdesk.render.target import Files, Target
from frontdesk.system.layout.plan import Plan


def files(plan: Plan) -> Files:
    """Everything that each host takes, in a folder of the host's name where there are several."""
    found: dict[str, str] = {}
    for machine in machines(plan):
        prefix = f"{machine.name}/" if machine.name else ""
        found |= {f"{prefix}{name}": text for name, text in _of_machine(plan, machine).items()}
    return found


def _of_machine(plan: Plan, machine: Machine) -> Files:
    found = {f"units/{plan.name}.target": target_unit(plan, machine)}
    for running in machine.services:
        found[f"units/{plan.name}-{running.name}.service"] = unit(plan, machine, running)
        found[f"environment/{running.name}.env"] = environment_file(plan, machine, running)
    found |= {f"units/{name}": text for name, text in card_units(plan, machine)}
    return found | {
        "system.yaml": plan.system_file,
        "requirements.txt": docker.lock("run.txt"),
        "weights.txt": docker.lock("weights.txt"),
        "install.sh": install(plan, machine),
    }


target = Target(
    summary="systemd units for bare hosts",
    files=files,
    next_step="as root on the host, in {out} or its folder there: sh ./install.sh",
)
