"""The page of a letter's link: one file without script, so that it needs neither built pages nor a good connection.

Its colours and sizes are those of `ui/src/shared/tokens.css`, and a test holds them to it.
"""

import base64
from dataclasses import dataclass
from hashlib import sha256
from html import escape

from starlette.responses import HTMLResponse, Response

from frontdesk.engagement import Channel

BY: dict[Channel, str] = {
    "email": "by e-mail",
    "sms": "by text message",
    "push": "by push message",
    "in_app": "in the app",
    "telegram": "on Telegram",
    "webhook": "in this way",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says: `{desk}` writes `{by}` (a channel). With an `act` it has a button."""

    title: str
    text: str
    act: str = ""


ASKED = Words(
    "No more messages from {desk} {by}?",
    "Press the button and {desk} stops writing to you {by}. Until then nothing changes.",
    "Stop these messages",
)
DONE = Words(
    "{desk} writes to you {by} no more",
    "It holds from now on. What had left before may still arrive. You can close this page.",
)
NOBODY = Words(
    "There is nothing left to stop",
    "{desk} keeps nothing that belongs to this link, and writes to nobody because of it. You can close this page.",
)
WRONG = Words(
    "This link is not whole",
    "Perhaps it was cut off when it was copied. Open it from the message once more, or answer the message and say that "
    "you want no more.",
)
LATER = Words(
    "It could not be noted just now",
    "Nothing has changed. Open the link again in a few minutes.",
)

STYLE = """
:root { color-scheme: light dark; --paper: light-dark(#faf7f1, #1b1916); --ink: light-dark(#2a2622, #ece6db);
  --muted: light-dark(#665d52, #aaa092); --accent: light-dark(#7d580c, #dcb267);
  --accent-soft: light-dark(#f4e7c9, #3c311b); --on-ink: light-dark(#faf7f1, #1b1916);
  --s2: 8px; --s4: 16px; --s5: 24px; --radius: 6px; --body: 1rem; --big: 1.5rem;
  --sans: -apple-system, "Segoe UI", Roboto, "Noto Sans", system-ui, sans-serif;
  --serif: "Iowan Old Style", "Palatino Linotype", "Noto Serif", Georgia, ui-serif, serif; }
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); font: 400 var(--body) / 1.55 var(--sans); text-size-adjust: 100%; }
body { margin: 0; overflow-wrap: break-word; }
main { display: grid; gap: var(--s4); align-content: center; justify-items: start; width: min(30rem, 100%);
  min-height: 90vh; margin-inline: auto; padding: var(--s5); }
h1, p { margin: 0; }
h1 { font: 400 var(--big) / 1.25 var(--serif); text-wrap: balance; }
svg { display: block; }
.dome { fill: var(--accent-soft); }
.line { fill: none; stroke: var(--accent); stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }
button { min-height: 44px; padding: var(--s2) var(--s4); border: 1px solid var(--ink); border-radius: var(--radius);
  background: var(--ink); color: var(--on-ink); font: inherit; cursor: pointer; }
button:hover { border-color: var(--muted); background: var(--muted); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
"""
BELL = """\
<svg width="32" height="32" viewBox="0 0 32 32" aria-hidden="true">
<path class="dome" d="M5.5 21.5C5.5 15 10 10 16 10s10.5 5 10.5 11.5z"/>
<path class="line" d="M13.5 6.5h5M16 6.5V10M5.5 21.5C5.5 15 10 10 16 10s10.5 5 10.5 11.5zM3.5 25.5h25"/></svg>"""
FORM = """\
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>{act}</button></form>"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>
{bell}
<h1>{title}</h1>
<p>{text}</p>
{form}
</main></body>
</html>
"""
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{base64.b64encode(sha256(STYLE.encode()).digest()).decode()}'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cache-Control": "no-store",
}


def response(words: Words, desk: str, channel: Channel = "email", *, status: int = 200) -> Response:
    """The page that says these words of the desk and the channel."""
    said = {"desk": escape(desk), "by": BY[channel]}
    text = PAGE.format(
        title=words.title.format(**said),
        text=words.text.format(**said),
        form=FORM.format(act=words.act) if words.act else "",
        bell=BELL,
        style=STYLE,
    )
    return HTMLResponse(text, status_code=status, headers=HEADERS)
