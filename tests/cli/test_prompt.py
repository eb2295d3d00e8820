"""A conversation at a terminal: `frontdesk chat` without a question."""

import codecs
import os
import re
import select
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")

PATIENCE = 60.0  # seconds, on a busy machine


class Terminal:
    """A program that believes a person sits before it."""

    def __init__(self, *words: str) -> None:
        self._seen = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.process, self._line = pty.fork()
        if self.process == 0:
            program = "from frontdesk.cli.main import main; main()"
            os.execv(sys.executable, [sys.executable, "-c", program, *words])

    def until(self, pattern: str) -> str:
        """What is written until `pattern` has been."""
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self._seen)):
            ready, _, _ = select.select([self._line], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {pattern!r} in {self._seen!r}"
            self._seen += self._decode(os.read(self._line, 65536))
        seen, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return seen

    def type(self, text: str) -> None:
        os.write(self._line, text.encode())

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._line)[3] & termios.ECHO)

    def end(self) -> int:
        """The exit code, once everything is read."""
        while True:
            try:
                if not os.read(self._line, 65536):
                    break
            except OSError:  # Linux says so when the other side is closed
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def close(self) -> None:
        os.close(self._line)


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    terminal = Terminal("chat")
    yield terminal
    terminal.close()


@pytest.mark.parametrize("ending", ["\x04", "\x03"])
def test_questions_are_answered_until_the_person_ends(terminal: Terminal, ending: str) -> None:
    terminal.until("› ")
    for _ in range(2):
        terminal.type("When does the library open?\n")
        terminal.until("desk, unknown|quote, unknown")
        terminal.until("› ")
    terminal.type(ending)
    assert terminal.end() == 0
    assert terminal.echoes()
