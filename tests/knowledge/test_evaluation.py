"""Questions with known answers, and the shares that come of them."""

import pytest

from frontdesk.errors import Unprocessable
from frontdesk.knowledge.evaluation import Asked, Outcome, outcome, questions, score
from frontdesk.messages import Found, Passage


def passage(text: str, **more: str) -> Passage:
    facts = {"id": "p", "document_id": "d", "title": "Guide", "source": "guide.md", "heading": "Hours"} | more
    return Passage(text=text, start=0, end=len(text), **facts)


def test_questions_are_read_line_by_line() -> None:
    text = '{"question": "When?", "answers": ["at nine"]}\n\n{"question": "Who?", "no_answer": true}\n'
    assert questions(text, where="q.jsonl") == [
        Asked(question="When?", answers=("at nine",)),
        Asked(question="Who?", no_answer=True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"question": 1}',
        "{",
        '{"question": "x"}',
        '{"question": "x", "answers": ["a"], "no_answer": true}',
        '{"q": "x"}',
    ],
)
def test_a_line_that_is_no_question_is_named(line: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        questions('{"question": "When?", "answers": ["nine"]}\n' + line, where="q.jsonl")
    assert caught.value.where == "q.jsonl:2"


def test_a_file_without_questions_is_refused() -> None:
    with pytest.raises(Unprocessable):
        questions("\n", where="q.jsonl")


@pytest.mark.parametrize("answer", ["AT NINE", "guide.md", "hours", "we open at"])
def test_an_answer_is_a_source_a_heading_or_words_whatever_their_case_and_line_breaks(answer: str) -> None:
    asked = Asked(question="When?", answers=("nowhere", answer))
    found = Found(passages=(passage("Other.", source="x", heading=""), passage("We open\nat nine.")), confidence=0.7)
    assert outcome(asked, found).rank == 2


def test_shares_count_what_the_desk_would_say() -> None:
    known, unknown = Asked(question="?", answers=("a",)), Asked(question="?", no_answer=True)
    outcomes = [
        Outcome(asked=known, rank=1, confidence=0.9),
        Outcome(asked=known, rank=2, confidence=0.2),
        Outcome(asked=known, rank=None, confidence=0.9),
        Outcome(asked=known, rank=None, confidence=0.1),
        Outcome(asked=unknown, rank=None, confidence=0.1),
        Outcome(asked=unknown, rank=None, confidence=0.6),
    ]
    result = score(outcomes, k=5, threshold=0.5)
    assert (result.recall, result.mrr) == (0.5, 0.375)
    assert (result.refused, result.wrongly_refused) == (0.5, 0.5)
    assert result.wrong == pytest.approx(2 / 6)
    assert score(outcomes[:4], k=5, threshold=0.5).refused is None
