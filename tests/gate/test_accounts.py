"""People, passwords, links, keys and the audit log over HTTP."""

import pytest

from frontdesk.messages import Role
from frontdesk.store.database import metadata
from frontdesk.testing.clock import FakeClock
from tests.gate.conftest import Open
from tests.gate.desk import FROM_PAGE, GateDesk

PASSWORD = "correct horse battery"


async def test_the_first_owner_comes_in_by_a_link_that_works_once(desk: GateDesk) -> None:
    token = await desk.sign_in.owner_link_token()
    async with desk.client() as browser:
        answer = await browser.post("/api/v1/auth/link", json={"token": token})
        assert answer.status_code == 200
        assert answer.json()["person"]["role"] == "owner"
        assert token not in answer.text
        me = (await browser.get("/api/v1/me")).json()
        assert (me["credential"], me["scopes"]) == ("session", ["*"])
    async with desk.client() as other:
        assert (await other.post("/api/v1/auth/link", json={"token": token})).status_code == 401


async def test_a_link_expires_and_a_newer_one_replaces_it(desk: GateDesk, clock: FakeClock) -> None:
    old, new = await desk.sign_in.owner_link_token(), await desk.sign_in.owner_link_token()
    async with desk.client() as browser:
        assert (await browser.post("/api/v1/auth/link", json={"token": old})).status_code == 401
        clock.advance(3600)
        assert (await browser.post("/api/v1/auth/link", json={"token": new})).status_code == 401


async def test_no_secret_is_stored_in_clear(desk: GateDesk) -> None:
    row = await desk.person(Role.OWNER)
    session, key, link = await desk.session(row), await desk.key(row), await desk.sign_in.invite(row.id)
    async with desk.database.read() as connection:
        tables = [await connection.execute(table.select()) for table in metadata.sorted_tables]
        kept = [str(tuple(line)) for table in tables for line in table]
    for secret in (session.session.refresh_token, session.access_token, key, link):
        assert not any(secret in line for line in kept)


async def test_an_invited_person_sets_a_password_and_signs_in_with_it(desk: GateDesk) -> None:
    owner = await desk.token(await desk.person(Role.OWNER))
    async with desk.client(headers=owner) as console:
        body = {"name": "Ben", "email": "Ben@Example.com", "role": "member"}
        invited = (await console.post("/api/v1/people", json=body)).json()
        assert invited["person"]["email"] == "ben@example.com"
        assert (await console.post("/api/v1/people", json=body)).status_code == 409
    token = invited["link"].partition("#token=")[2]
    async with desk.client(headers=FROM_PAGE) as browser:
        await browser.post("/api/v1/auth/link", json={"token": token})
        short = await browser.put("/api/v1/me/password", json={"password": "short"})
        assert (short.status_code, short.json()["error"]["where"]) == (422, "password")
        assert (await browser.put("/api/v1/me/password", json={"password": PASSWORD})).status_code == 204
        assert (await browser.put("/api/v1/me/password", json={"password": PASSWORD * 2})).status_code == 401
        assert (await browser.get("/api/v1/me")).status_code == 200, "this session goes on"
    async with desk.client() as browser:
        wrong = await browser.post("/api/v1/auth/sign-in", json={"email": "ben@example.com", "password": "not it"})
        nobody = await browser.post("/api/v1/auth/sign-in", json={"email": "who@example.com", "password": PASSWORD})
        assert wrong.status_code == nobody.status_code == 401
        assert wrong.json() == nobody.json(), "nobody learns which addresses are known"
        right = await browser.post("/api/v1/auth/sign-in", json={"email": "BEN@example.com ", "password": PASSWORD})
        assert right.json()["person"]["name"] == "Ben"


async def test_a_new_password_ends_the_other_sessions(desk: GateDesk) -> None:
    row = await desk.person()
    other = await desk.token(row)
    async with desk.client(headers=await desk.token(row)) as here, desk.client(headers=other) as elsewhere:
        assert (await elsewhere.get("/api/v1/me")).status_code == 200
        assert (await here.put("/api/v1/me/password", json={"password": PASSWORD})).status_code == 204
        assert (await elsewhere.get("/api/v1/me")).status_code == 401
        assert (await here.get("/api/v1/me")).status_code == 200


