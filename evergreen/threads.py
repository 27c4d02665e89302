"""How many threads numerical libraries may use: they read it from the environment, once, at their import."""

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def thread_limits(count: int) -> dict[str, str]:
    """The environment that lets OpenMP, OpenBLAS and MKL use `count` threads."""
    return dict.fromkeys(_VARIABLES, str(count))
