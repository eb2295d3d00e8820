"""Who is who: keys, tokens, sessions, visitors."""

import base64
import hmac
import json
from hashlib import sha256

import pytest

from frontdesk.errors import NotFound, NotSignedIn
from frontdesk.gate.identity import BELIEVED_SECONDS
from frontdesk.gate.signing import derived_key
from frontdesk.messages import Role
from frontdesk.testing.clock import FakeClock
from tests.gate.conftest import Open
from tests.gate.desk import FROM_PAGE, SECRET, GateDesk

LIST = "/api/v1/conversations"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(header: object, claims: object, key: bytes) -> str:
    text = f"{part(header)}.{part(claims)}"
    mark = hmac.new(key, text.encode(), sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


# --- API keys ---------------------------------------------------------------


@pytest.mark.proves("abuse-2")
async def test_a_key_has_the_same_scopes_whichever_way_it_comes(desk: GateDesk) -> None:
    key = await desk.key(await desk.person(Role.OWNER), "chat")
    for headers in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}, {"Authorization": f"bearer  {key} "}):
        async with desk.client(headers=headers) as client:
            assert (await client.get(LIST)).status_code == 200
            answer = await client.get("/api/v1/people")
            assert (answer.status_code, "scope people" in answer.text) == (403, True)
            assert (await client.delete("/api/v1/me")).status_code == 403


@pytest.mark.proves("abuse-2")
async def test_a_key_in_a_cookie_or_the_address_is_no_credential(desk: GateDesk) -> None:
    key = await desk.key(await desk.person())
    for cookie in ("fd_session", "fd_refresh", "fd_visitor"):
        async with desk.client(cookies={cookie: key}) as client:
            assert (await client.get(LIST)).status_code == 401
    async with desk.client() as client:
        for name in ("key", "api_key", "x-api-key", "token", "access_token", "authorization"):
            assert (await client.get(LIST, params={name: key})).status_code == 401


@pytest.mark.proves("abuse-2")
async def test_a_websocket_with_a_key_is_refused(desk: GateDesk) -> None:
    key = await desk.key(await desk.person())
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    for path in ("/api/v1/chat", "/", "/nowhere"):
        scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": path,
            "headers": [(b"host", b"desk.test"), (b"authorization", f"Bearer {key}".encode())],
            "client": ("203.0.113.7", 1),
        }
        await desk.asgi(scope, receive, send)  # type: ignore[arg-type]
        assert [message["type"] for message in sent] == ["websocket.close"]
        sent.clear()


async def test_two_credentials_at_once_are_refused(desk: GateDesk) -> None:
    row = await desk.person()
    key = await desk.key(row)
    async with desk.client(headers={"x-api-key": key, **await desk.token(row)}) as client:
        assert (await client.get(LIST)).status_code == 401


@pytest.mark.proves("abuse-3")
@pytest.mark.parametrize(
    "text", ["fd_' OR '1'='1", 'fd_{"$ne": null}', "fd_", "fd_%", "' OR 1=1 --", "\x00", "fd_" + "a" * 100_000]
)
async def test_operators_in_a_credential_find_nobody(desk: GateDesk, text: str) -> None:
    await desk.key(await desk.person())
    async with desk.client() as client:
        for headers in ({"Authorization": f"Bearer {text}"}, {"x-api-key": text}):
            assert (await client.get(LIST, headers=headers)).status_code == 401


@pytest.mark.proves("abuse-3")
@pytest.mark.parametrize("email", ["' OR 1=1 --", "%@%", "ann@example.com' --", "$ne@x"])
async def test_operators_in_a_sign_in_find_nobody(desk: GateDesk, email: str) -> None:
    await desk.person(email="ann@example.com")
    async with desk.client() as client:
        body = {"email": email, "password": "' OR '1'='1"}
        assert (await client.post("/api/v1/auth/sign-in", json=body)).status_code == 401
        for bad in ({"email": {"$ne": ""}, "password": "x"}, {"email": ["a"], "password": "x"}, {"admin": True}):
            assert (await client.post("/api/v1/auth/sign-in", json=bad)).status_code == 422


