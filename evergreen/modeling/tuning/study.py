"""What a search found: its trials as plain data, and the best of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from evergreen.errors import DataError
from evergreen.files import aside

State = Literal["complete", "pruned", "failed", "unfinished"]
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Trial:
    """One try.

    Attributes:
        study: The sub-study.
        number: Its number there.
        params: Parameter → value.
        state: `complete`, `pruned` (worse than the median so far), `failed`, or `unfinished` (out of time).
        value: The mean of the folds' scores; None unless complete.
        folds: The scores so far.
        error: Why it failed.
    """

    study: int
    number: int
    params: dict[str, Value]
    state: State
    value: float | None = None
    folds: tuple[float, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Study:
    """The trials of some sub-studies.

    Attributes:
        metric: What was scored; empty for a project without a search.
        higher_is_better: Its direction.
        trials: In order of sub-study and number.
        stopped: Why each sub-study ended: `trials` or `timeout`.
        seconds: How long each trial took, by `<study>/<number>`; clock time, kept in a file of its own.
    """

    metric: str = ""
    higher_is_better: bool = True
    trials: tuple[Trial, ...] = ()
    stopped: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> Trial | None:
        """The best complete trial; the earliest one of the lowest sub-study among equals."""
        done = [t for t in self.trials if t.state == "complete" and t.value is not None]
        sign = -1.0 if self.higher_is_better else 1.0
        return min(done, key=lambda t: (sign * (t.value or 0.0), t.study, t.number), default=None)


def merge(studies: Iterable[Study]) -> Study:
    """Join sub-studies that ran apart; the order in which they come does not matter."""
    listed = [s for s in studies if s.metric]
    if not listed:
        return Study()
    return Study(
        listed[0].metric,
        listed[0].higher_is_better,
        tuple(sorted((t for s in listed for t in s.trials), key=lambda t: (t.study, t.number))),
        _sorted(k for s in listed for k in s.stopped.items()),
        _sorted(k for s in listed for k in s.seconds.items()),
    )


def _sorted(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return dict(sorted(items, key=lambda item: [int(part) for part in item[0].split("/")]))


def write_study(folder: Path, study: Study) -> None:
    """Write `study.json` (the same search gives the same bytes) and `seconds.json` into a folder."""
    content = {
        "version": 1,
        "metric": study.metric,
        "higher_is_better": study.higher_is_better,
        "stopped": study.stopped,
        "best": None if study.best is None else {"study": study.best.study, "number": study.best.number},
        "trials": [asdict(t) for t in study.trials],
    }
    with aside(Path(folder)) as temporary:
        temporary.mkdir()
        (temporary / "study.json").write_text(_json(content), encoding="utf-8")
        (temporary / "seconds.json").write_text(_json(study.seconds), encoding="utf-8")


def read_study(folder: Path) -> Study:
    """Read what `write_study` wrote.

    Raises:
        DataError: when it is not a study.
    """
    path = Path(folder) / "study.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seconds = json.loads((Path(folder) / "seconds.json").read_text(encoding="utf-8"))
        trials = tuple(Trial(**{**t, "folds": tuple(t["folds"])}) for t in content["trials"])
        return Study(content["metric"], content["higher_is_better"], trials, content["stopped"], seconds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            str(path), f"not a study ({type(error).__name__})", remedy="Run the search again."
        ) from error


def read_studies(folders: Sequence[Path]) -> Study:
    """Read and join the studies of several tasks."""
    return merge(read_study(folder) for folder in folders)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
