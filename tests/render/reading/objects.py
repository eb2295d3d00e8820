"""Kubernetes objects held to the schemas of the API server: strictly, so that an unknown key is a complaint.

The core kinds' schemas come from kubernetes-validate. Those of custom resources are JSON files named
GROUP_KIND_VERSION.json in the folder that FRONTDESK_CRD_SCHEMAS names, or in shared/schemas beside the checkout.
Without that folder a custom resource is held to the shape that `SHAPES` tells.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from tests.render.reading.programs import schema_folder

VERSION = "1.37"
CORE_GROUPS = {
    "",
    "apps",
    "autoscaling",
    "batch",
    "policy",
}  # and every group that ends in .k8s.io and has a schema here

Object = Mapping[str, Any]

# What a custom resource cannot be without: (group/version, kind) → paths. `a|b` is one of the two.
SHAPES: dict[tuple[str, str], tuple[str, ...]] = {
    ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"): ("spec.targetRef.kind", "spec.targetRef.name"),
    ("bitnami.com/v1alpha1", "SealedSecret"): ("spec.encryptedData",),
    ("cert-manager.io/v1", "Certificate"): ("spec.issuerRef.name", "spec.secretName"),
    ("cert-manager.io/v1", "ClusterIssuer"): ("spec.acme|ca|selfSigned|vault|venafi",),
    ("cert-manager.io/v1", "Issuer"): ("spec.acme|ca|selfSigned|vault|venafi",),
    ("external-secrets.io/v1", "ClusterSecretStore"): ("spec.provider",),
    ("external-secrets.io/v1", "ExternalSecret"): ("spec.secretStoreRef.name", "spec.data|dataFrom"),
    ("external-secrets.io/v1", "SecretStore"): ("spec.provider",),
    ("gateway.networking.k8s.io/v1", "Gateway"): ("spec.gatewayClassName", "spec.listeners"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): ("spec.parentRefs", "spec.rules"),
    ("keda.sh/v1alpha1", "ScaledObject"): ("spec.scaleTargetRef.name", "spec.triggers"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): ("spec",),
    ("monitoring.coreos.com/v1", "PodMonitor"): ("spec.selector", "spec.podMetricsEndpoints"),
    ("monitoring.coreos.com/v1", "PrometheusRule"): ("spec.groups",),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ("spec.selector", "spec.endpoints"),
    ("networking.istio.io/v1", "DestinationRule"): ("spec.host",),
    ("networking.istio.io/v1", "Gateway"): ("spec.servers",),
    ("networking.istio.io/v1", "ServiceEntry"): ("spec.hosts",),
    ("networking.istio.io/v1", "VirtualService"): ("spec.hosts", "spec.http|tcp|tls"),
    ("security.istio.io/v1", "AuthorizationPolicy"): ("spec",),
    ("security.istio.io/v1", "PeerAuthentication"): ("spec",),
    ("telemetry.istio.io/v1", "Telemetry"): ("spec.tracing|metrics|accessLogging",),
    ("snapshot.storage.k8s.io/v1", "VolumeSnapshot"): ("spec.source",),
}


class Unrepeated(yaml.CSafeLoader):
    """Refuses a key that stands twice in a mapping, as the API server does; `1e3` is a number to it, as to Go."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


Unrepeated.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def objects_in(text: str) -> list[dict[str, Any]]:
    """The objects of a YAML file, without its empty documents."""
    return [each for each in yaml.load_all(text, Loader=Unrepeated) if each]


def read_manifests(folder: Path) -> list[str]:
    """The complaints about every YAML file under the folder; a kustomization is held to the files that it names."""
    said: list[str] = []
    found = sorted(folder.rglob("*.yaml"))
    for file in found:
        where = file.relative_to(folder).as_posix()
        try:
            objects = objects_in(file.read_text())
            complaints = _kustomization(objects, file) if file.name == "kustomization.yaml" else read_objects(objects)
            said += [f"{where}: {each}" for each in complaints]
        except yaml.YAMLError as error:
            said.append(f"{where}: {error}")
    return said if found else [f"{folder} holds no manifest"]


