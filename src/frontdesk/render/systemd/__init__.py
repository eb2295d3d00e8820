"""Target `systemd`: the system on bare hosts, a unit for each service and a target unit for each host.

A system whose hosts have addresses is laid out over them, a folder each; any other one runs whole on the one host that
the files are taken to. There is one process of a service on a host: a second replica is a second host. PostgreSQL and
Redis are those of the distribution, set up as the system file says.
"""

from frontdesk.render import docker
from frontdesk.render.places import Machine, machines
from frontdesk.render.systemd import stores
from frontdesk.render.systemd.cards import card_units
from frontdesk.render.systemd.scripts import install
from frontdesk.render.systemd.units import (
    environment_file,
    folder,
    pooler_name,
    pooler_unit,
    target_unit,
    unit,
    unit_name,
)
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
    units = {unit_name(plan, running): unit(plan, machine, running) for running in machine.services}
    units |= dict(card_units(plan, machine))
    pooler = stores.pooler_files(plan, machine, folder(plan))
    if pooler:
        units[pooler_name(plan)] = pooler_unit(plan)
    beside = dict(stores.files(plan, machine, folder(plan)))
    return {
        f"units/{plan.name}.target": target_unit(plan, machine),
        **{f"units/{name}": text for name, text in units.items()},
        **{f"environment/{each.name}.env": environment_file(plan, machine, each) for each in machine.services},
        **pooler,
        **beside,
        "system.yaml": plan.system_file,
        "requirements.txt": docker.lock("run.txt"),
        "weights.txt": docker.lock("weights.txt"),
        "install.sh": install(plan, machine, units, pooler=pooler, stores=bool(beside)),
    }


target = Target(
    summary="systemd units for bare hosts",
    files=files,
    next_step="as root on the host, in {out} or its folder there: sh ./install.sh",
)
