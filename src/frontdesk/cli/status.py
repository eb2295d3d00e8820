"""`frontdesk status`"""

import asyncio
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.ps import ago, lagging
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.operate.running.health import Health
    from frontdesk.operate.running.state import Instance

EXAMPLES = """\
frontdesk status
frontdesk status --json"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
def status(place: Place, as_json: bool) -> int:
    """Say whether the desk is up: each of its processes, versions, stores. Ends with 1 when something is not well."""
    import msgspec

    from frontdesk.operate.running.health import all_well, of_instance
    from frontdesk.operate.running.state import instances

    found = list(instances(place.folder))
    asked = {instance.name: asyncio.run(of_instance(instance)) for instance in found}
    if not found:
        asked = {"desk": asyncio.run(_alone(place))}
    looked_after = all(instance.is_looked_after for instance in found)
    well = looked_after and all(all_well(each) for each in asked.values())
    if as_json:
        parts = {name: [msgspec.structs.asdict(each) for each in healths] for name, healths in asked.items()}
        facts = {instance.name: _facts(instance) for instance in found}
        print_json({"ok": well, "instances": facts, "processes": parts})
        return 0 if well else 1
    for instance in found:
        _print(instance, asked[instance.name])
    if not found:
        for each in asked["desk"]:
            _print_alone(each)
    if not found and not any(each.alive for each in asked["desk"]):
        note("Nothing runs here. Next: frontdesk up")
    elif not well and not found:
        note("What keeps it from working: frontdesk doctor")
    elif not well:
        note("What keeps it from working: frontdesk doctor; what its processes say: frontdesk logs")
    return 0 if well else 1


async def _alone(place: Place) -> "list[Health]":
    """Desks in one process: those that tell where they listen, else whoever answers where the settings say."""
    from frontdesk.operate.ports import address_at
    from frontdesk.operate.running.health import of_address
    from frontdesk.operate.running.single import singles
    from frontdesk.system.options import HttpOptions

    system = place.load(starting=False)
    http = system.section(HttpOptions)
    found = [(single.role, single.addresses[0]) for single in singles(place.folder)]
    if not found:
        return [await of_address(system.name, address_at(http.host, http.port))]
    names = [system.name if role in ("all", "web") else f"{system.name}, {role}" for role, _ in found]
    asked = (of_address(name, address) for name, (_, address) in zip(names, found, strict=True))
    return list(await asyncio.gather(*asked))


def _facts(instance: "Instance") -> dict[str, object]:
    return {
        "desk": instance.desk,
        "state": instance.state if instance.is_looked_after else "not looked after",
        "version": instance.version,
        "supervisor_version": instance.supervisor_version,
        "release": instance.release,
        "address": instance.address,
        "environment": instance.environment,
        "stores": instance.stores,
        "missing": instance.missing,
    }


def _print(instance: "Instance", found: "list[Health]") -> None:
    state = instance.state if instance.is_looked_after else "not looked after: its supervisor has gone"
    click.echo(click.style(f"{instance.desk} ({instance.name}): {state}", bold=True))
    facts = {
        "Open": instance.address,
        "Version": f"{instance.version}, release {instance.release}",
        "Supervisor": f"version {instance.supervisor_version}" if instance.lags else "",
        "Since": ago(instance.since),
        "Environment": instance.environment,
        **{name.capitalize(): words for name, words in instance.stores.items()},
    }
    for heading, text in facts.items():
        if text:
            click.echo(f"  {heading:<12} {text}")
    print_table(
        [(each.name, _word(each), each.pid, each.release, _trouble(each)) for each in found],
        ("process", "health", "pid", "release", "checks"),
    )
    for name, why in instance.missing.items():
        click.echo(f"not started: {name}: {why}")
    if instance.lags:
        note(lagging(instance))


def _print_alone(found: "Health") -> None:
    click.echo(f"{found.name}: {_word(found)} ({found.address})")
    for name, result in found.checks.items():
        click.echo(f"  {name:<12} {result}")


def _word(found: "Health") -> str:
    return "ready" if found.ready else "alive, not ready" if found.alive else "does not answer"


def _trouble(found: "Health") -> str:
    bad = [f"{name}: {result}" for name, result in found.checks.items() if result != "ok"]
    return ", ".join(bad) or ("all ok" if found.ready else "")
