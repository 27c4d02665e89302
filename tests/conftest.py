"""What every test shares: Hypothesis does not measure time, for these machines are shared and stall."""

from hypothesis import HealthCheck, settings

settings.register_profile("evergreen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("evergreen")
