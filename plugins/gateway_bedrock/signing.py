"""Signs requests as AWS wants it (SigV4), by botocore: loaded with the first request that needs it."""

from typing import Any

from gateway.errors import Headers
from gateway_bedrock.keys import AccessKey, misconfigured

_SERVICE = "bedrock"
_INSTALL = "access keys need botocore: pip install 'litestar-gateway[bedrock]' (a Bedrock API key does without)"


class Signer:
    """Signs with one access key for one region."""

    def __init__(self, key: AccessKey, region: str) -> None:
        """Imports botocore, which takes a third of a second: not in the event loop. Raises `ModelMisconfigured`."""
        try:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
        except ImportError as error:
            raise misconfigured(_INSTALL) from error
        self._request: Any = AWSRequest
        held = Credentials(key.id, key.secret.reveal(), key.token.reveal() or None)
        self._auth: Any = SigV4Auth(held, _SERVICE, region)

    def signed(self, url: str, headers: Headers, body: bytes) -> Headers:
        """The headers with the signature of the whole request: it must go out as it is now."""
        request = self._request(method="POST", url=url, data=body, headers=dict(headers))
        self._auth.add_auth(request)
        return tuple((name.lower(), value) for name, value in request.headers.items())
