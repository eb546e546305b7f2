"""Prefect's server for the runs of one command: on the loopback, started at once, stopped when the command ends.

Prefect's own way to an embedded server loads the server into the caller too, starts it only when a flow is called,
and loads every collection there is. This one is the same server on the same database, in the background from the
first moment: it needs ten seconds on two cores, five of them for the tables of a fresh PREFECT_HOME.
"""

import atexit
import http.client
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import IO

READY_WITHIN_S = 180.0
STOPPED_WITHIN_S = 5.0
# What one command at a terminal does without: pages, automations, blocks of other services.
SPARE = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}
# Loading it makes a million objects that stay; looking among them for garbage takes 0.7 s.
PROGRAM = "import gc; gc.set_threshold(100_000); import uvicorn; uvicorn.main()"
# Files in which a person may have named a server, and what is found in them then.
PLACES = {"profiles.toml": "API_URL", "prefect.toml": "", ".env": "PREFECT_", "pyproject.toml": "[tool.prefect"}


def is_chosen() -> bool:
    """Whether a person has chosen a server or profile, which is then left to Prefect."""
    if os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_PROFILE"):
        return True
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    files = {(home if name == "profiles.toml" else Path()) / name: words for name, words in PLACES.items()}
    return any(path.is_file() and words in path.read_text(errors="replace") for path, words in files.items())


class Server:
    """A server process and its address.

    Attributes
    ----------
    port : of 127.0.0.1.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._talk: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  it is open as long as the process
        key = f"lake:{secrets.token_urlsafe(24)}"
        os.environ.update(PREFECT_API_URL=f"http://127.0.0.1:{self.port}/api", PREFECT_API_AUTH_STRING=key)
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "error", "--lifespan", "on"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--factory", "prefect.server.api.server:create_app", *words],
            env=os.environ | SPARE | {"PREFECT_SERVER_API_AUTH_STRING": key},
            stdin=subprocess.DEVNULL,
            stdout=self._talk,
            stderr=subprocess.STDOUT,
            # An interrupt at the terminal ends the command first, and the command its server.
            start_new_session=True,
        )
        atexit.register(self.stop)

    def wait(self) -> None:
        """Return when flows can run.

        Raises
        ------
        OSError
            It stopped, or took too long; with its last words.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise OSError(f"Prefect's server did not start: {self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process; nothing where it has ended."""
        self._process.terminate()
        try:
            self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            link.request("GET", "/api/health")
            return link.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            link.close()

    def _last_words(self) -> str:
        self._talk.seek(0)
        lines = self._talk.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@cache
def started() -> Server | None:
    """The server of this process, started now where it wasn't.

    Returns
    -------
    None where a person has chosen another, or Prefect is loaded, which has then read its settings.
    """
    return None if is_chosen() or "prefect" in sys.modules else Server()
