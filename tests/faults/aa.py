"""A/A runs at their full number: how often a gate says something where nothing was planted.

    python tests/faults/aa.py --resamples 200 [--gate data] [--table wine] [--first 0] [--json FILE]

Prints a line for each gate and table: runs, runs with a finding at warn or fail, and the findings.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fault_clean import CLEAN
from fault_world import Clean, told


def false_alarms(clean: Clean, seeds: range) -> tuple[int, Counter[str]]:
    """Runs with a finding, and what was found how often."""
    runs, what = 0, Counter[str]()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="evergreen-aa-") as folder:
            found = told(clean.run(Path(folder), seed))
        runs += bool(found)
        what.update(f"{f.rule}({f.column}) {f.slice} seed {seed}" for f in found)
    return runs, what


def main() -> int:
    """Run, print, and return 1 when a gate and table has more than 1 % false alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--gate", default="")
    parser.add_argument("--table", default="")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    seeds = range(given.first, given.first + given.resamples)
    lines = []
    for clean in CLEAN:
        if given.gate not in clean.gate or given.table not in clean.table:
            continue
        begin = time.process_time()
        runs, what = false_alarms(clean, seeds)
        seconds = time.process_time() - begin
        line = {
            "gate": clean.gate,
            "table": clean.table,
            "runs": len(seeds),
            "alarms": runs,
            "found": dict(what),
        }
        lines.append(line)
        print(f"{clean.gate:9} {clean.table:45} {runs:3} of {len(seeds)}  {seconds:6.0f} s", flush=True)
        for said, count in what.most_common(10):
            print(f"{'':12}{count} x {said}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(lines, indent=1))
    return int(any(line["alarms"] > max(1, 0.01 * line["runs"]) for line in lines))


if __name__ == "__main__":
    sys.exit(main())
