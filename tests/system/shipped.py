"""The shipped blueprints, as described in an environment."""

from functools import cache

from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.quantities import bytes_text, cores_text
from frontdesk.system.layout.services import Scaling, Service
from frontdesk.system.layout.stores import Postgres
from frontdesk.system.load import described

ENVIRONMENTS = ("development", "staging", "production")


@cache
def of(blueprint: str, environment: str = "production") -> Plan:
    system, problems = described(blueprint_file(blueprint), environment)
    assert system is not None
    assert not problems
    return Plan(system)


def service(blueprint: str, key: str, environment: str = "production") -> Service:
    return of(blueprint, environment).service(key).service


def scaling(blueprint: str, key: str) -> Scaling:
    found = service(blueprint, key).scaling
    assert found is not None
    return found


def postgres(blueprint: str, environment: str = "production") -> Postgres:
    found = of(blueprint, environment).stores["postgres"]
    assert isinstance(found, Postgres)
    return found


def amounts(of_service: Service) -> tuple[str, str, str, str]:
    """CPU asked for and bound, memory asked for and bound."""
    asked, bound = of_service.resources.requests, of_service.resources.limits
    return cores_text(asked.cpu), cores_text(bound.cpu), bytes_text(asked.memory), bytes_text(bound.memory)
