"""Taking a port, and telling who holds it."""

import os
import sys

import pytest

from frontdesk.errors import PortInUse
from frontdesk.operate.ports import address_of, free_port, holder_of, listen


def test_a_free_port_is_taken_and_its_address_told() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_for_everybody_is_told_as_one_that_a_browser_takes() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")


def test_a_taken_port_is_told_with_its_holder() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            listen("127.0.0.1", port)
    assert caught.value.where == f"127.0.0.1:{port}"
    if sys.platform == "linux":
        assert f"(process {os.getpid()})" in caught.value.what


def test_nobody_holds_a_free_port() -> None:
    assert holder_of(free_port()) is None
