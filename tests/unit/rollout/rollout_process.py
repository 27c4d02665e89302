"""A controller as a process that a test kills between two of its steps: arguments FOLDER STEP NTH."""

import os
import signal
import sys
from pathlib import Path

from rollout_world import BACK, GO, World


def main() -> None:
    """Go on with what is in the folder; die by SIGKILL when STEP is reached for the NTH time."""
    folder, step, left = Path(sys.argv[1]), sys.argv[2], [int(sys.argv[3])]

    def on_step(name: str) -> None:
        left[0] -= name == step
        if name == step and left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    world = World(folder)
    world.verdict = BACK if (folder / "harm").exists() else GO
    controller = world.controller(on_step=on_step, holder=f"pid-{os.getpid()}")
    for _ in range(200):
        world.clock.now = float((folder / "clock").read_text()) + 1
        (folder / "clock").write_text(str(world.clock.now))
        controller.look()
        for router in world.routers.values():
            router.serve(20)
        records = [kept.record for kept in world.states.list() if not kept.record.direct]
        if records and all(r.ended for r in records):
            return


if __name__ == "__main__":
    main()