@pytest.mark.proves("abuse-5")
async def test_a_revoked_key_is_refused_at_once(desk: GateDesk) -> None:
    row = await desk.person(Role.MEMBER)
    async with desk.client(headers=await desk.token(row)) as client:
        made = (await client.post("/api/v1/keys", json={"name": "mine"})).json()
        with_key = {"x-api-key": made["key"]}
        async with desk.client(headers=with_key) as program:
            assert (await program.get(LIST)).status_code == 200
            assert (await client.delete(f"/api/v1/keys/{made['id']}")).status_code == 204
            assert (await program.get(LIST)).status_code == 401


async def test_a_key_ends_on_its_day_and_tells_when_it_was_used(desk: GateDesk, clock: FakeClock) -> None:
    row = await desk.person()
    async with desk.client(headers=await desk.token(row)) as client:
        made = (await client.post("/api/v1/keys", json={"name": "mine", "expires_days": 1})).json()
        assert made["last_used_at"] is None
        async with desk.client(headers={"x-api-key": made["key"]}) as program:
            clock.advance(60)
            assert (await program.get(LIST)).status_code == 200
            [line] = (await client.get("/api/v1/keys")).json()["items"]
            assert line["last_used_at"] == "2026-01-05T12:01:00Z"
            assert "key" not in line
            clock.advance(86_400)
            assert (await program.get(LIST)).status_code == 401


async def test_a_key_revoked_by_another_process_is_refused_within_seconds(desk: GateDesk, clock: FakeClock) -> None:
    key, secret = await desk.keys.create((await desk.person()).id, name="k", scopes=("*",))
    async with desk.client(headers={"x-api-key": secret}) as client:
        assert (await client.get(LIST)).status_code == 200
        await desk.keys.revoke(key.id)
        clock.advance(BELIEVED_SECONDS)
        assert (await client.get(LIST)).status_code == 401


async def test_guessing_keys_is_limited_by_address(open_gate: Open) -> None:
    desk = open_gate(rate_limit_per_minute=3)
    async with desk.client() as client:
        statuses = [(await client.get(LIST, headers={"x-api-key": f"fd_{n}"})).status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]


# --- access tokens ----------------------------------------------------------


@pytest.mark.proves("abuse-4")
async def test_a_forged_access_token_is_refused(desk: GateDesk, clock: FakeClock) -> None:
    session = await desk.session(await desk.person())
    now = int(clock.now().timestamp())
    claims = {
        "iss": "frontdesk",
        "aud": "access",
        "iat": now,
        "exp": now + 900,
        "jti": "x",
        "sub": session.person.id,
        "sid": session.session.id,
    }
    header, key = {"alg": "HS256", "typ": "access+jwt"}, derived_key(SECRET, "access")
    own = session.access_token.split(".")
    forged = {
        "none": f"{part({'alg': 'none', 'typ': 'access+jwt'})}.{part(claims)}.",
        "None": f"{part({'alg': 'None', 'typ': 'access+jwt'})}.{part(claims)}.{own[2]}",
        "no signature": f"{own[0]}.{own[1]}.",
        "another algorithm": signed({**header, "alg": "HS512"}, claims, key),
        "a public algorithm": signed({**header, "alg": "RS256"}, claims, key),
        "an empty key": signed({**header, "kid": "../../../../dev/null"}, claims, b""),
        "a key id of the sender's": signed({**header, "kid": "../../secret"}, claims, key),
        "a key of the sender's": signed({**header, "jwk": {"kty": "oct", "k": "AA"}}, claims, b"\x00"),
        "a key address": signed({**header, "jku": "https://evil.example/keys"}, claims, key),
        "another audience": signed(header, {**claims, "aud": "flow"}, key),
        "another issuer": signed(header, {**claims, "iss": "evil"}, key),
        "no end": signed(header, {name: claims[name] for name in claims if name != "exp"}, key),
        "over": signed(header, {**claims, "exp": now - 1}, key),
        "another kind": desk.flows.issue(sub=session.person.id, sid=session.session.id),
        "another person": signed(header, {**claims, "sub": "per_other"}, key),
        "another's signature": f"{own[0]}.{part({**claims, 'sub': 'per_other'})}.{own[2]}",
        "the secret itself": signed(header, claims, SECRET),
        "not a token": "a.b.c",
        "nothing": "",
    }
    async with desk.client() as client:
        for kind, token in forged.items():
            assert (await client.get(LIST, headers={"Authorization": f"Bearer {token}"})).status_code == 401, kind
        right = {"Authorization": f"Bearer {signed(header, claims, key)}"}
        assert (await client.get(LIST, headers=right)).status_code == 200, "the forger's tools work"


