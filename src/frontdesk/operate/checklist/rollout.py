"""What must be true before, during and after a roll-out (conversation, section 12)."""

from frontdesk.operate.checklist import release
from frontdesk.operate.checklist.item import Items, Verdict, at_an_address, by_a_person, failed, manual, passed, unless
from frontdesk.operate.checklist.sight import Sight
from frontdesk.operate.diagnosis.cases.serving import asked
from frontdesk.render.kubernetes.workloads import image_of
from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.proofs.capacity import capacity
from frontdesk.system.layout.proofs.measures import measures
from frontdesk.system.layout.proofs.references import references
from frontdesk.telemetry.metrics import names

DAYS = 14  # that a certificate must be good for
BAD = 0.01  # share of requests that fail

# --- before ---


def infrastructure(sight: Sight) -> Verdict:
    found = [each.problem.what for each in capacity(sight.plan) if each.severity == "error"]
    if found:
        return failed(found[0])
    if not sight.plan.hosts:
        return manual("No hosts are described. Are there enough nodes, disks and network? `hosts`")
    return passed(f"What the services ask for fits {', '.join(sight.plan.hosts)}")


def dns(sight: Sight) -> Verdict:
    if not sight.hosts:
        return manual("No public host is described: `edge.hosts`. Does the name lead to the balancer?")
    lost = [each.host for each in sight.hosts if not each.resolves]
    return unless(
        f"{', '.join(lost)} lead nowhere" if lost else "", f"{', '.join(h.host for h in sight.hosts)} resolve"
    )


def certificates(sight: Sight) -> Verdict:
    if not sight.hosts:
        return manual("No public host is described: `edge.hosts`. Is its certificate good, and renewed by itself?")
    bad = [f"{each.host}: {each.fault}" for each in sight.hosts if each.days is None]
    bad += [
        f"{each.host}: {each.days:.0f} days left" for each in sight.hosts if each.days is not None and each.days < DAYS
    ]
    return unless("; ".join(bad), f"Every certificate is good for {DAYS} days or more")


def images(sight: Sight) -> Verdict:
    if not sight.plan.services:
        return manual("No services are described, so there are no images. Is the version that should run installed?")
    needed = {image_of(sight.plan, each) for each in sight.plan.services if each.service.built}
    loose = sorted(image.rpartition("/")[2] for image in needed if "@" not in image)
    if loose:
        return manual(f"No digest is known of {', '.join(loose)}. Are they pushed?")
    return passed("Every image is named by its digest")


def manifests(sight: Sight) -> Verdict:
    found = [each.problem.what for each in (*references(sight.plan), *measures(sight.plan, frozenset(names())))]
    if found:
        return failed(f"{found[0]}: frontdesk check")
    if not sight.plan.services:
        return manual("No services are described: `services`. What is rolled out, and who has read it?")
    return passed("Every name, port and metric of the description leads somewhere; frontdesk render kubernetes")


def monitoring(sight: Sight) -> Verdict:
    parts = (release.metrics(sight), release.dashboards(sight), release.alerts(sight))
    bad = [part.reason for part in parts if part.state == "fail"]
    return unless("; ".join(bad), "Metrics, dashboards and alerts are there")


# --- during ---


def order(sight: Sight) -> Verdict:
    if sight.plan.circle:
        return failed(f"{' needs '.join(sight.plan.circle)}: a circle has no beginning")
    if not sight.plan.services:
        return manual("Storage, then databases, then the desk. Was that the order?")
    stages = " → ".join(["stores", *(" + ".join(stage) for stage in sight.plan.stages)])
    return passed(stages)


def pods(sight: Sight) -> Verdict:
    if sight.cluster is None:
        return manual("Name a context and the pods are looked at: --context; on one machine: frontdesk ps")
    if sight.cluster.fault:
        return failed(f"Kubernetes could not be asked: {sight.cluster.fault}")
    found = sight.cluster.replicas
    bad = [pod.name for pod in found if not pod.ready]
    if not found:
        return failed(f"No pod is in {sight.cluster.namespace}")
    return unless(f"Not ready: {', '.join(bad)}" if bad else "", f"{len(found)} pods are ready")


