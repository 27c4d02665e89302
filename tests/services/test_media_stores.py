"""Images in real object stores: the same rows as from a local folder."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from evergreen.ingest.ingest import ingest
from evergreen.project.model import Project
from evergreen.storage import open_store


def project(path: str) -> Project:
    return Project.model_validate({
        "name": "test",
        "sources": {"photos": {"path": path, "format": "images", "media": {"label_from": "folder"}}},
        "label": {"source": "photos", "column": "label"},
        "features": [{"name": "all", "source": "photos", "columns": "*"}],
    })  # fmt: skip


@pytest.mark.service
def test_images_of_a_store_are_those_of_a_folder(root, tmp_path):
    rng = np.random.default_rng(0)
    store = open_store(root)
    for k in range(12):
        out = BytesIO()
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(out, "PNG")
        data = out.getvalue() if k else b"broken"
        key = f"{'cats' if k % 2 else 'dogs'}/{k:02d}.png"
        store.write(f"album/{key}", data)
        (tmp_path / "album" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "album" / key).write_bytes(data)
    local = ingest(project(str(tmp_path / "album")), tmp_path / "local").sources["photos"]
    remote = ingest(project(f"{root}/album"), tmp_path / "remote").sources["photos"]
    assert (remote.rows, remote.digest) == (12, local.digest)
    assert remote.uris == (f"{root}/album",)
