"""A mail server on loopback that does as it is told, and may fall silent or away at any step."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["connect", "mail", "rcpt", "data", "text", "taken"]


@dataclass
class MailServer:
    """`fails` breaks the connection off at a step (`taken`: after the mail was taken, before that is said);
    `answers` are said instead of the usual at a step."""

    port: int = 0
    fails: Step | None = None
    answers: dict[Step, str] = field(default_factory=dict[Step, str])
    taken: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, _Gone):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._say(writer, "connect", "220 mail.test")
        to = ""
        while line := (await reader.readline()).decode().strip():
            match line.upper().partition(" ")[0].partition(":")[0]:
                case "MAIL":
                    self._say(writer, "mail", "250 ok")
                case "RCPT":
                    to = line.partition("<")[2].rstrip("> ")
                    self._say(writer, "rcpt", "250 ok")
                case "DATA":
                    self._say(writer, "data", "354 go on")
                    await self._text(reader, writer, to)
                case "QUIT":
                    return
                case _:
                    writer.write(b"250 ok\r\n")

    async def _text(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: str) -> None:
        if "data" in self.answers:
            return
        if self.fails == "text":
            raise _Gone
        text = (await reader.readuntil(b"\r\n.\r\n")).decode()
        if "text" not in self.answers:
            self.taken.append((to, text.removesuffix(".\r\n")))
        if self.fails == "taken":
            raise _Gone
        self._say(writer, "text", "250 taken")

    def _say(self, writer: asyncio.StreamWriter, step: Step, usual: str) -> None:
        if self.fails == step:
            raise _Gone
        writer.write(f"{self.answers.get(step, usual)}\r\n".encode())


class _Gone(Exception):
    """The server falls away."""


@asynccontextmanager
async def mail_server() -> AsyncGenerator[MailServer]:
    """One that listens on a port of its own."""
    server = MailServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
