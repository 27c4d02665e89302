"""Cores of this process, inside a container too."""

import os

import pytest

from evergreen.modeling.cores import available_cores

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "files,expected",
    [
        ({}, HERE),
        ({"cpu.max": "max 100000\n"}, HERE),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "110000 100000\n"}, min(HERE, 2)),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, HERE),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    ],
    ids=str,
)
def test_the_quota_of_a_container_counts(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_cores(cgroup=tmp_path) == expected
    assert available_cores(7, cgroup=tmp_path) == 7
