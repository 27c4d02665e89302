"""Write each component's README.md from its docstring and its compiled spec (`make docs`).

`python -m tools.readmes` writes; `python -m tools.readmes --check` names the stale ones and exits 1.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from docstring_parser import DocstringStyle, parse

from pipelines._catalog import ROOT, component_names, load_component


def _type(spec: Any) -> str:
    return getattr(spec, "type", "").removeprefix("system.").removesuffix("@0.0.1")


def _rows(specs: dict[str, Any] | None, texts: dict[str, str], *, inputs: bool) -> list[str]:
    lines = []
    for name, spec in (specs or {}).items():
        text = " ".join(texts.get(name, "").split())
        default = ""
        if inputs:
            optional = getattr(spec, "optional", False)
            default = f"`{spec.default!r}` |" if optional and hasattr(spec, "default") else " |"
        lines.append(f"| `{name}` | {_type(spec)} | {default} {text} |")
    return lines


def _described(component: Any, docstring: Any) -> tuple[dict[str, str], dict[str, str]]:
    inputs = {p.arg_name: p.description or "" for p in docstring.params}
    outputs = {
        name: spec.description or ""
        for name, spec in (component.component_spec.outputs or {}).items()
        if getattr(spec, "description", None)
    }
    return inputs, outputs


def render(stage: str, name: str) -> str:
    """The README of one component."""
    component = load_component(stage, name)
    docstring = parse(component.python_func.__doc__ or "", style=DocstringStyle.GOOGLE)
    metadata = yaml.safe_load((ROOT / "components" / stage / name / "metadata.yaml").read_text())
    texts, _ = _described(component, docstring)
    returned = _returns(component.python_func.__doc__ or "")
    spec = component.component_spec
    body = docstring.long_description or ""
    lines = [
        f"# {name}", "", docstring.short_description or "", "", body, "",
        f"Stage: {stage}. Stability: {metadata['stability']}. Tags: {', '.join(metadata['tags'])}.", "",
        "## Inputs", "", "| name | type | default | what it is |", "|---|---|---|---|",
        *_rows(spec.inputs, texts, inputs=True), "",
        "## Outputs", "", "| name | type | what it is |", "|---|---|---|",
    ]  # fmt: skip
    for output, output_spec in (spec.outputs or {}).items():
        text = texts.get(output) or returned.get(output, "")
        lines.append(f"| `{output}` | {_type(output_spec)} | {' '.join(text.split())} |")
    lines += [
        "", "## Use", "", "```python",
        f"from components.{stage}.{name}.component import {name}", "```", "",
        "Generated from the docstring by `make docs`.", "",
    ]  # fmt: skip
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _returns(docstring: str) -> dict[str, str]:
    """`name: text` lines of the Returns section, continuation lines folded in."""
    found: dict[str, str] = {}
    lines = iter(docstring.splitlines())
    current, indent = "", None
    for line in lines:
        if line.strip() == "Returns:":
            break
    for line in lines:
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        if depth < indent:
            break
        key, colon, text = line.strip().partition(":")
        if depth == indent and colon and key.isidentifier():
            current, found[key] = key, text.strip()
        elif current:
            found[current] += " " + line.strip()
    return found


def generated() -> dict[Path, str]:
    """Every generated page and the text it must have."""
    from evergreen.project.reference import reference

    pages = {ROOT / "components" / s / n / "README.md": render(s, n) for s, n in component_names()}
    pages[ROOT / "docs" / "project-file.md"] = reference()
    return pages


def stale() -> list[Path]:
    """The generated pages whose text is not what the code says."""
    return [p for p, text in generated().items() if not p.exists() or p.read_text() != text]


def main() -> int:
    """Write or check every generated page."""
    if "--check" in sys.argv[1:]:
        old = stale()
        for path in old:
            print(f"{path.relative_to(ROOT)} is stale: run `make docs`")
        return 1 if old else 0
    for path, text in generated().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
