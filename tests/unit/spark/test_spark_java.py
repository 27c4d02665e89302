"""Which Java Spark gets, and the stand-in for one that lacks a module which Spark always asks for."""

import subprocess

import pytest

from evergreen.errors import InputError
from evergreen.project.model import Project
from evergreen.spark import java, scratch_parent
from evergreen.spark.java import OPTIONAL_MODULE, find_java, java_home, stand_in


def fake_java(folder, modules=""):
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nfor argument do printf "<%s>" "$argument"; done\n')
    program.chmod(0o755)
    if modules:
        (folder / "release").write_text(f'JAVA_VERSION="21.0.8"\nMODULES="{modules}"\n')
    return folder


def project_with(**spark):
    return Project.model_validate(
        {
            "name": "p",
            "sources": {"s": {"path": "x"}},
            "label": {"source": "s", "column": "y"},
            "features": [{"name": "f", "source": "s", "columns": ["x"]}],
            "engine": "spark",
            "spark": spark,
        }
    )


def test_java_home_comes_before_the_bundled_java_and_before_path(tmp_path, monkeypatch):
    given, bundled = fake_java(tmp_path / "given"), fake_java(tmp_path / "bundled")
    monkeypatch.setattr(java, "_bundled", lambda: bundled)
    assert find_java({"JAVA_HOME": str(given), "PATH": ""}) == given
    assert find_java({"PATH": str(given / "bin")}) == bundled
    monkeypatch.setattr(java, "_bundled", lambda: None)
    assert find_java({"PATH": str(given / "bin")}) is None


def test_no_java_and_a_wrong_java_home_are_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(java, "_bundled", lambda: None)
    with pytest.raises(InputError, match=r"there is no Java here.*Dockerfile\.spark.*evergreen-kfp\[spark\]"):
        find_java({"PATH": str(tmp_path)})
    with pytest.raises(InputError, match="JAVA_HOME: no bin/java in /nowhere"):
        find_java({"JAVA_HOME": "/nowhere"})


def test_without_pyspark_the_engine_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"engine: spark: pyspark is not installed here\. Use the Spark image"
    ):
        scratch_parent(project_with())


def test_a_whole_java_is_used_as_it_is(tmp_path):
    whole = fake_java(tmp_path / "whole", f"java.base {OPTIONAL_MODULE} java.sql")
    silent = fake_java(tmp_path / "silent")
    assert java_home(whole, tmp_path) == whole
    assert java_home(silent, tmp_path) == silent


def test_a_reduced_java_starts_without_the_module_it_lacks(tmp_path):
    reduced = fake_java(tmp_path / 'a folder\'s "name"', "java.base java.sql")
    home = java_home(reduced, tmp_path / "scratch")
    arguments = ["-XX:+X", f"--add-modules={OPTIONAL_MODULE}", "-cp", "a b:c*", "it's", "", "$(x)"]
    done = subprocess.run([home / "bin" / "java", *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "<-XX:+X><-cp><a b:c*><it's><><$(x)>"
    assert "eval" not in stand_in(reduced / "bin" / "java")


def test_a_cluster_needs_a_folder_that_it_shares(tmp_path, monkeypatch):
    monkeypatch.delenv("SPARK_MASTER", raising=False)
    assert scratch_parent(project_with()) is None
    assert scratch_parent(project_with(master="local[3]", staging="/nowhere")) is None
    with pytest.raises(
        InputError, match=r"spark.staging: missing, and the master is 'k8s://a'; .*ReadWriteMany"
    ):
        scratch_parent(project_with(master="k8s://a"))
    with pytest.raises(InputError, match=r"spark\.staging: no folder '/nowhere'"):
        scratch_parent(project_with(master="k8s://a", staging="/nowhere"))
    assert scratch_parent(project_with(master="k8s://a", staging=str(tmp_path))) == tmp_path
    monkeypatch.setenv("SPARK_MASTER", "spark://a:7077")
    with pytest.raises(InputError, match="the master is 'spark://a:7077'"):
        scratch_parent(project_with())
