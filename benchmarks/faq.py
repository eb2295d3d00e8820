"""Questions with known answers: the FAQs of free software's manuals, from Debian's documentation packages.

Nobody wrote these questions for us. An entry's question is its heading; the heading is taken out of the indexed text,
and so is every other paragraph that repeats a question (tables of contents): a question can only be answered from the
answer's own words. Entries whose answer is shorter than a line or two say nothing without their question ("Yes.") and
are not asked.

The packages are downloaded by `apt-get download` into a cache folder (`FRONTDESK_BENCHMARK_CACHE`) and unpacked there
with `dpkg-deb`; nothing of them is part of this project. Each package's
licence is in its `usr/share/doc/*/copyright`.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from frontdesk.knowledge.readers import Block, Reading, read

PACKAGES = {
    "python": "python3.11-doc",
    "debian": "debian-faq",
    "perl": "perl-doc",
    "r": "r-doc-html",
    "zsh": "zsh-doc",
    "privoxy": "privoxy",
    "fetchmail": "fetchmail",
}
SHORTEST = 150  # characters of an answer that is asked for
_NUMBER = re.compile(r"^(?:[A-Z]\d+\.|(?:\d+\.)*\d+[.:]?)\s+")
_POD_MARKUP = re.compile(r"[A-Z]<<?\s?(?:[^<>|]*\|)?([^<>]*?)\s?>>?")


class Entry(msgspec.Struct, frozen=True):
    """A question, and where in its document's text the answer stands."""

    question: str
    document: str
    start: int
    end: int


class Manual(msgspec.Struct, frozen=True):
    """A document without its questions, and the questions."""

    name: str
    reading: Reading
    entries: tuple[Entry, ...]


def manuals(package: str) -> list[Manual]:
    """The FAQ of a package, and for Python and Perl other chapters of the manual as well."""
    root = _unpacked(PACKAGES[package])
    return [_manual(f"{package}/{path.name}", reading) for path, reading in _READ[package](root)]


def cache() -> Path:
    """Where downloads are kept: outside the project."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FRONTDESK_BENCHMARK_CACHE") or Path(base) / "frontdesk-benchmarks")


def _unpacked(package: str) -> Path:
    folder = cache() / package
    if not folder.exists():
        cache().mkdir(parents=True, exist_ok=True)
        found = sorted(cache().glob(f"{package}_*.deb")) or _downloaded(package)
        subprocess.run(["dpkg-deb", "-x", found[-1], folder], check=True)
    return folder


def _downloaded(package: str) -> list[Path]:
    command = ["apt-get", "download", "-qq", package]
    if subprocess.run(command, cwd=cache(), capture_output=True, check=False).returncode != 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)  # lists are missing or old
        subprocess.run(command, cwd=cache(), check=True)
    return sorted(cache().glob(f"{package}_*.deb"))


def _html(root: Path, *patterns: str) -> Iterator[tuple[Path, Reading]]:
    for pattern in patterns:
        for path in sorted(root.glob(f"usr/share/doc/{pattern}")):
            yield path, read(path.read_bytes(), name=path.name)[1]


def _python(root: Path) -> Iterator[tuple[Path, Reading]]:
    base = "python3.11/html"
    return _html(
        root, f"{base}/faq/[!i]*.html", f"{base}/faq/installed.html", f"{base}/tutorial/*.html", f"{base}/howto/*.html"
    )


def _debian(root: Path) -> Iterator[tuple[Path, Reading]]:
    for path, reading in _html(root, "debian/FAQ/*.en.html"):
        if not path.name.startswith(("index", "faqinfo")):
            yield path, reading


def _zsh(root: Path) -> Iterator[tuple[Path, Reading]]:
    return _html(root, "zsh-common/html/FAQ0*.html")


def _perl(root: Path) -> Iterator[tuple[Path, Reading]]:
    names = (
        "perlfaq[1-9]",
        "perlintro",
        "perlsyn",
        "perldata",
        "perlre",
        "perlsub",
        "perlref",
        "perlrequick",
        "perlreftut",
    )
    for name in names:
        for path in sorted(root.glob(f"usr/share/perl/*.*.*/pod/{name}.pod")):
            yield path, Reading(path.stem, tuple(_pod(path.read_text(encoding="utf-8", errors="replace"))))


_READ = {
    "python": _python,
    "debian": _debian,
    "perl": _perl,
    "zsh": _zsh,
    "r": lambda root: _html(root, "r-doc-html/manual/R-FAQ.html"),
    "privoxy": lambda root: _html(root, "privoxy/faq/*.html"),
    "fetchmail": lambda root: _html(root, "fetchmail/fetchmail-FAQ.html"),
}


def _pod(source: str) -> Iterator[Block]:
    """Perl's documentation format, as far as its FAQ uses it (perlpod)."""
    for part in re.split(r"\n\s*\n", source):
        text = part.strip("\n")
        if head := re.match(r"=head(\d)\s+(.*)", text, re.DOTALL):
            yield Block("heading", _plain(head.group(2)), int(head.group(1)))
        elif item := re.match(r"=item\s+(.*)", text, re.DOTALL):
            yield Block("text", _plain(item.group(1)))
        elif text.startswith("=") or not text.strip():
            continue
        else:
            yield Block("code" if text[0] in " \t" else "text", text if text[0] in " \t" else _plain(text))


def _plain(text: str) -> str:
    for _ in range(3):
        text = _POD_MARKUP.sub(r"\1", text)
    return " ".join(text.split())


def _manual(name: str, reading: Reading) -> Manual:
    blocks = [Block(b.kind, b.text.strip(" ¶").strip(), b.level) if b.kind == "heading" else b for b in reading.blocks]
    asked = {i: _NUMBER.sub("", b.text) for i, b in enumerate(blocks) if b.kind == "heading" and b.text.endswith("?")}
    repeated = {question.casefold() for question in asked.values()}
    kept: list[Block] = []
    starts: list[tuple[str, int, int]] = []
    place = 0
    for number, block in enumerate(blocks):
        if number in asked:
            starts.append((asked[number], place, block.level))
            block = Block("heading", "", block.level)
        elif block.kind != "heading" and any(question in block.text.casefold() for question in repeated):
            continue
        elif block.kind == "heading":
            starts.append(("", place, block.level))
        kept.append(block)
        place += len(block.text) + 2
    ends = [start for _, start, _ in starts[1:]] + [place]
    entries = [
        Entry(question, name, start, end)
        for (question, start, _), end in zip(starts, ends, strict=True)
        if question and end - start >= SHORTEST
    ]
    title = reading.title if not reading.title.endswith("?") else name
    return Manual(name, Reading(title, tuple(kept)), tuple(entries))
