"""The example server as an official client of either era meets it."""

import json
from pathlib import Path

import pytest
from mcp import Client

from frontdesk.tools.example_server import example_server

ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])


async def said(tool: str, *, era: str = "auto", hours: Path | None = None, **arguments: object) -> tuple[str, bool]:
    async with Client(example_server(hours), mode=era) as client:
        result = await client.call_tool(tool, arguments)
    return getattr(result.content[0], "text", ""), result.is_error


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2+3*4", "14"),
        ("(1 + 2) ** 3", "27"),
        ("7 // 2", "3"),
        ("10 / 4", "2.5"),
        ("-3 % 5", "2"),
        ("0.1 + 0.2", "0.3"),
        ("2 ** 10", "1024"),
    ],
)
@ERAS
async def test_arithmetic_is_worked_out(era: str, expression: str, value: str) -> None:
    assert await said("calculate", era=era, expression=expression) == (value, False)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').getcwd()",
        "9**9**9**9",
        "1/0",
        "[1]*9",
        "'a'*9",
        "True",
        "",
        "(" * 150,
        "1" * 201,
        "(-1) ** 0.5",
    ],
)
async def test_what_is_not_arithmetic_or_too_large_is_refused(expression: str) -> None:
    _, is_error = await said("calculate", expression=expression)
    assert is_error


async def test_time_is_told_in_a_zone_and_unknown_zones_get_a_suggestion() -> None:
    text, is_error = await said("get_time", zone="Asia/Tokyo")
    assert not is_error
    assert text.endswith("in Asia/Tokyo (UTC+0900)")
    text, is_error = await said("get_time", zone="Berlin")
    assert is_error
    assert "Europe/Berlin" in text


async def test_opening_hours_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hours.json"
    file.write_text(json.dumps({"monday": "8 to 12"}))
    assert await said("opening_hours", hours=file, day="Monday") == ("Monday: 8 to 12", False)
    assert await said("opening_hours", hours=file, day="sunday") == ("Sunday: closed", False)
    assert (await said("opening_hours", hours=file, day="someday"))[1]
