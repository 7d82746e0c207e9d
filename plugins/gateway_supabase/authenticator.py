"""The project's signed-in users: who calls is whom the project's token names."""

from typing import TYPE_CHECKING

from gateway import Authenticator, Credentials, Principal, Unauthenticated
from gateway.protocols import Egress, Logger
from gateway_supabase.cookie import access_token
from gateway_supabase.keyset import KeySet
from gateway_supabase.settings import TokenRules
from gateway_supabase.tokens import BadToken, Token, Verifier, read_token


class UserAuthenticator:
    """Knows the users of a Supabase project by their access tokens; a user owns what has their id as `user_id`."""

    def __init__(self, rules: TokenRules, egress: Egress, log: Logger) -> None:
        keys = KeySet(rules.jwks_url, egress, log, timeout=rules.timeout) if rules.jwks_url else None
        self._verifier = Verifier(rules, keys)
        self._cookie = rules.cookie
        self._log = log

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The user. A bad token of the project's is refused in a header, where it was meant.

        In a cookie it proves nothing: browsers send cookies unasked, those of other applications on the host too.
        """
        in_header = credentials.token is not None
        text = credentials.token.reveal() if credentials.token else access_token(credentials.cookie, self._cookie)
        token = read_token(text) if text else None
        if token is None or not self._verifier.owns(token):
            return None
        principal = await self._principal(token)
        if principal is None and in_header:
            raise Unauthenticated("Missing or invalid API key.")
        return principal

    async def _principal(self, token: Token) -> Principal | None:
        try:
            user = await self._verifier.user(token)
        except BadToken as error:
            self._log.debug("supabase_token_refused", reason=str(error))
            return None
        return Principal(id=f"supabase:{user}", owner=user)


if TYPE_CHECKING:
    _: type[Authenticator] = UserAuthenticator