def _kustomization(objects: list[dict[str, Any]], file: Path) -> list[str]:
    """`kubectl apply -k` takes nothing that it does not name, and nothing at all if a named file is missing."""
    named = [each for said in objects for each in said.get("resources", [])]
    beside = {each.relative_to(file.parent).as_posix() for each in file.parent.rglob("*.yaml")} - {file.name}
    twice = {each for each in named if named.count(each) > 1}
    missing = {each for each in named if not (file.parent / each).exists()}
    return [
        *(f"{each} is missing" for each in sorted(missing)),
        *(f"{each} is named twice" for each in sorted(twice)),
        *(f"{each} is named by nobody" for each in sorted(beside - set(named))),
        *(f"{said.get('kind')} is no Kustomization" for said in objects if said.get("kind") != "Kustomization"),
    ]


def read_objects(objects: Iterable[Object], schemas: Path | str | None = "beside") -> list[str]:
    """The complaints about these objects. `schemas` is the folder of custom resources' schemas, None for none."""
    folder = schema_folder() if isinstance(schemas, str) else schemas
    return [f"{_name(each)}: {complaint}" for each in objects for complaint in _read(each, folder)]


def _name(each: Object) -> str:
    return f"{each.get('kind', '?')}/{(each.get('metadata') or {}).get('name', '?')}"


def _read(each: Object, folder: Path | None) -> Iterator[str]:
    api, kind = str(each.get("apiVersion", "")), str(each.get("kind", ""))
    if not (api and kind and (each.get("metadata") or {}).get("name")):
        yield "has no apiVersion, kind or metadata.name"
        return
    validator = _core(api, kind) or (_custom(api, kind, folder) if folder else None)
    if validator is not None:
        for error in validator.iter_errors(each):
            exact = best_match([error]) or error
            yield f"{'.'.join(str(step) for step in exact.absolute_path) or 'the object'}: {exact.message[:300]}"
    elif (api, kind) in SHAPES:
        yield from (f"{path} is missing" for path in SHAPES[api, kind] if not _has(each, path))
    else:
        yield f"no schema knows {kind} of {api}"


def _has(each: Object, path: str) -> bool:
    *steps, last = path.split(".")
    found: Any = each
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return isinstance(found, Mapping) and any(name in found for name in last.split("|"))


@cache
def _core(api: str, kind: str) -> Draft202012Validator | None:
    """The API server's own kinds. kubernetes-validate names a file KIND-GROUP-VERSION, its group without the domain, so
    foreign groups that begin alike must be told apart here."""
    group, _, version = api.rpartition("/")
    first, _, domain = group.partition(".")
    if group not in CORE_GROUPS and domain not in {"k8s.io", "authorization.k8s.io"}:
        return None
    if group == "autoscaling.k8s.io":
        return None
    file = f"{kind.lower()}-{first}-{version}.json" if group else f"{kind.lower()}-{version}.json"
    schema = _strict().joinpath(file)
    return _validator(schema.read_text(), _definitions()) if schema.is_file() else None


def _strict() -> Any:
    return files("kubernetes_validate").joinpath(f"kubernetes-json-schema/v{VERSION}.0-local-strict")


@cache
def _definitions() -> Registry[Any]:
    definitions = json.loads(_strict().joinpath("_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()


@cache
def _custom(api: str, kind: str, folder: Path) -> Draft202012Validator | None:
    group, _, version = api.partition("/")
    schema = folder / f"{group}_{kind.lower()}_{version}.json"
    return _validator(schema.read_text(), Registry()) if schema.is_file() else None


def _validator(schema: str, registry: Registry[Any]) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), registry=registry, format_checker=FormatChecker())
