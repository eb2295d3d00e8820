"""Documents of every kind, whole, broken and hostile, as blocks."""

import io
import os
import time
import zipfile
import zlib
from collections.abc import Sequence

import pytest
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, StreamObject

from frontdesk.errors import UnreadableDocument
from frontdesk.knowledge.readers import Block, Reading, read


def blocks(data: bytes | str, name: str, **more: str) -> list[tuple[str, str]]:
    raw = data.encode() if isinstance(data, str) else data
    return [(block.kind, block.text) for block in read(raw, name=name, **more)[1].blocks]


# --- Markdown ---------------------------------------------------------------


def test_markdown_keeps_words_and_drops_marks() -> None:
    source = "# Guide {#top}\n\nA *fine* [link](http://x.example) and `code`.\nSecond line.\n\n```py\nx = 1\n```\n"
    assert blocks(source, "a.md") == [
        ("heading", "Guide"),
        ("text", "A fine link and code. Second line."),
        ("code", "x = 1"),
    ]


def test_markdown_lists_and_tables_stay_whole() -> None:
    source = "- one\n- two\n  1. inner\n  2. more\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert blocks(source, "a.md") == [
        ("list", "- one\n- two\n  1. inner\n  2. more"),
        ("table", "a | b\n1 | 2"),
    ]


def test_markdown_front_matter_gives_the_title_and_html_loses_its_tags() -> None:
    media_type, reading = read(b"---\ntitle: 'The title'\n---\n<div>words<script>bad()</script></div>\n", name="x.md")
    assert (media_type, reading.title) == ("text/markdown", "The title")
    assert [block.text for block in reading.blocks] == ["words"]


def test_a_document_without_a_title_has_its_file_name() -> None:
    assert read(b"plain words", name="folder/opening hours.txt")[1].title == "opening hours"


# --- text -------------------------------------------------------------------


def test_text_knows_paragraphs_underlined_headings_and_lists() -> None:
    source = "Title\n=====\n\nFirst line\nsecond line.\n\n- one\n- two\n\nPart\n----\nwords"
    assert blocks(source, "a.txt") == [
        ("heading", "Title"),
        ("text", "First line\nsecond line."),
        ("list", "- one\n- two"),
        ("heading", "Part"),
        ("text", "words"),
    ]


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("Grüße".encode(), None),
        ("Grüße".encode("utf-8-sig"), None),
        ("Grüße".encode("utf-16"), None),
        ("Grüße".encode("latin-1"), "latin-1"),
        ("Grüße".encode("cp1252"), "no-such-charset"),
    ],
)
def test_text_is_read_in_its_charset(data: bytes, charset: str | None) -> None:
    assert read(data, name="a.txt", charset=charset)[1].blocks[0].text == "Grüße"


def test_control_characters_and_lone_surrogates_do_not_reach_the_database() -> None:
    reading = read(b"one\x01two\x7f \xed\xa0\x80 three", name="a.txt")[1]
    assert "\x01" not in reading.blocks[0].text
    reading.blocks[0].text.encode()


# --- HTML -------------------------------------------------------------------

PAGE = """<!DOCTYPE html><html><head><title>Shop - Hours</title><style>p{}</style></head><body>
<header><p>Logo and menu</p></header><nav><ul><li><a href=/>Home</a></li></ul></nav>
<main><h1>Opening <em>hours</em><a class="headerlink" href="#">¶</a></h1><p>We open at <b>nine</b>.<br>Every day.</p>
<script>alert("bad")</script><ul><li>Monday<ul><li>morning</li></ul></li><li>Tuesday</li></ul>
<table><tr><th>Day</th><th>Hour</th></tr><tr><td>Sunday</td><td>10</td></tr></table><pre>run
  it</pre><p hidden>secret</p><form><p>Search</p></form>
<p>%s</p></main><footer>Imprint</footer></body></html>"""


def test_html_gives_the_main_part_without_frames_and_scripts() -> None:
    filler = "long enough to be the main part " * 8
    media_type, reading = read((PAGE % filler).encode(), name="hours", media_type="text/html")
    assert (media_type, reading.title) == ("text/html", "Opening hours")
    assert [(block.kind, block.text) for block in reading.blocks] == [
        ("heading", "Opening hours"),
        ("text", "We open at nine. Every day."),
        ("list", "- Monday\n  - morning\n- Tuesday"),
        ("table", "Day | Hour\nSunday | 10"),
        ("code", "run\n  it"),
        ("text", filler.strip()),
    ]


def test_a_page_without_a_main_part_loses_its_lists_of_links() -> None:
    page = "<body><ul>" + "<li><a href=x>Menu entry</a></li>" * 5 + "</ul><p>The words of the page.</p></body>"
    assert blocks(page, "a.html") == [("text", "The words of the page.")]


def test_html_in_another_charset_is_read_as_its_head_says() -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Grüße</p></body></html>'.encode("latin-1")
    assert blocks(page, "a.html") == [("text", "Grüße")]


def test_deeply_nested_html_ends() -> None:
    page = "<div>" * 20_000 + "deep words" + "</div>" * 20_000
    assert "deep words" in blocks(page, "a.html")[0][1]


def test_a_page_without_words_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="no text"):
        read(b"<html><body><img src=x></body></html>", name="a.html")


# --- PDF --------------------------------------------------------------------