async def test_passwords_can_be_switched_off(open_gate: Open) -> None:
    async with open_gate(local_sign_in=False).client() as browser:
        body = {"email": "a@example.com", "password": PASSWORD}
        assert (await browser.post("/api/v1/auth/sign-in", json=body)).status_code == 403


async def test_the_last_owner_can_neither_go_nor_be_demoted(desk: GateDesk) -> None:
    owner = await desk.person(Role.OWNER)
    async with desk.client(headers=await desk.token(owner)) as console:
        for body in ({"role": "member"}, {"state": "blocked"}):
            answer = await console.patch(f"/api/v1/people/{owner.id}", json=body)
            assert answer.status_code == 409
        assert (await console.delete(f"/api/v1/people/{owner.id}")).status_code == 409
        assert (await console.delete("/api/v1/me")).status_code == 409
        second = await desk.person(Role.OWNER)
        assert (await console.patch(f"/api/v1/people/{second.id}", json={"role": "member"})).status_code == 200
        assert (await console.delete(f"/api/v1/people/{second.id}")).status_code == 204


async def test_an_operator_has_no_power_over_operators_and_owners(desk: GateDesk) -> None:
    owner, peer = await desk.person(Role.OWNER), await desk.person(Role.OPERATOR)
    member = await desk.person()
    async with desk.client(headers=await desk.token(await desk.person(Role.OPERATOR))) as console:
        for above in (owner, peer):
            assert (await console.patch(f"/api/v1/people/{above.id}", json={"name": "x"})).status_code == 403
            assert (await console.delete(f"/api/v1/people/{above.id}")).status_code == 403
            assert (await console.post(f"/api/v1/people/{above.id}/link")).status_code == 403
        for role in ("owner", "operator"):
            assert (await console.post("/api/v1/people", json={"name": "x", "role": role})).status_code == 403
            assert (await console.patch(f"/api/v1/people/{member.id}", json={"role": role})).status_code == 403
        assert (await console.patch(f"/api/v1/people/{member.id}", json={"name": "Mel"})).json()["name"] == "Mel"


async def test_people_are_listed_by_pages_and_found_by_words(desk: GateDesk) -> None:
    owner = await desk.person(Role.OWNER, name="Olga")
    for name in ("Ann", "Ben", "Cem"):
        await desk.person(name=name, email=f"{name}@example.com")
    async with desk.client(headers=await desk.token(owner)) as console:
        names: list[str] = []
        asked: dict[str, str] | None = {"limit": "2"}
        while asked is not None:
            page = (await console.get("/api/v1/people", params=asked)).json()
            names += [line["name"] for line in page["items"]]
            asked = {"limit": "2", "cursor": page["next"]} if page["next"] else None
        assert names == ["Olga", "Ann", "Ben", "Cem"]
        [found] = (await console.get("/api/v1/people", params={"query": "cem@"})).json()["items"]
        assert (found["name"], "password_hash" in found) == ("Cem", False)
        assert (await console.get("/api/v1/people", params={"query": "%"})).json()["items"] == []


async def test_everything_of_mine_is_given_and_erased(desk: GateDesk) -> None:
    row = await desk.person(email="ann@example.com")
    key = await desk.key(row)
    async with desk.client(headers=await desk.token(row)) as me:
        export = await me.get("/api/v1/me/export")
        assert export.json() == {
            "person": {"id": row.id, "name": "Ann", "role": "member", "email": "ann@example.com"},
            "note": {"of": row.id},
        }
        assert "attachment" in export.headers["content-disposition"]
        assert (await me.patch("/api/v1/me", json={"name": "Anna"})).json()["person"]["name"] == "Anna"
        assert (await me.get("/api/v1/me")).json()["person"]["name"] == "Anna"
        assert (await me.delete("/api/v1/me")).status_code == 204
        assert (await me.get("/api/v1/me")).status_code == 401
    async with desk.client(headers={"x-api-key": key}) as program:
        assert (await program.get("/api/v1/me")).status_code == 401
    assert await desk.people.by_email("ann@example.com") is None


