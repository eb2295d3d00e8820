"""Each tool that reads rendered files is content with a good file and refuses a planted bad one: a tool that cannot
refuse would prove nothing of what is rendered."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.render.reading import charts, hosts, images, monitoring, objects, pipelines

SHA = "08c6903cd8c0fde910a37f88322edcfb5dd907a8"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: desk
spec:
  replicas: 2
  selector: {matchLabels: {app: desk}}
  template:
    metadata:
      labels: {app: desk}
    spec:
      containers:
        - name: desk
          image: example.com/desk:1.0
          ports: [{containerPort: 8000}]
"""

RULES = """\
groups:
  - name: desk
    rules:
      - alert: ServiceDown
        expr: up{job="desk"} == 0
        for: 1m
        labels: {severity: critical}
"""

PROMETHEUS = """\
global: {scrape_interval: 15s}
rule_files: [/etc/prometheus/rules/*.yml]
scrape_configs:
  - job_name: desk
    static_configs: [{targets: ["desk:8000"]}]
"""

ALERTMANAGER = """\
route:
  receiver: nobody
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
receivers:
  - name: nobody
  - name: pager
    webhook_configs: [{url: "http://pager:8080/"}]
"""

COMPOSE = """\
services:
  desk:
    image: example.com/desk:1.0
    environment: {KEY: "${KEY:?a key}"}
    networks: [inside]
networks:
  inside: {}
"""

WORKFLOW = f"""\
name: test
on:
  pull_request:
permissions:
  contents: read
concurrency:
  group: test-${{{{ github.ref }}}}
  cancel-in-progress: true
jobs:
  test:
    name: Test
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@{SHA} # v5.0.0
        with:
          persist-credentials: false
      - run: make test
"""

GITLAB = """\
stages: [test]
test:
  stage: test
  image: python:3.12-slim
  script: [make test]
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
"""

DOCKERFILE = """\
FROM python:3.12-slim
RUN useradd --uid 10001 desk
USER 10001
HEALTHCHECK CMD ["frontdesk", "probe"]
CMD ["frontdesk", "up"]
"""

NGINX = """\
user www-data;
pid /var/run/nginx.pid;
events {}
http {
  include /etc/nginx/mime.types;
  upstream desk { server desk:8000; }
  server {
    listen 8443 ssl;
    http2 on;
    ssl_certificate /etc/tls/tls.crt;
    ssl_certificate_key /etc/tls/tls.key;
    location / { proxy_pass http://desk; }
  }
}
"""

UNIT = """\
[Unit]
Description=The desk
After=desk-store.service
Requires=desk-store.service

[Service]
User=desk-of-some-host
EnvironmentFile=/etc/frontdesk/desk.env
ExecStart=/opt/frontdesk/bin/frontdesk up
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
"""

STORE = "[Service]\nExecStart=/opt/store/bin/store\n"

SCRIPT = '#!/bin/sh\nset -eu\ncp -- "$1" "$2"\n'

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: desk\nversion: 1.0.0\nappVersion: '1.0'\n",
    "values.yaml": "replicas: 2\n",
    "values.schema.json": json.dumps({"type": "object", "properties": {"replicas": {"type": "integer"}}}),
    "templates/desk.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: {{ .Values.replicas }}"),
}

