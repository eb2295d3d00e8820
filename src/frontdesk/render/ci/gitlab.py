"""GitLab: the same steps. Images are built by BuildKit without root and without a Docker engine; jobs identify
themselves by tokens that GitLab makes out for one job (docs.gitlab.com/ci/secrets/id_token_authentication).
"""

from collections.abc import Mapping, Sequence

from frontdesk.render.ci.pins import ALPINE, BUILDKIT, TRIVY
from frontdesk.render.ci.scripts import FOLDER, SYSTEM_FILE
from frontdesk.render.docker import images
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan

FILE = ".gitlab-ci.yml"
STAGES = ("test", "build", "scan", "publish", "deploy")

Block = Mapping[str, object]


def files(plan: Plan) -> Files:
    """The pipeline."""
    pipeline = plan.deployment.pipeline
    production = f'$CI_COMMIT_BRANCH == "{pipeline.production_branch}"'
    staging = f'$CI_COMMIT_BRANCH == "{pipeline.staging_branch}"'
    asked = '$CI_PIPELINE_SOURCE == "merge_request_event"'
    document: Block = {
        "stages": list(STAGES),
        "workflow": {
            "rules": [
                {"if": asked, "variables": {"STAGE": "production"}},
                {"if": production, "variables": {"STAGE": "production"}},
                {"if": staging, "variables": {"STAGE": "staging"}},
            ]
        },
        "variables": {"SYSTEM_FILE": SYSTEM_FILE, "TAG": "$CI_COMMIT_SHA"},
        "default": {"interruptible": True, "retry": {"max": 1, "when": ["runner_system_failure"]}},
        "test": _test(plan),
        "context": {**_with_product(plan, "test", ["context"]), **_kept(["build/"])},
        "build": _build(plan),
        "scan": _scan(plan),
        "publish": _publish(plan, [production, staging]),
        "render:staging": _render(plan, "staging", staging),
        "render:production": _render(plan, "production", production),
        "deploy:staging": _deploy(plan, "staging", staging, pipeline.staging_url),
        "deploy:production": _deploy(plan, "production", production, pipeline.production_url),
    }
    return {FILE: yaml_text(document)}


def _test(plan: Plan) -> Block:
    job = _with_product(plan, "test", ["test"])
    if not plan.deployment.pipeline.coverage:
        return job
    report = {"coverage_report": {"coverage_format": "cobertura", "path": "coverage.xml"}}
    return job | {"coverage": r"/TOTAL.*\s+(\d+(?:\.\d+)?)%/", "artifacts": {"when": "always", "reports": report}}


def _build(plan: Plan) -> Block:
    """BuildKit's own daemon lives in the job, as an ordinary user; the runner's kernel must know other platforms."""
    return {
        "stage": "build",
        "image": {"name": f"{BUILDKIT}-rootless", "entrypoint": [""]},
        "needs": ["test", "context"],
        "parallel": _matrix(plan),
        "variables": {"BUILDKITD_FLAGS": "--oci-worker-no-process-sandbox"},
        "script": [f"sh {FOLDER}/build.sh"],
        **_kept(["build/$IMAGE*.tar"]),
    }


def _scan(plan: Plan) -> Block:
    """Fails on what is grave and could be mended, on each platform."""
    return {
        "stage": "scan",
        "image": {"name": TRIVY, "entrypoint": [""]},
        "needs": ["build"],
        "parallel": _matrix(plan),
        "script": [
            'for file in build/"$IMAGE"-*.scan.tar; do trivy image --input "$file" --severity HIGH,CRITICAL '
            "--ignore-unfixed --exit-code 1 --no-progress; done"
        ],
    }


def _publish(plan: Plan, branches: Sequence[str]) -> Block:
    return {
        "stage": "publish",
        "image": ALPINE,
        "needs": ["context", "build", "scan"],
        "parallel": _matrix(plan),
        "interruptible": False,
        "id_tokens": {"SIGSTORE_ID_TOKEN": {"aud": "sigstore"}},  # signed in this job's name, without a key
        "before_script": ["apk add --no-cache cosign skopeo"],
        "script": [
            'export REGISTRY_USER="$CI_REGISTRY_USER" REGISTRY_TOKEN="$CI_REGISTRY_PASSWORD"',
            f"sh {FOLDER}/publish.sh",
        ],
        "rules": [{"if": branch} for branch in branches],
    }


def _render(plan: Plan, environment: str, branch: str) -> Block:
    command = (
        f'frontdesk render kubernetes --system "$SYSTEM_FILE" --environment {environment} --tag "$TAG" '
        "--out build/kubernetes"
    )
    return {
        **_with_product(plan, "publish", []),
        "script": [f"sh {FOLDER}/install.sh", command],
        "rules": [{"if": branch}],
        **_kept(["build/kubernetes/"]),
    }


def _deploy(plan: Plan, environment: str, branch: str, url: str) -> Block:
    """The cluster takes GitLab's word for who this job is; production waits for a click."""
    click = {"when": "manual", "allow_failure": False} if environment == "production" else {}
    return {
        "stage": "deploy",
        "image": ALPINE,
        "needs": ["publish", f"render:{environment}"],
        "interruptible": False,
        "resource_group": environment,
        "environment": {"name": environment, **({"url": url} if url else {})},
        "id_tokens": {"KUBE_TOKEN": {"aud": plan.name}},
        "before_script": [
            "apk add --no-cache kubectl",
            "printf '%s\\n' \"$KUBE_CA\" >ca.crt",
            'kubectl config set-cluster here --server="$KUBE_SERVER" --certificate-authority=ca.crt',
            'kubectl config set-credentials pipeline --token="$KUBE_TOKEN"',
            "kubectl config set-context here --cluster=here --user=pipeline",
            "kubectl config use-context here",
        ],
        "script": [f"sh {FOLDER}/deploy.sh"],
        "rules": [{"if": branch, **click}],
    }


def _with_product(plan: Plan, stage: str, scripts: Sequence[str]) -> dict[str, object]:
    return {
        "stage": stage,
        "image": f"python:{plan.deployment.images.python}-slim",
        "script": [f"sh {FOLDER}/{name}.sh" for name in ("install", *scripts)],
    }


def _matrix(plan: Plan) -> Block:
    return {"matrix": [{"IMAGE": [image.name for image in images(plan)]}]}


def _kept(paths: Sequence[str]) -> Block:
    return {"artifacts": {"paths": list(paths), "expire_in": "1 day"}}
