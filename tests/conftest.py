"""What every test shares: how Hypothesis looks for examples.

It does not measure time, for these machines are shared and stall. The same code gets the same examples,
so that a change is judged by what it changed; `make test-explore` looks for others.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "evergreen", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("explore", settings.get_profile("evergreen"), derandomize=False)
settings.load_profile("evergreen")
