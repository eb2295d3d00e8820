"""A release in a cluster: its rendered files are applied, its workloads watched, and the former files applied again
when it does worse. `kubectl` does what is to be done; which cluster is meant, its context says.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from frontdesk.errors import NotFound
from frontdesk.operate.errors import MissingProgram, ReleaseRefused

INSTALL = "Install it: https://kubernetes.io/docs/tasks/tools/ (Debian: apt-get install kubernetes-client)."
WATCHED = ("Deployment", "StatefulSet", "DaemonSet")
LAST_LINES = 6  # of what kubectl says, told with an error

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Workload:
    """What a rollout is watched of."""

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster that `context` names; empty: the one that kubectl takes by itself."""

    say: Say
    context: str = ""
    seconds: int = 600

    def apply(self, folder: Path) -> None:
        """Apply the files of a release. Raises `ReleaseRefused` with kubectl's own words, `MissingProgram`."""
        self._kubectl("apply", "-k", str(folder))

    def compare(self, folder: Path) -> str:
        """What applying them would change, as the cluster itself works it out; empty for nothing. Raises as `apply`."""
        return self._kubectl("diff", "-k", str(folder), fine=(0, 1))  # 1: there are differences

    def watch(self, folder: Path) -> None:
        """Return when each workload of the files is rolled out. Raises `ReleaseRefused` when one is not, in time."""
        for each in workloads(folder):
            self.say(f"{each.kind} {each.name}: rolling out")
            name = f"{each.kind.lower()}/{each.name}"
            self._kubectl("-n", each.namespace, "rollout", "status", name, f"--timeout={self.seconds}s")

    def pin(self, folder: Path) -> dict[str, str]:
        """Write into the files which image each container really runs, by digest; image → image@digest.

        A tag may be moved: with this the files bring back the very same images. Images that the nodes made
        themselves have no digest and stay as they are.
        """
        digests: dict[str, str] = {}
        for namespace in sorted({each.namespace for each in workloads(folder)}):
            pods = json.loads(self._kubectl("-n", namespace, "get", "pods", "-o", "json"))
            for pod in pods.get("items", ()):
                for status in pod.get("status", {}).get("containerStatuses", ()):
                    digest = str(status.get("imageID", "")).rpartition("@")[2]
                    if digest.startswith("sha256:"):
                        digests[_without_registry_default(str(status["image"]))] = digest
        pinned: dict[str, str] = {}
        for file in folder.rglob("*.yaml"):
            text = file.read_text(encoding="utf-8")
            for image, digest in digests.items():
                if "@" not in image and f"image: {image}\n" in text:
                    pinned[image] = f"{image}@{digest}"
                    text = text.replace(f"image: {image}\n", f"image: {pinned[image]}\n")
            file.write_text(text, encoding="utf-8")
        return pinned

    def _kubectl(self, *words: str, fine: tuple[int, ...] = (0,)) -> str:
        program = shutil.which("kubectl")
        if program is None:
            raise MissingProgram("kubectl is not installed here", where="kubectl", hint=INSTALL)
        chosen = ("--context", self.context) if self.context else ()
        done = subprocess.run([program, *chosen, *words], capture_output=True, text=True, check=False)  # noqa: S603 — our own words
        if done.returncode not in fine:
            lines = (done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:]
            raise ReleaseRefused(
                f"kubectl could not {' '.join(words[:2]) if words[0] != '-n' else ' '.join(words[2:5])}",
                where=self.context or "the context of kubectl",
                hint="\n       ".join(lines),
            )
        return done.stdout


class _About(msgspec.Struct, frozen=True):
    name: str
    namespace: str = "default"


class _Object(msgspec.Struct, frozen=True):
    kind: str
    metadata: _About


def workloads(folder: Path) -> Iterator[Workload]:
    """What the files of a release run, in the order of applying."""
    for file in _applied(folder):
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            each = msgspec.convert(document, _Object)
            if each.kind in WATCHED:
                yield Workload(each.kind, each.metadata.name, each.metadata.namespace)


def _applied(folder: Path) -> list[Path]:
    kustomization = folder / "kustomization.yaml"
    if not kustomization.is_file():
        raise NotFound("The files of this release are not here", where=str(folder))
    return [folder / name for name in yaml.safe_load(kustomization.read_text(encoding="utf-8"))["resources"]]


def _without_registry_default(image: str) -> str:
    """The image as files write it: nodes put the default registry's name before it."""
    return image.removeprefix("docker.io/library/").removeprefix("docker.io/")
