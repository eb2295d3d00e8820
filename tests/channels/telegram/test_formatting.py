"""Markdown becomes text and entities that Telegram takes as they are, and nothing that was written goes missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.channels.telegram.formatting import Formatted, formatted
from frontdesk.channels.telegram.splitting import entities, units
from frontdesk.messages import Citation

CAN_NEST = {"bold", "italic", "strikethrough", "text_link", "blockquote"}


def styled(shown: Formatted) -> list[tuple[str, str, str]]:
    """What of the text has which style, with the style's detail."""
    return [(style.kind, shown.text[start:end], style.detail) for start, end, style in shown.spans]


def cite(number: int, title: str, source: str = "https://desk.example/hours") -> Citation:
    return Citation(
        number=number, passage_id="p", document_id="d", title=title, source=source, heading="", quote="We open at nine."
    )


@pytest.mark.parametrize(
    ("markdown", "text", "spans"),
    [
        ("plain", "plain", []),
        ("**a** _b_ ~~c~~", "a b c", [("bold", "a", ""), ("italic", "b", ""), ("strikethrough", "c", "")]),
        ("# Title\n\ntext", "Title\n\ntext", [("bold", "Title", "")]),
        ("run `x < 1`", "run x < 1", [("code", "x < 1", "")]),
        ("```py\nif a:\n    b\n```", "if a:\n    b", [("pre", "if a:\n    b", "py")]),
        ("```<script>\nx\n```", "x", [("pre", "x", "")]),
        ("- a\n- b\n  - c", "• a\n• b\n   • c", []),
        ("3. a\n4. b", "3. a\n4. b", []),
        ("> q\n> > r", "q\n\nr", [("blockquote", "q\n\nr", "")]),
        ("a\nb", "a\nb", []),
        ("a &lt; b &amp; <b>c</b>", "a < b & <b>c</b>", []),
        ("[site](https://a.example/x)", "site", [("text_link", "site", "https://a.example/x")]),
        ("<https://a.example/x>", "https://a.example/x", []),
        ("![plan](https://a.example/p.png)", "plan", [("text_link", "plan", "https://a.example/p.png")]),
        ("**a `b` c**", "a b c", [("bold", "a", ""), ("code", "b", ""), ("bold", "c", "")]),
        ("***", "———", []),
        ("| a | b |\n|---|---|\n| 1 | 22 |", "a │ b\n──┼───\n1 │ 22", [("pre", "a │ b\n──┼───\n1 │ 22", "")]),
    ],
)
def test_each_construct_has_its_telegram_form(markdown: str, text: str, spans: list[tuple[str, str, str]]) -> None:
    shown = formatted(markdown)
    assert shown.text == text
    assert styled(shown) == spans


def test_a_table_too_wide_for_a_telephone_becomes_a_list_of_its_rows() -> None:
    shown = formatted(
        "| Room | Opening hours of the room | Who may use it |\n|-|-|-|\n| Hall | from nine to five | everybody |"
    )
    assert shown.text == "Room: Hall\nOpening hours of the room: from nine to five\nWho may use it: everybody"
    assert styled(shown) == [("bold", "Room: Hall", "")]


@pytest.mark.proves("abuse-14")
@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("[https://bank.example](https://evil.example/a)", "https://bank.example (https://evil.example/a)"),
        ("[bank.example/login](https://bank.example.evil.example)", "bank.example/login (https://bank.example.evil.example)"),
        ("[bank．example](https://evil.example)", "bank．example (https://evil.example)"),
        ("[safe\u200b](https://evil.example)", "safe\u200b (https://evil.example)"),
        ("[ ](https://evil.example)", "https://evil.example"),
        ("[call](tg://user?id=1)", "call (tg://user?id=1)"),
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))"),
        ("[1]\n\n[1]: https://evil.example", "[1]\n\n[1]: https://evil.example"),
    ],
)  # fmt: skip
def test_a_link_cannot_hide_where_it_leads(markdown: str, text: str) -> None:
    shown = formatted(markdown)
    assert shown.text == text
    assert shown.spans == ()


def test_a_link_may_name_its_own_site() -> None:
    (span,) = styled(formatted("[www.a.example](https://a.example/x)"))
    assert span == ("text_link", "www.a.example", "https://a.example/x")


def test_cited_sources_stand_once_at_the_end() -> None:
    citations = [cite(1, "Hours"), cite(2, "Prices", "prices.pdf"), cite(3, "Hours"), cite(4, "Not cited")]
    shown = formatted("At nine [1][3], for free [2].", citations)
    assert shown.text == "At nine [1][3], for free [2].\n\n[1][3] Hours\n[2] Prices"
    assert styled(shown) == [("text_link", "Hours", "https://desk.example/hours")]


@pytest.mark.parametrize("deep", [">" * 300 + " word", "\n".join("  " * n + f"- item{n}" for n in range(300))])
def test_nothing_is_lost_however_deep_it_lies(deep: str) -> None:
    shown = formatted(deep).text
    assert all(word in shown for word in ("word", "item299") if word in deep)


# --- properties ---------------------------------------------------------------

SIGNS = st.text(
    st.one_of(
        st.sampled_from("*_`~[]()<>#|-+>!&\\\n\n  \t:.1aé😀👩‍💻"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=200,
)
WORDS = st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, max_size=6).map(" ".join)


def blocks(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Markdown of any construct, around words."""
    inline = st.one_of(
        words,
        words.map("**{}**".format),
        words.map("_{}_".format),
        words.map("~~{}~~".format),
        words.map("`{}`".format),
        words.map("[{}](https://a.example/)".format),
        words.map("![{}](https://a.example/)".format),
    )
    lines = st.lists(inline, min_size=1, max_size=4).map(" ".join)
    return st.one_of(
        lines,
        lines.map("# {}".format),
        lines.map("- {}".format),
        lines.map("1. {}".format),
        lines.map("> {}".format),
        words.map("```sh\n{}\n```".format),
    )


@given(SIGNS)
def test_whatever_is_written_telegram_takes_it(source: str) -> None:
    shown = formatted(source)
    total = units(shown.text)
    last: dict[str, int] = {}
    open_until: list[tuple[str, int]] = []
    for entity in entities(shown):
        end = entity.offset + entity.length
        assert 0 <= entity.offset < end <= total
        assert entity.offset >= last.get(entity.type, 0), "spans of a kind do not overlap"
        last[entity.type] = end
        open_until = [(kind, until) for kind, until in open_until if until > entity.offset]
        assert all(until >= end and kind in CAN_NEST and entity.type in CAN_NEST for kind, until in open_until)
        open_until.append((entity.type, end))
        assert bool(entity.url) == (entity.type == "text_link")


@given(st.lists(blocks(WORDS), min_size=1, max_size=6).map("\n\n".join))
def test_every_word_is_seen_in_its_order(markdown: str) -> None:
    source = markdown.replace("(https://a.example/)", "").replace("```sh", "```")
    assert letters(formatted(markdown).text) == letters(source)


@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1, max_size=4))
def test_every_cell_of_a_table_is_seen(rows: list[list[str]]) -> None:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    seen = formatted("\n".join([lines[0], "|-|-|-|", *lines[1:]])).text
    assert all(cell in seen for row in rows for cell in row)


def letters(text: str) -> str:
    """The letters alone, in their order."""
    return "".join(sign for sign in text if sign.isalpha())