def pdf(pages: Sequence[Sequence[str]], *, password: str = "", outline: Sequence[tuple[str, int]] = ()) -> bytes:
    writer = PdfWriter()
    font = writer._add_object(
        DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
    )
    for lines in pages:
        page = writer.add_blank_page(612, 792)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = DecodedStreamObject()
        words = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream.set_data(f"BT /F1 12 Tf 72 720 Td {words}ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    for title, number in outline:
        writer.add_outline_item(title=title, page_number=number)
    writer.add_metadata({"/Title": "Handbook"})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pdf_gives_paragraphs_under_its_outline() -> None:
    data = pdf(
        [["We open at nine and we close at", "five."], ["Invoices are paid."]], outline=[("Hours", 0), ("Money", 1)]
    )
    media_type, reading = read(data, name="a.pdf")
    assert (media_type, reading.title) == ("application/pdf", "Handbook")
    assert [(block.kind, block.text) for block in reading.blocks] == [
        ("heading", "Hours"),
        ("text", "We open at nine and we close at five."),
        ("heading", "Money"),
        ("text", "Invoices are paid."),
    ]


def test_pdf_loses_running_heads_and_joins_hyphenated_words() -> None:
    pages = [["Handbook 2026", "This is para-", f"graph number {n} of the text.", f"Page {n}"] for n in range(5)]
    texts = [text for _, text in blocks(pdf(pages), "a.pdf")]
    assert texts == [f"This is paragraph number {n} of the text." for n in range(5)]


def test_an_encrypted_pdf_says_so() -> None:
    with pytest.raises(UnreadableDocument, match="encrypted"):
        read(pdf([["secret"]], password="word"), name="a.pdf")


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnot really", b"%PDF-", b"%PDF-1.4\n" + os.urandom(2000)])
def test_a_broken_pdf_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read(data, name="a.pdf")


def test_a_pdf_without_text_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="no text"):
        read(pdf([[]]), name="scan.pdf")


def bomb(rounds: int) -> bytes:
    """A PDF whose page swells a thousandfold with each round of compression."""
    data = b"0 0 m " * 50_000_000
    for _ in range(rounds):
        data = zlib.compress(data, 9)
    writer = PdfWriter()
    page = writer.add_blank_page(612, 792)
    stream = StreamObject()
    stream._data = data
    names = [NameObject("/FlateDecode")] * rounds
    stream[NameObject("/Filter")] = ArrayObject(names)
    page[NameObject("/Contents")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_pdf_that_is_a_bomb_is_refused_within_bounds() -> None:
    data = bomb(2)
    assert len(data) < 100_000
    started = time.monotonic()
    with pytest.raises(UnreadableDocument):
        read(data, name="bomb.pdf")
    assert time.monotonic() - started < 60


# --- DOCX -------------------------------------------------------------------

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def docx(body: str, *, styles: str = "", head: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", f"{head}<w:document {W}><w:body>{body}</w:body></w:document>")
        if styles:
            package.writestr("word/styles.xml", f"<w:styles {W}>{styles}</w:styles>")
    return out.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_docx_gives_headings_lists_and_tables() -> None:
    item = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    cell = "<w:tc>{}</w:tc>"
    table = "<w:tbl>" + "".join(
        f"<w:tr>{cell.format(paragraph(a))}{cell.format(paragraph(b))}</w:tr>"
        for a, b in (("Day", "Hour"), ("Sun", "10"))
    )
    body = (
        paragraph("Handbook", '<w:pStyle w:val="Title"/>')
        + paragraph("Hours", '<w:pStyle w:val="berschrift2"/>')
        + paragraph("We open at nine.")
        + paragraph("one", item.format(0))
        + paragraph("inner", item.format(1))
        + table
        + "</w:tbl>"
        + "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del></w:p>"
    )
    styles = '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
    media_type, reading = read(docx(body, styles=styles), name="a.docx")
    assert media_type.endswith("wordprocessingml.document")
    assert reading == Reading(
        "Handbook",
        (
            Block("heading", "Handbook", 1),
            Block("heading", "Hours", 2),
            Block("text", "We open at nine."),
            Block("list", "- one\n  - inner"),
            Block("table", "Day | Hour\nSun | 10"),
            Block("text", "kept"),
        ),
    )


def test_a_docx_that_swells_is_refused_before_it_fills_memory() -> None:
    data = docx("<w:p>" + " " * 60_000_000 + "</w:p>")
    assert len(data) < 100_000
    with pytest.raises(UnreadableDocument, match="swells"):
        read(data, name="bomb.docx")


def test_a_docx_with_entities_is_refused() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">{entities}]>'
    with pytest.raises(UnreadableDocument, match="entities"):
        read(docx(paragraph("&l9;"), head=head), name="a.docx")


@pytest.mark.parametrize("data", [b"PK\x03\x04 broken", b"", docx("<w:p>")[:-30], docx("<unclosed>")])
def test_a_broken_docx_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read(data, name="a.docx")


# --- choosing ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("page", "text/html", "text/html"),
        ("notes.md", "text/plain", "text/markdown"),
        ("notes", "text/plain", "text/plain"),
        ("notes.TXT", "", "text/plain"),
        ("notes.txt", "application/octet-stream", "text/plain"),
    ],
)
def test_the_reader_is_chosen_by_media_type_then_name(name: str, media_type: str, expected: str) -> None:
    assert read(b"<p>words</p>", name=name, media_type=media_type)[0] == expected


def test_a_kind_that_nobody_reads_is_refused_with_the_known_endings() -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read(b"\x89PNG", name="a.png")
    assert ".md" in caught.value.hint
    with pytest.raises(UnreadableDocument):
        read(b"\x00\x01binary", name="a.txt")
