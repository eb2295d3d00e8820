"""Names and digests of tools. Models take names of letters, digits, `_` and `-`, up to 64 characters."""

import re
from hashlib import sha256

import msgspec

LONGEST_SERVER = 20
LONGEST_NAME = 64
_PLAIN = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*")


def server_slug(text: str) -> str:
    """The first part of tool names, from what a server calls itself."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:LONGEST_SERVER].strip("_") or "server"


def tool_name(server: str, tool: str) -> str:
    """`server__tool`. A tool whose own name does not fit gets a piece of its hash, so that no two fall together."""
    room = LONGEST_NAME - len(server) - 2
    if _PLAIN.fullmatch(tool) and len(tool) <= room:
        return f"{server}__{tool}"
    mark = sha256(tool.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9-]+", "_", tool).strip("_")[: room - len(mark) - 1].strip("_")
    return f"{server}__{plain}_{mark}" if plain else f"{server}__{mark}"


def description_digest(tool: str, description: str, schema: object) -> str:
    """Covers all that a model is told about a tool."""
    return sha256(msgspec.json.encode([tool, description, schema], order="sorted")).hexdigest()


def call_digest(name: str, arguments: str) -> str:
    """Covers a call byte for byte: letters that only look alike differ, and nothing is cut."""
    parts = (name.encode("utf-8", "surrogatepass"), arguments.encode("utf-8", "surrogatepass"))
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()
