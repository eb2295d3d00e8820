"""Pipelines: read by their own tools, and played through with the outside world written down instead of reached."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from frontdesk.render.ci import files, github, gitlab
from frontdesk.render.ci.pins import ACTIONS
from frontdesk.render.docker import images
from frontdesk.system.home import blueprint_file, blueprints
from tests.render.planted import planned
from tests.render.reading import hosts, pipelines

COMMIT = "c0ffee" + 34 * "1"
READS = {"contents": "read"}
Job = Mapping[str, Any]


def written(blueprint: str, folder: Path) -> Path:
    for name, text in files(planned(blueprint)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755 if text.startswith("#!") else 0o644)
    return folder


def workflow(blueprint: str = "assistant") -> dict[str, Any]:
    return yaml.safe_load(files(planned(blueprint))[github.FILE])


def of_gitlab(blueprint: str = "assistant") -> dict[str, Any]:
    return yaml.safe_load(files(planned(blueprint))[gitlab.FILE])


# --- read by the tools ---


@pytest.mark.parametrize("blueprint", blueprints())
def test_github_gitlab_and_the_shell_take_what_is_written(blueprint: str, tmp_path: Path) -> None:
    folder = written(blueprint, tmp_path)
    assert pipelines.read_github(folder / github.FILE) == []
    assert pipelines.read_gitlab(folder / gitlab.FILE) == []
    assert hosts.read_scripts(*folder.glob("pipeline/*.sh")) == []


@pytest.mark.parametrize("blueprint", blueprints())
def test_the_pipeline_is_the_same_whatever_environment_it_is_rendered_for(blueprint: str) -> None:
    assert files(planned(blueprint, "development")) == files(planned(blueprint, "production"))


# --- rights ---


def test_every_action_stands_at_a_commit_with_its_version_beside_it() -> None:
    text = files(planned("assistant"))[github.FILE]
    used = re.findall(r"uses: (.*)", text)
    assert used
    for each in used:
        name, commit, version = re.fullmatch(r"([\w/-]+)@([0-9a-f]{40}) # (v[\d.]+)", each).groups()  # pyright: ignore[reportOptionalMemberAccess]
        assert ACTIONS[name] == (commit, version)
    assert {each.partition("@")[0] for each in used} == set(ACTIONS)


def test_nothing_that_others_write_stands_inside_a_script() -> None:
    for job in workflow()["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_only_the_job_that_publishes_may_write_packages() -> None:
    read = workflow()
    assert read["permissions"] == {}
    rights = {name: job["permissions"] for name, job in read["jobs"].items()}
    assert {name for name, right in rights.items() if right.get("packages") == "write"} == {"publish"}
    assert {name for name, right in rights.items() if "id-token" in right} == {
        "publish",
        "deploy-staging",
        "deploy-production",
    }
    assert all(rights[name] == READS for name in ("test", "context", "build"))


def test_no_long_lived_secret_is_asked_for() -> None:
    text = files(planned("assistant"))[github.FILE]
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"GITHUB_TOKEN"}
    for name in ("deploy:staging", "deploy:production"):
        assert of_gitlab()[name]["id_tokens"] == {"KUBE_TOKEN": {"aud": "ai-assistant"}}


def test_images_with_a_card_are_built_for_one_platform() -> None:
    names = [image.name for image in images(planned("agents"))]
    assert workflow("agents")["jobs"]["build"]["strategy"]["matrix"]["image"] == names
    assert of_gitlab("agents")["build"]["parallel"]["matrix"] == [{"IMAGE": names}]
    assert any(name.endswith("-gpu") for name in names)


# --- GitLab ---


def test_a_merge_request_of_gitlab_tests_builds_and_scans_alone() -> None:
    read = of_gitlab()
    rules = {name: job.get("rules") for name, job in read.items() if name not in _KEYWORDS}
    assert {name for name, rule in rules.items() if rule is None} == {"test", "context", "build", "scan"}
    for name, rule in rules.items():
        for each in rule or ():
            assert each["if"].startswith("$CI_COMMIT_BRANCH == "), name
    assert not any("only" in job for job in read.values() if isinstance(job, dict))


def test_production_waits_for_a_click_in_gitlab() -> None:
    read = of_gitlab()
    (staging,), (production,) = read["deploy:staging"]["rules"], read["deploy:production"]["rules"]
    assert (staging["if"], staging.get("when")) == ('$CI_COMMIT_BRANCH == "develop"', None)
    assert (production["if"], production["when"]) == ('$CI_COMMIT_BRANCH == "main"', "manual")
    assert production["allow_failure"] is False


def test_gitlab_builds_without_root_and_without_an_engine() -> None:
    read = of_gitlab()
    assert read["build"]["image"]["name"].endswith("-rootless")
    assert "services" not in read["build"]
    assert read["test"]["artifacts"]["reports"]["coverage_report"]["coverage_format"] == "cobertura"


@pytest.mark.parametrize(
    ("line", "percent"), [("TOTAL    1234    12    98%", "98"), ("TOTAL  10  0  2  0  99.5%", "99.5")]
)
def test_gitlab_finds_the_coverage(line: str, percent: str) -> None:
    found = re.search(of_gitlab()["test"]["coverage"].strip("/"), line)
    assert found
    assert found[1] == percent


_KEYWORDS = {"stages", "workflow", "variables", "default"}


# --- played through ---

OUTWARD = {  # what each program does in its place: it writes its words down, and makes what others wait for
    "docker": 'exec sh "$PWD/${PIPELINE:-pipeline}/build.sh"',
    "buildctl-daemonless.sh": ('for word in "$@"; do case $word in type=*dest=*) : >"${word##*dest=}";; esac; done'),
    "skopeo": 'for word in "$@"; do case $word in build/*.digest) echo sha256:abc >"$word";; esac; done',
    "cosign": "cat >/dev/null </dev/null",
    "gh": 'echo "${REVIEWERS:-1}"',
    "kubectl": ('case "$*" in *"kind==\\"Deployment\\""*) printf "ai-assistant Deployment/orchestrator\\n";; esac'),
    "install.sh": "",
}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the repository."""

    name: str
    branch: str

    @property
    def github(self) -> SimpleNamespace:
        """The context of that name, as far as the workflow asks."""
        ref = f"refs/heads/{self.branch}" if self.name == "push" else "refs/pull/7/merge"
        return SimpleNamespace(
            event_name=self.name,
            ref=ref,
            ref_name=ref.partition("/")[2].partition("/")[2],
            sha=COMMIT,
            actor="somebody",
            token="t",
        )


