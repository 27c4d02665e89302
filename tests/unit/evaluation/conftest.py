import pytest
from evaluated_world import World, binary, make_world

SLICED = """
slices:
  - column: Größe
  - column: 'a "number"'
    edges: [-1, 0, 1]
model:
  estimator: sklearn.linear_model.LogisticRegression
evaluation:
  bootstrap: 60
"""


@pytest.fixture(scope="session")
def strong(tmp_path_factory) -> World:
    """A binary world of two rows an entity, sliced, with a model that uses all columns."""
    return make_world(tmp_path_factory.mktemp("strong"), binary(2400, repeat=2), SLICED)


@pytest.fixture(scope="session")
def weak(tmp_path_factory) -> World:
    """The same rows, with a model of one cut."""
    more = "model: {estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 1}}"
    return make_world(tmp_path_factory.mktemp("weak"), binary(2400, repeat=2), more)
