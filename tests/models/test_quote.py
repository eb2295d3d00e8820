"""Quoting: the owner's own words, whole, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import ModelRefused
from frontdesk.models.quote import QuoteModel
from frontdesk.models.units import units
from tests.models.asking import ask, hear, passage

STORAGE = """\
Everything the desk stores lies under `FRONTDESK_HOME`. It is created at the first start, e.g. by `frontdesk up`.

To move it:

1. Stop the desk.
2. Copy the folder.
3. Start it again.

Run this for a backup:

```sh
frontdesk backup --to /mnt/safe   # takes a minute. Or two.
```

- Backups run at 02:00.
- Old files vanish after 30 days.
"""
HOURS = "Der Empfang ist von 9 bis 17 Uhr geöffnet. Am Sonntag bleibt er geschlossen. Hunde sind erlaubt."
TOKYO = "受付は九時から五時まで開いています。日曜日は休みです。犬は入れます。"
PLANS = "The basic plan costs 5 euros.\n\n| Plan | Price |\n|---|---|\n| Basic | 5 |\n| Large | 50 |\n"


async def quoted(question: str, *texts: str) -> str:
    passages = tuple(passage(text, number) for number, text in enumerate(texts, start=1))
    return (await hear(QuoteModel("quote", None), ask(question, passages=passages))).text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where does the desk store things?", "Everything the desk stores lies under `FRONTDESK_HOME`. [1]"),
        ("How do I move the folder?", "To move it:\n\n1. Stop the desk.\n2. Copy the folder.\n3. Start it again. [1]"),
        ("Do backups run at 02:00?", "- Backups run at 02:00. [1]"),
        ("When do old files vanish?", "- Old files vanish after 30 days. [1]"),
        ("Wann ist der Empfang geöffnet?", "Der Empfang ist von 9 bis 17 Uhr geöffnet. [2]"),
        ("Sind Hunde erlaubt?", "Hunde sind erlaubt. [2]"),
        ("日曜日は？", "日曜日は休みです。 [3]"),
    ],
)
async def test_the_sentence_that_answers_is_quoted_with_its_mark(question: str, answer: str) -> None:
    assert await quoted(question, STORAGE, HOURS, TOKYO) == answer


async def test_code_stays_whole_and_its_mark_stands_below() -> None:
    answer = await quoted("What do I run for a backup?", STORAGE)
    code = "```sh\nfrontdesk backup --to /mnt/safe   # takes a minute. Or two.\n```"
    assert f"Run this for a backup:\n\n{code}\n\n[1]" in answer


async def test_a_sentence_that_points_back_brings_the_one_before_it() -> None:
    answer = await quoted("When is it created, at the first start?", STORAGE)
    assert answer.startswith("Everything the desk stores lies under `FRONTDESK_HOME`. It is created at the first start")
    assert answer.count("[1]") == 1


async def test_the_same_words_in_two_documents_are_quoted_once() -> None:
    assert await quoted("Sind Hunde erlaubt?", HOURS, HOURS) == "Hunde sind erlaubt. [1]"


async def test_a_table_stays_whole() -> None:
    answer = await quoted("Price of the large plan?", PLANS)
    assert "| Plan | Price |\n|---|---|\n| Basic | 5 |\n| Large | 50 |\n\n[1]" in answer


async def test_meaning_finds_what_shares_no_word() -> None:
    class Meanings:
        name, dimensions = "meanings", 2

        async def embed_query(self, text: str) -> bytes:
            return self._vector("pets")

        async def embed_passages(self, texts: list[str]) -> list[bytes]:
            return [self._vector("pets" if "Hunde" in text else "other") for text in texts]

        def _vector(self, topic: str) -> bytes:
            import numpy as np

            return np.array([1, 0] if topic == "pets" else [0, 1], dtype="<f4").tobytes()

    said = await hear(QuoteModel("quote", Meanings()), ask("May I bring my puppy?", passages=(passage(HOURS),)))
    assert said.text == "Hunde sind erlaubt. [1]"


async def test_nothing_to_quote_is_refused_and_not_invented() -> None:
    with pytest.raises(ModelRefused):
        await quoted("Anything?")
    with pytest.raises(ModelRefused):
        await quoted("Anything?", "---\n\n***")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("See e.g. Rome. Dr. Who came.", ["See e.g. Rome.", "Dr. Who came."]),
        ("Version 1.2.3 is out. Get it.", ["Version 1.2.3 is out.", "Get it."]),
        ("Das gilt z. B. Montag. Sonst nicht.", ["Das gilt z. B. Montag.", "Sonst nicht."]),
        ("Call `a. B` now. Then go.", ["Call `a. B` now.", "Then go."]),
        ('He said "Stop." Then left.', ['He said "Stop."', "Then left."]),
        ("¿Abre? Sí. ¡Claro!", ["¿Abre?", "Sí.", "¡Claro!"]),
        ("一。二！三", ["一。", "二！", "三"]),
        ("# Title\n\nText\nwraps here. More.", ["Text\nwraps here.", "More."]),
        ("- one\n  goes on\n- two", ["- one\n  goes on", "- two"]),
        ("```\na. B\n\nC\n```", ["```\na. B\n\nC\n```"]),
        ("```\nnever closed. X", ["```\nnever closed. X"]),
        ("", []),
    ],
)
def test_units(text: str, expected: list[str]) -> None:
    assert [unit.text for unit in units(text)] == expected


@given(st.text(alphabet=st.sampled_from("ab A.!?\n-*`#|1:。 「")) | st.text())
def test_units_are_verbatim_ordered_and_do_not_overlap(text: str) -> None:
    end = 0
    for unit in units(text):
        assert text[unit.start : unit.end] == unit.text
        assert unit.start >= end
        end = unit.end
