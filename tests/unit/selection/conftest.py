import pytest
from selection_world import table
from splits_world import project, write_splits


@pytest.fixture(scope="session")
def splits(tmp_path_factory):
    return write_splits(tmp_path_factory.mktemp("selection"), table())


@pytest.fixture(scope="session")
def chosen(splits):
    from evergreen.modeling.selection.select import select_features

    return select_features(project(), splits)
