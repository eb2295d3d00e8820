"""What this room needs to remember about servers and tools; the store fulfils it."""

from collections.abc import Mapping
from typing import Protocol

from frontdesk.messages import ToolRecord


class Ledger(Protocol):
    """Names of servers, and which description of each tool an operator (or the first sight of it) accepted."""

    async def server_name(self, address: str, wanted: str) -> str:
        """The name that belongs to this address: `wanted` when first seen (numbered if taken), the same ever after.

        What a server calls itself can so never take over another server's tools.
        """
        ...

    async def server_names(self) -> Mapping[str, str]:
        """The names of all addresses that were ever seen."""
        ...

    async def seen(self, address: str, seen: tuple[ToolRecord, ...], *, accept: bool) -> tuple[ToolRecord, ...]:
        """Remember what the server offers now; return it with what was decided. `accept` holds for new tools alone."""
        ...

    async def tool(self, name: str) -> ToolRecord | None:
        """What is remembered of the tool."""
        ...

    async def tools(self) -> tuple[ToolRecord, ...]:
        """All tools that were ever seen, by name."""
        ...

    async def rule(
        self, name: str, *, digest: str | None, disabled: bool | None, needs_approval: bool | None
    ) -> ToolRecord:
        """Change what is given. `NotFound` for an unknown tool, `Conflict` when its digest is another one now."""
        ...
