"""The project file as data: one frozen pydantic model per section, unknown fields refused.

`evergreen.project.load` turns a YAML file into a `Project` and reports every fault with its line.
docs/project-file.md is generated from the docstrings here: each section lists its fields under `Attributes`.
"""

from evergreen.project.model.data import (
    Aggregate,
    AggregateFunction,
    FeatureGroup,
    Label,
    Source,
    Storage,
)
from evergreen.project.model.engine import Engine, Spark
from evergreen.project.model.evaluation import (
    Change,
    Evaluation,
    Gates,
    MetricName,
    ModelGate,
    Prediction,
    SliceBy,
    Threshold,
)
from evergreen.project.model.labels import LabelGate, Labellers
from evergreen.project.model.media import Media
from evergreen.project.model.project import Project, Resources, Scoping, Success
from evergreen.project.model.repair import (
    BooleanRepair,
    NumberRepair,
    RepairPolicy,
    TextRepair,
    TimeRepair,
)
from evergreen.project.model.retention import Retention
from evergreen.project.model.rollout import (
    Guardrails,
    LatencyGuardrail,
    MeanGuardrail,
    OutputGuardrail,
    QueryGuardrail,
    RateGuardrail,
    Rollout,
    Stage,
    SuccessMetric,
)
from evergreen.project.model.selection import Selection
from evergreen.project.model.serving import PredictionLog, Serving, ServingCheck, ServingLimits
from evergreen.project.model.skew import SkewGate
from evergreen.project.model.strategy import LongTail
from evergreen.project.model.training import Choice, Model, Range, Split, Step, Tune
from evergreen.project.model.validation import DataGate, DataRule, Reference, Volume
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
    memory_bytes,
    parse_duration,
)

__all__ = [
    "Aggregate",
    "AggregateFunction",
    "BooleanRepair",
    "Change",
    "Choice",
    "Column",
    "ColumnType",
    "Columns",
    "DataGate",
    "DataRule",
    "Duration",
    "Engine",
    "Evaluation",
    "FeatureGroup",
    "Fraction",
    "Gates",
    "Guardrails",
    "Label",
    "LabelGate",
    "Labellers",
    "LatencyGuardrail",
    "LongTail",
    "MeanGuardrail",
    "Media",
    "MetricName",
    "Mode",
    "Model",
    "ModelGate",
    "Name",
    "NumberRepair",
    "OutputGuardrail",
    "Prediction",
    "PredictionLog",
    "Project",
    "QueryGuardrail",
    "Range",
    "RateGuardrail",
    "Reference",
    "Refused",
    "RepairPolicy",
    "Resources",
    "Retention",
    "Rollout",
    "Scoping",
    "Section",
    "Selection",
    "Serving",
    "ServingCheck",
    "ServingLimits",
    "SkewGate",
    "SliceBy",
    "Source",
    "SourceName",
    "Spark",
    "Split",
    "Stage",
    "Step",
    "Storage",
    "Success",
    "SuccessMetric",
    "TextRepair",
    "Threshold",
    "TimeRepair",
    "Tune",
    "Volume",
    "format_duration",
    "memory_bytes",
    "parse_duration",
]
