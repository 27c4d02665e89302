"""How a run looks on a terminal: live lines by task there, plain lines elsewhere."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from evergreen.local.run import Progress

_MARK = {"succeeded": "ok", "running": "…", "stopped": "stopped", "failed": "FAILED"}


class RunView:
    """Follows one run; a context manager, since a terminal must be left as it was found."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._said: set[tuple[str, str]] = set()
        self._live: Any = None

    def __enter__(self) -> "RunView":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show the tasks' states; on a plain stream one line for each that ended."""
        total = max(len(progress.plan), len(progress.records))
        if self._live:
            self._live.update(self._table(progress, total))
        for number, (name, record) in enumerate(progress.records.items(), 1):
            state = str(record["state"])
            if state != "running" and (name, state) not in self._said:
                self._said.add((name, state))
                line = f"[{number:>2}/{total}] {name:<22}{_MARK[state]:<9}{record.get('seconds', 0):6.1f} s"
                if self._live:
                    self._live.console.print(line, highlight=False)
                else:
                    print(line, file=sys.stderr, flush=True)

    def _table(self, progress: Progress, total: int) -> Any:
        from rich.table import Table

        running = [n for n, r in progress.records.items() if r["state"] == "running"]
        done = sum(1 for r in progress.records.values() if r["state"] == "succeeded")
        grid = Table.grid(padding=(0, 1))
        name = ", ".join(running) or "starting"
        grid.add_row(f"{self._pipeline} {done}/{total}", name, f"{progress.seconds:.0f} s")
        return grid

    def finish(self, result: dict[str, Any], root: Path) -> None:
        """Print the outcome: state, primary figures, model, and where to look."""
        print(f"{self._pipeline}: {result['state']} in {result['seconds']:.1f} s")
        if result["error"]:
            print(f"  {result['error']['task'] or 'run'}: {result['error']['message']}", file=sys.stderr)
        for dataset, slices in result["metrics"].items():
            figures = slices.get("overall", {})
            text = "  ".join(f"{k} {v:.4g}" for k, v in figures.items() if v is not None)
            print(f"  {dataset}: {text}")
        model = result["model"]
        if model and model.get("version"):
            print(f"  model: {model['name']}@{model['version']}  {model['digest'][:12]}")
        print(f"  record: {root / 'run.json'}   report: evergreen report {root}")