@pytest.mark.proves("abuse-4")
async def test_tokens_that_begin_alike_are_told_apart(desk: GateDesk) -> None:
    token = (await desk.session(await desk.person())).access_token
    async with desk.client() as client:
        assert (await client.get(LIST, headers={"Authorization": f"Bearer {token}"})).status_code == 200
        for other in (token[:-1], token + "A", token[:72], token[:-4] + "AAAA"):
            assert (await client.get(LIST, headers={"Authorization": f"Bearer {other}"})).status_code == 401


async def test_an_access_token_lives_fifteen_minutes(desk: GateDesk, clock: FakeClock) -> None:
    async with desk.client(headers=await desk.token(await desk.person())) as client:
        clock.advance(899)
        assert (await client.get(LIST)).status_code == 200
        clock.advance(2 + BELIEVED_SECONDS)
        assert (await client.get(LIST)).status_code == 401


@pytest.mark.proves("abuse-5")
async def test_an_old_token_is_refused_after_sign_out(desk: GateDesk) -> None:
    session = await desk.session(await desk.person())
    bearer = {"Authorization": f"Bearer {session.access_token}"}
    async with desk.client(cookies={"fd_session": session.access_token}) as browser:
        assert (await browser.get(LIST)).status_code == 200
        assert (await browser.post("/api/v1/auth/sign-out", headers=FROM_PAGE)).status_code == 204
    async with desk.client(headers=bearer) as client:
        assert (await client.get(LIST)).status_code == 401
    with pytest.raises(NotSignedIn):
        await desk.sign_in.refresh(session.session.refresh_token)


@pytest.mark.proves("abuse-5")
@pytest.mark.parametrize("change", [{"role": "operator"}, {"state": "blocked"}])
async def test_an_old_token_is_refused_after_a_change_of_role_or_state(desk: GateDesk, change: dict[str, str]) -> None:
    owner, row = await desk.person(Role.OWNER), await desk.person()
    session = await desk.session(row)
    key = await desk.key(row)
    async with desk.client() as client:
        mine = {"Authorization": f"Bearer {session.access_token}"}
        assert (await client.get(LIST, headers=mine)).status_code == 200
        assert (await client.get(LIST, headers={"x-api-key": key})).json()["role"] == "member"
        answer = await client.patch(f"/api/v1/people/{row.id}", json=change, headers=await desk.token(owner))
        assert answer.status_code == 200
        assert (await client.get(LIST, headers=mine)).status_code == 401
        after = await client.get(LIST, headers={"x-api-key": key})
        assert after.status_code == (401 if "state" in change else 200)
        if "role" in change:
            assert after.json()["role"] == "operator"


@pytest.mark.proves("abuse-5")
async def test_an_old_token_is_refused_after_signing_in_again(desk: GateDesk) -> None:
    row = await desk.person()
    async with desk.client() as browser:
        tokens: list[str] = []
        for _ in range(2):
            link = {"token": await desk.sign_in.invite(row.id)}
            assert (await browser.post("/api/v1/auth/link", json=link, headers=FROM_PAGE)).status_code == 200
            tokens.append(str(browser.cookies["fd_session"]))
    async with desk.client() as client:
        statuses = [(await client.get(LIST, headers={"Authorization": f"Bearer {t}"})).status_code for t in tokens]
    assert statuses == [401, 200]


