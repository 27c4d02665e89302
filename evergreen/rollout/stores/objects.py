"""Records as objects of a store (`evergreen.storage`): for those who reach the bucket, but no cluster."""

from evergreen.errors import ConflictError, NotFoundError
from evergreen.rollout.codec import decode, encode
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import Kept, StateStore, checked_id, closed, in_order, readable
from evergreen.storage import Store

ROOT = "rollouts"


class ObjectStates(StateStore):
    """`rollouts/<id>/state.json`, changed by the store's own compare-and-swap.

    Args:
        store: The store, opened at the root that the project's results are kept below.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closed: dict[str, Kept] = {}

    @property
    def uri(self) -> str:
        """The store's URI."""
        return self._store.uri

    def list(self, model: str | None = None, *, closed: bool = True) -> tuple[Kept, ...]:
        """Every record; those that nothing changes any more are read once."""
        found = []
        for id in self._store.folders(ROOT):
            known = self._closed.get(id)
            if known and not closed:
                continue
            kept = known or self._found(id)
            wanted = kept and (model is None or kept.record.model == model)
            if kept and wanted and (closed or id not in self._closed):
                found.append(kept)
        return in_order(found)

    def read(self, id: str) -> Kept:
        """One record."""
        key = f"{ROOT}/{checked_id(id)}/state.json"
        try:
            data, tag = self._store.read_tagged(key)
        except NotFoundError as error:
            raise NotFoundError(f"rollout {id}", f"not in {self.uri}/{ROOT}") from error
        return Kept(decode(data, f"{self.uri}/{key}"), tag)

    def write_if(self, record: RolloutRecord, tag: str | None) -> str:
        """Write the record's object if its tag is still `tag`."""
        try:
            return self._store.write_if(f"{ROOT}/{checked_id(record.id)}/state.json", encode(record), tag)
        except ConflictError as error:
            raise ConflictError(f"rollout {record.id}: someone else changed it first") from error

    def remove(self, id: str) -> None:
        """Remove the record's object; its decisions and its final record stay."""
        self._store.delete(f"{ROOT}/{checked_id(id)}/state.json")
        self._closed.pop(id, None)

    def _found(self, id: str) -> Kept | None:
        key = f"{ROOT}/{id}/state.json"
        try:
            data, tag = self._store.read_tagged(key)
        except NotFoundError:
            return None
        kept = readable(data, tag, f"{self.uri}/{key}")
        if kept and closed(kept.record):
            self._closed[id] = kept
        return kept
