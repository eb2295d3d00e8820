"""What both pipelines do, as scripts for any POSIX shell. They read variables alone: nothing is pasted into them.

The environment's name stands in `STAGE`: in `ENVIRONMENT` it would be this machine's, which lacks production's secrets.
"""

from string import Template

from frontdesk.render.target import Files
from frontdesk.system.layout.plan import Plan

SYSTEM_FILE = "system.yaml"  # at the top of the repository
FOLDER = "pipeline"


def files(plan: Plan) -> Files:
    """The scripts."""
    said = {"coverage": _COVERAGE if plan.deployment.pipeline.coverage else ""}
    scripts = {
        "install": _INSTALL,
        "test": _TEST,
        "context": _CONTEXT,
        "build": _BUILD,
        "publish": _PUBLISH,
        "deploy": _DEPLOY,
        "kube-token": _WORD_OF_GITHUB,
    }
    return {f"{FOLDER}/{name}.sh": Template(_HEAD + text).substitute(said) for name, text in scripts.items()}


_HEAD = """\
#!/bin/sh
"""

_COVERAGE = " --cov --cov-report=term --cov-report=xml:coverage.xml"

_INSTALL = """\
# The product, plug-ins and tools of the tests, as requirements.txt locks them by hash.
set -eu
python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
"""

_TEST = """\
# Every mistake of the description in each environment, then the tests of this repository, where it has any.
set -eu
frontdesk check --system "$$SYSTEM_FILE"
for target in docker kubernetes; do
  for environment in staging production; do
    frontdesk render "$$target" --system "$$SYSTEM_FILE" --environment "$$environment" --tag "$$TAG" \\
      --out "build/checked/$$environment/$$target" >/dev/null
  done
done
if [ -d tests ]; then
  python -m pytest tests$coverage
fi
"""

_CONTEXT = """\
# The build context of every image, and for each one what it is called and how it is built.
set -eu
frontdesk render docker --system "$$SYSTEM_FILE" --environment "$$STAGE" --tag "$$TAG" \\
  --out build/context >/dev/null
if [ -d wheels ]; then
  cp -R wheels/. build/context/wheels/
fi
python - <<'END'
import json
from pathlib import Path

for name, target in json.loads(Path("build/context/docker-bake.json").read_text())["target"].items():
    options = [
        f"filename={target['dockerfile']}",
        f"target={target['target']}",
        *(f"build-arg:{argument}={value}" for argument, value in target["args"].items()),
    ]
    Path(f"build/{name}.options").write_text("".join(f"{option}\\n" for option in options))
    Path(f"build/{name}.platforms").write_text(",".join(target["platforms"]) + "\\n")
    Path(f"build/{name}.reference").write_text(target["tags"][0] + "\\n")
END
"""

_BUILD = """\
# One image for all its platforms, with its list of contents and where it comes from, into a file; and each platform
# into a file of its own, which is what gets scanned. Nothing leaves this machine.
set -eu
platforms=$$(cat "build/$$IMAGE.platforms")
build() {
  buildctl-daemonless.sh build --progress=plain --frontend dockerfile.v0 \\
    --local context=build/context --local dockerfile=build/context "$$@"
}
set -- --opt "build-arg:REVISION=$$TAG"
while IFS= read -r option; do
  set -- "$$@" --opt "$$option"
done <"build/$$IMAGE.options"
build "$$@" --opt "platform=$$platforms" --opt attest:sbom= --opt attest:provenance=mode=max \\
  --output "type=oci,dest=build/$$IMAGE.tar"
for platform in $$(echo "$$platforms" | tr , ' '); do
  build "$$@" --opt "platform=$$platform" --output "type=docker,dest=build/$$IMAGE-$${platform##*/}.scan.tar"
done
"""

_PUBLISH = """\
# The very file that was scanned goes to the registry under the commit's id, and is signed by its digest, without a key.
set -eu
reference=$$(cat "build/$$IMAGE.reference")
case $$reference in
  *:"$$TAG" | *:"$$TAG"-gpu) ;;
  *) echo "$$reference does not bear the commit's id" >&2; exit 1 ;;
esac
printf '%s' "$$REGISTRY_TOKEN" | cosign login --username "$$REGISTRY_USER" --password-stdin "$${reference%%/*}"
skopeo copy --all --preserve-digests --retry-times 3 --digestfile "build/$$IMAGE.digest" \\
  "oci-archive:build/$$IMAGE.tar" "docker://$$reference"
cosign sign --yes --recursive "$${reference%:*}@$$(cat "build/$$IMAGE.digest")"
"""

_DEPLOY = """\
# Apply what was rendered with the commit's id, once, and wait until all of it runs. A sealed secret comes from this
# repository, as kubeseal filled it in: the rendered one has no values, and would take the cluster's away.
set -eu
secret=build/kubernetes/11-secrets.yaml
if grep -qs '^kind: SealedSecret' "$$secret"; then
  sealed=sealed/$$STAGE.yaml
  if [ ! -s "$$sealed" ]; then
    echo "$$sealed is missing, a filled copy of 11-secrets.yaml. $$(head -n 1 "$$secret")" >&2
    exit 1
  fi
  cp "$$sealed" "$$secret"
fi
kubectl apply --server-side --force-conflicts --field-manager=pipeline --kustomize build/kubernetes
for kind in StatefulSet Deployment; do
  each='{range .items[?(@.kind=="'$$kind'")]}{.metadata.namespace}{" '$$kind'/"}{.metadata.name}{"\\n"}{end}'
  kubectl get --kustomize build/kubernetes --output "jsonpath=$$each" >build/rolled
  while read -r namespace name; do
    kubectl --namespace "$$namespace" rollout status "$$name" --timeout=15m
  done <build/rolled
done
"""

_WORD_OF_GITHUB = """\
# GitHub's word for who this job is, as kubectl asks for it (client-go's credential plug-in). It is good for minutes,
# so it is asked for anew when it ends, and no key to the cluster is kept anywhere.
set -eu
token=$$(curl --fail --silent --show-error --header "Authorization: bearer $$ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
  "$$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$$KUBE_AUDIENCE" | jq --exit-status --raw-output .value)
jq --null-input --arg token "$$token" --arg until "$$(date --utc --date '+4 minutes' +%Y-%m-%dT%H:%M:%SZ)" '{
  apiVersion: "client.authentication.k8s.io/v1",
  kind: "ExecCredential",
  status: {token: $$token, expirationTimestamp: $$until}
}'
"""
