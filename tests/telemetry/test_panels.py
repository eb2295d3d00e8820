"""The three dashboards have data: every panel has a series behind it after a little traffic."""

import re
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from frontdesk.testing.desk import served_desk
from frontdesk.testing.serve import serve
from frontdesk.testing.telegram import running_telegram
from frontdesk.testing.upstream import Reply

# Dashboard → panel → the samples behind it, each with labels that must be among its own.
PANELS: dict[str, dict[str, list[tuple[str, dict[str, str]]]]] = {
    "application": {
        "request rates": [("requests_total", {"status": "200"}), ("telegram_updates_total", {"outcome": "accepted"})],
        "response times": [("response_time_seconds_bucket", {"le": "+Inf"}), ("reply_latency_seconds_bucket", {})],
        "error rates": [("requests_total", {"status": "404"}), ("frontdesk_model_failures_total", {})],
    },
    "infrastructure": {
        "nodes": [("frontdesk_part_up", {"part": "database"}), ("frontdesk_disk_free_bytes", {})],
        "pods": [("frontdesk_build_info", {"role": "all"}), ("process_start_time_seconds", {})],
        "resource use": [
            ("process_resident_memory_bytes", {}),
            ("process_cpu_seconds_total", {}),
            ("frontdesk_memory_used_bytes", {}),
            ("frontdesk_memory_limit_bytes", {}),
        ],
    },
    "business": {
        "user interactions": [("conversations_active", {}), ("replies_total", {"outcome": "sent"})],
        "conversation metrics": [("conversation_length_messages_count", {}), ("conversation_length_messages_sum", {})],
        "typing simulations": [("typing_simulations_total", {"outcome": "finished"})],
    },
}
SETTINGS = {"telegram.typing.least": 0.05, "telegram.typing.per_second": 1000}


@pytest.fixture
async def exposed(tmp_path: Path) -> AsyncGenerator[str]:
    """What the metrics' port tells of a desk that people have just written to, here and on Telegram."""
    model = [Reply(status=500, error="once"), Reply(text="At nine.")]
    async with running_telegram() as telegram:
        variables = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
        async with served_desk(tmp_path, model=model, settings=SETTINGS, variables=variables) as desk:
            await desk.ask(await desk.client(), "When do you open?")
            telegram.say(7, "When do you open?")
            await telegram.replies(7, 1, seconds=30)
            await (await desk.stranger()).get("/nothing-here")
            async with serve(desk.desk.own_face()) as port, httpx2.AsyncClient() as prometheus:
                yield (await prometheus.get(f"{port}/metrics")).text


@pytest.mark.proves("conversation-14")
async def test_every_panel_of_the_three_dashboards_has_data(exposed: str) -> None:
    samples = [sample for family in text_string_to_metric_families(exposed) for sample in family.samples]
    empty = [
        f"{dashboard}: {panel}: {name}"
        for dashboard, panels in PANELS.items()
        for panel, series in panels.items()
        for name, labels in series
        if not any(
            sample.name == name and labels.items() <= sample.labels.items() and sample.value > 0 for sample in samples
        )
    ]
    assert empty == []


def test_prometheus_own_check_finds_nothing_wrong_with_them(exposed: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: apt-get install --yes prometheus")
    checked = subprocess.run([promtool, "check", "metrics"], input=exposed, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.proves("conversation-14")
async def test_nobodys_words_or_numbers_are_in_the_metrics(exposed: str) -> None:
    assert "When do you open" not in exposed
    assert "At nine" not in exposed
    assert not re.search(r"(per|con|msg|trn)_[0-9a-f]{12}", exposed), "no id of anybody or anything"
