"""What a person gets when they ask for everything that the desk keeps of them."""

from base64 import b64encode
from collections.abc import Mapping

import msgspec

from frontdesk.app.store import Store
from frontdesk.channels.sign_in import Export
from frontdesk.store.records import records_of

EVERYTHING = 1_000_000
MOST_CONTENT = 20 * 1024 * 1024  # bytes of files that stand in the export itself; GET /api/v1/files/{id} gives each


def exports(store: Store) -> Mapping[str, Export]:
    """By name, what each subject of the store tells about a person."""

    async def conversations(person_id: str) -> object:
        found, _ = await store.conversations.page(person_id, channel=None, limit=EVERYTHING)
        return [
            plain(conversation)
            | {"messages": [plain(each) for each in await store.conversations.messages(conversation.id)]}
            for conversation in found
        ]

    async def memories(person_id: str) -> object:
        return [plain(memory, but="vector") for memory in await store.memories.of(person_id)]

    async def files(person_id: str) -> object:
        left, told = MOST_CONTENT, list[dict[str, object]]()
        for file in await store.files.of(person_id):
            left -= file.bytes
            data = (await store.files.data(person_id, file.id))[1] if left >= 0 else None
            told.append(plain(file) | {"content": b64encode(data).decode() if data is not None else None})
        return told

    async def handoffs(person_id: str) -> object:
        return [plain(handoff) for handoff in await store.handoffs.of(person_id)]

    async def surveys(person_id: str) -> object:
        return [plain(survey, but="asked_by") for survey in await store.surveys.of(person_id)]

    async def usage(person_id: str) -> object:
        return [plain(spent) for spent in await store.calls.spent(person_id, days=36_500)]

    async def records(person_id: str) -> object:
        return await records_of(store.database, person_id)

    return {
        "conversations": conversations,
        "memories": memories,
        "files": files,
        "handoffs": handoffs,
        "surveys": surveys,
        "usage": usage,
        "records": records,
    }


def plain(value: msgspec.Struct, *, but: str = "") -> dict[str, object]:
    """A struct as JSON's own types, without the field `but`."""
    fields = {name: field for name, field in msgspec.structs.asdict(value).items() if name != but}
    return msgspec.to_builtins(fields)
