"""All planted faults, by gate."""

from fault_columns import COLUMNS
from fault_labels import LABELS
from fault_leaks import LEAKS
from fault_media import MEDIA
from fault_repairs import REPAIRS
from fault_skew import SKEWS
from fault_sources import SOURCES
from fault_tables_whole import WHOLE
from fault_world import Fault

FAULTS: tuple[Fault, ...] = (*COLUMNS, *WHOLE, *LABELS, *LEAKS, *SKEWS, *SOURCES, *REPAIRS, *MEDIA)


def title(fault: Fault) -> str:
    """What a test calls a fault."""
    return f"{fault.gate}: {fault.family}: {fault.name} ({fault.table})"
