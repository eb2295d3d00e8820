"""The section `tools` of the system file."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from frontdesk.system.section import Env, Section


def _web_address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{address!r} is not an http(s) address; commands stand under `tools.stdio`")
    if parts.username or parts.password:
        raise ValueError("an address holds no credentials: set MCP_SERVICE_TOKEN")
    return address


WebAddress = Annotated[str, AfterValidator(_web_address)]


class StdioServer(Section):
    """An MCP server that the desk starts as a child process. It stands in the system file, and nowhere else."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=20, description="First part of its tools' names."
    )
    command: list[str] = Field(min_length=1, description="The program and its arguments; no shell reads them.")
    environment: dict[str, str] = Field(default={}, description="Variables for the program.")
    pass_environment: list[str] = Field(
        default=[], description="Variables of the desk's own environment that the program gets: the place for secrets."
    )
    directory: str | None = Field(default=None, description="Where it runs.")


class ToolsOptions(Section):
    """Which MCP servers the desk asks for tools, and what their tools may do."""

    discovery_urls: Annotated[list[WebAddress], Env("MCP_DISCOVERY_URLS")] = Field(
        default=["http://localhost:8001", "http://localhost:8002"],
        description="Addresses of MCP servers. One without a path means `/mcp`.",
    )
    service_token: Annotated[
        str,
        Env("MCP_SERVICE_TOKEN", secret=True, ours=True, required_in_production=True, placeholders=("your-mcp-token",)),
    ] = Field(default="", repr=False, description="Sent to every address above as bearer token.")
    stdio: list[StdioServer] = Field(default=[], description="MCP servers that the desk starts itself.")
    rediscover_seconds: PositiveFloat = Field(default=60, le=60, description="How often each server is asked again.")
    call_seconds: PositiveFloat = Field(default=30, description="When a call is given up.")
    connect_seconds: PositiveFloat = Field(default=10, description="When an attempt to connect is given up.")
    parallel_calls: PositiveInt = Field(default=64, description="Calls that one server gets at once; others wait.")
    answer_bytes: PositiveInt = Field(default=4_194_304, description="The largest answer that is read.")
    answer_characters: PositiveInt = Field(default=20_000, description="How much of its text a model is shown.")
    auto_approve_servers: list[str] = Field(
        default=["*"],
        description="Addresses (`*` and `?` match) whose tools may be used when first seen. A tool that changes "
        "afterwards always waits for an operator.",
    )
    needs_approval: list[str] = Field(
        default=["*"], description="Tools (`*` and `?` match) whose every call a person must approve."
    )
    without_approval: list[str] = Field(
        default=[], description="Exceptions from `needs_approval`: tools that can do no harm."
    )
    circuit_failures: PositiveInt = Field(default=5, description="Failures that open a server's circuit.")
    circuit_seconds: PositiveFloat = Field(
        default=30, description="Within how long they count, and how long the circuit stays open."
    )
