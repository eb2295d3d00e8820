"""Sign-in through other sites, against a real issuer on loopback."""

from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from frontdesk.gate.providers import GitHubProvider, OpenIdProvider, Provider
from frontdesk.messages import Role
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.oidc import Account, Issuer, running_issuer
from tests.gate.conftest import Open
from tests.gate.desk import FROM_PAGE, SITE, GateDesk

CALLBACK = "/api/v1/auth/callback"


@pytest.fixture
async def issuer(clock: FakeClock) -> AsyncGenerator[Issuer]:
    async with running_issuer(clock) as issuer:
        yield issuer


@pytest.fixture
async def providers(issuer: Issuer, clock: FakeClock) -> AsyncGenerator[dict[str, Provider]]:
    async with outside_client() as http:
        client = (issuer.client_id, issuer.client_secret)
        yield {
            "oidc": OpenIdProvider("oidc", "Example", issuer.url, client, http, clock),
            "github": GitHubProvider(client, http, site=issuer.url, api=issuer.url),
        }


@pytest.fixture
def desk(open_gate: Open, providers: dict[str, Provider]) -> GateDesk:
    return open_gate(providers=providers, sign_up_domains=["example.com"])


def outside_client() -> httpx2.AsyncClient:
    """A client for loopback; it reads no certificates, which takes longer than a test."""
    return httpx2.AsyncClient(timeout=5, verify=False, trust_env=False)


async def walk(browser: httpx2.AsyncClient, provider: str = "oidc", query: str = "") -> httpx2.Response:
    """Begin at the desk, visit the provider's site, come back."""
    begun = await browser.get(f"/api/v1/auth/start/{provider}{query}")
    assert begun.status_code == 303, begun.text
    async with outside_client() as outside:
        back = await outside.get(begun.headers["location"])
    assert back.status_code == 302, back.text
    return await browser.get(back.headers["location"])


@pytest.mark.parametrize("provider", ["oidc", "github"])
async def test_a_first_sign_in_makes_a_member_and_a_second_finds_them(
    desk: GateDesk, issuer: Issuer, provider: str
) -> None:
    async with desk.client() as browser:
        answer = await walk(browser, provider, "?next=/c/conv_1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/c/conv_1")
        first = (await browser.get("/api/v1/me")).json()
        assert first["person"]["email"] == "ann@example.com"
        assert first["person"]["role"] == "member"
    issuer.account = Account(email="ann.renamed@elsewhere.example")
    async with desk.client() as browser:
        await walk(browser, provider)
        assert (await browser.get("/api/v1/me")).json()["person"]["id"] == first["person"]["id"]


@pytest.mark.parametrize(
    "account",
    [
        Account(subject="7", email="eve@evil.example"),
        Account(subject="7", email="eve@example.com", email_verified=False),
        Account(subject="7", email="eve@example.com.evil.example"),
        Account(subject="7", email=""),
    ],
)
async def test_who_is_not_on_the_list_does_not_get_in(desk: GateDesk, issuer: Issuer, account: Account) -> None:
    issuer.account = account
    async with desk.client() as browser:
        assert (await walk(browser)).headers["location"] == "/sign-in#error=forbidden"
        assert (await browser.get("/api/v1/me")).status_code == 401


async def test_an_address_alone_never_opens_an_existing_account(desk: GateDesk) -> None:
    await desk.person(Role.OWNER, email="ann@example.com")
    async with desk.client() as browser:
        assert (await walk(browser)).headers["location"] == "/sign-in#error=forbidden"
        assert (await browser.get("/api/v1/me")).status_code == 401


async def test_somebody_signed_in_connects_a_provider_and_comes_in_by_it_afterwards(desk: GateDesk) -> None:
    row = await desk.person(email="ann@example.com")
    async with desk.client() as browser:
        token = await desk.sign_in.invite(row.id)
        assert (await browser.post("/api/v1/auth/link", json={"token": token}, headers=FROM_PAGE)).status_code == 200
        assert (await walk(browser, query="?link=true")).headers["location"] == "/"
    async with desk.client() as browser:
        await walk(browser)
        assert (await browser.get("/api/v1/me")).json()["person"]["id"] == row.id


