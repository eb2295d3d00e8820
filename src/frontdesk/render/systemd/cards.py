"""Units that divide the cards of a host before the services that share them start."""

from collections.abc import Iterator, Mapping

from frontdesk.render.cards import mps_limits
from frontdesk.render.places import Machine
from frontdesk.system.layout.gpu import CardPlan, card_plans
from frontdesk.system.layout.plan import Plan, Running

PIPE, LOG = "/run/nvidia-mps", "/var/log/nvidia-mps"
MPS, MIG = "nvidia-mps.service", "nvidia-mig.service"


def card_units(plan: Plan, machine: Machine) -> Iterator[tuple[str, str]]:
    """The unit that divides this host's card, if it is shared, by its name."""
    for card in _cards(plan, machine):
        if card.method == "mps":
            yield MPS, _MPS.format(plan=plan.name, model=card.model, reason=card.reason, pipe=PIPE, log=LOG)
        elif card.method == "mig":
            profiles = ",".join(slot.profile for slot in card.slots)
            yield MIG, _MIG.format(plan=plan.name, model=card.model, reason=card.reason, profiles=profiles)


def needed(plan: Plan, machine: Machine, running: Running) -> str:
    """The unit without which a service has no part of the card; empty if it needs none."""
    for card in _cards(plan, machine):
        if any(slot.service == running.key for slot in card.slots):
            return {"mps": MPS, "mig": MIG}.get(card.method, "")
    return ""


def environment(plan: Plan, running: Running) -> Mapping[str, str]:
    """What bounds a service on a card that several share."""
    for card in card_plans(plan):
        for slot in card.slots:
            if slot.service == running.key and card.method == "mps":
                return mps_limits(slot, PIPE)
    return {}


def _cards(plan: Plan, machine: Machine) -> Iterator[CardPlan]:
    return (card for card in card_plans(plan) if not machine.name or card.host == machine.name)


_MPS = """\
[Unit]
Description={plan}: {model} shared by MPS
# {reason}
After=nvidia-persistenced.service

[Service]
Type=forking
Environment=CUDA_MPS_PIPE_DIRECTORY={pipe}
Environment=CUDA_MPS_LOG_DIRECTORY={log}
RuntimeDirectory=nvidia-mps
RuntimeDirectoryMode=0755
LogsDirectory=nvidia-mps
ExecStartPre=/usr/bin/nvidia-smi --compute-mode=EXCLUSIVE_PROCESS
ExecStart=/usr/bin/nvidia-cuda-mps-control -d
ExecStop=/bin/sh -c 'echo quit | /usr/bin/nvidia-cuda-mps-control'
ExecStopPost=/usr/bin/nvidia-smi --compute-mode=DEFAULT
Restart=on-failure
RestartSec=2

[Install]
WantedBy={plan}.target
"""

_MIG = """\
[Unit]
Description={plan}: {model} divided by MIG
# {reason}
After=nvidia-persistenced.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/nvidia-smi --multi-instance-gpu=1
ExecStart=/usr/bin/nvidia-smi mig --create-gpu-instance={profiles} --create-compute-instance
ExecStop=/usr/bin/nvidia-smi mig --destroy-compute-instance
ExecStop=/usr/bin/nvidia-smi mig --destroy-gpu-instance

[Install]
WantedBy={plan}.target
"""
