"""What people decided about single labels: an append-only file of JSON lines, local or in an object store."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from evergreen.errors import ConflictError, DataError, NotFoundError
from evergreen.files import explained
from evergreen.project.model import Project
from evergreen.project.wording import did_you_mean
from evergreen.storage import Store, default_store, open_store

Action = Literal["keep", "change", "exclude", "undo"]
ACTIONS: tuple[Action, ...] = get_args(Action)
FILE = "decisions.jsonl"
_ATTEMPTS = 20


@dataclass(frozen=True)
class LabelDecision:
    """What a person said about one label.

    Attributes:
        key: Names the row: column to text.
        action: `keep` the label, `change` it, `exclude` the row; `undo` takes the row's last decision back.
        given: The label that was there.
        to: The label that is right; None unless changed.
        who: Who decided.
        when: ISO time (UTC).
        why: In the person's words; may be empty.
        rank: The row's place in the list to review; None when it was not from one.
        digest: Of the training set that the person looked at.
    """

    key: Mapping[str, str | None]
    action: Action
    given: str
    to: str | None = None
    who: str = ""
    when: str = ""
    why: str = ""
    rank: int | None = None
    digest: str = ""

    @property
    def name(self) -> str:
        """The key as one text, the same for the same row."""
        return canonical(self.key)

    def line(self) -> str:
        """The decision as a line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True) + "\n"


def canonical(key: Mapping[str, str | None]) -> str:
    """A key as one text, whatever the order of its columns."""
    return json.dumps(dict(sorted(key.items())), ensure_ascii=False)


def parse_line(text: str, where: str) -> LabelDecision:
    """Read a line that `LabelDecision.line` wrote.

    Raises:
        DataError: when it is none; `where` names the file and the line.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise DataError(where, f"not JSON ({error})", "a decision about a label") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("key"), dict) or not fields["key"]:
        raise DataError(where, "no `key`", "a decision: key, action, given, …")
    action = fields.get("action")
    if action not in ACTIONS:
        expected = f"one of {', '.join(ACTIONS)}"
        raise DataError(where, f"action {action!r}", expected, did_you_mean(action, ACTIONS))
    if action == "change" and fields.get("to") is None:
        raise DataError(where, "a change without `to`", "the label that is right")
    known = set(LabelDecision.__dataclass_fields__)
    return LabelDecision(**{k: v for k, v in fields.items() if k in known})


@dataclass(frozen=True)
class Ledger:
    """The decisions at one place; every write is whole, and never over somebody else's (compare-and-swap)."""

    store: Store
    key: str

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"{self.store.uri.rstrip('/')}/{self.key}"

    def read(self, named_by: str = "") -> list[LabelDecision]:
        """Every decision, the oldest first; none where nothing was decided yet.

        Args:
            named_by: The field or option in which a person names the place: then something must be there.

        Raises:
            DataError: for a line that is no decision, and for a named place where nothing is.
            StorageError: when the store refuses.
        """
        content, tag = self._content()
        if tag is None and named_by:
            raise self._absent(named_by)
        return self._parsed(content)

    def append(self, decisions: Sequence[LabelDecision]) -> None:
        """Add decisions behind those that are there, all of them or none.

        Raises:
            ConflictError: when others wrote 20 times in a row.
            StorageError: when the store refuses.
        """
        added = "".join(d.line() for d in decisions).encode()
        for attempt in range(_ATTEMPTS):
            content, tag = self._content()
            if content and not content.endswith(b"\n"):
                content += b"\n"
            try:
                self.store.write_if(self.key, content + added, tag)
                return
            except ConflictError:
                time.sleep(0.01 * attempt)
        raise ConflictError(f"{self.uri}: others were faster {_ATTEMPTS} times in a row. Try again.")

    def _content(self) -> tuple[bytes, str | None]:
        try:
            return self.store.read_tagged(self.key)
        except NotFoundError:
            return b"", None

    def _absent(self, named_by: str) -> DataError:
        folder, kinds = Path(self.store.uri), {".jsonl", Path(self.key).suffix}
        with explained(folder):
            others = [p.name for p in folder.iterdir() if p.suffix in kinds] if folder.is_dir() else []
        remedy = "While nothing is decided yet, leave it out or make an empty file there."
        near = did_you_mean(self.key, sorted(others))
        found = f"nothing is at {self.uri}"
        return DataError(named_by, found, "decisions as JSON lines", f"{near} {remedy}".strip())

    def _parsed(self, content: bytes) -> list[LabelDecision]:
        try:
            lines = content.decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise DataError(self.uri, "not UTF-8 text", "JSON lines of decisions") from error
        return [parse_line(t, f"{self.uri}, line {n}") for n, t in enumerate(lines, 1) if t.strip()]


def open_ledger(uri: str, endpoint: str | None = None) -> Ledger:
    """The decisions in a file, or in an object of a store."""
    if "://" not in uri or uri.startswith("file://"):
        path = Path(uri.removeprefix("file://")).expanduser().absolute()
        return Ledger(open_store(str(path.parent)), path.name)
    folder, _, name = uri.rpartition("/")
    return Ledger(open_store(folder, endpoint=endpoint), name)


def project_ledger(project: Project, store: str = "") -> Ledger:
    """The project's decisions: those that `label.decisions` names, else `labels/<project>/` in the store."""
    endpoint = project.storage.endpoint
    if project.label.decisions:
        return open_ledger(project.label.decisions, endpoint)
    root = open_store(default_store(project, store), endpoint=endpoint)
    return Ledger(root, f"labels/{project.name}/{FILE}")


def project_decisions(project: Project, store: str = "") -> list[LabelDecision]:
    """What people decided for the project, the oldest first; none where its store keeps none yet.

    Raises:
        DataError: when `label.decisions` names a place where nothing is; and see `Ledger.read`.
        StorageError: when the store refuses.
    """
    return project_ledger(project, store).read("label.decisions" if project.label.decisions else "")


def effective(decisions: Iterable[LabelDecision]) -> dict[str, LabelDecision]:
    """The decision that holds for each row by its canonical key: the last one that was not undone."""
    stacks: dict[str, list[LabelDecision]] = {}
    for decision in decisions:
        stack = stacks.setdefault(decision.name, [])
        if decision.action != "undo":
            stack.append(decision)
        elif stack:
            stack.pop()
    return {name: stack[-1] for name, stack in stacks.items() if stack}
