"""MCP's result of a call, as text."""

import json

import mcp_types as mcp

from frontdesk.tools.answers import Answer, bounded


def answer_of(result: mcp.CallToolResult, *, limit: int) -> Answer:
    """At most `limit` characters of what the tool said. What is not text is named, not shown."""
    pieces = [_block(block) for block in result.content]
    if (
        not any(isinstance(block, mcp.TextContent) for block in result.content)
        and result.structured_content is not None
    ):
        pieces.append(json.dumps(result.structured_content, ensure_ascii=False))
    text = bounded("\n".join(pieces) or "(the tool answered nothing)", limit)
    return Answer(text=text, is_error=bool(result.is_error))


def _block(block: mcp.ContentBlock) -> str:
    match block:
        case mcp.TextContent():
            return block.text
        case mcp.ImageContent():
            return f"[an image ({block.mime_type}, {_kilobytes(block.data)} kB) that is not shown]"
        case mcp.AudioContent():
            return f"[a recording ({block.mime_type}, {_kilobytes(block.data)} kB) that is not played]"
        case mcp.ResourceLink():
            return f"[link: {block.title or block.name}, {block.uri}]"
        case mcp.EmbeddedResource(resource=mcp.TextResourceContents() as resource):
            return resource.text
        case mcp.EmbeddedResource(resource=resource):
            return f"[a file ({resource.mime_type or 'of unknown kind'}, {resource.uri}) that is not shown]"


def _kilobytes(base64: str) -> int:
    return -(-len(base64) * 3 // 4096)
