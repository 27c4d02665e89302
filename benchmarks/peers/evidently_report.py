"""Evidently: its data summary and drift presets over both files, saved as HTML."""

import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

if __name__ == "__main__":
    reference, current = (pd.read_parquet(path) for path in sys.argv[1:3])
    result = Report([DataSummaryPreset(), DataDriftPreset()]).run(current, reference)
    result.save_html(sys.argv[3])
