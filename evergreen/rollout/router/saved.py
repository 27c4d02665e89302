"""The plan on disk, whether the dead man took it back, and when the controller was last heard."""

import os
import time
from pathlib import Path

import msgspec

from evergreen.errors import ConflictError, InputError
from evergreen.files import write_bytes
from evergreen.rollout.plan import RoutePlan


class Saved(msgspec.Struct, frozen=True):
    """What outlives the agent.

    Attributes:
        plan: The newest plan; None before the first.
        dead_man_fired: Whether the agent took it back because nobody was heard.
    """

    plan: RoutePlan | None = None
    dead_man_fired: bool = False


class PlanStore:
    """The plan in the router's folder.

    Args:
        folder: The router's folder.

    Raises:
        InputError: the file is broken.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._sign = folder / "plan.json", folder / "heartbeat"
        self.saved = Saved()
        if self._file.exists():
            try:
                self.saved = msgspec.json.decode(self._file.read_bytes(), type=Saved)
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                raise InputError(
                    str(self._file), f"is no plan of a router ({error})",
                    remedy="Remove it; the controller puts the plan again.",
                ) from error  # fmt: skip

    def put(self, saved: Saved) -> None:
        """Keep it: written through, whole or not at all."""
        write_bytes(self._file, msgspec.json.encode(saved))
        self.saved = saved

    def fence(self, plan: RoutePlan) -> bool:
        """Whether the plan is new.

        Returns:
            False for the one that is kept already.

        Raises:
            ConflictError: it is older, or another one of the same generation.
        """
        kept = self.saved.plan
        if kept is None or plan.generation > kept.generation:
            return True
        if plan.generation < kept.generation:
            raise ConflictError(
                f"plan.generation: {plan.generation} is older than {kept.generation}, which the router has. "
                "Another controller is at work: read the rollout's record again."
            )
        if plan != kept:
            raise ConflictError(
                f"plan.generation: {plan.generation} is taken by another plan. Put this one with a newer one."
            )
        return False

    def heard(self) -> None:
        """Note that the controller was heard now."""
        self._sign.touch()
        os.utime(self._sign)

    def silence(self) -> float:
        """Seconds since the controller was heard, by the clock of the system; 0 when it never was."""
        try:
            return max(0.0, time.time() - self._sign.stat().st_mtime)
        except FileNotFoundError:
            return 0.0
