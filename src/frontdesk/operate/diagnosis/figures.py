"""The figures of `/metrics`, read as a whole: sums, means and percentiles of what was counted."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Where = Callable[[Mapping[str, str]], bool]


def everything(_: Mapping[str, str]) -> bool:
    """Whatever the labels."""
    return True


@dataclass(frozen=True, slots=True)
class Figures:
    """Every sample by its name and labels. `gauges` are names of what merely is, and is not counted."""

    samples: Mapping[tuple[str, Labels], float]
    gauges: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str) -> "Figures":
        """Of Prometheus' text form. Raises `ValueError`."""
        families = list(text_string_to_metric_families(text))
        samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }
        return cls(samples, frozenset(family.name for family in families if family.type == "gauge"))

    @classmethod
    def together(cls, processes: Iterable["Figures"]) -> "Figures":
        """Those of several processes: what is counted is added up, of what merely is the largest one stands."""
        total: dict[tuple[str, Labels], float] = {}
        gauges: frozenset[str] = frozenset()
        for process in processes:
            gauges |= process.gauges
            for key, value in process.samples.items():
                before = total.get(key, 0.0)
                total[key] = max(before, value) if key[0] in process.gauges else before + value
        return cls(total, gauges)

    def since(self, earlier: "Figures") -> "Figures":
        """What was counted after `earlier`. A counter that is lower than before began anew: it counts whole."""

        def grown(key: tuple[str, Labels], value: float) -> float:
            before = earlier.samples.get(key, 0.0)
            return value if key[0] in self.gauges or value < before else value - before

        return Figures({key: grown(key, value) for key, value in self.samples.items()}, self.gauges)

    def __contains__(self, name: str) -> bool:
        return any(key[0] == name for key in self.samples)

    def sum(self, name: str, where: Where = everything) -> float:
        """Of all samples of this name."""
        return sum(value for labels, value in self._of(name) if where(labels))

    def most(self, name: str, where: Where = everything) -> float | None:
        """The largest sample of this name; None without one."""
        return max((value for labels, value in self._of(name) if where(labels)), default=None)

    def by(self, name: str, label: str, where: Where = everything) -> dict[str, float]:
        """The sums of each value of a label."""
        found: dict[str, float] = {}
        for labels, value in self._of(name):
            if where(labels):
                found[labels.get(label, "")] = found.get(labels.get(label, ""), 0.0) + value
        return found

    def mean(self, name: str, where: Where = everything) -> float | None:
        """Of a histogram: sum by count; None when nothing was counted."""
        count = self.sum(f"{name}_count", where)
        return self.sum(f"{name}_sum", where) / count if count else None

    def quantile(self, share: float, name: str, where: Where = everything) -> float | None:
        """Of a histogram's buckets, evenly spread within each, as Prometheus' `histogram_quantile` has it.

        None when nothing was counted; the last bound but infinity when it lies beyond.
        """
        counts = self.by(f"{name}_bucket", "le", where)
        upto = sorted((math.inf if bound == "+Inf" else float(bound), count) for bound, count in counts.items())
        if not upto or not upto[-1][1]:
            return None
        rank, below, lower = share * upto[-1][1], 0.0, 0.0
        for bound, count in upto:
            if count >= rank:
                if bound == math.inf:
                    return lower
                return lower + (bound - lower) * ((rank - below) / (count - below) if count > below else 1.0)
            below, lower = count, bound
        return lower

    def _of(self, name: str) -> Iterable[tuple[dict[str, str], float]]:
        return ((dict(labels), value) for (found, labels), value in self.samples.items() if found == name)
