"""Make an installed environment small enough for an image that is often pulled; what it can do stays.

Usage: python tools/slim.py ENVIRONMENT. Removes what no component uses at run time, strips symbols from
native code, and writes byte code for exactly what a task imports: a pod's root file system is read-only, and
every task would compile it anew. Fails when something that is needed went missing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

FOLDERS = ("tests", "test", "include", "__pycache__", "benchmarks")
SUFFIXES = (".pyx", ".pxd", ".pxi", ".h", ".hpp", ".c", ".cpp", ".pyi")
# Declared by a dependency, imported by none of our code paths: with what it would have been for.
UNUSED = (
    "sqlalchemy",  # optuna's relational storage; our studies are kept in memory and as JSON
    "alembic",
    "mako",
    "Crypto/SelfTest",
    "onnxruntime/capi/libonnxruntime.so*",  # the C library; Python uses the one inside its extension
    "onnxruntime/transformers",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/_flight*",
    "pyarrow/libarrow_s3*",  # our S3 goes through minio and deltalake
    "pyarrow/_s3fs*",
    "pyarrow/_pyarrow_cpp_tests*",
    "sklearn/datasets/data",
    "sklearn/datasets/images",
    "sklearn/datasets/descr",
    "PIL/_avif*",  # a codec of 5 MB for pictures that are hardly ever stored
    "pillow.libs/libavif*",
    "PIL/_imagingft*",  # drawing text into pictures
    "pillow.libs/libharfbuzz*",
    "pillow.libs/libfreetype*",
    "PIL/_imagingcms*",  # colour profiles, and pictures in windows
    "pillow.libs/liblcms2*",
    "PIL/_imagingtk*",
    "kfp_server_api",  # with kfp's client, as above
    "optuna/visualization",
    "optuna/testing",
    "pint/testsuite",
    "pywt",  # imagehash uses it for a wavelet hash, which we do not compute
    "pygments/lexers/[a-z]*.py",  # rich colours source code with them; we print none
    "onnx/backend/test",
)
SOURCELESS = ("kubernetes/client",)  # 700 generated classes, 14 MB of them as text
KEEP = ("sklearn/utils/_test_common",)
WARM = """
import importlib, os, pkgutil
os.environ["_KFP_RUNTIME"] = "true"
import kfp, kfp.dsl.executor_main
import evergreen
for module in pkgutil.walk_packages(evergreen.__path__, "evergreen."):
    if not module.name.endswith("__main__") and not module.name.startswith("evergreen.spark."):
        importlib.import_module(module.name)
import sklearn
for name in sklearn.__all__:
    if name not in ("datasets", "externals", "conftest", "experimental"):
        importlib.import_module("sklearn." + name) if importlib.util.find_spec("sklearn." + name) else None
import deltalake, duckdb, google.cloud.storage, granian, kubernetes.client, kubernetes.config, minio
import onnxruntime, optuna, pandas, pyarrow.dataset, pyarrow.fs, pyarrow.parquet, rich.live, scipy.stats
import skl2onnx, skops.io, typer
"""


def remove(site: Path) -> None:
    """Delete folders and files below `site` that are not needed at run time."""
    for pattern in UNUSED:
        for path in site.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in sorted(site.rglob("*"), key=lambda p: len(p.parts), reverse=True):
        if path.is_symlink() or any(path.relative_to(site).as_posix().startswith(k) for k in KEEP):
            continue
        if path.is_dir() and path.name in FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and path.name.endswith(SUFFIXES):
            path.unlink()


def link_copies(site: Path) -> None:
    """Wheels hold no links, so a library stands there once for each of its names: keep one, link the rest."""
    for library in site.glob("pyarrow/lib*.so.*"):
        for other in sorted(library.parent.glob(f"{library.name.split('.so')[0]}.so*")):
            same = other != library and not other.is_symlink() and not library.is_symlink()
            if same and other.read_bytes() == library.read_bytes():
                other.unlink()
                other.symlink_to(library.name)


def strip(site: Path) -> None:
    """Strip symbols from native libraries, where binutils is there; importing them proves that they work."""
    if shutil.which("strip"):
        for path in site.rglob("*.so*"):
            if not path.is_symlink() and ".libs" not in str(path.parent):
                subprocess.run(["strip", "--strip-unneeded", str(path)], check=False, capture_output=True)  # noqa: S603,S607


def drop_source(site: Path) -> None:
    """Keep only the byte code of generated packages, where Python finds it without a source."""
    for name in SOURCELESS:
        for cached in sorted((site / name).rglob("__pycache__/*.pyc")):
            source = cached.parent.parent / f"{cached.name.split('.')[0]}.py"
            if source.exists():
                cached.replace(source.with_suffix(".pyc"))
                source.unlink()


def size(site: Path) -> float:
    """MiB below `site`."""
    return sum(p.stat().st_size for p in site.rglob("*") if p.is_file() and not p.is_symlink()) / 2**20


def main() -> int:
    """Slim the environment named on the command line, then import what tasks import."""
    environment = Path(sys.argv[1])
    for site in environment.glob("lib/python*/site-packages"):
        before = size(site)
        remove(site)
        link_copies(site)
        strip(site)
        print(f"{site}: {before:.0f} MiB, now {size(site):.0f}")
        subprocess.run([str(environment / "bin" / "python"), "-c", WARM], check=True)  # noqa: S603 - our own text
        drop_source(site)
        subprocess.run([str(environment / "bin" / "python"), "-c", WARM], check=True)  # noqa: S603 - as above
        print(f"with byte code {size(site):.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