def value(expression: str, event: Event, image: str = "") -> Any:
    """An expression of GitHub's, of the few kinds that the workflow has."""
    plain = expression.replace("&&", " and ").replace("||", " or ")
    known = {
        "github": event.github,
        "matrix": SimpleNamespace(image=image),
        "vars": SimpleNamespace(KUBE_SERVER="https://cluster", KUBE_CA="certificate"),
        "secrets": SimpleNamespace(GITHUB_TOKEN="t"),
    }
    return eval(plain, {"__builtins__": {}}, known)


def filled(variables: Mapping[str, str], event: Event, image: str) -> dict[str, str]:
    return {
        name: re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(value(found[1].strip(), event, image)), str(text))
        for name, text in variables.items()
    }


def jobs_of(event: Event, blueprint: str = "assistant") -> Iterator[tuple[str, Job]]:
    """The jobs that run, each after those that it needs."""
    ran: set[str] = set()
    for name, job in workflow(blueprint)["jobs"].items():
        if set(job.get("needs", ())) <= ran and ("if" not in job or value(job["if"], event)):
            ran.add(name)
            yield name, job


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of the assistant with its pipeline."""
    return repository_of("assistant", tmp_path)


def repository_of(blueprint: str, tmp_path: Path) -> Path:
    """A repository with its pipeline, and programs that only write down how they were called."""
    folder = written(blueprint, tmp_path / "repository")
    (folder / "system.yaml").write_text(blueprint_file(blueprint).read_text())
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, does in OUTWARD.items():
        place = folder / "pipeline" / name if name == "install.sh" else programs / name
        place.write_text(f'#!/bin/sh\necho "{name} $*" >>"$CALLS"\n{does}\n')
        place.chmod(0o755)
    return folder


def play(event: Event, repository: Path, blueprint: str = "assistant", **variables: str) -> list[str]:
    """Run every script of every job; what the outside world would have been asked."""
    calls = repository.parent / "calls"
    calls.touch()
    given = workflow(blueprint)["env"]
    for name, job in jobs_of(event, blueprint):
        for image in job.get("strategy", {}).get("matrix", {}).get("image", [""]):
            for step in job["steps"]:
                if "run" not in step:
                    continue
                named = filled({**given, **job.get("env", {}), **step.get("env", {})}, event, image)
                path = f"{repository.parent / 'programs'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
                ran = subprocess.run(
                    ["bash", "-e", "-c", step["run"]],
                    cwd=repository,
                    env={**named, "PATH": path, "CALLS": str(calls), "HOME": str(repository), **_PLACES, **variables},
                    capture_output=True,
                    text=True,
                )
                assert ran.returncode == 0, f"{name}: {step['run']}\n{ran.stdout}\n{ran.stderr}"
    return calls.read_text().splitlines()


_PLACES = {"RUNNER_TEMP": "/tmp", "GITHUB_REPOSITORY": "somebody/desk"}


def said(calls: list[str], program: str) -> list[str]:
    return [call for call in calls if call.startswith(f"{program} ")]


@pytest.mark.proves("assistant-17")
def test_a_pull_request_tests_and_builds_and_pushes_nothing(repository: Path) -> None:
    calls = play(Event("pull_request", "main"), repository)
    names = [image.name for image in images(planned("assistant"))]
    for name in names:
        assert any(f"build/{name}.tar" in call and "linux/amd64,linux/arm64" in call for call in calls)
    assert not any(call.startswith(("skopeo", "cosign", "kubectl")) for call in calls)
    assert not any("push" in call or "docker://" in call for call in calls)
    assert all(job["permissions"] == READS for _, job in jobs_of(Event("pull_request", "main")))


@pytest.mark.proves("assistant-17")
def test_main_pushes_by_commit_signs_by_digest_and_rolls_out_to_production(repository: Path) -> None:
    event = Event("push", "main")
    calls = play(event, repository)
    pushed = [call.split()[-1] for call in said(calls, "skopeo")]
    registry = planned("assistant").deployment.images.registry
    expected = [f"{registry}/{image.name}" for image in images(planned("assistant"))]
    assert pushed == [f"docker://{name}:{COMMIT}" for name in expected]
    assert [call.split()[-1] for call in said(calls, "cosign sign")] == [f"{name}@sha256:abc" for name in expected]
    assert any("rollout status Deployment/orchestrator" in call for call in said(calls, "kubectl"))
    applied = (repository / "build/kubernetes").rglob("*.yaml")
    text = "\n".join(file.read_text() for file in applied)
    assert f"{expected[0]}:{COMMIT}" in text
    assert "namespace: ai-assistant\n" in text
    ran = dict(jobs_of(event))
    assert ran["deploy-production"]["environment"]["name"] == "production"
    assert "deploy-staging" not in ran


def test_images_with_a_card_are_pushed_beside_the_others(tmp_path: Path) -> None:
    calls = play(Event("push", "main"), repository_of("agents", tmp_path), "agents")
    name = "docker://registry.example.com/ai-system/ai-system"
    assert [call.split()[-1] for call in said(calls, "skopeo")] == [f"{name}:{COMMIT}", f"{name}:{COMMIT}-gpu"]


def test_a_sealed_secret_goes_out_as_it_was_sealed_and_never_without_its_values(tmp_path: Path) -> None:
    repository = repository_of("engagement", tmp_path)
    with pytest.raises(AssertionError, match=r"sealed/production.yaml is missing.*kubeseal"):
        play(Event("push", "main"), repository, "engagement")
    assert not any("apply" in call for call in said((tmp_path / "calls").read_text().splitlines(), "kubectl"))
    (repository / "sealed").mkdir()
    (repository / "sealed/production.yaml").write_text("kind: SealedSecret\nspec: {encryptedData: {SECRET_KEY: Ag}}\n")
    calls = play(Event("push", "main"), repository, "engagement")
    assert any("apply" in call for call in said(calls, "kubectl"))
    applied = (repository / "build/kubernetes/11-secrets.yaml").read_text()
    assert applied == (repository / "sealed/production.yaml").read_text()


@pytest.mark.proves("assistant-17")
def test_production_does_not_go_out_where_nobody_is_asked(repository: Path) -> None:
    guarded = workflow()["jobs"]["guarded"]
    assert "guarded" in workflow()["jobs"]["deploy-production"]["needs"]
    ran = subprocess.run(
        ["bash", "-e", "-c", guarded["steps"][0]["run"]],
        env={
            "PATH": f"{repository.parent / 'programs'}:{os.environ['PATH']}",
            "CALLS": str(repository.parent / "calls"),
            "REVIEWERS": "0",
            **_PLACES,
        },
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert "required reviewers" in ran.stdout


def test_develop_goes_to_staging_by_itself() -> None:
    ran = dict(jobs_of(Event("push", "develop")))
    assert "deploy-production" not in ran
    assert ran["deploy-staging"]["environment"] == {
        "name": "staging",
        "url": "https://staging.ai-assistant.example.com",
    }
    assert value("github.ref_name == 'develop' && 'staging' || 'production'", Event("push", "develop")) == "staging"


def test_an_image_that_does_not_bear_the_commit_is_not_pushed(repository: Path) -> None:
    (repository / "build").mkdir()
    (repository / "build/orchestrator.reference").write_text("registry.example.com/orchestrator:latest\n")
    ran = subprocess.run(
        ["sh", "pipeline/publish.sh"],
        cwd=repository,
        env={
            "PATH": f"{repository.parent / 'programs'}:{os.environ['PATH']}",
            "CALLS": str(repository.parent / "calls"),
            "IMAGE": "orchestrator",
            "TAG": COMMIT,
        },
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert "does not bear the commit's id" in ran.stderr
    assert not (repository.parent / "calls").exists()
