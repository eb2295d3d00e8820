"""What a person gets when they ask for everything that the desk keeps of them."""

from collections.abc import Mapping

import msgspec

from frontdesk.app.store import Store
from frontdesk.channels.sign_in import Export

EVERYTHING = 1_000_000


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
        return [plain(file) for file in await store.files.of(person_id)]

    async def handoffs(person_id: str) -> object:
        return [plain(handoff) for handoff in await store.handoffs.of(person_id)]

    async def surveys(person_id: str) -> object:
        return [plain(survey, but="asked_by") for survey in await store.surveys.of(person_id)]

    async def usage(person_id: str) -> object:
        return [plain(spent) for spent in await store.calls.spent(person_id, days=36_500)]

    return {
        "conversations": conversations,
        "memories": memories,
        "files": files,
        "handoffs": handoffs,
        "surveys": surveys,
        "usage": usage,
    }


def plain(value: msgspec.Struct, *, but: str = "") -> dict[str, object]:
    """A struct as JSON's own types, without the field `but`."""
    fields = {name: field for name, field in msgspec.structs.asdict(value).items() if name != but}
    return msgspec.to_builtins(fields)
