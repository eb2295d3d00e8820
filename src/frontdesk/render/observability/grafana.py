"""Grafana: where its data come from, and the dashboards: the system file's own, an overview, one of objectives."""

import json
from collections.abc import Iterator, Sequence

from frontdesk.render.observability.logs import LOKI_PORT
from frontdesk.render.observability.panels import Block, objectives_panels, overview_panels, panel, placed
from frontdesk.render.observability.prometheus import ALERTMANAGER_PORT, PORT
from frontdesk.render.observability.traces import PAGES_PORT
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan

DASHBOARDS = "/etc/grafana/dashboards"  # where the container finds them
SCHEMA = 41  # of Grafana 12


def files(plan: Plan) -> Files:
    """Provisioning (grafana.com/docs/grafana/latest/administration/provisioning) and dashboards by their uid."""
    boards = [
        _board(plan, board.uid, board.title, [panel(each) for each in board.panels]) for board in plan.dashboards.all
    ]
    boards.append(_board(plan, f"{plan.name}-overview", f"{plan.name}: overview", list(overview_panels(plan))))
    if plan.objectives.all:
        panels = list(objectives_panels(plan))
        boards.append(_board(plan, f"{plan.name}-objectives", f"{plan.name}: objectives", panels))
    return {
        "grafana/provisioning/datasources/frontdesk.yaml": yaml_text(
            {"apiVersion": 1, "datasources": list(_sources())}
        ),
        "grafana/provisioning/dashboards/frontdesk.yaml": yaml_text(_provider(plan)),
        **{f"grafana/dashboards/{board['uid']}.json": json.dumps(board, indent=2) + "\n" for board in boards},
    }


def _sources() -> Iterator[Block]:
    """The three stores by steady uids; a line of the log leads to its trace, and a trace to its lines."""
    common = {"access": "proxy", "editable": False}
    yield common | {
        "name": "Prometheus",
        "uid": "prometheus",
        "type": "prometheus",
        "url": f"http://prometheus:{PORT}",
        "isDefault": True,
        "jsonData": {"httpMethod": "POST", "timeInterval": "15s", "manageAlerts": False},
    }
    yield common | {
        "name": "Loki",
        "uid": "loki",
        "type": "loki",
        "url": f"http://loki:{LOKI_PORT}",
        "jsonData": {
            "derivedFields": [
                {
                    "name": "trace",
                    "matcherRegex": '"trace_id":"(\\w+)"',
                    "url": "$${__value.raw}",  # `$$`: Grafana would take one for a variable of its environment
                    "datasourceUid": "jaeger",
                    "urlDisplayLabel": "Trace",
                }
            ]
        },
    }
    yield common | {
        "name": "Jaeger",
        "uid": "jaeger",
        "type": "jaeger",
        "url": f"http://jaeger:{PAGES_PORT}",
        "jsonData": {
            "tracesToLogsV2": {
                "datasourceUid": "loki",
                "spanStartTimeShift": "-5m",
                "spanEndTimeShift": "5m",
                "customQuery": True,
                "query": '{service=~".+"} |= "$${__span.traceId}"',
            }
        },
    }
    yield common | {
        "name": "Alertmanager",
        "uid": "alertmanager",
        "type": "alertmanager",
        "url": f"http://alertmanager:{ALERTMANAGER_PORT}",
        "jsonData": {"implementation": "prometheus"},
    }


def _provider(plan: Plan) -> Block:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "frontdesk",
                "folder": plan.name,
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": DASHBOARDS},
            }
        ],
    }


def _board(plan: Plan, uid: str, title: str, panels: Sequence[Block]) -> Block:
    """A dashboard; alerts of severity info mark its time line."""
    marks = {
        "name": "Deployments and scaling",
        "enable": True,
        "iconColor": "blue",
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "expr": 'ALERTS{alertstate="firing",severity="info"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{version}}{{role}}",
    }
    return {
        "uid": uid,
        "title": title,
        "tags": ["frontdesk", plan.name],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,  # one cross-hair for all panels
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [marks]},
        "templating": {"list": []},
        "panels": placed(panels),
    }
