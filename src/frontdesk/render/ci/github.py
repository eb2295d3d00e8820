"""GitHub Actions. A pull request tests and builds and never holds a right to push; what is pushed has been scanned.

Every job has the rights that it needs and no other. Expressions fill variables and never stand inside a script, where
a branch's name could become a command (docs.github.com: security hardening for GitHub Actions).
"""

from collections.abc import Mapping, Sequence

from frontdesk.render.ci.pins import BUILDKIT, EMULATORS, RUNNER, action, with_versions
from frontdesk.render.ci.scripts import FOLDER, SYSTEM_FILE
from frontdesk.render.docker import images
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan

FILE = ".github/workflows/build-and-deploy.yml"
READS = {"contents": "read"}
STRANGER = "github.event_name == 'pull_request'"

Block = Mapping[str, object]


def files(plan: Plan) -> Files:
    """The workflow."""
    pipeline = plan.deployment.pipeline
    branches = [pipeline.production_branch, pipeline.staging_branch]
    staging = f"github.ref_name == '{pipeline.staging_branch}'"
    workflow = {
        "name": "Build and deploy",
        "on": {"push": {"branches": branches}, "pull_request": {"branches": branches}},
        "permissions": {},
        "concurrency": {
            "group": "build-${{ github.ref }}",
            "cancel-in-progress": f"${{{{ {STRANGER} }}}}",
        },
        "env": {
            "SYSTEM_FILE": SYSTEM_FILE,
            "TAG": "${{ github.sha }}",
            "STAGE": f"${{{{ {staging} && 'staging' || 'production' }}}}",
        },
        "jobs": {
            "test": _test(plan),
            "context": _context(plan),
            "build": _build(plan),
            "publish": _publish(plan, branches),
            "deploy-staging": _deploy(plan, "staging", pipeline.staging_branch, pipeline.staging_url, ["publish"]),
            "guarded": _guarded(pipeline.production_branch),
            "deploy-production": _deploy(
                plan, "production", pipeline.production_branch, pipeline.production_url, ["publish", "guarded"]
            ),
        },
    }
    return {FILE: with_versions(yaml_text(workflow))}


def _test(plan: Plan) -> Block:
    report = [_upload("coverage", "coverage.xml", missing="ignore")] if plan.deployment.pipeline.coverage else []
    return _job(20, [*_with_product(plan), _script("test"), *report])


def _context(plan: Plan) -> Block:
    files = "build/context\nbuild/*.options\nbuild/*.platforms\nbuild/*.reference\n"
    return _job(10, [*_with_product(plan), _script("context"), _upload("context", files, hidden=True)])


def _build(plan: Plan) -> Block:
    """Each image beside the others. The builder runs in a container of this machine, which lives for this job alone."""
    builder = (
        'docker run --rm --privileged --volume "$PWD:/work" --workdir /work --env IMAGE --env TAG --entrypoint sh '
        f"{BUILDKIT} {FOLDER}/build.sh"
    )
    steps = [
        _checkout(),
        _download("context", "build"),
        {"uses": action("docker/setup-qemu-action"), "with": {"image": f"docker.io/{EMULATORS}"}},
        {"name": "Build", "run": builder},
        *(_scan(platform.rpartition("/")[2]) for platform in plan.deployment.images.platforms),
        _upload("image-${{ matrix.image }}", "build/${{ matrix.image }}.tar", days=1),
    ]
    return _job(90, steps, needs=["test", "context"], extra=_matrix(plan))


def _publish(plan: Plan, branches: Sequence[str]) -> Block:
    steps = [
        _checkout(),
        _download("context", "build"),
        _download("image-${{ matrix.image }}", "build"),
        {"uses": action("sigstore/cosign-installer")},
        _script("publish", {"REGISTRY_USER": "${{ github.actor }}", "REGISTRY_TOKEN": "${{ secrets.GITHUB_TOKEN }}"}),
    ]
    refs = " || ".join(f"github.ref == 'refs/heads/{branch}'" for branch in branches)
    return _job(
        30,
        steps,
        needs=["build"],
        when=f"github.event_name == 'push' && ({refs})",
        rights={
            **READS,
            "packages": "write",
            "id-token": "write",
        },  # id-token: signed in this job's name, without a key
        extra=_matrix(plan),
    )


def _guarded(branch: str) -> Block:
    """Who must be asked stands in the repository's settings, where it could be forgotten: then nothing goes out."""
    question = (
        'reviewers=$(gh api "repos/$GITHUB_REPOSITORY/environments/production" '
        "--jq '[.protection_rules[] | select(.type == \"required_reviewers\")] | length')\n"
        'if [ "$reviewers" = 0 ]; then\n'
        '  echo "::error::The environment production asks nobody. Settings, Environments: add required reviewers."\n'
        "  exit 1\n"
        "fi\n"
    )
    step = {"name": "Production waits for a person", "run": question, "env": {"GH_TOKEN": "${{ github.token }}"}}
    return _job(5, [step], when=_pushed_to(branch), rights={"actions": "read"})


