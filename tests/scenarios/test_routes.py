"""The real application and the policy name the same calls, and nobody reaches what belongs to somebody else."""

from pathlib import Path

import pytest

from frontdesk.app.http import routed
from frontdesk.gate.policy import Policy
from frontdesk.testing.desk import served_desk
from tests.gate.routes import missing, routes_of


@pytest.mark.proves("abuse-1")
async def test_every_route_has_a_line_and_every_line_a_route(tmp_path: Path) -> None:
    policy = Policy()
    async with served_desk(tmp_path, settings={"engagement.enabled": True}) as served:
        routes = routes_of(routed(served.desk, policy))
    assert missing(policy, routes) == []
    lines = [(method, rule.path) for rule in policy.rules for method in rule.methods]
    answered = Policy("\n".join(f"{method} {path} public - - - -" for method, path in routes if method != "HEAD"))
    assert missing(answered, lines) == []
