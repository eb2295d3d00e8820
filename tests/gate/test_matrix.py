"""Every line of the policy × every kind of caller: who gets through, and who is told what instead."""

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from frontdesk.gate.policy import Policy, Rule, at_least, may_manage
from frontdesk.messages import Role
from tests.gate.conftest import Open
from tests.gate.desk import GateDesk, echo
from tests.gate.routes import missing, routes_of

POLICY = Policy()
CALLS = [(method, rule) for rule in POLICY.rules for method in rule.methods]


@pytest.fixture
async def echoing(open_gate: Open) -> GateDesk:
    """A gate without limits, in front of an application that answers whatever comes through."""
    desk = open_gate(rate_limit_enabled=False)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        response = await echo(Request(scope, receive))
        await response(scope, receive, send)

    desk.asgi = desk.gate(application)
    return desk


def path_of(rule: Rule) -> str:
    """An address that the rule's template fits."""
    segments = [f"any_{n}" if part.startswith("{") else part for n, part in enumerate(rule.path.split("/"))]
    return "/".join(segments)


def expected(rule: Rule, role: Role | None, credential: str, scopes: tuple[str, ...]) -> int:
    """The status that the table promises."""
    if rule.who == "inside":
        return 404
    if not rule.needs_caller:
        return 200
    if role is None:
        return 401
    if not at_least(role, rule.who):
        return 403
    if credential == "key" and rule.scope == "session":
        return 403
    if rule.scope not in ("-", "session") and "*" not in scopes and rule.scope not in scopes:
        return 403
    return 200


@pytest.mark.proves("abuse-1", "abuse-2")
async def test_every_line_lets_through_exactly_whom_it_names(echoing: GateDesk) -> None:
    callers: list[tuple[Role | None, str, tuple[str, ...], dict[str, str]]] = [(None, "none", (), {})]
    for role in (Role.MEMBER, Role.OPERATOR, Role.OWNER):
        row = await echoing.person(role)
        callers.append((role, "session", ("*",), await echoing.token(row)))
        for scopes in (("*",), *((scope,) for scope in POLICY.scopes())):
            callers.append((role, "key", scopes, {"x-api-key": await echoing.key(row, *scopes)}))
    wrong: list[str] = []
    async with echoing.client() as client:
        for role, credential, scopes, headers in callers:
            for method, rule in CALLS:
                answer = await client.request(method, path_of(rule), headers=headers)
                wanted = expected(rule, role, credential, scopes)
                if answer.status_code != wanted:
                    wrong.append(
                        f"{method} {rule.path} as {role} {credential} {scopes}: {answer.status_code} ≠ {wanted}"
                    )
    assert wrong == []


async def test_methods_that_a_line_does_not_name_are_refused(echoing: GateDesk) -> None:
    async with echoing.client(headers=await echoing.token(await echoing.person(Role.OWNER))) as client:
        for rule in POLICY.rules:
            if rule.who == "inside":
                continue
            named = POLICY.find(path_of(rule)) or {}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"} - set(named):
                assert (await client.request(method, path_of(rule))).status_code == 405, (method, rule.path)


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/people",
        "/api/v1/people/",
        "/api/v1//people",
        "/API/v1/people",
        "/api/v1/people/..",
        "/api/v1/people;x",
    ],
)
async def test_other_spellings_of_an_address_open_nothing(echoing: GateDesk, path: str) -> None:
    assert echoing.policy.find(path) is None or path.endswith("..")
    async with echoing.client() as client:
        assert (await client.get(f"http://desk.test{path}")).status_code in (401, 404)


def test_a_route_without_a_line_is_found() -> None:
    routes = [("GET", "/api/v1/people"), ("HEAD", "/api/v1/people"), ("PATCH", "/api/v1/people/{person_id}")]
    assert missing(POLICY, routes) == []
    assert missing(POLICY, [("PUT", "/api/v1/people"), ("GET", "/api/v1/new/{id}")]) == [
        "GET /api/v1/new/{id}",
        "PUT /api/v1/people",
    ]


async def test_each_account_route_has_its_line(desk: GateDesk) -> None:
    routes = [(method, path) for method, path in routes_of(desk.app) if path != "/{path:path}"]
    assert len(routes) > 15
    assert missing(POLICY, routes) == []


def test_the_table_has_no_two_lines_for_one_call_and_no_unknown_words() -> None:
    with pytest.raises(ValueError, match="two lines"):
        Policy("GET /a public - - - -\nGET /a member - - - -")
    with pytest.raises(ValueError, match="nobody known"):
        Policy("GET /a everybody - - - -")


def test_roles_manage_those_below_them() -> None:
    allowed = {(actor, subject) for actor in Role for subject in Role if may_manage(actor, subject)}
    assert allowed == {
        *((Role.OWNER, subject) for subject in Role),
        (Role.OPERATOR, Role.MEMBER),
        (Role.OPERATOR, Role.VISITOR),
        (Role.MEMBER, Role.VISITOR),
    }