async def test_a_blocked_person_does_not_get_in(desk: GateDesk) -> None:
    async with desk.client() as browser:
        await walk(browser)
        person = (await browser.get("/api/v1/me")).json()["person"]["id"]
    await desk.people.change(person, state="blocked")
    async with desk.client() as browser:
        assert (await walk(browser)).headers["location"] == "/sign-in#error=not_signed_in"


@pytest.mark.proves("abuse-4")
@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["desk", "another client"], "azp": "another client"},
        {"exp": 1},
        {"nonce": "another"},
        {"sub": None},
    ],
)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    desk: GateDesk, issuer: Issuer, lie: dict[str, object]
) -> None:
    issuer.claims = lie
    async with desk.client() as browser:
        assert (await walk(browser)).headers["location"] == "/sign-in#error=not_signed_in"


@pytest.mark.proves("abuse-4")
@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_an_id_token_without_the_issuers_signature_is_refused(
    desk: GateDesk, issuer: Issuer, algorithm: str
) -> None:
    issuer.algorithm = algorithm
    async with desk.client() as browser:
        assert (await walk(browser)).headers["location"] == "/sign-in#error=not_signed_in"


async def test_an_issuer_may_change_its_keys(desk: GateDesk, issuer: Issuer) -> None:
    async with desk.client() as browser:
        await walk(browser)
    issuer.change_key()
    async with desk.client() as browser:
        assert (await walk(browser)).headers["location"] == "/"


async def test_an_issuer_that_names_itself_otherwise_is_not_used(desk: GateDesk, issuer: Issuer) -> None:
    issuer.named_issuer = "https://evil.example"
    async with desk.client() as browser:
        answer = await browser.get("/api/v1/auth/start/oidc")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_unavailable")


async def test_a_way_back_that_was_not_begun_in_this_browser_is_refused(desk: GateDesk, issuer: Issuer) -> None:
    async with desk.client() as attacker, desk.client() as victim, outside_client() as outside:
        begun = await attacker.get("/api/v1/auth/start/oidc")
        back = await outside.get(begun.headers["location"])
        assert (await victim.get(back.headers["location"])).headers["location"] == "/sign-in#error=not_signed_in"
        assert issuer.token_calls == 0
        assert (await victim.get(f"{CALLBACK}/oidc?state=&code=")).headers["location"].endswith("not_signed_in")


async def test_a_code_is_good_once(desk: GateDesk) -> None:
    async with desk.client() as browser, outside_client() as outside:
        begun = await browser.get("/api/v1/auth/start/oidc")
        flow = browser.cookies["fd_flow"]
        back = (await outside.get(begun.headers["location"])).headers["location"]
        assert (await browser.get(back)).headers["location"] == "/"
    async with desk.client(cookies={"fd_flow": flow}) as again:
        assert (await again.get(back)).headers["location"] == "/sign-in#error=not_signed_in"


@pytest.mark.parametrize(
    "next_page", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nb"]
)
async def test_the_way_back_leads_to_this_desk_alone(desk: GateDesk, next_page: str) -> None:
    async with desk.client() as browser:
        begun = await browser.get("/api/v1/auth/start/oidc", params={"next": next_page})
        async with outside_client() as outside:
            back = await outside.get(begun.headers["location"])
        assert (await browser.get(back.headers["location"])).headers["location"] == "/"


@pytest.mark.proves("abuse-7")
async def test_a_forged_forwarded_host_does_not_move_the_way_back(desk: GateDesk) -> None:
    async with desk.client() as browser:
        begun = await browser.get("/api/v1/auth/start/oidc", headers={"X-Forwarded-Host": "evil.example"})
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{SITE}{CALLBACK}/oidc"]
    assert asked["code_challenge_method"] == ["S256"]


async def test_a_provider_that_does_not_answer_is_a_clear_error(open_gate: Open, clock: FakeClock) -> None:
    async with outside_client() as http:
        gone = OpenIdProvider("oidc", "Example", "http://127.0.0.1:9", ("a", "b"), http, clock)
        async with open_gate(providers={"oidc": gone}).client() as browser:
            answer = await browser.get("/api/v1/auth/start/oidc")
            assert answer.json()["error"]["code"] == "provider_unavailable"
            assert (await browser.get("/api/v1/auth/start/unknown")).status_code == 404
