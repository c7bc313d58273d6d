"""What a reload changes of the API while it serves: the first key, the rates, and the certificate.

The settings that name the certificate's files need a restart, but the files themselves are read again, so
that one that was renewed is shown to whoever connects from then on. One that cannot be used is told of, and
the one that is shown already stays.
"""

from __future__ import annotations

import asyncio

from supervisor.api.door import Keys
from supervisor.api.server import ApiServer
from supervisor.config import Settings
from supervisor.errors import Failed


class Following:
    """A follower of ``supervisor.reload.Reloading``. ``problems`` are the daemon's."""

    def __init__(self, settings: Settings, keys: Keys, server: ApiServer, problems: dict[str, str]) -> None:
        self._rates = (settings.api.rate, settings.api.failures)
        self._keys = keys
        self._server = server
        self._problems = problems

    async def __call__(self, settings: Settings) -> list[str]:
        """Take what is new; return why the certificate was not taken, nothing if it was."""
        api = settings.api
        self._keys.keyring.set_first(api.key.get_secret_value() if api.key else "")
        if self._rates != (api.rate, api.failures):
            self._rates = (api.rate, api.failures)
            self._keys.set_rates(*self._rates)
        self._problems.pop("certificate", None)
        try:
            await asyncio.to_thread(self._server.renew_certificate)
        except Failed as error:
            self._problems["certificate"] = f"{error}; the certificate that was read before is still shown"
            return [self._problems["certificate"]]
        return []
