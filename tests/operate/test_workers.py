"""Several processes looked after by one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import functools, os, signal, sys, time
from frontdesk.operate.workers import Part, Supervisor

def work(number):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.write(1, f"began {number} {os.getpid()}\\n".encode())
    time.sleep(60)
    return 0

if __name__ == "__main__":
    sys.exit(Supervisor([Part(f"desk-{n}", functools.partial(work, n)) for n in range(2)], lambda words: None).run())
"""


def test_a_worker_that_dies_is_replaced_and_all_end_together(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        began = [process.stdout.readline().split() for _ in range(2)]
        assert sorted(line[1] for line in began) == ["0", "1"]
        os.kill(int(began[0][2]), signal.SIGKILL)
        again = process.stdout.readline().split()
        assert again[1] == began[0][1]
        assert again[2] != began[0][2]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