DASHBOARD = {
    "uid": "desk",
    "title": "Desk",
    "schemaVersion": 39,
    "tags": ["desk"],
    "time": {"from": "now-6h", "to": "now"},
    "templating": {"list": [{"name": "job", "type": "query", "query": "label_values(up, job)"}]},
    "panels": [
        {
            "id": 1,
            "type": "timeseries",
            "title": "Requests",
            "datasource": {"type": "prometheus", "uid": "prometheus"},
            "gridPos": {"h": 8, "w": 12, "x": 0, "y": 0},
            "fieldConfig": {"defaults": {"unit": "reqps"}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
            "targets": [
                {"refId": "A", "expr": 'sum(rate(requests_total{job="$job"}[$__rate_interval]))', "legendFormat": "all"}
            ],
        }
    ],
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file under the test's own folder."""

    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    return write


Write = Callable[[str, str], Path]

# tool → (how it is asked, the file's name, a good text, what is changed into what, a word of the complaint)
TOOLS: dict[str, tuple[Callable[[Path], list[str]], str, str, dict[tuple[str, str], str]]] = {
    "kubernetes": (
        lambda file: objects.read_manifests(file.parent),
        "desk.yaml",
        DEPLOYMENT,
        {
            ("replicas:", "replica:"): "'replica' was unexpected",
            ("containerPort: 8000", "containerPort: http"): "containerPort",
            ("replicas: 2", "replicas: 2\n  replicas: 3"): "stands twice",
            ("apps/v1", "apps/v1beta1"): "no schema",
            ("name: desk\nspec", "namespace: desk\nspec"): "metadata.name",
        },
    ),
    "compose": (
        lambda file: pipelines.read_compose(file, variables={"KEY": "k"}),
        "compose.yaml",
        COMPOSE,
        {
            ("image:", "imag:"): "'imag' was unexpected",
            ("[inside]", "[outside]"): "undefined network outside",
            ("${KEY:?a key}", "${OTHER:?another key}"): "another key",
            ("${KEY:?a key}", "${OTHER}"): "OTHER",
        },
    ),
    "github": (
        pipelines.read_github,
        ".github/workflows/test.yml",
        WORKFLOW,
        {
            ("runs-on", "run-on"): "run-on",
            (f"@{SHA} # v5.0.0", "@v5"): "zizmor: unpinned-uses",
            ("run: make test", "run: echo ${{ github.event.pull_request.title }}"): "untrusted",
            ("run: make test", "run: echo ${{ secret.KEY }}"): "secret",
            ("run: make test", "run: 'cd $HOME/x; ls'"): "shellcheck",
            ("contents: read", "contents: reed"): "reed",
        },
    ),
    "gitlab": (
        pipelines.read_gitlab,
        ".gitlab-ci.yml",
        GITLAB,
        {
            ("script", "scrpt"): "scrpt",
            ("rules:", "rules: 7\n  only:"): "rules",
            ("stages: [test]", "stages: 7"): "stages",
        },
    ),
    "hadolint": (
        images.read_dockerfiles,
        "Dockerfile",
        DOCKERFILE,
        {
            ("python:3.12-slim", "python"): "DL3006",
            ("useradd", "cd /x; useradd"): "DL3003",
            ("USER", "USR"): "unexpected",
        },
    ),
    "trivy, a Dockerfile": (
        lambda file: images.read_safety(file.parent),
        "Dockerfile",
        DOCKERFILE,
        {("USER 10001", "USER root"): "DS-0002"},
    ),
    "trivy, a manifest": (
        lambda file: images.read_safety(file.parent, explained=("KSV-0014", "KSV-0118")),
        "desk.yaml",
        DEPLOYMENT,
        {("image:", "securityContext: {privileged: true}\n          image:"): "KSV-0017"},
    ),
    "nginx": (
        lambda file: hosts.read_nginx(file.parent, names=["desk"]),
        "nginx.conf",
        NGINX,
        {
            ("proxy_pass http://desk", "proxy_pas http://desk"): "proxy_pas",
            ("http://desk;", "http://dusk;"): "dusk",
            ("events {}", "events {"): "nginx.conf",
            ("listen 8443 ssl;", "listen 8443 ssl; listen 8443 ssl http2;"): "8443",
        },
    ),
    "systemd": (
        lambda file: hosts.read_units(file.parent),
        "desk.service",
        UNIT,
        {
            ("ProtectSystem", "ProtectSytem"): "ProtectSytem",
            ("=strict", "=perhaps"): "perhaps",
            ("Requires=desk-store.service", "Requires=desk-stire.service"): "desk-stire",
            ("ExecStart=/opt", "ExecStart=opt"): "desk.service",
        },
    ),
    "shellcheck": (hosts.read_scripts, "restore.sh", SCRIPT, {('"$1" "$2"', "`ls` $(("): "SC"}),
    "prometheus": (
        monitoring.read_prometheus,
        "prometheus.yml",
        PROMETHEUS,
        {("scrape_interval", "scrape_intervall"): "scrape_intervall", ("15s", "15 seconds"): "15 seconds"},
    ),
    "rules": (
        monitoring.read_rules,
        "rules.yml",
        RULES,
        {
            ("== 0", "== "): "parse error",
            ("for: 1m", "fore: 1m"): "fore",
            ("severity: critical}", "severity: '{{ $label.x }}'}"): "label",
        },
    ),
    "alertmanager": (
        monitoring.read_alertmanager,
        "alertmanager.yml",
        ALERTMANAGER,
        {("receiver: pager", "receiver: page"): "page", ('severity="critical"', "severity is critical"): "severity"},
    ),
    "grafana": (
        monitoring.read_dashboards,
        "desk.json",
        json.dumps(DASHBOARD),
        {
            ('"fieldConfig"', '"fieldsConfig"'): ".fieldsConfig is unknown",
            ('"tags"', '"tagged"'): ".tagged is unknown",
            ("sum(rate(", "sum(rate"): "parse error",
            ('"uid": "desk"', '"uid": ""'): "no uid",
            ('"h": 8', '"height": 8'): "gridPos",
        },
    ),
}

BAD = [
    (tool, before, after, word)
    for tool, (_, _, _, changes) in TOOLS.items()
    for (before, after), word in changes.items()
]


def beside(tool: str, write: Write) -> None:
    if tool == "systemd":
        write("desk-store.service", STORE)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_good_file_is_read_without_complaint(tool: str, write: Write) -> None:
    read, name, text, _ = TOOLS[tool]
    beside(tool, write)
    assert read(write(name, text)) == []


@pytest.mark.parametrize(
    ("tool", "before", "after", "word"), BAD, ids=[f"{tool}: {after}" for tool, _, after, _ in BAD]
)
def test_a_bad_file_is_refused(tool: str, before: str, after: str, word: str, write: Write) -> None:
    read, name, text, _ = TOOLS[tool]
    beside(tool, write)
    assert before in text
    said = read(write(name, text.replace(before, after, 1)))
    assert word in "\n".join(said)


# --- charts ---


def chart(write: Write, **changed: str) -> Path:
    for name, text in (CHART | changed).items():
        write(f"desk/{name}", text)
    return write("desk/values.yaml", CHART["values.yaml"]).parent


def test_a_good_chart_is_read_without_complaint(write: Write) -> None:
    assert charts.read_chart(chart(write)) == []


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("templates/desk.yaml", "replicas: {{ .Values.replicas", "unclosed action"),
        ("templates/desk.yaml", DEPLOYMENT.replace("replicas:", "replica:"), "'replica' was unexpected"),
        ("templates/desk.yaml", '{{ required "say how many" .Values.many }}', "say how many"),
        ("Chart.yaml", "apiVersion: v2\nname: desk\n", "version"),
    ],
    ids=["a template that does not parse", "a wrong object", "a missing value", "no version"],
)
def test_a_bad_chart_is_refused(file: str, text: str, word: str, write: Write) -> None:
    assert word in "\n".join(charts.read_chart(chart(write, **{file: text})))


