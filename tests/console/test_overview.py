"""The console's first look, the messages that people left and the health of models, on a whole desk."""

from pathlib import Path

import pytest

from frontdesk.console.overview import in_one_sentence
from frontdesk.messages import Role
from frontdesk.testing.desk import served_desk
from frontdesk.testing.upstream import Reply


async def test_an_operator_sees_how_the_desk_does_and_reads_what_was_left(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=lambda _: Reply(text="We open at nine.")) as served:
        operator, ann = await served.client(Role.OPERATOR, "Olga"), await served.client(Role.MEMBER, "Ann")
        said = (await ann.post("/api/v1/chat", json={"text": "When do you open?"})).json()
        await ann.put(f"/api/v1/messages/{said['message']['id']}/feedback", json={"value": -1, "reason": "No"})
        left = {"conversation_id": said["conversation_id"], "text": "Please call me", "contact": "ann@example.com"}
        await ann.post("/api/v1/handoffs", json=left)

        overview = (await operator.get("/api/v1/console/overview")).json()
        assert (overview["waiting"], overview["unhappy"], overview["running_turns"]) == (1, 1, 0)
        assert overview["in_conversation"] == 0
        assert overview["models_down"] == []
        assert overview["tokens_today"] > 0
        assert overview["answer"] == "One message waits for a person."

        read = (await operator.get(f"/api/v1/console/inbox/{said['conversation_id']}")).json()
        assert {message["text"] for message in read["messages"]} == {"When do you open?", "We open at nine."}

        [handoff] = (await operator.get("/api/v1/console/handoffs", params={"state": "waiting"})).json()["items"]
        assert handoff["text"] == "Please call me"
        path = f"/api/v1/console/handoffs/{handoff['id']}"
        assert (await operator.patch(path, json={"state": "settled"})).status_code == 204
        assert (await operator.get("/api/v1/console/handoffs", params={"state": "waiting"})).json()["items"] == []

        model = (await operator.get("/api/v1/console/models")).json()["items"][0]
        assert (model["name"], model["state"], model["failures"]) == ("scripted", "closed", 0)
        assert model["calls"] >= 1

        everybody = (await operator.get("/api/v1/console/usage", params={"days": 1})).json()
        own = (await ann.get("/api/v1/usage", params={"days": 1})).json()
        assert everybody["totals"] == own["totals"]
        assert own["totals"]["calls"] >= 1


@pytest.mark.parametrize(
    ("talks", "waiting", "unhappy", "down", "documents", "answer"),
    [
        (1, 1, 1, ["strong"], 3, "strong cannot be reached; answers come from what is left."),
        (3, 2, 0, [], 3, "3 people wait for the team."),
        (0, 2, 0, [], 3, "2 messages wait for a person."),
        (0, 0, 0, [], 0, "The desk knows nothing yet: add documents under Knowledge."),
        (0, 0, 1, [], 3, "One answer disappointed this week."),
        (0, 0, 0, [], 3, "All is well: nothing waits for you."),
    ],
)
def test_the_overview_says_first_what_matters_most(
    talks: int, waiting: int, unhappy: int, down: list[str], documents: int, answer: str
) -> None:
    assert in_one_sentence(talks, waiting, unhappy, down, documents) == answer
