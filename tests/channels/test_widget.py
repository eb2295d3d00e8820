"""The widget's door: who comes in as whom, what their token opens, and what is served to browsers."""

import re
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from frontdesk.errors import BadSetting
from frontdesk.gate.policy import Policy
from frontdesk.gate.sites import Site, WidgetOptions
from frontdesk.gate.widget import LONGEST_VOUCH
from frontdesk.messages import Role
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Reply
from tests.channels.widget_words import SECRET, word

SHOP = "https://shop.example"
MAIN = {"id": "main", "origins": [SHOP], "identity": "SHOP_SECRET", "label": "Ask </script>us", "accent": "#1f6f5c"}
FORM = {
    "id": "form",
    "origins": [SHOP],
    "pre_chat": [
        {"name": "name", "label": "Your name", "required": True},
        {"name": "email", "label": "E-mail", "kind": "email"},
        {"name": "topic", "label": "Topic", "kind": "choice", "choices": ["Order", "Returns"]},
    ],
}
MEMBERS = {"id": "members", "origins": [SHOP], "identity": "SHOP_SECRET", "require_identity": True}
SETTINGS = {"widget.sites": [MAIN, FORM, MEMBERS]}
SESSION = "/api/v1/widget/session"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "widget.md"
NO_ALGORITHM = b'{"alg":"none"}'


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[ServedDesk]:
    variables = {"SHOP_SECRET": SECRET}
    async with served_desk(tmp_path, model=[Reply(text="Yes.")], settings=SETTINGS, variables=variables) as served:
        yield served


@pytest.fixture
async def browser(served: ServedDesk) -> httpx2.AsyncClient:
    return await served.stranger()


async def enter(client: httpx2.AsyncClient, identity: str = "", site: str = "main", **more: object) -> dict[str, Any]:
    body = {"site": site, **more} | ({"identity": {"token": identity}} if identity else {})
    answer = await client.post(SESSION, json=body)
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    return dict(answer.json())