def test_values_are_held_to_the_charts_schema(write: Write) -> None:
    folder = chart(write)
    assert charts.read_chart(folder, write("three.yaml", "replicas: 3\n")) == []
    assert "replicas" in "\n".join(charts.read_chart(folder, write("many.yaml", "replicas: many\n")))


def test_a_chart_is_written_with_the_values_given(write: Write) -> None:
    folder, values = chart(write), write("production.yaml", "replicas: 5\n")
    (written,) = charts.template(folder, values)
    assert written == yaml.safe_load(DEPLOYMENT) | {"spec": yaml.safe_load(DEPLOYMENT)["spec"] | {"replicas": 5}}


# --- custom resources ---

CUSTOM: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "networking.istio.io/v1 DestinationRule": ({"host": "desk"}, {"hosts": ["desk"]}),
    "monitoring.coreos.com/v1 ServiceMonitor": (
        {"selector": {"matchLabels": {"app": "desk"}}, "endpoints": [{"port": "http"}]},
        {"selector": {"matchLabels": {"app": "desk"}}},
    ),
    "autoscaling.k8s.io/v1 VerticalPodAutoscaler": (
        {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "desk"}},
        {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment"}},
    ),
    "snapshot.storage.k8s.io/v1 VolumeSnapshot": ({"source": {"persistentVolumeClaimName": "files"}}, {}),
    "keda.sh/v1alpha1 ScaledObject": (
        {"scaleTargetRef": {"name": "desk"}, "triggers": [{"type": "cpu", "metadata": {"value": "70"}}]},
        {"scaleTargetRef": {"name": "desk"}},
    ),
}


