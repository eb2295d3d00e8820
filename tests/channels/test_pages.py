"""The door of the built pages."""

import gzip
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from frontdesk.channels.pages import Pages


@pytest.fixture
def client(tmp_path: Path) -> httpx2.AsyncClient:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<h1>Chat</h1>")
    (tmp_path / "console.html").write_text("<h1>Console</h1>")
    (tmp_path / "mark.svg").write_text("<svg/>")
    (tmp_path / "assets" / "chat-a1B2c3D4.js").write_text("let a = 1;\n" * 500)
    (tmp_path.parent / "secret.txt").write_text("secret")
    app = Starlette(routes=Pages(tmp_path).routes())
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://desk")


async def test_pages_are_asked_for_again_and_assets_are_kept_for_good(client: httpx2.AsyncClient) -> None:
    page, asset = await client.get("/"), await client.get("/assets/chat-a1B2c3D4.js")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-type"].startswith("text/javascript")
    again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_assets_travel_compressed_where_the_browser_takes_it(client: httpx2.AsyncClient) -> None:
    async with client.stream("GET", "/assets/chat-a1B2c3D4.js", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([piece async for piece in packed.aiter_raw()])
    plain = await client.get("/assets/chat-a1B2c3D4.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert "content-encoding" not in plain.headers


async def test_deep_links_open_their_page(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/c/conv_1")).text == "<h1>Chat</h1>"
    assert (await client.get("/console/people")).text == "<h1>Console</h1>"
    assert (await client.get("/mark.svg")).status_code == 200


@pytest.mark.parametrize("path", ["/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/assets/none.js"])
async def test_nothing_but_the_built_files_is_served(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code != 200
    assert b"secret" not in answer.content
