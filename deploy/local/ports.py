"""Port numbers on loopback that stay the same from one start to the next."""

import contextlib
import json
import os
import random
import socket
import threading
from pathlib import Path

# Below the range from which the kernel takes the near end of outgoing connections, so that a
# stored port is not lent to somebody's client between two starts.
FIRST, LAST = 15_000, 31_999
ATTEMPTS_MAX = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(taken: set[int] | None = None) -> int:
    """A free port, picked at random so that two starts at once rarely meet."""
    for _ in range(ATTEMPTS_MAX):
        port = random.randint(FIRST, LAST)
        if port not in (taken or set()) and is_free(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


class PortBook:
    """The ports of one state folder, by name, kept in `ports.json`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str) -> int:
        """The port of a name, the same as last time."""
        if name not in self._ports:
            self.renew(name)
        return self._ports[name]

    def find(self, name: str) -> int | None:
        """The port of a name if it has one."""
        return self._ports.get(name)

    def renew(self, name: str) -> int:
        """Another port for a name whose old one somebody else has taken."""
        self._ports[name] = free_port(set(self._ports.values()))
        self._save()
        return self._ports[name]

    def set(self, name: str, port: int) -> None:
        """Write down a port that was chosen by a person."""
        if self._ports.get(name) != port:
            self._ports[name] = port
            self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Other threads and processes read it at any time: whole or not at all.
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{threading.get_ident()}")
        draft.write_text(json.dumps(self._ports, indent=2, sort_keys=True) + "\n")
        draft.replace(self._path)
