"""What operators see of work, and what they can do about dead letters, on a whole desk."""

import asyncio
from pathlib import Path

from frontdesk.messages import Role
from frontdesk.store.outbox import NewLetter, put
from frontdesk.testing.desk import PATIENCE, served_desk
from frontdesk.testing.upstream import Reply


async def test_an_operator_sees_queues_workers_and_schedules(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=lambda _: Reply(text="Hello.")) as served:
        operator, ann = await served.client(Role.OPERATOR, "Olga"), await served.client(Role.MEMBER, "Ann")
        async with asyncio.timeout(PATIENCE):
            while not (work := (await operator.get("/api/v1/console/work")).json())["workers"]:  # noqa: ASYNC110 the first sign of life comes soon
                await asyncio.sleep(0.05)
        assert {row["kind"]: row["queue"] for row in work["queues"]} == {
            "turn": "ml",
            "letter": "general",
            "update": "general",
            "job": "general",
        }
        [worker] = work["workers"]
        assert (worker["queues"], worker["state"]) == (["general", "ml"], "up")
        assert "jobs.tidy" in {each["name"] for each in work["schedules"]}
        assert (work["dead"], work["unknown"], work["updates_kept"]) == ([], [], [])
        assert work["answer"] == "Nothing is stuck."
        assert (await ann.get("/api/v1/console/work")).status_code == 403


async def test_a_dead_job_is_replayed_or_removed_by_an_operator(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=lambda _: Reply(text="Hello.")) as served:
        operator = await served.client(Role.OPERATOR, "Olga")
        jobs = served.desk.store.jobs
        for _ in range(2):
            await served.desk.work.run("job", await jobs.add("unheard_of"))
        work = (await operator.get("/api/v1/console/work")).json()
        assert work["answer"] == "Everything runs; 2 dead letters can be looked at."
        first, second = work["dead"]
        assert (first["kind"], first["reason"], first["summary"]) == ("job", "no_handler", "Job unheard_of")
        assert (await operator.post(f"/api/v1/console/work/dead/job/{first['id']}/replay")).status_code == 204
        assert (await operator.delete(f"/api/v1/console/work/dead/job/{second['id']}")).status_code == 204
        assert (await operator.delete(f"/api/v1/console/work/dead/job/{second['id']}")).status_code == 404
        assert await jobs.state(second["id"]) == "withdrawn"
        await served.desk.work.run("job", first["id"])
        assert await jobs.state(first["id"]) == "dead"


async def test_an_operator_says_what_became_of_a_letter_that_may_have_arrived(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=lambda _: Reply(text="Hello.")) as served:
        operator = await served.client(Role.OPERATOR, "Olga")
        desk = served.desk
        owner = await desk.store.people.add(name="Ada", role=Role.MEMBER)
        letter = NewLetter(
            key="k", channel="elsewhere", person_id=owner.person.id, body="{}", place="7", proactive=True
        )
        letter_id = await desk.store.database.commit(lambda row: put(row, desk.ids, desk.clock.now(), letter))
        claimed = await desk.store.outbox.claim(letter_id, 60)
        assert claimed is not None
        await desk.store.outbox.settle(claimed, "unknown")
        work = (await operator.get("/api/v1/console/work")).json()
        assert [(each["id"], each["place"], each["proactive"]) for each in work["unknown"]] == [(letter_id, "7", True)]
        assert work["answer"] == "Only you can tell whether 1 letter arrived."
        path = f"/api/v1/console/work/unknown/{letter_id}"
        assert (await operator.post(path, json={"decision": "perhaps"})).status_code == 422
        assert (await operator.post(path, json={"decision": "sent"})).status_code == 204
        assert (await operator.post(path, json={"decision": "send_again"})).status_code == 404
        assert await desk.store.outbox.count("sent") == 1
