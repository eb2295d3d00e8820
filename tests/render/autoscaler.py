"""The horizontal autoscaler's arithmetic over a rendered object (kubernetes.io/docs/tasks/run-application/
horizontal-pod-autoscale: algorithm details, scaling policies, stabilization window), on a clock of its own."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

EVERY = 15  # seconds between two looks
TOLERANCE = 0.1  # a metric this near to its target changes nothing

Load = Callable[[int, int], Mapping[str, float]]  # second, replicas → how full each metric is, 1.0 at its target


@dataclass(slots=True)
class Autoscaler:
    """One autoscaler at work; all replicas are ready at once."""

    spec: Mapping[str, Any]
    replicas: int
    wishes: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    changes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def run(self, load: Load, start: int, seconds: int) -> list[tuple[int, int]]:
        """Replicas after each look from `start` on, with the second."""
        return [(now, self._look(now, load(now, self.replicas))) for now in range(start, start + seconds, EVERY)]

    def _look(self, now: int, fullness: Mapping[str, float]) -> int:
        ratios = [fullness[self._metric(metric)] for metric in self.spec["metrics"]]
        wanted = max(self.replicas if abs(ratio - 1) <= TOLERANCE else ceil(self.replicas * ratio) for ratio in ratios)
        self.wishes.append((now, min(max(wanted, self.spec["minReplicas"]), self.spec["maxReplicas"])))
        up, down = self.spec["behavior"]["scaleUp"], self.spec["behavior"]["scaleDown"]
        low = min(wish for at, wish in self.wishes if at >= now - up["stabilizationWindowSeconds"])
        high = max(wish for at, wish in self.wishes if at >= now - down["stabilizationWindowSeconds"])
        aim = self.replicas if low <= self.replicas <= high else low if low > self.replicas else high
        if aim > self.replicas:
            aim = min(aim, self._bound(up, now, 1))
        elif aim < self.replicas:
            aim = max(aim, self._bound(down, now, -1))
        if aim != self.replicas:
            self.changes.append((now, aim - self.replicas))
            self.replicas = aim
        return self.replicas

    def _bound(self, rules: Mapping[str, Any], now: int, sign: int) -> int:
        """How far the policies let it go by now: the one that lets it go furthest."""
        assert rules["selectPolicy"] == "Max"
        bounds: list[int] = []
        for policy in rules["policies"]:
            since = now - policy["periodSeconds"]
            changed = sum(by for at, by in self.changes if at > since and by * sign > 0)
            began = self.replicas - changed
            step = policy["value"] if policy["type"] == "Pods" else began * policy["value"] / 100
            bounds.append(ceil(began + step) if sign > 0 else floor(began - step))
        return max(bounds) if sign > 0 else min(bounds)

    @staticmethod
    def _metric(metric: Mapping[str, Any]) -> str:
        inner = metric[metric["type"].lower()]
        return str(inner["name"] if metric["type"] == "Resource" else inner["metric"]["name"])
