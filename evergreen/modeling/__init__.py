"""Split, pipeline, tune, train and evaluate: plain functions over Parquet folders and a project."""

import os

# Before scikit-learn loads OpenMP: threads that wait by spinning made a fit three times slower on busy cores,
# and they eat a pod's CPU quota.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
