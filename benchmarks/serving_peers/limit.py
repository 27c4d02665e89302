"""The limit: a bare granian + ONNX Runtime handler without validation, metrics, limits or log.

python limit.py MODEL.onnx PORT
"""

import asyncio
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from granian.server.embed import Server


def main(graph: Path, port: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.read_bytes(), options)
    output = session.get_outputs()[-1].name

    async def app(scope, protocol):
        request = msgspec.json.decode(await protocol()) if scope.method == "POST" else {"inputs": []}
        feed = {
            f"c{k}": np.array(t["data"], dtype=np.float32).reshape(-1, 1)
            for k, t in enumerate(request["inputs"])
        }
        answer = session.run([output], feed)[0].tolist() if feed else []
        protocol.response_bytes(200, [("content-type", "application/json")], msgspec.json.encode(answer))

    server = Server(app, "127.0.0.1", port, interface="rsgi", http="1", websockets=False, backpressure=8192)
    asyncio.run(server.serve())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
