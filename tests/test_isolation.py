"""Tests stay on this machine and leave nothing to chance that cannot be replayed."""

import random
import socket

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80), ("10.0.0.1", 443)])
def test_a_test_cannot_reach_another_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as out, pytest.raises(RuntimeError, match="tried to reach"):
        out.connect(address)


def test_a_test_cannot_look_up_a_name_of_the_world() -> None:
    with pytest.raises(RuntimeError, match="tried to look up"):
        socket.getaddrinfo("example.com", 80)


def test_a_test_may_reach_its_own_servers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_chance_is_replayed_by_the_seed(chance: random.Random, request: pytest.FixtureRequest) -> None:
    again = random.Random(f"{request.config.option.seed}:{request.node.nodeid}")
    assert [chance.random() for _ in range(5)] == [again.random() for _ in range(5)]
