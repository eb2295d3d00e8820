"""`python -m benchmarks NAME [--only PART] [--quick] [--json]`: measures, prints, and exits 0 when every bar holds."""

import argparse
import importlib
import signal
import sys

from benchmarks.figures import Figure, as_json, as_table

NAMES = ("gateway", "startup", "retrieval", "pages", "conversation", "learning", "decisions", "render", "restore", "up")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--quick", action="store_true", help="less exact, and done within five minutes")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--only", metavar="PART", help="one part of a benchmark that has parts (PARTS of its module)")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    benchmark = importlib.import_module(f"benchmarks.{wanted.name}")
    if wanted.only is not None and wanted.only not in getattr(benchmark, "PARTS", ()):
        parser.error(f"{wanted.name} has no part {wanted.only!r}")
    parts = {} if wanted.only is None else {"only": wanted.only}
    figures: list[Figure] = benchmark.run(wanted.quick, **parts)
    print(as_json(wanted.name, figures) if wanted.json else as_table(figures))
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
