"""The HTML report of a training."""

from collections.abc import Mapping, Sequence

from evergreen.modeling.training.train import Trained
from evergreen.project.model import Project
from evergreen.reports.page import Section, code, details, note, page, pre, table, text, tiles
from evergreen.reports.text import number


def training_page(project: Project, trained: Trained) -> str:
    """What was trained, on what, with which parameters, and whether the graph serves it."""
    info, parity = trained.bundle, trained.bundle.parity
    figures = {
        "Rows": trained.rows,
        "Features": len(trained.plan.inputs),
        "Served by": ("ONNX graph" if info.engine == "onnx" else "scikit-learn", parity.reason),
        "Digest": (code(info.digest[:12]), "of the bundle"),
    }
    warnings = [note(w, "warn") for w in trained.warnings]
    return page(
        "Training",
        [
            Section("Model", [tiles(figures), *warnings, _facts(trained.training)]),
            Section("Features", _feature_blocks(trained)),
            Section("Parity of the graph", [_parity(trained)]),
            Section("Model card", [details("card.md", pre(_card(trained)))]),
        ],
        subtitle=f"{project.name}: {trained.built.estimator}",
    )


def _facts(training: Mapping[str, object]) -> str:
    params = training["params"] if isinstance(training["params"], Mapping) else {}
    steps = training["transform"] if isinstance(training["transform"], Sequence) else ()
    rows: list[tuple[str, object]] = [("estimator", code(str(training["estimator"])))]
    rows += [("transform", code(str(step))) for step in steps]
    rows += [(name, code(str(value))) for name, value in params.items()]
    return table(("Setting", "Value"), [*rows, ("seed", training["seed"])])


def _feature_blocks(trained: Trained) -> list[str]:
    plan = trained.plan
    rows = [
        (i.name, i.type, "no" if i.required else "yes", plan.distinct.get(i.name, "")) for i in plan.inputs
    ]
    blocks: list[str] = [table(("Feature", "Type", "Missing in train", "Categories"), rows, numeric={3})]
    if plan.dropped:
        blocks += [text("Left out:"), table(("Feature", "Why"), list(plan.dropped.items()))]
    return blocks


def _parity(trained: Trained) -> str:
    parity = trained.bundle.parity
    if parity.passed:
        sentence = (
            f"The ONNX graph predicts what scikit-learn predicts on {number(parity.rows)} rows, with missing "
            f"and unseen values put in: largest difference {number(parity.largest_difference)}."
        )
        return note(sentence, "pass")
    return note(f"No ONNX graph: {parity.reason}. The model is served by scikit-learn.", "info")


def _card(trained: Trained) -> str:
    return (trained.bundle.folder / "card.md").read_text(encoding="utf-8")
