"""CloudFormation beyond moto: types that it ignores, and properties that it leaves out of those it makes.

moto collects the types at the first deploy of a process; `install` makes it collect them anew.
"""

from moto.cloudformation import parsing

from infra.embedded.cloudformation import (
    bucket_settings,
    event_bus,
    kms_key,
    pipe,
    policies,
    sns_subscription,
    table_settings,
)
from infra.embedded.patches import Patches

__all__ = ["install"]

TYPES = (
    policies.QueuePolicy,
    policies.TopicPolicy,
    policies.BucketPolicy,
    sns_subscription.Subscription,
    pipe.Pipe,
)


def install(patches: Patches) -> None:
    for behaviour in (bucket_settings, event_bus, kms_key, policies, table_settings):
        behaviour.install(patches)
    for collected in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        collected.cache_clear()
