"""The section `deployment`: names, images and bounds of the whole system where it runs in containers."""

from typing import Literal

from pydantic import Field, NonNegativeInt

from frontdesk.system.layout.quantities import Bytes, Cores
from frontdesk.system.layout.services import Amounts, amounts
from frontdesk.system.section import Section

Platform = Literal["linux/amd64", "linux/arm64"]


class Quota(Section):
    """What the namespace may use up in all."""

    requests_cpu: Cores = 0
    requests_memory: Bytes = 0
    limits_cpu: Cores = 0
    limits_memory: Bytes = 0
    volume_claims: NonNegativeInt = 0
    load_balancers: NonNegativeInt = 0
    secrets: NonNegativeInt = 0
    config_maps: NonNegativeInt = 0
    gpus: NonNegativeInt = 0


class Images(Section):
    """Where images come from, and which."""

    registry: str = Field(default="", description="Like `ghcr.io/your-team/desk`; empty: images of this machine.")
    tag: str = Field(default="", description="The release; empty: the version of the product. Never `latest`.")
    digests: dict[str, str] = Field(
        default={}, description="`sha256:…` of an image, by its name; it is stronger than the tag."
    )
    python: str = Field(default="3.12", description="Python in the images.")
    base: str = Field(default="docker.io/library/python:3.12.12-slim-trixie", description="What they are made from.")
    gpu_base: str = Field(
        default="docker.io/nvidia/cuda:13.0.2-runtime-ubuntu24.04", description="What those with a GPU are made from."
    )
    platforms: tuple[Platform, ...] = ("linux/amd64", "linux/arm64")


class ExternalSecrets(Section):
    """The store that External Secrets reads."""

    store: str = Field(default="secret-store", description="Its ClusterSecretStore.")
    prefix: str = Field(default="", description="Put before each name there.")


class Pipeline(Section):
    """Where code is built and from which branches it is rolled out."""

    production_branch: str = "main"
    staging_branch: str = "develop"
    staging_url: str = ""
    production_url: str = ""
    coverage: bool = True


class DeploymentOptions(Section):
    """The system as a whole, in containers."""

    name: str = Field(default="frontdesk", pattern=r"^[a-z][a-z0-9-]{0,40}$", description="Of chart, labels, project.")
    namespace: str = Field(default="frontdesk", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    monitoring_namespace: str = Field(default="monitoring", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    namespace_labels: dict[str, str] = Field(default={}, description="Further labels of the namespace.")
    config_name: str = Field(default="", description="The config map's name; empty: made from `name`.")
    secret_name: str = Field(default="", description="The secret's name; empty: made from `name`.")
    secrets_from: Literal["plain", "sealed", "external"] = Field(
        default="external",
        description="`external`: from a store; `sealed`: sealed before they are committed; `plain`: an empty template.",
    )
    external_secrets: ExternalSecrets = ExternalSecrets()
    images: Images = Images()
    quota: Quota | None = None
    default_requests: Amounts = amounts("250m", "256Mi")
    default_limits: Amounts = amounts("1", "512Mi")
    network_name: str = Field(default="", description="Of Compose; empty: made from `name`.")
    pipeline: Pipeline = Pipeline()
