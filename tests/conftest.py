"""How generated tests run: the same examples in every `make test`, new ones in every `make soak`.

A slow machine is no fault of the code, so nothing is judged by its time.
"""

from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
settings.register_profile("same", patient, derandomize=True)
settings.register_profile("new", patient)
settings.load_profile("same")
