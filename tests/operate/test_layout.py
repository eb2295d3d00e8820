"""What of a system file runs on this machine: ports, order, what cannot run yet, and what each process is told."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from frontdesk.errors import BadSetting, BadSystemFile, PortInUse
from frontdesk.operate.errors import PortMoved, RoleNotBuilt, UnknownService
from frontdesk.operate.ports import free_port, listen
from frontdesk.operate.running.assembly import Circumstances, Sockets, units
from frontdesk.operate.running.layout import Layout, Wish, clashes, described, plain, service_of
from frontdesk.system.home import blueprint_file
from frontdesk.system.load import examine
from frontdesk.system.system import System

SYSTEM = """\
services:
  web: {role: web, port: 8000, metrics_port: 9100, needs: [tools, redis], calls: [tools]}
  tools: {role: tools, port: 8001, secrets: [MCP_SERVICE_TOKEN]}
  pages: {role: frontend, port: 5000, needs: [web], calls: [web]}
  worker: {role: worker, queues: [ml], metrics_port: 9200, needs: [redis], stopping: {drain: 20, grace: 30}}
"""
HOSTS = """\
hosts:
  big: {cpu: 8, memory: 32Gi}
  small: {cpu: 4, memory: 8Gi, port_offset: 1000}
services:
  talk: {role: web, port: 8000, host: [big], calls: [see]}
  see: {role: vision, port: 8002, host: [big]}
  draw: {role: worker, host: [big], needs: [see]}
  pages: {role: frontend, port: 5000, host: [small], calls: [talk]}
