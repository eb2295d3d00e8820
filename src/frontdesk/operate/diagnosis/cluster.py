"""Asking Kubernetes with the operator's own kubectl, which holds the keys to it."""

import asyncio
import shutil
from collections.abc import Coroutine, Iterable
from typing import TypeVar

import msgspec

from frontdesk.operate.diagnosis.kubernetes import Autoscaler, Event, Node, NodeUse, Pod, PodUse, Quota
from frontdesk.operate.diagnosis.seen import ClusterSeen

T = TypeVar("T")
PATIENCE = 15.0  # seconds for each question
METRICS = "/apis/metrics.k8s.io/v1beta1"


class _List(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] = []


async def cluster_seen(context: str, namespace: str) -> ClusterSeen:
    """What the namespace holds and uses, and the mesh's proxies where there are some. Raises nothing."""
    kinds = ("pods", "events", "resourcequotas", "horizontalpodautoscalers")
    try:
        pods, events, quotas, autoscalers = await _together(
            kubectl(context, namespace, "get", kind, "--output=json") for kind in kinds
        )
        uses, nodes, proxies = await asyncio.gather(
            _uses(context, namespace), _nodes(context, namespace), _proxies(context, namespace)
        )
        return ClusterSeen(
            namespace=namespace,
            pods=_items(pods, Pod),
            events=_items(events, Event),
            quotas=_items(quotas, Quota),
            autoscalers=_items(autoscalers, Autoscaler),
            uses=uses,
            nodes=nodes,
            proxies=proxies,
        )
    except (OSError, msgspec.MsgspecError) as error:
        return ClusterSeen(namespace=namespace, fault=str(error) or type(error).__name__)


async def kubectl(context: str, namespace: str, *words: str) -> str:
    """What kubectl prints, without a terminal. Raises `OSError` with its last word when it fails or is not there."""
    if shutil.which("kubectl") is None:
        raise FileNotFoundError("kubectl is not installed")
    return await _run("kubectl", f"--context={context}", f"--namespace={namespace}", *words)


async def _together(asked: Iterable[Coroutine[None, None, str]]) -> list[str]:
    """What each says. When one fails, the others are ended before its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asked]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _uses(context: str, namespace: str) -> list[PodUse]:
    """What pods use now; nothing where no metrics server runs."""
    try:
        return _items(
            await kubectl(context, namespace, "get", "--raw", f"{METRICS}/namespaces/{namespace}/pods"), PodUse
        )
    except (OSError, msgspec.MsgspecError):
        return []


async def _nodes(context: str, namespace: str) -> list[tuple[Node, NodeUse]]:
    """The machines and what is used of each; nothing for those who may not see them."""
    try:
        nodes, uses = await _together(
            kubectl(context, namespace, "get", *words)
            for words in (("nodes", "--output=json"), ("--raw", f"{METRICS}/nodes"))
        )
        used = {each.metadata.name: each for each in _items(uses, NodeUse)}
        found = _items(nodes, Node)
    except (OSError, msgspec.MsgspecError):
        return []
    return [(node, used[node.metadata.name]) for node in found if node.metadata.name in used]


async def _proxies(context: str, namespace: str) -> str:
    if shutil.which("istioctl") is None:
        return ""
    try:
        said = await _run("istioctl", f"--context={context}", "proxy-status")
    except OSError:  # no mesh
        return ""
    head, *lines = said.splitlines() or [""]
    return "\n".join([head, *(line for line in lines if line.partition(" ")[0].endswith(f".{namespace}"))])


async def _run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise OSError(lines[-1])
    return said.decode(errors="replace")


def _items(said: str, kind: type[T]) -> list[T]:
    return [msgspec.json.decode(item, type=kind) for item in msgspec.json.decode(said, type=_List).items]
