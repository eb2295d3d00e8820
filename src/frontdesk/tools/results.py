"""What a tool answered, as bounded plain text. Its origin is untrusted: text only, no control characters."""

import json
import re

import mcp_types as mcp

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\U000e0000-\U000e007f]")


def text_of(result: mcp.CallToolResult, *, limit: int) -> str:
    """The answer's text, at most `limit` characters of it. What is not text is named, not shown."""
    pieces = [_block(block) for block in result.content]
    if (
        not any(isinstance(block, mcp.TextContent) for block in result.content)
        and result.structured_content is not None
    ):
        pieces.append(json.dumps(result.structured_content, ensure_ascii=False))
    return bounded("\n".join(pieces) or "(the tool answered nothing)", limit)


def bounded(text: str, limit: int) -> str:
    """`text` without control characters and invisible tag letters, cut with a mark that says so."""
    plain = _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))
    if len(plain) <= limit:
        return plain
    return f"{plain[:limit]}\n[cut: {len(plain)} characters, the first {limit} are shown]"


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