async def test_a_key_gives_no_more_than_its_maker_has(desk: GateDesk) -> None:
    row = await desk.person(Role.OWNER)
    key = await desk.key(row, "keys", "chat")
    async with desk.client(headers={"x-api-key": key}) as program:
        for scopes, status in ((["chat"], 201), (["people"], 403), (["*"], 403), (["nonsense"], 422), ([], 422)):
            body = {"name": "child", "scopes": scopes}
            assert (await program.post("/api/v1/keys", json=body)).status_code == status, scopes


@pytest.mark.proves("abuse-1")
async def test_a_member_sees_and_revokes_their_own_keys_alone(desk: GateDesk) -> None:
    ann, ben, owner = await desk.person(), await desk.person(), await desk.person(Role.OWNER)
    key, secret = await desk.keys.create(ann.id, name="hers", scopes=("chat",))
    top, _ = await desk.keys.create(owner.id, name="theirs", scopes=("*",))
    async with desk.client(headers=await desk.token(ben)) as client:
        assert (await client.get("/api/v1/keys")).json()["items"] == []
        assert (await client.delete(f"/api/v1/keys/{key.id}")).status_code == 404
    async with desk.client(headers=await desk.token(await desk.person(Role.OPERATOR))) as console:
        assert {line["id"] for line in (await console.get("/api/v1/keys")).json()["items"]} == {key.id, top.id}
        assert (await console.delete(f"/api/v1/keys/{top.id}")).status_code == 404
        assert (await console.delete(f"/api/v1/keys/{key.id}")).status_code == 204
    async with desk.client(headers={"x-api-key": secret}) as program:
        assert (await program.get("/api/v1/me")).status_code == 401


async def test_what_people_do_is_in_the_audit_log_before_they_have_their_answer(desk: GateDesk) -> None:
    owner = await desk.person(Role.OWNER)
    member = await desk.person()
    async with desk.client(headers=await desk.token(owner)) as console:
        made = (await console.post("/api/v1/keys", json={"name": "k"})).json()
        await console.delete(f"/api/v1/keys/{made['id']}")
        await console.patch(f"/api/v1/people/{member.id}", json={"role": "operator"})
        lines = (await console.get("/api/v1/audit")).json()["items"]
        assert [(line["act"], line["actor"], line["subject"], line["outcome"]) for line in lines] == [
            ("person.change", owner.id, member.id, 200),
            ("key.revoke", owner.id, made["id"], 204),
            ("key.create", owner.id, made["id"], 201),
        ]
        assert "203.0.113.7" not in str(lines)
        page = (await console.get("/api/v1/audit", params={"limit": 2})).json()
        assert page["next"] == "2"
        assert len((await console.get("/api/v1/audit", params={"cursor": "2"})).json()["items"]) == 1
        assert (await console.get("/api/v1/audit/verdict")).json()["whole"] is True
    other = await desk.person()
    async with desk.client(headers=await desk.token(other)) as client:
        await client.post("/api/v1/people", json={"name": "x"})
    [refused] = await desk.audit.page(limit=1)
    assert (refused.act, refused.actor, refused.outcome) == ("person.invite", other.id, 403)


async def test_failed_and_successful_sign_ins_are_in_the_audit_log(desk: GateDesk) -> None:
    async with desk.client() as browser:
        await browser.post("/api/v1/auth/sign-in", json={"email": "who@example.com", "password": "x"})
        await browser.post("/api/v1/auth/link", json={"token": await desk.sign_in.owner_link_token()})
    owner = await desk.people.owner()
    assert owner is not None
    assert [(row.act, row.outcome, row.subject) for row in await desk.audit.page()] == [
        ("sign_in.link", 200, owner.id),
        ("sign_in.password", 401, ""),
    ]
