"""The BentoML service: ``bentoml serve serving.service:RiskService``.

BentoML brings the server, workers, health and metrics; the routes are the application of
``serving.rest``, because BentoML's own request path prints malformed bodies into its log.
"""

import bentoml

from serving.rest import Ward, rest_application
from serving.settings import Settings

_ward = Ward.open(Settings.from_environment().store)
# Of a Starlette application BentoML takes the known paths and answers the others in plain text; a
# bare callable answers every path itself.
_every_path = rest_application(_ward).__call__


@bentoml.service(
    name="cart-risk",
    workers=1,
    threads=4,
    logging={"access": {"enabled": False}},
    traffic={"timeout": 10},
)
@bentoml.asgi_app(_every_path, path="/")
class RiskService:
    """Answers for the models that are in service."""

    def __is_ready__(self) -> bool:
        """Tell whether every model was verified and its self-test reproduced."""
        return _ward.ready
