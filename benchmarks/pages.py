"""The pages' weight, and how they bear a stream: gzipped JavaScript, long tasks, frames, first paint."""

import asyncio
import gzip
import re
import shutil
from pathlib import Path
from statistics import median

from playwright.async_api import Page, async_playwright

import frontdesk
from benchmarks.figures import Figure, at_least, below, seen
from frontdesk.channels.widget.files import LOOKS
from tests.browser.conftest import FLAGS, served
from tests.browser.fake_answers import LONG
from tests.browser.fake_desk import FakeDesk

PAGES = Path(frontdesk.__file__).parent / "pages"
PANEL_KB = 15
BUDGETS = {
    "index.html": 40,
    "sign-in.html": 40,
    "console.html": 180,
    "widget.html": PANEL_KB,
}  # kB of gzipped JavaScript
LOADER_KB = 1
SITE = '{"main":["Ask us","#7d580c","#ffffff","right"]}'  # what the desk writes into the widget's loader
LONG_TASK_MS = 50  # the Long Tasks API's own threshold, W3C
FIRST_PAINT_MS = 1000

WATCH = """
window.longTasks = [];
new PerformanceObserver(list => window.longTasks.push(...list.getEntries().map(task => task.duration)))
  .observe({ type: "longtask" });
"""
PAINT = """
() => new Promise(resolve => new PerformanceObserver(list => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) resolve(paint.startTime);
}).observe({ type: "paint", buffered: true }))
"""
TYPE = """
async () => {
  const field = document.getElementById("composer");
  const delays = [];
  while (!document.querySelector('button[aria-label="Send"]')) {
    const start = performance.now();
    field.value += "x";
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    await new Promise(requestAnimationFrame);
    delays.push(performance.now() - start);
  }
  return delays;
}
"""


def run(quick: bool) -> list[Figure]:
    """All figures of the built pages. `quick` watches three streams in place of nine."""
    return [*weights(), *asyncio.run(behaviour(3 if quick else 9))]


def weights() -> list[Figure]:
    """What each page loads, in thousands of bytes, as a server with gzip sends it."""
    pages = [
        below(f"{page}: gzipped JavaScript", weight(page) / 1000, "kB", budget) for page, budget in BUDGETS.items()
    ]
    return [*pages, below("widget.js: gzipped", loader_weight() / 1000, "kB", LOADER_KB)]


def loader_weight() -> int:
    """The gzipped bytes of the script that a site names, for a desk with one site."""
    script = (PAGES / "widget" / "loader.js").read_text(encoding="utf-8")
    return len(gzip.compress(script.replace(LOOKS, SITE).encode(), 9))


def weight(page: str) -> int:
    """The gzipped bytes of all scripts that a page names, and that those import."""
    text = (PAGES / page).read_text(encoding="utf-8")
    waiting = re.findall(r'(?:src|href)="/([^"]+\.js)"', text)
    counted: dict[str, int] = {}
    while waiting:
        name = waiting.pop()
        if name in counted:
            continue
        script = (PAGES / name).read_bytes()
        counted[name] = len(gzip.compress(script, 9))
        waiting += [f"assets/{found}" for found in re.findall(r'"\./([\w.-]+\.js)"', script.decode())]
    return sum(counted.values())


async def behaviour(rounds: int) -> list[Figure]:
    """A 6 kB answer streams while somebody types: in Chromium, the scripted desk behind it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is missing: apt-get install --yes chromium")
    tasks: list[list[float]] = []
    frames: list[float] = []
    paints: list[float] = []
    async with async_playwright() as playwright, served(FakeDesk(pause=0.004)) as address:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(rounds):
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(address)
            await page.locator(".welcome").wait_for()
            paints.append(await first_paint(page))
            await page.evaluate(WATCH)
            frames += await stream(page)
            tasks.append(await page.evaluate("() => window.longTasks"))
            await context.close()
        await browser.close()
    frames.sort()
    kilobytes = len(LONG) / 1000
    calmest = min(len(one) for one in tasks)  # a busy machine makes some of its own; those of the page come in each
    return [
        Figure(
            f"long tasks in the calmest of {rounds} streams of {kilobytes:.0f} kB", calmest, "", "= 0", calmest == 0
        ),
        seen("long tasks in all streams", sum(len(one) for one in tasks), ""),
        seen("longest task of all streams", max((task for one in tasks for task in one), default=0.0), "ms"),
        below("typing while it streams: key to frame, p95", frames[int(len(frames) * 0.95)], "ms", LONG_TASK_MS),
        at_least("frames measured", len(frames), "", 10),
        below("first contentful paint, median", median(paints), "ms", FIRST_PAINT_MS),
    ]


async def first_paint(page: Page) -> float:
    return float(await page.evaluate(PAINT))


async def stream(page: Page) -> list[float]:
    """Ask for the long answer and type into the field until it is there: milliseconds from key to frame."""
    await page.locator("#composer").fill("Long")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Stop").wait_for()
    delays: list[float] = await page.evaluate(TYPE)
    return delays
