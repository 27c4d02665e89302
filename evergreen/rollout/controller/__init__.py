"""The controller: it looks at every rollout twice a second, decides, and sees to it that routers follow."""

from evergreen.rollout.controller.loop import Controller, Parts

__all__ = ["Controller", "Parts"]
