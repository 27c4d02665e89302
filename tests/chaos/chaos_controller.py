"""`python chaos_controller.py STEP NTH SIGNAL …`: the real controller, and a signal between two of its steps.

The signal comes when STEP is done for the NTH time; `plan` is the step in which a plan with a new generation
was written and no router has it yet; `never` is no step. The rest are the controller's own options.
"""

import os
import sys
from dataclasses import replace
from threading import Event

from evergreen import log
from evergreen.rollout.controller import command


def main() -> None:
    """Run until the signal."""
    step, left, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    controller = command.assembled(command._parser().parse_args(sys.argv[4:]))
    states = controller._parts.states

    def generation() -> int:
        kept = states.current("demo")
        return kept.record.plan.generation if kept else 0

    known = generation()

    def on_step(name: str) -> None:
        nonlocal left, known
        if step == "plan":
            if name != "intent" or generation() == known:
                return
            known = generation()
        elif name != step:
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)

    controller._parts = replace(controller._parts, on_step=on_step)
    log.configure()
    controller.run(Event())


if __name__ == "__main__":
    main()
