"""Reports for people: one self-contained HTML page a task, one page a run, and the charts in them."""