"""


def system(tmp_path: Path, text: str, **variables: str) -> System:
    file = tmp_path / "system.yaml"
    file.write_text(text)
    found, problems = examine(file, home=tmp_path / "home", variables=variables)
    assert found is not None, problems
    assert not problems
    return found


def by_key(layout: Layout) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {service.key: (service.stage, service.ports) for service in layout.services}


def test_services_come_in_stages_on_their_ports(tmp_path: Path) -> None:
    layout = described(system(tmp_path, SYSTEM), Wish())
    assert by_key(layout) == {"tools": (1, (8001,)), "worker": (1, ()), "web": (2, (8000,)), "pages": (3, (5000,))}
    assert layout.wants_broker
    assert not layout.wants_postgres
    assert layout.entry is not None
    assert layout.entry.key == "pages"


def test_an_offset_moves_every_port_and_every_neighbour(tmp_path: Path) -> None:
    layout = described(system(tmp_path, SYSTEM), Wish(offset=100))
    services = {service.key: service for service in layout.services}
    assert services["web"].ports == (8100,)
    assert services["web"].metrics_port == 9200
    assert services["web"].variables["MCP_DISCOVERY_URLS"] == "http://127.0.0.1:8101"
    assert services["pages"].variables["ORCHESTRATOR_URL"] == "http://127.0.0.1:8100"


def test_ports_that_two_services_want_and_ports_that_others_have_are_told_together(tmp_path: Path) -> None:
    taken = free_port()
    text = SYSTEM.replace("port: 8001", f"port: {taken}").replace("port: 5000", "port: 8000")
    layout = described(system(tmp_path, text, PATH=""), Wish())
    with ExitStack() as stack:
        stack.enter_context(listen("127.0.0.1", taken))
        with pytest.raises(PortInUse) as caught:
            Sockets("127.0.0.1", stack).take(layout)
    told = [str(problem) for problem in caught.value.problems]
    assert any("Port 8000 is wanted by web and pages" in line for line in told)
    assert any(f"Port {taken} is taken by" in line and "tools" in line for line in told)


def test_metrics_ports_that_only_containers_can_share_are_set_apart(tmp_path: Path) -> None:
    layout = described(system(tmp_path, SYSTEM.replace("9200", "9101")), Wish(replicas={"web": 2, "worker": 2}))
    ports = {service.key: service.metrics_port for service in layout.services}
    assert ports == {"tools": None, "worker": 9101, "web": 9103, "pages": None}  # two each, in the order of starting
    assert clashes(layout) == {}


@pytest.mark.parametrize("name", ["assistant", "conversation", "engagement"])
def test_the_blueprints_that_are_built_run_on_one_machine(name: str, tmp_path: Path) -> None:
    found, problems = examine(blueprint_file(name), home=tmp_path, variables={})
    assert found is not None, problems
    for replicas in (1, 4):
        assert clashes(described(found, Wish(replicas={"*": replicas}))) == {}


def test_replicas_share_a_port_and_have_names_of_their_own(tmp_path: Path) -> None:
    text = SYSTEM.replace("port: 8", "port: 4")
    text = text.replace("port: 4000", f"port: {free_port()}").replace("port: 4001", f"port: {free_port()}")
    text = text.replace("port: 5000", f"port: {free_port()}").replace("metrics_port: 9100, ", "")
    text = text.replace("metrics_port: 9200, ", "")
    found = system(tmp_path, text)
    layout = described(found, Wish(replicas={"*": 2, "worker": 1}))
    with ExitStack() as stack:
        sockets = Sockets("127.0.0.1", stack)
        sockets.take(layout)
        circumstances = Circumstances(system=found, words=("frontdesk", "up"), settings={}, stores={}, logs=tmp_path)
        made = {unit.name: unit for unit in units(layout, circumstances, sockets)}
    assert list(made) == ["tools", "tools-2", "worker", "web", "web-2", "pages", "pages-2"]
    assert made["web"].listeners["desk"] == made["web-2"].listeners["desk"]
    assert made["web"].command == ("frontdesk", "up", "--service", "web")
    assert [name for name, unit in made.items() if unit.greets] == ["web"]
    assert made["worker"].grace == 30


def test_a_port_goes_from_one_service_to_another_in_two_rolls_and_not_in_one(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    text = "services:\n  a: {{role: web, port: {}}}\n  b: {{role: web, port: {}}}\n"
    now, swapped, apart = (
        described(system(tmp_path, text.format(*ports)), Wish())
        for ports in ((first, second), (second, first), (0, first))
    )
    with ExitStack() as stack:
        sockets = Sockets("127.0.0.1", stack)
        sockets.take(now)
        before = dict(sockets.held)
        with pytest.raises(PortInUse) as caught:
            sockets.take(swapped)
        told = {(problem.what, problem.code) for problem in caught.value.problems}
        assert told == {
            (f"Port {first} would go from a to b", "port_moved"),
            (f"Port {second} would go from b to a", "port_moved"),
        }
        assert all("Roll twice" in problem.hint for problem in caught.value.problems)
        assert sockets.held == before
        with pytest.raises(PortMoved, match=f"Port {first} would go from a to b"):
            sockets.take(apart)
        assert sockets.held == before
        for ports in ((0, second), (0, first)):
            layout = described(system(tmp_path, text.format(*ports)), Wish())
            sockets.take(layout)
            sockets.let_go(layout)
        assert sockets.held["b", "desk 0", first].getsockname()[1] == first


def test_ports_of_metrics_move_on_when_a_service_joins(tmp_path: Path) -> None:
    text = "services:\n  z: {role: worker, metrics_port: 9100}\n".replace("9100", str(free_port()))
    joined = text.replace("services:\n", text.replace("z:", "a:"))
    now, then = (described(system(tmp_path, each), Wish()) for each in (text, joined))
    assert (port := now.services[0].metrics_port)
    with ExitStack() as stack:
        sockets = Sockets("127.0.0.1", stack)
        sockets.take(now)
        sockets.take(then)
        sockets.let_go(then)
        assert {(service, number) for service, _, number in sockets.held} == {("a", port), ("z", port + 1)}
        assert sockets.held["a", "metrics 0", port].getsockname()[1] == port  # it listens on


def test_pages_and_tools_get_no_secret_but_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ENCRYPTION_KEY_FILE", "DATABASE_URL", "MCP_SERVICE_TOKEN"):
        monkeypatch.setenv(name, "of-a-test")
    text = SYSTEM
    for port in (8000, 8001, 5000, 9100, 9200):
        text = text.replace(str(port), str(free_port()))
    found = system(tmp_path, text)
    layout = described(found, Wish())
    with ExitStack() as stack:
        sockets = Sockets("127.0.0.1", stack)
        sockets.take(layout)
        shared = {"REDIS_URL": "redis://:word@127.0.0.1/0"}
        settings = {"LOG_LEVEL": "DEBUG"}
        circumstances = Circumstances(system=found, words=(), settings=settings, stores=shared, logs=tmp_path)
        made = {unit.name: unit.variables for unit in units(layout, circumstances, sockets)}
    hidden = {"OPENAI_API_KEY", "ENCRYPTION_KEY_FILE", "DATABASE_URL", "REDIS_URL"}
    assert not hidden & made["pages"].keys()
    assert not hidden & made["tools"].keys()
    assert "MCP_SERVICE_TOKEN" in made["tools"]
    assert "MCP_SERVICE_TOKEN" not in made["pages"]
    assert hidden <= made["web"].keys()
    assert {variables["LOG_LEVEL"] for variables in made.values()} == {"DEBUG"}


def test_what_cannot_run_yet_is_refused_by_name_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(RoleNotBuilt, match="`see` has the role vision") as caught:
        described(system(tmp_path, HOSTS), Wish())
    assert "--skip-unbuilt" in caught.value.hint
    assert caught.value.code == "role_not_built"


def test_the_others_can_be_started_without_it_and_without_what_needs_it(tmp_path: Path) -> None:
    layout = described(system(tmp_path, HOSTS), Wish(skip_unbuilt=True))
    assert [service.key for service in layout.services] == ["talk", "pages"]
    assert layout.missing == {"see": "the role vision is not built yet", "draw": "it needs see"}


def test_one_machine_plays_each_host_with_ports_of_its_own(tmp_path: Path) -> None:
    both = described(system(tmp_path, HOSTS), Wish(skip_unbuilt=True))
    assert by_key(both)["pages"] == (1, (6000,))
    small = described(system(tmp_path, HOSTS), Wish(host="small"))
    assert by_key(small) == {"pages": (1, (6000,))}
    assert small.services[0].variables["ORCHESTRATOR_URL"] == "http://127.0.0.1:8000"
    with pytest.raises(UnknownService) as caught:
        described(system(tmp_path, HOSTS), Wish(host="smal"))
    assert caught.value.hint == "Did you mean `small`?"


def test_a_circle_is_refused(tmp_path: Path) -> None:
    text = "services:\n  a: {role: web, port: 1, needs: [b]}\n  b: {role: web, port: 2, needs: [a]}\n"
    with pytest.raises(BadSystemFile, match="in a circle"):
        described(system(tmp_path, text), Wish())


def test_a_neighbour_that_nobody_describes_is_refused_before_anything_starts(tmp_path: Path) -> None:
    text = SYSTEM.replace("needs: [tools, redis]", "needs: [tolls, redis]").replace(
        "calls: [web]", "calls: [webb, web]"
    )
    with pytest.raises(BadSystemFile, match="2 problems") as caught:
        described(system(tmp_path, text), Wish())
    told = {(problem.where, problem.hint) for problem in caught.value.problems}
    assert told == {
        (f"{tmp_path / 'system.yaml'}:2", "Did you mean `tools`?"),
        (f"{tmp_path / 'system.yaml'}:4", "Did you mean `web`?"),
    }


def test_an_unknown_service_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownService) as caught:
        service_of(system(tmp_path, SYSTEM), "wrker")
    assert caught.value.hint == "Did you mean `worker`?"


def test_a_service_of_production_never_begins_an_empty_database_in_place_of_somebody_elses(tmp_path: Path) -> None:
    text = SYSTEM.replace("needs: [tools, redis]", "needs: [postgres]") + "stores: {postgres: {managed: true}}\n"
    for variables in ({}, {"DATABASE_URL": ""}):
        with pytest.raises(BadSetting, match="nothing tells where it is"):
            service_of(system(tmp_path, text, ENVIRONMENT="production", **_SECRETS, **variables), "web")
    told = {"DATABASE_URL": "postgresql://desk:secret@db.internal/desk"}
    assert service_of(system(tmp_path, text, ENVIRONMENT="production", **_SECRETS, **told), "web").port == 8000
    assert service_of(system(tmp_path, text, ENVIRONMENT="production", **_SECRETS), "pages").port == 5000
    assert service_of(system(tmp_path, text), "web").port == 8000  # at home


_SECRETS = dict.fromkeys(
    ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "MCP_SERVICE_TOKEN"), "0123456789abcdef" * 2
)


def test_without_a_description_workers_begin_before_the_web(tmp_path: Path) -> None:
    layout = plain(system(tmp_path, "http: {port: 8000}\n"), {"web": 2, "worker": 2}, ("ml",), offset=10)
    assert by_key(layout) == {"worker": (1, ()), "web": (2, (8010,))}
    assert layout.services[0].words == ("--role", "worker", "--queues", "ml")
    assert layout.wants_postgres
