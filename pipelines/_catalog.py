"""Every pipeline and component of the suite, found by its folder, never listed by hand."""

import importlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def pipeline_names() -> list[str]:
    """The pipelines' names: the public modules of this package."""
    return sorted(p.stem for p in (ROOT / "pipelines").glob("*.py") if not p.stem.startswith("_"))


def component_names() -> list[tuple[str, str]]:
    """(stage, name) of every component."""
    found = (ROOT / "components").glob("*/*/component.py")
    return sorted((p.parent.parent.name, p.parent.name) for p in found)


def load_pipeline(name: str) -> Any:
    """The compiled-on-demand pipeline object of `pipelines/<name>.py`."""
    return getattr(importlib.import_module(f"pipelines.{name}"), name)


def load_component(stage: str, name: str) -> Any:
    """The component object of `components/<stage>/<name>/component.py`."""
    return getattr(importlib.import_module(f"components.{stage}.{name}.component"), name)