def endpoints(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    if (sight.desk.health, sight.desk.ready) != (200, 200):
        return failed(f"/health answers {sight.desk.health or 'nothing'}, /ready {sight.desk.ready or 'nothing'}")
    away = [f"{each.host}: {each.fault}" for each in sight.hosts if each.days is None]
    return unless("; ".join(away), "Desk and public hosts answer" if sight.hosts else "The desk answers")


def smoke(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    wrong = {
        "the first page": bool(sight.desk.headers),
        "a foreign origin": sight.desk.foreign == 403,
        "a malformed call": 400 <= sight.desk.malformed < 500,
        "a false credential": sight.desk.hostile == 401,
    }
    bad = [what for what, well in wrong.items() if not well]
    return unless(
        f"Not as they should be: {', '.join(bad)}" if bad else "",
        "Page and refusals are right; now ask it: frontdesk chat",
    )


def watched(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    if "http_requests_total" not in sight.desk.figures:
        return failed("/metrics does not tell http_requests_total")
    return manual("Metrics are told. Is every target up in Prometheus, and has one alert been made to fire?")


def tried(sight: Sight) -> Verdict:
    parts = (release.backups(sight), release.recovery(sight))
    bad = [part.reason for part in parts if part.state == "fail"]
    open_ = [part.reason for part in parts if part.state == "manual"]
    return failed("; ".join(bad)) if bad else manual(open_[0]) if open_ else passed("; ".join(p.reason for p in parts))


# --- after ---


def metrics_watched(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    total = sight.desk.figures.sum("http_requests_total", asked)
    bad = sight.desk.figures.sum(
        "http_requests_total", lambda labels: asked(labels) and labels.get("status", "").startswith("5")
    )
    said = f"{bad:.0f} of {total:.0f} requests failed"
    if not total:
        return manual("Nobody has asked anything yet. Look again after an hour: frontdesk doctor")
    return unless(f"{said}: frontdesk doctor" if bad > BAD * total else "", said)


def scaled(sight: Sight) -> Verdict:
    if not any(each.service.scaling for each in sight.plan.services):
        return manual("No service scales by itself in this environment. Is that meant?")
    done = [event for event in (sight.cluster.events if sight.cluster else ()) if event.reason == "SuccessfulRescale"]
    if done:
        return passed(f"{done[-1].involved_object.name}: {done[-1].message}")
    return manual("Send load, and see replicas come and go: frontdesk load ADDRESS; kubectl get hpa --watch")


def runbooks(sight: Sight) -> Verdict:
    rules = sight.system.section(AlertsOptions).rules
    return unless("" if rules else "No alert, so no runbook: `alerts.rules`", f"Each of {len(rules)} alerts has one")


def on_call(sight: Sight) -> Verdict:
    where = sight.plan.dashboards.alerts_to
    if not where:
        return failed("Alerts are told to nobody: `dashboards.alerts_to`")
    if not sight.system.variable(where):
        return failed(f"Alerts go to {where}, which is not set")
    return manual(f"Alerts go to {where}. Who is woken by them this week, and who next?")


def maintenance(sight: Sight) -> Verdict:
    backup = sight.system.section(BackupOptions)
    return manual(f"Backups at {backup.at or '(never)'}. When are upkeep, patches and the monthly restore?")


BEFORE: Items = (
    (
        "Before",
        (
            ("Infrastructure", infrastructure),
            ("DNS", dns),
            ("Certificates", certificates),
            ("Secrets and configuration", release.variables),
            ("Images pushed", images),
            ("Manifests validated", manifests),
            ("Monitoring set up", monitoring),
        ),
    ),
)
DURING: Items = (
    (
        "During",
        (
            ("Right order", order),
            ("Pods healthy", pods),
            ("Endpoints and balancer", endpoints),
            ("Smoke tests", smoke),
            ("Monitoring and alerts", watched),
            ("Backup and recovery tried", tried),
        ),
    ),
)
AFTER: Items = (
    (
        "After",
        (
            ("Metrics watched", metrics_watched),
            ("Autoscaling seen to work", scaled),
            (
                "Failure cases tried",
                by_a_person("Stop a worker, Redis, the database, while somebody writes. Was every message answered?"),
            ),
            ("Runbooks written", runbooks),
            ("On-call set up", on_call),
            ("Maintenance scheduled", maintenance),
        ),
    ),
)