def bearer(session: Mapping[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['token']}"}


async def begin(client: httpx2.AsyncClient, session: Mapping[str, Any], text: str = "Hello") -> str:
    answer = await client.post("/api/v1/chat", json={"text": text}, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["conversation_id"])


async def sees(client: httpx2.AsyncClient, session: Mapping[str, Any], conversation_id: str) -> bool:
    answer = await client.get(f"/api/v1/conversations/{conversation_id}", headers=bearer(session))
    assert answer.status_code in (200, 404)
    return answer.status_code == 200


# --- who comes in -------------------------------------------------------------


async def test_a_visitor_comes_in_chats_and_comes_back_as_the_same(browser: httpx2.AsyncClient) -> None:
    first = await enter(browser)
    assert (first["known"], first["conversation_id"]) == (False, None)
    conversation_id = await begin(browser, first)
    again = await enter(browser, renewal=first["renewal"])
    assert again["person"]["id"] == first["person"]["id"]
    assert again["conversation_id"] == conversation_id
    other = await enter(browser)
    assert not await sees(browser, other, conversation_id)


async def test_a_conversation_of_the_widget_is_of_the_widgets_channel(
    served: ServedDesk, browser: httpx2.AsyncClient
) -> None:
    conversation_id = await begin(browser, await enter(browser))
    assert (await served.desk.store.conversations.get(conversation_id, None)).channel == "widget"


async def test_the_sites_word_makes_its_visitor_the_same_person_everywhere(browser: httpx2.AsyncClient) -> None:
    here = await enter(browser, word("customer-7", name="Ann", email="ann@example.org"))
    assert (here["known"], here["person"]["name"], here["email"]) == (True, "Ann", "ann@example.org")
    conversation_id = await begin(browser, here)
    there = await enter(browser, word("customer-7", name="Ann Weber"))
    assert there["person"] == {"id": here["person"]["id"], "name": "Ann Weber"}
    assert await sees(browser, there, conversation_id)
    other = await enter(browser, word("customer-8"))
    assert other["person"]["id"] != here["person"]["id"]
    assert not await sees(browser, other, conversation_id)


def forged(good: str) -> list[str]:
    now = int(time.time())
    head, body, signature = good.split(".")
    none = f"{b64encode(NO_ALGORITHM).decode().rstrip('=')}.{body}."
    return [
        "",
        "x",
        "a.b.c",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        none,
        word("customer-7", secret="f" * 32),
        word("customer-7", header={"alg": "HS512"}),
        word("customer-7", header={"alg": "HS256", "kid": "../../key"}),
        word("customer-7", aud="other"),
        word("customer-7", aud=None),
        word("customer-7", exp=now - 120),
        word("customer-7", exp=now + LONGEST_VOUCH // timedelta(seconds=1) + 61),
        word("customer-7", exp=None),
        word("customer-7", exp=float("nan")),
        word("customer-7", iat=None),
        word("customer-7", iat=now + 240),
        word("customer-7", jti=None),
        word("customer-7", jti="short"),
        word("customer-7", jti="j" * 201),
        word(7),
        word(""),
        word("customer-7", name=["Ann"]),
        word("customer-7", name="\0"),
        word("s" * 201),
    ]


@pytest.mark.proves("abuse-11")
async def test_whoever_shows_anything_but_a_good_word_is_a_visitor(browser: httpx2.AsyncClient) -> None:
    real = await enter(browser, word("customer-7"))
    conversation_id = await begin(browser, real)
    for token in forged(word("customer-7")):
        session = await enter(browser, token)
        assert (token, session["known"]) == (token, False)
        assert session["person"]["id"] != real["person"]["id"]
        assert not await sees(browser, session, conversation_id)


@pytest.mark.proves("abuse-11")
async def test_a_word_counts_once_and_for_one_site(browser: httpx2.AsyncClient) -> None:
    token = word("customer-7")
    assert (await enter(browser, token))["known"]
    assert not (await enter(browser, token))["known"]
    assert not (await enter(browser, word("customer-7"), site="form"))["known"]
    assert (await enter(browser, word("customer-7", aud="members"), site="members"))["known"]


@pytest.mark.proves("abuse-11")
async def test_what_a_visitor_began_goes_over_only_in_the_same_session_of_the_browser(
    browser: httpx2.AsyncClient,
) -> None:
    earlier = await enter(browser)
    old = await begin(browser, earlier, "Before")
    today = await enter(browser, renewal=earlier["renewal"])  # the browser was closed: no `visit` any more
    begun = await begin(browser, today, "Today")
    reply = (await browser.get(f"/api/v1/conversations/{begun}", headers=bearer(today))).json()["messages"][-1]["id"]
    thumb = f"/api/v1/messages/{reply}/feedback"
    assert (await browser.put(thumb, json={"value": 1}, headers=bearer(today))).status_code == 204
    known = await enter(browser, word("customer-7"), renewal=today["renewal"], visit=today["visit"])
    assert known["conversation_id"] == begun
    assert await sees(browser, known, begun)
    assert (await browser.put(thumb, json={"value": -1}, headers=bearer(known))).status_code == 204
    assert (await browser.put(thumb, json={"value": 1}, headers=bearer(today))).status_code == 404
    assert not await sees(browser, known, old)
    assert not await sees(browser, today, begun)
    went_on = await browser.post(
        "/api/v1/chat", json={"text": "And now?", "conversation_id": begun}, headers=bearer(known)
    )
    assert went_on.status_code == 200
    stranger = await enter(browser, word("customer-8"), renewal=today["renewal"])
    assert not await sees(browser, stranger, old)


async def test_a_site_that_asks_for_it_lets_nobody_else_in(browser: httpx2.AsyncClient) -> None:
    refused = await browser.post(SESSION, json={"site": "members"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "identity_required")
    bad = word("customer-7", aud="members", secret="f" * 32)
    refused = await browser.post(SESSION, json={"site": "members", "identity": {"token": bad}})
    assert refused.status_code == 403
    known = await enter(browser, word("customer-7", aud="members"), site="members")
    assert (await enter(browser, site="members", renewal=known["renewal"]))["known"]
    visitor = await enter(browser)
    assert (await browser.post(SESSION, json={"site": "members", "renewal": visitor["renewal"]})).status_code == 403


async def test_a_blocked_or_promoted_person_has_no_token_any_more(
    served: ServedDesk, browser: httpx2.AsyncClient
) -> None:
    session = await enter(browser, word("customer-7"))
    path = f"/api/v1/conversations/{await begin(browser, session)}"
    people, identity = served.desk.store.people, served.desk.door.identity
    for change in ({"state": "blocked"}, {"state": "active", "role": Role.OPERATOR}):
        await people.change(session["person"]["id"], **change)
        identity.forget_person(session["person"]["id"])
        assert (await browser.get(path, headers=bearer(session))).status_code == 401
        assert not (await enter(browser, renewal=session["renewal"]))["known"]
        assert not (await enter(browser, word("customer-7")))["known"]


async def test_the_guides_program_signs_a_word_that_counts(browser: httpx2.AsyncClient) -> None:
    [program] = re.findall(r"```py\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    session = await enter(browser, names["identity_token"]("customer-7", "Ann", SECRET))
    assert (session["known"], session["person"]["name"]) == (True, "Ann")


# --- what the token opens -----------------------------------------------------


@pytest.mark.proves("abuse-2", "abuse-12")
async def test_the_token_opens_the_widgets_calls_and_nothing_else(browser: httpx2.AsyncClient) -> None:
    for session in (await enter(browser), await enter(browser, word("customer-7"))):
        for rule in Policy().rules:
            if not rule.needs_caller:
                continue
            path = re.sub(r"\{.*?\}", "any_1", rule.path)
            for method in rule.methods:
                answer = await browser.request(method, path, headers=bearer(session))
                refused = answer.status_code == 403
                assert refused == (rule.who != "widget"), (method, rule.path, answer.status_code)


async def test_other_tokens_of_the_widget_are_no_bearers_and_a_bearer_is_no_renewal(
    browser: httpx2.AsyncClient,
) -> None:
    session = await enter(browser)
    conversation_id = await begin(browser, session)
    path = f"/api/v1/conversations/{conversation_id}"
    plain = session["token"].removeprefix("fdw_")
    for token in (session["renewal"], f"fdw_{session['renewal']}", f"fdw_{session['visit']}", plain, f"{plain}x"):
        assert (await browser.get(path, headers={"Authorization": f"Bearer {token}"})).status_code == 401
    for wrong in (plain, session["visit"], session["token"]):
        assert (await enter(browser, renewal=wrong))["person"]["id"] != session["person"]["id"]
    assert (await enter(browser, site="form", renewal=session["renewal"]))["person"]["id"] != session["person"]["id"]


async def test_the_token_ends_after_an_hour_and_is_renewed(tmp_path: Path) -> None:
    clock = FakeClock()
    async with served_desk(tmp_path, settings={"widget.sites": [FORM]}, clock=clock) as served:
        browser = await served.stranger()
        session = await enter(browser, site="form", answers={"name": "Ann"})
        path = f"/api/v1/conversations/{session['conversation_id']}"
        assert (await browser.get(path, headers=bearer(session))).status_code == 200
        clock.advance(3601)
        assert (await browser.get(path, headers=bearer(session))).status_code == 401
        renewed = await enter(browser, site="form", renewal=session["renewal"])
        assert (await browser.get(path, headers=bearer(renewed))).status_code == 200
        clock.advance(31 * 24 * 3600)
        late = await enter(browser, site="form", renewal=renewed["renewal"])
        assert late["person"]["id"] != session["person"]["id"]


# --- the form -----------------------------------------------------------------


async def test_the_form_is_asked_once_and_its_answers_open_the_conversation(
    served: ServedDesk, browser: httpx2.AsyncClient
) -> None:
    session = await enter(browser, site="form")
    assert session["token"] == ""
    answers = {"name": " Ann ", "email": "ann@example.org", "topic": "Order"}
    filled = await enter(browser, site="form", renewal=session["renewal"], visit=session["visit"], answers=answers)
    assert (filled["person"]["name"], filled["email"]) == ("Ann", "ann@example.org")
    shown = (await browser.get(f"/api/v1/conversations/{filled['conversation_id']}", headers=bearer(filled))).json()
    [note] = shown["messages"]
    assert (note["role"], note["text"]) == ("notice", "Your name: Ann\nE-mail: ann@example.org\nTopic: Order")
    went_on = {"text": "Hello", "conversation_id": filled["conversation_id"]}
    assert (await browser.post("/api/v1/chat", json=went_on, headers=bearer(filled))).status_code == 200
    again = await enter(browser, site="form", renewal=filled["renewal"])
    assert (again["token"] != "", again["conversation_id"]) == (True, filled["conversation_id"])
    row = await served.desk.store.people.get(filled["person"]["id"])
    assert row.email is None, "an address that nobody has proved must not stand in anybody's way"


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ({}, "answers.name"),
        ({"name": "  "}, "answers.name"),
        ({"name": "Ann", "email": "ann"}, "answers.email"),
        ({"name": "Ann", "email": "a b@example.org"}, "answers.email"),
        ({"name": "Ann", "topic": "Theft"}, "answers.topic"),
        ({"name": "Ann", "role": "owner"}, "answers.role"),
    ],
)
async def test_answers_that_the_form_does_not_take_are_refused(
    browser: httpx2.AsyncClient, answers: dict[str, str], where: str
) -> None:
    refused = await browser.post(SESSION, json={"site": "form", "answers": answers})
    assert (refused.status_code, refused.json()["error"]["where"]) == (422, where)


# --- what browsers load -------------------------------------------------------


@pytest.mark.proves("abuse-12")
async def test_the_panel_may_be_framed_by_its_sites_origins_alone(browser: httpx2.AsyncClient) -> None:
    panel = await browser.get("/widget", params={"site": "main", "host": "https://evil.example"})
    policy = panel.headers["content-security-policy"]
    [ancestors] = re.findall(r"frame-ancestors ([^;]+)", policy)
    assert set(ancestors.split()) <= {SHOP, str(browser.base_url).rstrip("/")}
    assert "x-frame-options" not in panel.headers
    assert "script-src 'self'" in policy
    assert (await browser.get("/widget", params={"site": "unknown"})).status_code == 404
    for page in ("/", "/console", "/sign-in"):
        headers = (await browser.get(page)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


async def test_past_development_not_even_the_desk_frames_it_and_there_is_no_demo(tmp_path: Path) -> None:
    settings = SETTINGS | {"desk.environment": "staging"}
    variables = {"SHOP_SECRET": SECRET}
    async with served_desk(tmp_path, settings=settings, variables=variables) as served:
        browser = await served.stranger()
        policy = (await browser.get("/widget", params={"site": "main"})).headers["content-security-policy"]
        assert f"frame-ancestors {SHOP}" in policy.split("; ")
        assert (await browser.get("/widget/demo")).status_code == 404


@pytest.mark.proves("abuse-12")
async def test_pages_of_other_origins_may_load_the_script_and_call_nothing(browser: httpx2.AsyncClient) -> None:
    script = await browser.get("/widget.js")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert script.headers["content-type"].startswith("text/javascript")
    assert "</script" not in script.text
    assert '"form":["Ask us"' in script.text
    again = await browser.get("/widget.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    for origin in (SHOP, "https://evil.example", "null"):
        refused = await browser.post(SESSION, json={"site": "main"}, headers={"Origin": origin})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "origin_refused")


def test_the_loader_and_the_panel_keep_their_budgets() -> None:
    from benchmarks.pages import PANEL_KB, loader_weight, weight

    assert loader_weight() <= 1_000
    assert weight("widget.html") <= PANEL_KB * 1_000


async def test_a_desk_without_sites_has_no_widget(tmp_path: Path) -> None:
    async with served_desk(tmp_path) as served:
        browser = await served.stranger()
        for path in ("/widget.js", "/widget?site=main", "/widget/demo", "/api/v1/widget/config?site=main"):
            assert (await browser.get(path)).status_code == 404
        assert (await browser.post(SESSION, json={"site": "main"})).status_code == 404


async def test_the_panel_learns_how_it_looks_there(browser: httpx2.AsyncClient) -> None:
    config = (await browser.get("/api/v1/widget/config", params={"site": "form"})).json()
    assert (config["name"], config["greeting"]) == ("Frontdesk", "How can I help?")
    assert [field["name"] for field in config["pre_chat"]] == ["name", "email", "topic"]
    assert config["origins"] == [SHOP]


# --- settings -----------------------------------------------------------------


@pytest.mark.parametrize(
    "site",
    [
        {"id": "a", "origins": []},
        {"id": "a", "origins": ["https://*.example.com"]},
        {"id": "a", "origins": ["https://a.example/path"]},
        {"id": "a", "origins": ["https://a.example; script-src *"]},
        {"id": "a", "origins": [SHOP], "require_identity": True},
        {"id": "a", "origins": [SHOP], "accent": "red"},
        {"id": "a", "origins": [SHOP], "pre_chat": [{"name": "x", "label": "X", "kind": "choice"}]},
        {"id": "A b", "origins": [SHOP]},
    ],
)
def test_settings_that_make_no_sense_are_refused(site: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WidgetOptions.model_validate({"sites": [site]})


async def test_a_short_or_missing_secret_stops_the_start(tmp_path: Path) -> None:
    for variables in ({}, {"SHOP_SECRET": "too-short"}):
        with pytest.raises(BadSetting, match="main"):
            async with served_desk(tmp_path, settings=SETTINGS, variables=variables):
                pass


def test_words_on_the_accent_can_be_read_on_any_colour() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for red in range(0, 256, 17):
        for green in range(0, 256, 17):
            for blue in range(0, 256, 51):
                site = Site(id="a", origins=(SHOP,), accent=f"#{red:02x}{green:02x}{blue:02x}")
                dark, light = sorted((luminance(site.accent), luminance(site.on_accent)))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, site.accent
