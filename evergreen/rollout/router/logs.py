"""Reading Envoy's access logs: where counting stands in each file, and setting aside what was counted.

`<name>.log` is written by an Envoy; `<name>.log.<n>` was set aside and is removed once it is counted. What is
about to be done to a file stands in the journal before it is done, so a restart finishes it.
"""

from dataclasses import dataclass
from pathlib import Path

from evergreen.files import explained
from evergreen.rollout.router.journal import Entry

_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Chunk:
    """Whole lines of one file, and where they end."""

    name: str
    lines: tuple[bytes, ...]
    end: int


class Logs:
    """The access logs in a folder.

    Args:
        folder: The folder.
        last: The journal's last entry.
    """

    def __init__(self, folder: Path, last: Entry) -> None:
        self._folder = folder
        self.positions = dict(last.positions)
        self.rotations = last.rotations
        self._finish(last.moving)

    def entry(self, seq: int, moving: tuple[str, ...] = ()) -> Entry:
        """The journal's entry that says where counting stands."""
        return Entry(seq, dict(self.positions), self.rotations, moving)

    def read(self) -> list[Chunk]:
        """What is new, oldest files first; `done` says that it was counted.

        Raises:
            StorageError: the folder cannot be read.
        """
        chunks, room = [], _AT_ONCE
        with explained(self._folder):
            for path in self._files():
                chunk = self._chunk(path, room)
                if chunk is not None:
                    chunks.append(chunk)
                    room -= chunk.end - self.positions.get(chunk.name, 0)
                if room <= 0:
                    break
        return chunks

    def done(self, chunks: list[Chunk]) -> None:
        """Take what was read for counted; the caller writes the journal."""
        for chunk in chunks:
            self.positions[chunk.name] = chunk.end

    def sizes(self) -> dict[str, int]:
        """The size of each log that an Envoy may be writing."""
        return {p.name: p.stat().st_size for p in self._folder.glob("*.log")}

    def move(self, name: str, seq: int) -> Entry:
        """The entry that announces that a log will be set aside; write it, then call `moved`."""
        self.rotations += 1
        to = f"{name}.{self.rotations}"
        self.positions[to] = self.positions.pop(name, 0)
        return self.entry(seq, (name, to))

    def moved(self, entry: Entry) -> None:
        """Set the announced log aside; its Envoy must be told to open a new one."""
        source, target = entry.moving
        with explained(self._folder):
            (self._folder / source).rename(self._folder / target)

    def finished(self, live: frozenset[str]) -> list[str]:
        """Files that are counted to their end and that nobody writes any more.

        Args:
            live: Logs of Envoys that run. One that was set aside is over when its Envoy has opened the next.
        """
        over = []
        for path in self._files():
            origin = path.name if path.suffix == ".log" else path.stem
            current = origin in live and (path.name == origin or not (self._folder / origin).exists())
            if not current and self._chunk(path, _AT_ONCE) is None:
                over.append(path.name)
        return over

    def drop(self, names: list[str]) -> None:
        """Forget files that are finished; write the journal, then `remove` them."""
        for name in names:
            self.positions.pop(name, None)

    def remove(self, names: list[str]) -> None:
        """Remove files."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def _finish(self, moving: tuple[str, ...]) -> None:
        """After a restart: do the move that was announced, and drop what is gone."""
        if moving:
            source, target = (self._folder / name for name in moving)
            if not target.exists() and source.exists():
                source.rename(target)
        for name, position in list(self.positions.items()):
            path = self._folder / name
            if not path.exists() or path.stat().st_size < position:
                del self.positions[name]  # a memory file system that was emptied by a restart of the machine
        for path in self._files():
            if path.suffix != ".log" and path.name not in self.positions:
                path.unlink()  # its removal was written down and not done

    def _files(self) -> list[Path]:
        """Those that were set aside first, in their order."""
        aside = [p for p in self._folder.glob("*.log.*") if p.suffix[1:].isdigit()]
        return [*sorted(aside, key=lambda p: int(p.suffix[1:])), *sorted(self._folder.glob("*.log"))]

    def _chunk(self, path: Path, room: int) -> Chunk | None:
        begin = self.positions.get(path.name, 0)
        try:
            with path.open("rb") as handle:
                handle.seek(begin)
                data = handle.read(room)
        except FileNotFoundError:
            return None
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) < _AT_ONCE:
            return None
        if end == 0:  # no line is so long: skip it
            return Chunk(path.name, (), begin + len(data))
        return Chunk(path.name, tuple(data[: end - 1].split(b"\n")), begin + end)
