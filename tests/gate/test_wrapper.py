"""What comes in, what does not, and what the answers carry."""

import pytest

from frontdesk.messages import Role
from tests.gate.conftest import Open
from tests.gate.desk import FROM_PAGE, SITE, GateDesk


async def test_an_address_without_a_line_in_the_policy_does_not_exist(desk: GateDesk) -> None:
    async with desk.client() as client:
        answer = await client.get("/api/v1/secret")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
        assert (await client.get("/api/v1/people/x/y")).status_code == 404


async def test_a_method_without_a_line_is_refused_with_those_that_have_one(desk: GateDesk) -> None:
    async with desk.client() as client:
        answer = await client.put("/api/v1/people")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, POST"
        assert (await client.options("/api/v1/people")).headers["allow"] == "GET, HEAD, POST"


async def test_signed_out_callers_reach_public_addresses_alone(desk: GateDesk) -> None:
    async with desk.client() as client:
        assert (await client.get("/health")).status_code == 200
        answer = await client.get("/api/v1/conversations")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_refusals_under_v1_have_the_shape_that_openai_clients_read(desk: GateDesk) -> None:
    async with desk.client() as client:
        error = (await client.post("/v1/chat/completions", json={})).json()["error"]
        assert error["type"] == "authentication_error"
        assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.proves("abuse-12")
async def test_every_answer_carries_the_security_headers(open_gate: Open) -> None:
    desk = open_gate(production=True)
    async with desk.client() as client:
        for path, status in (("/", 200), ("/api/v1/desk", 200), ("/api/v1/people", 401), ("/nowhere", 404)):
            answer = await client.get(path)
            assert answer.status_code == status
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["strict-transport-security"].startswith("max-age=")
        page = (await client.get("/")).headers["content-security-policy"]
        assert "script-src 'self';" in page
        assert "img-src 'self' data: blob:;" in page


@pytest.mark.proves("abuse-14")
async def test_pages_may_load_nothing_from_other_sites(desk: GateDesk) -> None:
    async with desk.client() as client:
        policy = (await client.get("/")).headers["content-security-policy"]
    sources = {word for rule in policy.split(";") for word in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "data:", "blob:"}


# --- other origins ----------------------------------------------------------


@pytest.mark.proves("assistant-7", "abuse-12")
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://desk.test.evil.example", "https://desk.test", "http://app.example:81"],
)
async def test_a_page_of_an_origin_that_is_not_listed_is_refused(open_gate: Open, origin: str) -> None:
    desk = open_gate(allowed_origins=["http://app.example"])
    key = await desk.key(await desk.person())
    async with desk.client(headers={"Origin": origin}) as client:
        answer = await client.get("/api/v1/me", headers={"x-api-key": key})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "origin_refused"
        assert "access-control-allow-origin" not in answer.headers
        preflight = await client.options("/api/v1/chat", headers={"Access-Control-Request-Method": "POST"})
        assert preflight.status_code == 403


@pytest.mark.proves("assistant-7")
async def test_a_page_of_a_listed_origin_may_call(open_gate: Open) -> None:
    desk = open_gate(allowed_origins=["http://app.example"])
    key = await desk.key(await desk.person())
    async with desk.client(headers={"Origin": "http://app.example"}) as client:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
        preflight = await client.options("/api/v1/chat", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-headers"] == "x-api-key"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        answer = await client.get("/api/v1/me", headers={"x-api-key": key})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "http://app.example"
        assert answer.headers["vary"] == "Origin"


@pytest.mark.proves("abuse-12")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": SITE},
        {"X-Frontdesk": "0", "Origin": SITE},
        {"X-Frontdesk": "1", "Sec-Fetch-Site": "cross-site"},
        {"X-Frontdesk": "1", "Origin": "https://evil.example"},
    ],
)
async def test_a_call_with_a_cookie_that_another_site_could_have_made_is_refused(
    desk: GateDesk, headers: dict[str, str]
) -> None:
    session = await desk.session(await desk.person())
    async with desk.client(cookies={"fd_session": session.access_token}) as client:
        assert (await client.post("/api/v1/chat", headers=headers, json={})).status_code == 403
        assert (await client.post("/api/v1/chat", headers=FROM_PAGE, json={})).status_code == 200


# --- bodies -----------------------------------------------------------------


@pytest.mark.proves("abuse-8", "assistant-13")
async def test_a_body_over_the_bound_is_refused_on_its_header_before_sign_in(desk: GateDesk) -> None:
    async with desk.client() as client:
        answer = await client.post("/api/v1/chat", headers={"Content-Length": str(50 * 2**20)}, content=b"")
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"
        assert answer.headers["connection"] == "close"


async def test_an_upload_may_be_larger_than_other_bodies(open_gate: Open) -> None:
    desk = open_gate(max_body_bytes=2048, max_upload_bytes=4096)
    headers = {"x-api-key": await desk.key(await desk.person())}
    async with desk.client(headers=headers) as client:
        assert (await client.post("/api/v1/files", content=b"x" * 4096)).json()["bytes"] == 4096
        assert (await client.post("/api/v1/files", content=b"x" * 4097)).status_code == 413
        assert (await client.post("/api/v1/chat", content=b"x" * 2049)).status_code == 413


async def test_a_key_and_a_cookie_path_hand_the_same_caller_on(desk: GateDesk) -> None:
    row = await desk.person(Role.OPERATOR)
    async with desk.client(headers=await desk.token(row)) as client:
        seen = (await client.get("/api/v1/conversations")).json()
    assert (seen["caller"], seen["role"], seen["credential"]) == (row.id, "operator", "session")