def custom(named: str, spec: dict[str, object]) -> dict[str, object]:
    api, kind = named.split()
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "desk"}, "spec": spec}


@pytest.mark.parametrize("schemas", ["beside", None], ids=["by its schema where it is here", "by its shape"])
@pytest.mark.parametrize("named", CUSTOM)
def test_a_custom_resource_is_held_to_what_it_must_have(named: str, schemas: str | None) -> None:
    good, bad = CUSTOM[named]
    assert objects.read_objects([custom(named, good)], schemas) == []
    assert objects.read_objects([custom(named, bad)], schemas) != []


def test_every_schema_beside_the_checkout_has_a_shape_for_where_it_is_not() -> None:
    folder = objects.schema_folder()
    known = {f"{api.replace('/', ' ')} {kind}".lower() for api, kind in objects.SHAPES}
    for file in folder.glob("*.json") if folder else ():
        group, kind, version = file.stem.split("_")
        assert f"{group} {version} {kind}" in known


def test_a_kustomization_names_the_files_beside_it(write: Write) -> None:
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%s]\n"
    folder = write("services/desk.yaml", DEPLOYMENT).parents[1]
    for named, said in (
        ("services/desk.yaml", []),
        ("services/desk.yaml, other.yaml", ["kustomization.yaml: other.yaml is missing"]),
        ("services/desk.yaml, services/desk.yaml", ["kustomization.yaml: services/desk.yaml is named twice"]),
        ("", ["kustomization.yaml: services/desk.yaml is named by nobody"]),
    ):
        write("kustomization.yaml", kustomization % named)
        assert objects.read_manifests(folder) == said


def test_a_kind_that_no_schema_knows_is_refused() -> None:
    (said,) = objects.read_objects([custom("example.com/v1 Desk", {})])
    assert "no schema knows Desk of example.com/v1" in said


# --- more of the tools ---


def test_alerts_reach_whom_they_are_routed_to(write: Write) -> None:
    file = write("alertmanager.yml", ALERTMANAGER)
    assert monitoring.receivers(file, severity="critical") == ["pager"]
    assert monitoring.receivers(file, severity="info") == ["nobody"]


def test_compose_files_are_read_in_layers(write: Write) -> None:
    core = write("compose.yaml", COMPOSE)
    more = write("compose.gpu.yaml", "services:\n  desk:\n    networks: [backstage]\n")
    (said,) = pipelines.read_compose(core, more, variables={"KEY": "k"})
    assert "undefined network backstage" in said


def test_an_nginx_folder_without_a_main_file_is_read_inside_http(write: Write) -> None:
    folder = write("conf.d/desk.conf", "server {\n  listen 8080;\n  return 204;\n}\n").parent
    assert hosts.read_nginx(folder) == []
    write("conf.d/other.conf", "events {}\n")
    assert "events" in "\n".join(hosts.read_nginx(folder))


def test_a_finding_that_is_explained_is_no_complaint(write: Write) -> None:
    folder = write("Dockerfile", DOCKERFILE.replace("USER 10001", "USER root")).parent
    assert images.read_safety(folder, explained={"DS-0002"}) == []


def test_a_folder_with_nothing_to_read_is_a_complaint(tmp_path: Path) -> None:
    for read in (objects.read_manifests, images.read_safety, hosts.read_units):
        assert len(read(tmp_path)) == 1
