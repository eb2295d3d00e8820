"""How well the library answers a list of questions whose answers are known."""

from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from frontdesk.errors import Unprocessable
from frontdesk.messages import Found, Passage
from frontdesk.ports import Search


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question. A passage answers it if any of `answers` stands in its source, its headings or its text.

    `no_answer` says that the library does not hold the answer, and the desk should say so.
    """

    question: str
    answers: tuple[str, ...] = ()
    no_answer: bool = False

    def is_answered_by(self, passage: Passage) -> bool:
        """Whether this passage holds an answer; case and line breaks do not count."""
        held = _plain(f"{passage.source}\n{passage.title}\n{passage.heading}\n{passage.text}")
        return any(_plain(answer) in held for answer in self.answers)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a question. `rank` counts from 1; None where no passage found answers it."""

    asked: Asked
    rank: int | None
    confidence: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Shares from 0 to 1; None where no question of that kind was asked.

    `recall`: answerable questions with an answer among the first `k`. `mrr`: mean of 1/rank. `refused`: unanswerable
    questions that the desk says it cannot answer; `wrongly_refused`: answerable ones of which it says so too.
    `wrong`: of all questions, those that it would answer although no passage shown holds the answer.
    """

    questions: int
    k: int
    recall: float | None
    mrr: float | None
    refused: float | None
    wrongly_refused: float | None
    wrong: float


def questions(text: str, *, where: str) -> list[Asked]:
    """Questions of a JSONL file: `{"question": …, "answers": […]}` or `{"question": …, "no_answer": true}` a line.

    Raises `Unprocessable` with the line.
    """
    found: list[Asked] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            asked = msgspec.json.decode(line, type=Asked)
        except msgspec.MsgspecError as error:
            raise Unprocessable(f"This line is not a question: {error}", where=f"{where}:{number}") from error
        if asked.no_answer == bool(asked.answers):
            raise Unprocessable(
                "A question has either `answers` or `no_answer`",
                where=f"{where}:{number}",
                hint='Write {"question": "…", "answers": ["a source, a heading or words of the answer"]}.',
            )
        found.append(asked)
    if not found:
        raise Unprocessable("There is no question in this file", where=where)
    return found


async def ask(search: Search, asked: Iterable[Asked], *, k: int = 5) -> AsyncIterator[Outcome]:
    """Search for each question, one after the other."""
    for one in asked:
        yield outcome(one, await search.search(one.question, limit=k))


def outcome(asked: Asked, found: Found) -> Outcome:
    """How the search did."""
    ranks = (rank for rank, passage in enumerate(found.passages, 1) if asked.is_answered_by(passage))
    return Outcome(asked=asked, rank=next(ranks, None), confidence=found.confidence)


def score(outcomes: Sequence[Outcome], *, k: int, threshold: float) -> Score:
    """The outcomes as shares; below `threshold` of confidence the desk says that it does not know."""
    answerable = [one for one in outcomes if not one.asked.no_answer]
    others = [one for one in outcomes if one.asked.no_answer]
    wrong = [one for one in outcomes if one.confidence >= threshold and one.rank is None]
    return Score(
        questions=len(outcomes),
        k=k,
        recall=_mean([float(one.rank is not None) for one in answerable]),
        mrr=_mean([1 / one.rank if one.rank else 0.0 for one in answerable]),
        refused=_mean([float(one.confidence < threshold) for one in others]),
        wrongly_refused=_mean([float(one.confidence < threshold) for one in answerable]),
        wrong=len(wrong) / len(outcomes) if outcomes else 0.0,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
