"""The servers of a model's versions, wherever they run: what the controller asks of a platform."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol


class Fleet(Protocol):
    """Starts and removes model servers; both calls say what shall be, so that any of them may be repeated."""

    @abstractmethod
    def ensure(
        self, model: str, version: int, replicas: int, serving: Mapping[str, Any]
    ) -> tuple[str, ...] | None:
        """See to it that a version is served; called again and again.

        Args:
            model: The model's name.
            version: Its version in the registry.
            replicas: How many servers there shall be.
            serving: The project's `serving` section as plain data.

        Returns:
            `host:port` of every server once all of them are ready; None while they come up.

        Raises:
            InputError: when it can never be: no such version, a bundle that must not be loaded.
            Fault: when it cannot be now.
        """

    @abstractmethod
    def remove(self, model: str, version: int) -> None:
        """End a version's servers, gracefully; none there is no error.

        Raises:
            Fault: when they cannot be ended now.
        """
