"""The sections `edge` and `outside`: how the world comes in, and whom the system talks to out there."""

from typing import Literal

from pydantic import Field, PositiveInt

from frontdesk.system.layout.named import Named
from frontdesk.system.layout.names import Namespace, ObjectName
from frontdesk.system.layout.quantities import Bytes
from frontdesk.system.options import Port
from frontdesk.system.section import Section


class PublicHost(Section):
    """A public name and the service behind it."""

    host: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", description="Like `api.example.com`.")
    service: str = Field(description="Who answers.")
    path: str = Field(default="/", pattern="^/", description="Only what begins so.")
    websocket: bool = Field(default=False, description="Long-lived connections: no retry, an hour of silence is fine.")


class Mesh(Section):
    """Istio between the services."""

    injection: Literal["ambient", "sidecar"] = Field(
        default="ambient", description="Whether proxies stand on the nodes or beside each replica."
    )
    gateway: str = Field(default="ingress", description="The label `istio` of the pods of its gateway …")
    gateway_namespace: Namespace = Field(default="istio-ingress", description="… and where they run.")
    connections: PositiveInt = Field(default=100, description="To one replica, at most.")
    pending: PositiveInt = Field(default=100, description="Requests that wait for one, at most.")
    failures: PositiveInt = Field(default=5, description="5xx in a row, or failed connections, until one is left out …")
    interval: PositiveInt = Field(default=30, description="… looked at every so many seconds …")
    ejection: PositiveInt = Field(default=30, description="… for so many seconds …")
    ejected_percent: int = Field(default=50, gt=0, le=100, description="… and never more than so many of 100.")
    tries: PositiveInt = Field(default=3, description="For requests that may be repeated.")
    trace_percent: float = Field(default=10, ge=0, le=100, description="How many of 100 requests are traced.")


class EdgeOptions(Section):
    """The way in from the internet."""

    kind: Literal["gateway", "ingress"] = Field(
        default="gateway", description="Kubernetes' Gateway API, or an Ingress where the cluster has only that."
    )
    name: ObjectName = Field(default="", description="The object's name; empty: made from the deployment's.")
    class_name: ObjectName = Field(default="envoy", description="The gateway's or ingress's class.")
    namespace: Namespace = Field(default="envoy-gateway-system", description="Where the edge's own pods run.")
    issuer: ObjectName = Field(
        default="letsencrypt-prod", description="cert-manager's cluster issuer; empty: no certificate."
    )
    tls_secret: ObjectName = Field(
        default="", description="Where the certificate is kept; empty: made from the deployment's."
    )
    hosts: tuple[PublicHost, ...] = Field(default=(), description="Public names, and where each leads.")
    hidden: tuple[str, ...] = Field(default=("/metrics",), description="Paths that the world never reaches.")
    max_body: Bytes = Field(default=10 * 2**20, description="The largest body.")
    timeout: PositiveInt = Field(default=600, description="Seconds that reading and sending may be silent.")
    mesh: Mesh | None = Field(default=None, description="With it, `render istio` has something to write.")


class Outside(Section):
    """Somebody else's address."""

    hosts: tuple[str, ...] = Field(
        min_length=1,
        description="Names, like `api.openai.com`; `*.` at the start for all; or addresses, like `10.0.0.7`.",
    )
    port: Port = Field(default=443, description="Where they are reached.")
    description: str = Field(default="", description="What it is for.")


class OutsideOptions(Named[Outside]):
    """Whom services may talk to beyond the system, by name. Whoever is not here cannot be reached."""

    __pydantic_extra__: dict[str, Outside] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
