"""Reading lines from a person at a terminal while the desk goes on working."""

import asyncio
import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Callable, Generator


async def read_line(prompt: str) -> str | None:
    """The next line; None when the person ends (Ctrl+D or Ctrl+C).

    `input` cannot be called off, so it has a thread that dies with the process.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")  # gives `input` a history and keys to edit with
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str | None] = loop.create_future()

    def settle(text: str | None) -> None:
        if not line.done():
            line.set_result(text)

    def read() -> None:
        try:
            text = input(prompt)
        except EOFError:
            text = None
        with contextlib.suppress(RuntimeError):  # the loop has ended before the person typed
            loop.call_soon_threadsafe(settle, text)

    with _terminal_restored(), on_interrupt(lambda: settle(None)):
        threading.Thread(target=read, name="prompt", daemon=True).start()
        return await line


@contextlib.contextmanager
def on_interrupt(act: Callable[[], None]) -> Generator[None]:
    """Ctrl+C calls `act` instead of ending the program."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, act)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextlib.contextmanager
def _terminal_restored() -> Generator[None]:
    """Editing keys switch the terminal's echo off; an abandoned `input` would leave it so."""
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
