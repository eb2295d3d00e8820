"""Helm: a chart of the same objects that `kubernetes` writes, with values for each environment.

The three environments of the system file become one template each; `helm template` with an environment's values gives
the objects that `frontdesk render kubernetes` writes for it, to the letter.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from frontdesk import __version__
from frontdesk.render import kubernetes
from frontdesk.render.chart_values import base_of, over, schema_of, tree
from frontdesk.render.kubernetes.config import IN_CHART
from frontdesk.render.kubernetes.secrets import TEMPLATE
from frontdesk.render.target import Target, yaml_text
from frontdesk.render.variants import Values, Variants
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described, together

ENVIRONMENTS = {"development": "dev", "staging": "staging", "production": "production"}  # how their values are called
OLDEST = ">=1.30.0-0"  # Kubernetes: the first that sleeps before it stops without a program of the container's

HELPERS = """\
{{- /* An image of the desk: by digest where values have one, else by tag. Of: the chart, name, `-gpu` or not. */ -}}
{{- define "frontdesk.image" -}}
{{- $images := (index . 0).Values.images -}}
{{- $name := index . 1 -}}
{{- $variant := index . 2 -}}
{{- $digest := get ($images.digests | default dict) (printf "%s%s" $name $variant) -}}
{{- if $digest -}}
{{- printf "%s/%s@%s" $images.registry $name $digest -}}
{{- else -}}
{{- printf "%s/%s:%v%s" $images.registry $name $images.tag $variant -}}
{{- end -}}
{{- end -}}

{{- /* What a container is told. Of: variables, names of secrets, the secret's name. */ -}}
{{- define "frontdesk.env" -}}
{{- range $name, $value := index . 0 }}
- name: {{ $name }}
  value: {{ toString $value | toJson }}
{{- end }}
{{- range index . 1 }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ index $ 2 }}
      key: {{ . }}
{{- end }}
{{- end -}}
"""

NOTES = """\
{{ .Chart.Name }} {{ .Values.images.tag }} is in the namespace {{ .Values.namespace.name }}.

  kubectl --namespace {{ .Values.namespace.name }} get pods          until all of them are ready
  kubectl --namespace {{ .Values.namespace.name }} logs deployment/NAME   what keeps one from it

Its secret is {{ .Values.secrets.name }}; no pod starts without it.
"""

ABOUT = {
    "namespace": "Where everything goes.",
    "images": "Which release runs. A digest of an image (`sha256:…`, by its name) is stronger than the tag.",
    "config": "What every service is told: the settings of the system file, by their variables.",
    "secrets": "The secret, and where its values come from. They never stand here.",
    "quota": "What the namespace may use up.",
    "limits": "What containers get that say nothing.",
    "edge": "The way in.",
    "services": "Each service. Where an autoscaler is, `replicas` is null.",
    "stores": "Databases that run here.",
    "backup": "The backup of every day.",
    "snapshots": "Snapshots of volumes.",
    "enabled": "Objects that not every environment has, by kind and name.",
    "objects": "What else differs between environments, by kind, name and place in the object.",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """Templates, and what the values of each environment say for them."""

    templates: Mapping[str, str]
    values: Mapping[str, Values]


def files(plan: Plan) -> dict[str, str]:
    """The chart, below `charts/NAME`."""
    plans = _plans(plan)
    chart = _chart(plans, plan)
    base = base_of(chart.values)
    found = {
        "Chart.yaml": yaml_text(_description(plan)),
        "values.yaml": _values_text(f"Values of {plan.name}: what a chart of it may be told.", base, base),
        "values.schema.json": json.dumps(schema_of(chart.values), indent=2, ensure_ascii=False) + "\n",
        ".helmignore": ".git\n*.tgz\nsecrets*\n",
        IN_CHART: plan.system_file,
        "templates/_helpers.tpl": HELPERS,
        "templates/NOTES.txt": NOTES,
    }
    for environment in plans if len(plans) > 1 else ():
        text = _values_text(f"Values of {environment}, over values.yaml.", over(chart.values, environment), base)
        found[f"values-{ENVIRONMENTS[environment]}.yaml"] = text
    found |= {f"templates/{file}": text for file, text in chart.templates.items()}
    return {f"charts/{plan.name}/{file}": text for file, text in found.items()}


def _plans(plan: Plan) -> dict[str, Plan]:
    """The plan of every environment. Raises what keeps one of them from being described."""
    found = {plan.environment: plan}
    for environment in ENVIRONMENTS if plan.system.file else ():
        if environment not in found and plan.system.file:
            system, problems = described(plan.system.file, environment)
            if system is None or problems:
                raise together(problems)
            found[environment] = Plan(system)
    return {environment: found[environment] for environment in ENVIRONMENTS if environment in found}


def _chart(plans: Mapping[str, Plan], asked: Plan) -> Chart:
    variants = Variants(list(plans))
    documents = {environment: kubernetes.documents(plan) for environment, plan in plans.items()}
    names = sorted({file for made in documents.values() for file in made})
    templates: dict[str, str] = {}
    for file in names:
        text = variants.template({env: made[file] for env, made in documents.items() if file in made})
        templates[file] = f"{{{{- /* {_about(plans, file)} */ -}}}}\n{text}"
    chosen = asked.system.source_of("deployment.images.tag").kind == "option"  # then it is meant for all
    for environment, plan in plans.items():
        images = plan.deployment.images
        variants.values[environment] |= {
            ("images", "registry"): images.registry or plan.name,
            ("images", "tag"): asked.release if chosen else plan.release,
            ("images", "digests"): dict(images.digests),
            ("secrets", "name"): plan.secret_name,
        }
    return Chart(templates, variants.values)


def _about(plans: Mapping[str, Plan], file: str) -> str:
    """What a template is: the same words as over the file, where they hold for every environment."""
    said = {kubernetes.about(plan, file) for plan in plans.values()}
    return said.pop() if len(said) == 1 else f"The secret, as its environment has it; see {TEMPLATE} of `kubernetes`."


def _description(plan: Plan) -> Mapping[str, object]:
    return {
        "apiVersion": "v2",
        "name": plan.name,
        "description": f"{plan.system.name}, as its system file describes it.",
        "type": "application",
        "version": __version__,
        "appVersion": plan.release,
        "kubeVersion": OLDEST,
    }


def _values_text(head: str, values: Values, base: Values) -> str:
    """Section by section in a steady order, each with a line that says what it is."""
    said = tree(values)
    known = [*ABOUT, *(name for name in tree(base) if name not in ABOUT)]
    parts = [f"# {ABOUT.get(name, name)}\n{yaml_text({name: said[name]})}" for name in known if name in said]
    return "\n".join([f"# {head}\n", *parts])


target = Target(
    summary="a chart with values for development, staging and production",
    files=files,
    next_step="helm upgrade --install NAME {out}/charts/NAME --values {out}/charts/NAME/values-production.yaml",
)
