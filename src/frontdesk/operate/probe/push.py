"""Telling others what a probe found: Prometheus' push gateway, or a collector that speaks OTLP over HTTP."""

import http.client
import json
import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from frontdesk.errors import Usage
from frontdesk.operate.errors import PushRefused
from frontdesk.operate.probe.run import Result

JOB = "frontdesk_probe"
UP = ("frontdesk_probe_up", "1 when it was healthy at the last probe")
DURATION = ("frontdesk_probe_seconds", "How long the last probe of it took")
LAST = ("frontdesk_probe_last_run_timestamp_seconds", "When it was probed last")


def to_gateway(url: str, results: Sequence[Result], *, instance: str, job: str = JOB, seconds: float = 5.0) -> None:
    """PUT the results as the one group `job`, `instance`; what the group held before is replaced.

    The group's labels keep machines apart that push to one gateway (github.com/prometheus/pushgateway, "API"). Raises
    `PushRefused`.
    """
    group = "/".join((*_grouped("job", job), *_grouped("instance", instance)))
    address = f"{url.rstrip('/')}/metrics/{group}"
    _send("PUT", address, text(results, time.time()), "text/plain; version=0.0.4", seconds)


def to_collector(url: str, results: Sequence[Result], *, instance: str, job: str = JOB, seconds: float = 5.0) -> None:
    """POST the results to an OTLP receiver, in its JSON form (opentelemetry.io/docs/specs/otlp).

    Raises `PushRefused`.
    """
    now = time.time_ns()
    body = json.dumps(_otlp(results, now, job, instance)).encode()
    path = "" if urlsplit(url).path.endswith("/v1/metrics") else "/v1/metrics"
    _send("POST", url.rstrip("/") + path, body, "application/json", seconds)


def text(results: Sequence[Result], now: float) -> bytes:
    """The results in Prometheus' text form (version 0.0.4)."""
    lines: list[str] = []
    for (name, meaning), values in (
        (UP, [float(result.state == "healthy") for result in results]),
        (DURATION, [result.seconds for result in results]),
        (LAST, [now] * len(results)),
    ):
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
        lines += [f"{name}{{{_labels(result)}}} {value!r}" for result, value in zip(results, values, strict=True)]
    return "".join(f"{line}\n" for line in lines).encode()


def _labels(result: Result) -> str:
    pairs = {"target": result.name, "kind": result.kind, "address": result.address}
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _grouped(label: str, value: str) -> tuple[str, str]:
    """A label and its value as two parts of the path; a value with a slash, or none, goes in base64."""
    if value and "/" not in value:
        return label, quote(value, safe="")
    return f"{label}@base64", urlsafe_b64encode(value.encode()).decode().rstrip("=") or "="


def _otlp(results: Sequence[Result], now: int, job: str, instance: str) -> dict[str, object]:
    def attributes(pairs: dict[str, str]) -> list[dict[str, object]]:
        return [{"key": key, "value": {"stringValue": value}} for key, value in pairs.items()]

    def points(values: Sequence[float]) -> list[dict[str, object]]:
        return [
            {
                "attributes": attributes({"target": result.name, "kind": result.kind, "address": result.address}),
                "timeUnixNano": str(now),
                "asDouble": value,
            }
            for result, value in zip(results, values, strict=True)
        ]

    gauges = (
        (UP, "1", [float(result.state == "healthy") for result in results]),
        (DURATION, "s", [result.seconds for result in results]),
    )
    metrics = [
        {"name": name, "description": meaning, "unit": unit, "gauge": {"dataPoints": points(values)}}
        for (name, meaning), unit, values in gauges
    ]
    resource = {"attributes": attributes({"service.name": job, "service.instance.id": instance})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {"name": job}, "metrics": metrics}]}]}


def _send(method: str, url: str, body: bytes, kind: str, seconds: float) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Usage("What is pushed to is an http(s) address", where=parts.scheme or url)
    place = f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=seconds, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    )
    try:
        connection.request(method, parts.path, body=body, headers={"Content-Type": kind})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise PushRefused(f"Nobody took what the probe found: {type(error).__name__}", where=place) from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise PushRefused(f"What the probe found was answered with {status}", where=place)
