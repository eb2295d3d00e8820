"""A small system to plant mistakes in."""

from pathlib import Path

import yaml

from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described

SMALL = """
deployment: {name: small}
services:
  web:
    role: web
    port: 8000
    needs: [postgres, redis]
    calls: [tools, model]
    called_by: [monitoring]
    host: [node]
  worker:
    role: worker
    queues: [general, ml]
    metrics_port: 8001
    needs: [postgres, redis]
    host: [node]
  tools: {role: tools, port: 9000, secrets: [MCP_SERVICE_TOKEN]}
stores:
  postgres: {connections: 200}
  redis: {}
edge:
  hosts: [{host: desk.example.com, service: web}]
outside:
  model: {hosts: [api.example.com]}
hosts:
  node: {cpu: 4, memory: 16Gi, count: 2}
  data: {cpu: 4, memory: 16Gi}
"""


def planned(folder: Path, text: str = "", *, environment: str = "development") -> Plan:
    """The small system with `text` laid over it: mappings are joined, `null` takes away."""
    values = _over(yaml.safe_load(SMALL), yaml.safe_load(text) or {})
    file = folder / "system.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    system, problems = described(file, environment)
    assert system is not None
    assert not problems, [str(problem) for problem in problems]
    return Plan(system)


def _over(below: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    joined = dict(below)
    for key, value in above.items():
        lower = joined.get(key)
        joined[key] = _over(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
        if value is None:
            del joined[key]
    return joined
