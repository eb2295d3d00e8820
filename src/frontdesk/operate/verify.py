"""Six checks after a release, each with a result (assistant, section 13).

With Kubernetes, addresses and passwords are read inside the target and never leave it: database and Redis are asked by
`frontdesk probe` in one of the pods, without a terminal.
"""

import asyncio
from collections.abc import Sequence

import httpx2
import msgspec

from frontdesk.operate.checklist.sight import figures_of
from frontdesk.operate.diagnosis.cluster import cluster_seen, kubectl
from frontdesk.operate.diagnosis.seen import ClusterSeen
from frontdesk.operate.probe.known import own, stores
from frontdesk.operate.probe.run import Result, probe
from frontdesk.operate.probe.target import Target, target
from frontdesk.operate.running.state import instances
from frontdesk.system.layout.plan import Plan
from frontdesk.system.system import System

PATIENCE = 5.0  # seconds for each question
COUNTED = "http_requests_total"
ENDPOINTS = {"/ready": 200, "/v1/models": 401, "/api/v1/openapi.json": 200}  # and what a stranger is answered


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One of the six."""

    name: str
    ok: bool
    reason: str


class _Probed(msgspec.Struct, frozen=True):
    name: str
    state: str
    cause: str


class _Probes(msgspec.Struct, frozen=True):
    probes: list[_Probed]


async def verify(
    system: System, *, address: str = "", pages: str = "", context: str = "", namespace: str = ""
) -> list[Check]:
    """The six checks, side by side. `address` is where the API answers, `pages` where the pages do, if elsewhere; both
    are those of the system file when empty."""
    named = [each.url.removesuffix("/ready").removesuffix("/health") for each in own(system) if each.name != "metrics"]
    address = (address or named[0]).rstrip("/")
    hosts = list(dict.fromkeys([address, *([pages.rstrip("/")] if pages else named[1:])]))
    space = namespace or Plan(system).deployment.namespace
    seen = await cluster_seen(context, space) if context else None
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        replicas, endpoints, health, metrics, database, redis = await asyncio.gather(
            _replicas(system, client, address, seen),
            _endpoints(client, address),
            _health(hosts),
            _metrics(client, system, address),
            _store(system, "database", context, space, seen),
            _store(system, "redis", context, space, seen),
        )
    return [replicas, endpoints, health, metrics, database, redis]


async def _replicas(system: System, client: httpx2.AsyncClient, address: str, seen: ClusterSeen | None) -> Check:
    if seen is not None:
        pods = seen.replicas
        bad = [pod.name for pod in pods if not pod.ready]
        if seen.fault or not pods:
            return _check("replicas", seen.fault or f"No pod is in {seen.namespace}")
        return _check("replicas", f"Not ready: {', '.join(bad)}" if bad else "", f"{len(pods)} pods are ready")
    processes = [process for instance in instances(system.home) for process in instance.processes]
    ports = [target(f"http://127.0.0.1:{each.own_port}/ready", name=each.name) for each in processes if each.own_port]
    if ports:
        found = await asyncio.to_thread(probe, ports, seconds=PATIENCE)
        bad = [each.name for each in found if each.state != "healthy"]
        return _check("replicas", f"Not ready: {', '.join(bad)}" if bad else "", f"{len(found)} processes are ready")
    figures = await figures_of(client, system, address)
    count = figures.sum("frontdesk_build_info")
    return _check("replicas", "" if count else "No process of the desk tells that it runs", "The desk runs")


async def _endpoints(client: httpx2.AsyncClient, address: str) -> Check:
    async def status(path: str) -> int:
        try:
            return (await client.get(f"{address}{path}")).status_code
        except httpx2.HTTPError:
            return 0

    found = dict(zip(ENDPOINTS, await asyncio.gather(*map(status, ENDPOINTS)), strict=True))
    bad = [f"{path} answers {found[path] or 'nothing'}" for path, wanted in ENDPOINTS.items() if found[path] != wanted]
    return _check("endpoints", ", ".join(bad), f"{', '.join(ENDPOINTS)} answer as they should")


async def _health(hosts: Sequence[str]) -> Check:
    found = await asyncio.to_thread(probe, [target(f"{host}/health", name=host) for host in hosts], seconds=PATIENCE)
    bad = [f"{each.name}: {each.cause}" for each in found if each.state != "healthy"]
    return _check("health", ", ".join(bad), f"/health answers 200 at {' and '.join(hosts)}")


async def _metrics(client: httpx2.AsyncClient, system: System, address: str) -> Check:
    there = COUNTED in await figures_of(client, system, address)
    return _check("metrics", "" if there else f"{COUNTED} is not told at {address}", f"{COUNTED} is told")


async def _store(system: System, name: str, context: str, namespace: str, seen: ClusterSeen | None) -> Check:
    if seen is not None:
        return await _inside(name, context, namespace, seen)
    wanted = [each for each in stores(system) if each.name == name]
    if not wanted:
        return _check(name, "", "None is set: each process counts for itself")
    return _of_store(name, wanted[0], (await asyncio.to_thread(probe, wanted, seconds=PATIENCE))[0])


def _of_store(name: str, wanted: Target, result: Result) -> Check:
    fault = "" if result.state == "healthy" else f"{result.cause} ({wanted.shown}). {result.remedy}".strip()
    return _check(name, fault, result.cause)


async def _inside(name: str, context: str, namespace: str, seen: ClusterSeen) -> Check:
    """By a pod of the desk that is ready."""
    for pod in seen.pods:
        if not pod.ready or not pod.status.container_statuses:
            continue
        try:
            said = await kubectl(
                context, namespace, "exec", pod.name, "--", "sh", "-c", "frontdesk probe --json || true"
            )
            found = {each.name: each for each in msgspec.json.decode(said, type=_Probes).probes}
        except (OSError, msgspec.MsgspecError):  # a pod of a store, which has no such command
            continue
        if name not in found:
            return _check(name, "", f"None is set, says {pod.name}")
        well = found[name].state == "healthy"
        return _check(name, "" if well else f"{pod.name}: {found[name].cause}", f"{pod.name}: {found[name].cause}")
    return _check(name, "No pod of the desk that is ready could be asked")


def _check(name: str, fault: str, reason: str = "") -> Check:
    return Check(name=name, ok=not fault, reason=fault or reason)
