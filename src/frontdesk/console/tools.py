"""The tools of all servers and what operators say about them.

Servers and commands come from the deployment's configuration alone; nothing here adds or changes one.
"""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Request
from pydantic import Field, model_validator

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, View
from frontdesk.gate.caller import note_subject
from frontdesk.messages import ToolRecord
from frontdesk.ports import ToolDesk


class RulingBody(Body):
    """What an operator says about a tool. `digest` is the one of the description that they have read: if the tool has
    changed since, the approval is refused."""

    state: Literal["approved", "disabled"] | None = None
    needs_approval: bool | None = None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "RulingBody":
        if self.state is None and self.needs_approval is None:
            raise ValueError("give `state` or `needs_approval`")
        if self.state == "approved" and self.digest is None:
            raise ValueError("to approve a tool, give the `digest` that came with its description")
        return self


class ToolView(View):
    """A tool. Only an `approved` one is offered to models; `changed` means that its description is not the one that
    was approved."""

    name: str
    description: str
    parameters: dict[str, Any]
    state: Literal["approved", "changed", "disabled", "new"]
    needs_approval: bool
    digest: str


class ToolServerView(View):
    """A configured server. `refused`: it does not take the desk's service token."""

    url: str
    name: str
    state: Literal["up", "down", "refused"]
    protocol: str | None
    problem: str
    tools: list[ToolView]


class ToolServersView(View):
    """All configured servers."""

    servers: list[ToolServerView]


def router(desk: ToolDesk) -> APIRouter:
    """The routes of tools."""
    routes = APIRouter(prefix="/api/v1/tools", tags=["tools"], responses=COMMON)

    @routes.get("")
    async def servers() -> ToolServersView:
        """Every configured server, whether it answers, and its tools with their state."""
        return ToolServersView(
            servers=[
                ToolServerView(
                    url=server.address,
                    name=server.name,
                    state=server.state,
                    protocol=server.protocol,
                    problem=server.problem,
                    tools=[_tool(tool) for tool in server.tools],
                )
                for server in await desk.servers()
            ]
        )

    @routes.post("/{name}", responses=described(404, 409, 422))
    async def rule(
        request: Request, name: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")], body: RulingBody
    ) -> ToolView:
        """Approve or disable a tool, or say whether each of its calls needs a person's approval."""
        note_subject(request, name)
        disabled = None if body.state is None else body.state == "disabled"
        digest = body.digest if body.state == "approved" else None
        return _tool(await desk.rule(name, digest=digest, disabled=disabled, needs_approval=body.needs_approval))

    return routes


def _tool(tool: ToolRecord) -> ToolView:
    return ToolView(
        name=tool.name,
        description=tool.description,
        parameters=msgspec.json.decode(tool.parameters),
        state=tool.state,
        needs_approval=bool(tool.needs_approval),
        digest=tool.digest,
    )
