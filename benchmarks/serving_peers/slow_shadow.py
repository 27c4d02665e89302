"""A model server that takes its time: answers every POST after so many seconds, and counts them at GET /.

python slow_shadow.py PORT SECONDS

Give or take a quarter: requests come evenly spaced, and answers after a fixed time would all come in step
with later requests (200 ms are 60 requests at 300 a second).
"""

import asyncio
import random
import sys

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Slow(asyncio.Protocol):
    count = 0
    seconds = 0.0

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower()
        length = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self.buffer = body[length:]
        if not head.startswith(b"POST"):
            self.answer(str(Slow.count).encode())
            return
        Slow.count += 1
        seconds = Slow.seconds * random.uniform(0.75, 1.25)
        asyncio.get_running_loop().call_later(seconds, self.answer, b"{}")

    def answer(self, body):
        if not self.transport.is_closing():
            self.transport.write(HEAD % len(body) + body)


async def main(port, seconds):
    Slow.seconds = seconds
    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
