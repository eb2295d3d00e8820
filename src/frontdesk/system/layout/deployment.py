"""The section `deployment`: names, images and bounds of the whole system where it runs in containers."""

from typing import Literal

from pydantic import Field, NonNegativeInt

from frontdesk.system.layout.names import Labels, Namespace, ObjectName
from frontdesk.system.layout.quantities import Bytes, Cores
from frontdesk.system.layout.services import Amounts, amounts
from frontdesk.system.section import Section

Platform = Literal["linux/amd64", "linux/arm64"]


class Quota(Section):
    """What the namespace may use up in all."""

    requests_cpu: Cores = Field(default=0, description="Cores that all may ask for; 0: no bound.")
    requests_memory: Bytes = Field(default=0, description="Memory that all may ask for.")
    limits_cpu: Cores = Field(default=0, description="Cores that all may ever take.")
    limits_memory: Bytes = Field(default=0, description="Memory that all may ever take.")
    volume_claims: NonNegativeInt = Field(default=0, description="Claims of volumes.")
    load_balancers: NonNegativeInt = Field(default=0, description="Services with a load balancer of the cloud.")
    secrets: NonNegativeInt = Field(default=0, description="Secrets.")
    config_maps: NonNegativeInt = Field(default=0, description="Config maps.")
    gpus: NonNegativeInt = Field(default=0, description="GPUs.")


class Images(Section):
    """Where images come from, and which."""

    registry: str = Field(default="", description="Like `ghcr.io/your-team/desk`; empty: images of this machine.")
    tag: str = Field(default="", description="The release; empty: the version of the product. Never `latest`.")
    pull_secret: ObjectName = Field(
        default="", description="The cluster's secret by which nodes fetch from it; empty: none is needed."
    )
    digests: dict[str, str] = Field(
        default={}, description="`sha256:…` of an image, by its name; it is stronger than the tag."
    )
    python: str = Field(default="3.12", description="Python in the images.")
    base: str = Field(default="docker.io/library/python:3.12.12-slim-trixie", description="What they are made from.")
    gpu_base: str = Field(
        default="docker.io/nvidia/cuda:13.0.2-runtime-ubuntu24.04", description="What those with a GPU are made from."
    )
    platforms: tuple[Platform, ...] = Field(
        default=("linux/amd64", "linux/arm64"), description="What images are built for; with a GPU: linux/amd64 alone."
    )


class ExternalSecrets(Section):
    """The store that External Secrets reads."""

    store: ObjectName = Field(default="secret-store", description="Its ClusterSecretStore.")
    prefix: str = Field(default="", description="Put before each name there.")


class Pipeline(Section):
    """Where code is built and from which branches it is rolled out."""

    production_branch: str = Field(default="main", description="Rolled out to production, after a click.")
    staging_branch: str = Field(default="develop", description="Rolled out to staging by itself.")
    staging_url: str = Field(default="", description="Where staging is looked at.")
    production_url: str = Field(default="", description="Where production is looked at.")
    coverage: bool = Field(default=True, description="Whether tests measure what they reach.")


class DeploymentOptions(Section):
    """The system as a whole, in containers."""

    name: str = Field(
        default="frontdesk", pattern=r"^[a-z]([a-z0-9-]{0,39}[a-z0-9])?$", description="Of chart, labels, project."
    )
    namespace: Namespace = Field(default="frontdesk", description="Where it lives in a cluster.")
    monitoring_namespace: Namespace = Field(default="monitoring", description="Where those live that watch it.")
    namespace_labels: Labels = Field(default={}, description="Further labels of the namespace.")
    config_name: ObjectName = Field(default="", description="The config map of variables; empty: made from `name`.")
    settings_name: ObjectName = Field(
        default="", description="That of the system file; empty: made from `config_name`."
    )
    secret_name: ObjectName = Field(default="", description="The secret's name; empty: made from `name`.")
    secrets_from: Literal["plain", "sealed", "external"] = Field(
        default="external",
        description="`external`: from a store; `sealed`: sealed before they are committed; `plain`: an empty template.",
    )
    external_secrets: ExternalSecrets = ExternalSecrets()
    images: Images = Images()
    quota: Quota | None = Field(default=None, description="Bounds of the namespace; none: as the cluster says.")
    default_requests: Amounts = amounts("250m", "256Mi")
    default_limits: Amounts = amounts("1", "512Mi")
    network_name: str = Field(default="", description="Of Compose; empty: made from `name`.")
    pipeline: Pipeline = Pipeline()
