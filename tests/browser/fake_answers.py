"""What the scripted desk says to which question, event by event."""

from typing import Any

Event = tuple[str, dict[str, Any]]

CITATION = {
    "number": 1,
    "passage_id": "psg_1",
    "document_id": "doc_1",
    "title": "House rules",
    "source": "https://example.org/house-rules",
    "heading": "Opening hours",
    "quote": "The desk is open from nine to six on weekdays.",
}
PASSAGE = {
    "id": "psg_1",
    "document_id": "doc_1",
    "title": "House rules",
    "source": "https://example.org/house-rules",
    "heading": "Opening hours",
    "before": "Visitors ring the bell once.\n\n",
    "text": f"Opening hours\n\n{CITATION['quote']} On Saturdays it closes at one.",
    "after": "\n\nParcels are kept for a week.",
}
LONG = "\n\n".join(
    f"## Part {part}\n\nThe desk **answers** from its documents [1], and says *which*. It keeps `order {part}`:\n\n"
    f"- a first thing, said in some words\n- a second thing, see [the page](https://example.org/{part})\n\n"
    f"| what | how many |\n| --- | --: |\n| letters | {part * 7} |\n\n```python\nprint({part})\n```"
    for part in range(1, 25)
)[:6000]


def said(text: str) -> list[Event]:
    return [("text.added", {"text": piece}) for piece in pieces(text)]


def pieces(text: str, size: int = 7) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def done(grounding: str, *, model: str = "scripted", leave: bool = False, reason: str = "stop") -> Event:
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "cost": 0}
    facts = {"grounding": grounding, "model": model, "usage": usage, "reason": reason, "can_leave_message": leave}
    return ("turn.finished", facts)


def working(activity: str, detail: str = "") -> Event:
    return ("turn.working", {"activity": activity, "detail": detail})


CALL = {"id": "call_1", "name": "calendar__book", "arguments": '{"day":"2026-03-03","hour":10,"who":"Ada"}'}
CALLED: list[Event] = [("tool.called", {"call": CALL, "server": "calendar"})]
RETURNED: list[Event] = [
    ("tool.returned", {"result": {"call_id": "call_1", "name": CALL["name"], "text": "Booked.", "is_error": False}})
]
SOURCED = "The desk is open **from nine to six** on weekdays [1].\n\nOn Saturdays it closes at one [1]."

SCRIPTS: dict[str, list[Event]] = {
    "When do you open?": [
        working("searching", "House rules"),
        ("sources.cited", {"citations": [CITATION]}),
        *said(SOURCED),
        done("sourced"),
    ],
    "Quote it": [("sources.cited", {"citations": [CITATION]}), *said(f"{CITATION['quote']} [1]"), done("quoted")],
    "Tell me a joke": [*said("A clock walks into a bar, right on time."), done("unsourced", model="small")],
    "Who is your barber?": [*said("I don't know. I found nothing about that."), done("unknown", leave=True)],
    "Break": [
        *said("This far, and "),
        ("turn.failed", {"code": "model_unavailable", "message": "No model could answer", "hint": "Try again soon."}),
    ],
    "Switch": [
        *said("The first half, "),
        ("model.switched", {"from_model": "large", "to_model": "small", "reason": "timeout"}),
        *said("and the second."),
        done("unsourced"),
    ],
    "Book a table": [
        working("waiting_for_approval", CALL["name"]),
        ("approval.asked", {"approval_id": "apr_1", "call": CALL}),
        ("wait.approval", {}),
        working("calling", "calendar"),
        *CALLED,
        *RETURNED,
        *said("It is booked for Tuesday at ten."),
        done("sourced"),
    ],
    "Long": [("sources.cited", {"citations": [CITATION]}), *said(LONG), done("sourced")],
}
