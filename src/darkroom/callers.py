"""Who is let in: finds out who sends a request, from where, and whether the key is for that and may ask so often."""

from __future__ import annotations

from .core.access import Caller, Network, check_address, within
from .core.errors import Code, TaskError
from .keys import Keyring
from .rates import Rates, WrongKeys


class Callers:
    """Checks every request with a key. `proxies` are those whose `X-Forwarded-For` is believed."""

    def __init__(
        self, keyring: Keyring, rates: Rates, *, wrong_keys: WrongKeys | None = None, proxies: tuple[Network, ...] = ()
    ) -> None:
        self._keyring = keyring
        self._rates = rates
        self._wrong_keys = wrong_keys or WrongKeys()
        self._proxies = proxies

    def address(self, peer: str, forwarded: str) -> str:
        """The client's address: the peer of the connection or, behind trusted proxies, who they say it is.

        Each proxy adds whom it was asked by at the end; what stands before the first untrusted one is hearsay.
        """
        for hop in reversed(forwarded.split(",")):
            if not (self._proxies and within(peer, self._proxies) and hop.strip()):
                break
            peer = hop.strip()
        return peer

    async def caller(self, key: str | None, address: str, *, counted: bool = True) -> Caller:
        """Who asks. Status polls are not `counted`: to ask early is answered, not punished."""
        if key and self._keyring.known(key) is None:
            self._wrong_keys.check(address)
        try:
            caller = await self._keyring.caller(key)
        except TaskError as error:
            if key and error.code is Code.INVALID_KEY:
                self._wrong_keys.count(address, key)
            raise
        check_address(caller, address)
        if counted:
            self._rates.take(caller.key_id, caller.rules.requests, "requests")
        return caller