def _deploy(plan: Plan, environment: str, branch: str, url: str, needs: Sequence[str]) -> Block:
    """Render with the commit's id once, apply, wait. GitHub vouches for the job; the cluster takes its word."""
    cluster = {
        "KUBE_SERVER": "${{ vars.KUBE_SERVER }}",
        "KUBE_CA": "${{ vars.KUBE_CA }}",
        "KUBE_AUDIENCE": plan.name,
    }
    reach = (
        "set -eu\n"
        'printf \'%s\\n\' "$KUBE_CA" >"$RUNNER_TEMP/ca.crt"\n'
        'kubectl config set-cluster here --server="$KUBE_SERVER" --certificate-authority="$RUNNER_TEMP/ca.crt"\n'
        "kubectl config set-credentials pipeline --exec-api-version=client.authentication.k8s.io/v1 "
        f'--exec-interactive-mode=Never --exec-command="$PWD/{FOLDER}/kube-token.sh"\n'
        "kubectl config set-context here --cluster=here --user=pipeline\n"
        "kubectl config use-context here\n"
        f"sh {FOLDER}/deploy.sh\n"
    )
    render = (
        'frontdesk render kubernetes --system "$SYSTEM_FILE" --environment "$STAGE" --tag "$TAG" '
        "--out build/kubernetes\n"
    )
    steps = [
        *_with_product(plan),
        {"name": "Render", "run": render},
        {"name": "Roll out", "run": reach, "env": cluster},
    ]
    place = {"name": environment} | ({"url": url} if url else {})
    concurrency = {"group": f"deploy-{environment}", "cancel-in-progress": False}
    return _job(
        45,
        steps,
        needs=needs,
        when=_pushed_to(branch),
        rights={**READS, "id-token": "write"},
        extra={"environment": place, "concurrency": concurrency, "env": {"STAGE": environment}},
    )


def _job(
    minutes: int,
    steps: Sequence[Block],
    *,
    needs: Sequence[str] = (),
    when: str = "",
    rights: Mapping[str, str] | None = None,
    extra: Block | None = None,
) -> Block:
    return {
        **({"needs": list(needs)} if needs else {}),
        **({"if": when} if when else {}),
        "runs-on": RUNNER,
        "timeout-minutes": minutes,
        "permissions": dict(rights or READS),
        **(extra or {}),
        "steps": list(steps),
    }


def _with_product(plan: Plan) -> list[Block]:
    """The repository's files, Python, and the product as it is locked."""
    python = {"python-version": plan.deployment.images.python}
    return [_checkout(), {"uses": action("actions/setup-python"), "with": python}, _script("install")]


def _checkout() -> Block:
    return {"uses": action("actions/checkout"), "with": {"persist-credentials": False}}


def _script(name: str, variables: Mapping[str, str] | None = None) -> Block:
    return {"name": name.capitalize(), "run": f"sh {FOLDER}/{name}.sh"} | ({"env": variables} if variables else {})


def _scan(architecture: str) -> Block:
    """Fails on what is grave and could be mended. An image that has no such platform has no such file."""
    file = f"build/${{{{ matrix.image }}}}-{architecture}.scan.tar"
    return {
        "name": f"Scan {architecture}",
        "if": f"hashFiles(format('build/{{0}}-{architecture}.scan.tar', matrix.image)) != ''",
        "uses": action("aquasecurity/trivy-action"),
        "with": {"input": file, "severity": "HIGH,CRITICAL", "ignore-unfixed": True, "exit-code": "1"},
    }


def _matrix(plan: Plan) -> Block:
    names = [image.name for image in images(plan)]
    return {
        "strategy": {"fail-fast": False, "matrix": {"image": names}},
        "env": {"IMAGE": "${{ matrix.image }}"},
    }


def _upload(name: str, path: str, *, missing: str = "error", days: int = 7, hidden: bool = False) -> Block:
    options: dict[str, object] = {"name": name, "path": path, "if-no-files-found": missing, "retention-days": days}
    if hidden:
        options["include-hidden-files"] = True  # .dockerignore belongs to the context
    return {"uses": action("actions/upload-artifact"), "with": options}


def _download(name: str, path: str) -> Block:
    return {"uses": action("actions/download-artifact"), "with": {"name": name, "path": path}}


def _pushed_to(branch: str) -> str:
    return f"github.event_name == 'push' && github.ref == 'refs/heads/{branch}'"