# --- refresh ----------------------------------------------------------------


async def test_a_session_goes_on_by_its_refresh_token(desk: GateDesk, clock: FakeClock) -> None:
    row = await desk.person()
    async with desk.client() as browser:
        link = {"token": await desk.sign_in.invite(row.id)}
        answer = await browser.post("/api/v1/auth/link", json=link, headers=FROM_PAGE)
        cookies = answer.headers.get_list("set-cookie")
        assert all("HttpOnly" in cookie and "SameSite=strict" in cookie for cookie in cookies)
        assert any(cookie.startswith("fd_refresh") and "Path=/api/v1/auth" in cookie for cookie in cookies)
        for _ in range(3):
            clock.advance(16 * 60)
            assert (await browser.get(LIST)).status_code == 401
            assert (await browser.post("/api/v1/auth/refresh", headers=FROM_PAGE)).status_code == 200
            assert (await browser.get(LIST)).json()["caller"] == row.id


@pytest.mark.proves("abuse-5")
async def test_a_reused_refresh_token_ends_the_family(desk: GateDesk) -> None:
    first = await desk.session(await desk.person())
    second = await desk.sign_in.refresh(first.session.refresh_token)
    async with desk.client(headers={"Authorization": f"Bearer {second.access_token}"}) as client:
        assert (await client.get(LIST)).status_code == 200
        with pytest.raises(NotSignedIn):
            await desk.sign_in.refresh(first.session.refresh_token)
        assert (await client.get(LIST)).status_code == 401
    with pytest.raises(NotSignedIn):
        await desk.sign_in.refresh(second.session.refresh_token)


@pytest.mark.proves("abuse-5")
@pytest.mark.parametrize("token", ["", "x", " " * 64, "0" * 43])
async def test_an_empty_or_made_up_token_is_refused_everywhere(desk: GateDesk, token: str) -> None:
    await desk.sign_in.owner_link_token()
    async with desk.client() as client:
        assert (await client.post("/api/v1/auth/link", json={"token": token})).status_code == 401
    async with desk.client(cookies={"fd_refresh": token}) as browser:
        assert (await browser.post("/api/v1/auth/refresh", headers=FROM_PAGE)).status_code == 401


# --- visitors ---------------------------------------------------------------


async def test_a_visitor_is_known_again_and_leaves_no_row_by_looking(open_gate: Open) -> None:
    desk = open_gate(visitors=True)
    async with desk.client() as browser:
        looked = (await browser.get(LIST)).json()
        assert (looked["role"], looked["credential"]) == ("visitor", "visitor")
        with pytest.raises(NotFound):
            await desk.people.get(looked["caller"])
        said = await browser.post("/api/v1/chat", json={}, headers=FROM_PAGE)
        assert said.json()["caller"] == looked["caller"]
        assert (await desk.people.get(looked["caller"])).role is Role.VISITOR
        assert (await browser.post("/v1/chat/completions", json={}, headers=FROM_PAGE)).status_code == 403


async def test_a_visitors_cookie_cannot_be_made_up(open_gate: Open) -> None:
    desk = open_gate(visitors=True)
    row = await desk.person(Role.OWNER)
    for text in (row.id, desk.flows.issue(sub=row.id), f"{row.id}.x"):
        async with desk.client(cookies={"fd_visitor": text}) as browser:
            assert (await browser.get(LIST)).json()["caller"] != row.id


async def test_visitors_do_not_come_in_where_the_owner_has_not_said_so(desk: GateDesk) -> None:
    async with desk.client() as client:
        assert (await client.get(LIST)).status_code == 401
        assert (await client.post("/api/v1/chat", json={})).status_code == 401
