"""ydata-profiling: its minimal report of each file, and the comparison of both as HTML."""

import sys

import pandas as pd
from ydata_profiling import ProfileReport

if __name__ == "__main__":
    titles = ("reference", "current")
    reports = [
        ProfileReport(pd.read_parquet(path), title=title, minimal=True, progress_bar=False)
        for path, title in zip(sys.argv[1:3], titles, strict=True)
    ]
    reports[0].compare(reports[1]).to_file(sys.argv[3])
