"""The project file as data: one frozen pydantic model per section, unknown fields refused.

`evergreen.project.load` turns a YAML file into a `Project` and reports every fault with its line.
docs/project-file.md is generated from the docstrings here: each section lists its fields under `Attributes`.
"""

from evergreen.project.model.data import (
    Aggregate,
    AggregateFunction,
    FeatureGroup,
    Label,
    RepairPolicy,
    Source,
    Storage,
)
from evergreen.project.model.evaluation import (
    Change,
    DataGate,
    Evaluation,
    Gates,
    MetricName,
    ModelGate,
    Prediction,
    SliceBy,
    Threshold,
)
from evergreen.project.model.project import Project, Resources, Scoping, Success
from evergreen.project.model.training import Choice, Model, Range, Split, Step, Tune
from evergreen.project.model.values import (
    Column,
    Columns,
    ColumnType,
    Duration,
    Fraction,
    Mode,
    Name,
    Refused,
    Section,
    SourceName,
    format_duration,
    parse_duration,
)

__all__ = [
    "Aggregate",
    "AggregateFunction",
    "Change",
    "Choice",
    "Column",
    "ColumnType",
    "Columns",
    "DataGate",
    "Duration",
    "Evaluation",
    "FeatureGroup",
    "Fraction",
    "Gates",
    "Label",
    "MetricName",
    "Mode",
    "Model",
    "ModelGate",
    "Name",
    "Prediction",
    "Project",
    "Range",
    "Refused",
    "RepairPolicy",
    "Resources",
    "Scoping",
    "Section",
    "SliceBy",
    "Source",
    "SourceName",
    "Split",
    "Step",
    "Storage",
    "Success",
    "Threshold",
    "Tune",
    "format_duration",
    "parse_duration",
]
