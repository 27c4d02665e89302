"""`python chaos_generator.py CONFIG`: constant load by many sticky users, as a process of its own.

An open loop: every request has its time, whatever became of those before it. A request whose connection
breaks is sent once more, over a new connection to the next router; an answer is taken as it is. One line of
JSON a request goes to the file that CONFIG names; SIGTERM ends it once everything that was sent is answered.
"""

import asyncio
import json
import random
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

PATIENCE = 10.0
"""Seconds until a request counts as one without an answer."""
_FLUSH = 0.05
_USES = 20  # requests over one connection: so both routers of a port keep getting some
_LOST = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)


class Broken(Exception):
    """The connection ended before there was a whole answer; `refused`: it never came to be."""

    def __init__(self, refused: bool) -> None:
        self.refused = refused


@dataclass
class Link:
    """A connection, and for how many requests it lasts."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    left: int = _USES


class Generator:
    """All of the load; see `chaos_load.Load` for what CONFIG holds."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._dice = random.Random(config["seed"])
        self._idle: dict[str, list[Link]] = {}
        self._out = open(config["out"], "a", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        self._path = f"/v2/models/{config['model']}/rows"

    async def run(self) -> None:
        """Send until SIGTERM, then wait for what is under way."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        flusher = asyncio.create_task(self._flush())
        under_way: set[asyncio.Task[None]] = set()
        begun, count = time.monotonic(), 0
        while not stop.is_set():
            due = begun + count / self._config["rate"]
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(count, time.time() - (time.monotonic() - due)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            count += 1
        await asyncio.gather(*under_way)
        flusher.cancel()
        self._out.close()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH)
            self._out.flush()

    async def _one(self, number: int, due: float) -> None:
        user = f"u{self._dice.randrange(self._config['users'])}"
        request = f"{self._config['seed']}-{number}"
        row = {**self._config["row"], "age": round(self._dice.gauss(40, 10), 2)}
        whole = self._dice.random() >= self._config["lacks"]
        if not whole:
            row.pop(self._config["feature"], None)
        began, fault, broken, status, model, empty = time.time(), "", 0, 0, "", 0
        message = self._message(user, request, row)
        try:
            async with asyncio.timeout(PATIENCE):
                for attempt in (0, 1):
                    try:
                        status, headers = await self._ask(number + attempt, message, fresh=attempt > 0)
                        model, empty = headers.get("x-evergreen-model", ""), _empty(headers)
                        break
                    except Broken as error:
                        broken += 1
                        fault = "refused" if error.refused else "broken"
        except TimeoutError:
            fault = "late"
        line = [due, began, time.time(), user, request, status, model, empty, whole, broken, fault]
        self._out.write(json.dumps(line) + "\n")

    def _message(self, user: str, request: str, row: dict[str, Any]) -> bytes:
        body = json.dumps({"rows": [row]}).encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nhost: demo\r\nx-user-id: {user}\r\nx-request-id: {request}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _ask(self, turn: int, message: bytes, fresh: bool) -> tuple[int, dict[str, str]]:
        places = self._config["places"]
        place = places[turn % len(places)]
        link = await self._connection(place, fresh)
        link.left -= 1
        keep = False
        try:
            link.writer.write(message)
            status, headers = await _answer(link.reader)
            keep = headers.get("connection", "") != "close" and link.left > 0
            return status, headers
        except _LOST:
            raise Broken(refused=False) from None
        finally:
            if keep:
                self._idle[place].append(link)
            else:
                link.writer.close()

    async def _connection(self, place: str, fresh: bool) -> Link:
        idle = self._idle.setdefault(place, [])
        while idle and not fresh:
            link = idle.pop(0)  # all of them take their turn
            if not link.reader.at_eof() and not link.writer.is_closing():
                return link
            link.writer.close()
        host, _, port = place.rpartition(":")
        try:
            return Link(*await asyncio.open_connection(host, int(port)))
        except OSError:
            raise Broken(refused=True) from None


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers


def _empty(headers: dict[str, str]) -> int:
    pairs = (part.partition("=") for part in headers.get("x-evergreen-flags", "").split(","))
    return next((int(value) for name, _, value in pairs if name.strip() == "empty"), 0)


if __name__ == "__main__":
    asyncio.run(Generator(json.loads(sys.argv[1])).run())
