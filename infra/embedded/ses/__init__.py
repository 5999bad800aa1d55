"""A simulated Amazon SES for the embedded AWS: it takes mail, keeps it, and reports what becomes of it.

ses = install(SesConfig(seed=1))     # in the place of moto's own SES
...                                  # boto3 clients "sesv2" and "ses", CloudFormation, SNS: as on AWS
ses.settle(timeout=10)               # all feedback has been published
uninstall()
"""

from infra.embedded.ses.config import Faults, SesConfig
from infra.embedded.ses.installing import install, uninstall
from infra.embedded.ses.mail import Mail
from infra.embedded.ses.outbox import routes
from infra.embedded.ses.simulated import SimulatedSes

__all__ = ["Faults", "Mail", "SesConfig", "SimulatedSes", "install", "routes", "uninstall"]
