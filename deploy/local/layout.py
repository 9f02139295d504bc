"""Where a checkout keeps what it runs: `.local`, its data folder and its secrets."""

import hashlib
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local import postgres_server
from deploy.local.ports import PortBook

ROOT = Path(__file__).resolve().parent.parent.parent
# Used by root when the checkout lies where PostgreSQL's unprivileged user cannot reach.
SHARED_STATE = Path("/var/lib/meche-local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Made once for each state folder, never shown, readable by its owner alone."""

    secret_key: str
    operator_key: str
    database_password: str
    redis_password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one running platform."""

    folder: Path
    data: Path

    @property
    def run(self) -> Path:
        """Records of processes."""
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.folder / "logs"

    @property
    def demo(self) -> Path:
        """What a client needs to use the demo chain (api.md 3)."""
        return self.folder / "demo.json"

    @property
    def plan(self) -> Path:
        """What the supervisor keeps alive, with the environment of each process."""
        return self.run / "plan" / "services.json"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def ports(self) -> PortBook:
        """The ports of this platform, the same at every start."""
        return PortBook(self.folder / "ports.json")

    def secrets(self) -> Secrets:
        """The secrets of this platform, made on the first occasion."""
        path = self.folder / "secrets.json"
        if not path.exists():
            fresh = Secrets(
                secret_key=secrets.token_hex(32),
                operator_key=f"op_{secrets.token_hex(24)}",
                database_password=secrets.token_hex(12),
                redis_password=secrets.token_hex(12),
            )
            write_private(path, json.dumps(asdict(fresh), indent=2) + "\n")
        return Secrets(**json.loads(path.read_text()))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def open_layout(folder: Path | None = None) -> Layout:
    """The state folder of this checkout, or the one that is named; made if it is missing."""
    chosen = folder or Path(os.environ.get("MECHE_STATE") or ROOT / ".local")
    chosen.mkdir(parents=True, exist_ok=True)
    chosen = chosen.resolve()
    chosen.chmod(0o700 if os.geteuid() != 0 else 0o711)
    layout = Layout(folder=chosen, data=_data(chosen))
    # Made here, before threads and processes start that would each make their own.
    layout.secrets()
    return layout


def _data(folder: Path) -> Path:
    """Where the engines keep their data, remembered so that a later `chmod` moves nothing."""
    note = folder / "data-folder"
    if note.exists():
        data = Path(note.read_text().strip())
    elif os.geteuid() != 0 or all(
        parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents]
    ):
        data = folder / "data"
    else:
        data = SHARED_STATE / hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    data.mkdir(parents=True, exist_ok=True)
    if postgres_server.account().user is not None:
        data.chmod(0o711)
    note.write_text(f"{data}\n")
    return data


def forget(layout: Layout) -> None:
    """Remove data, logs, ports, secrets and demo. The processes must have ended."""
    shutil.rmtree(layout.data, ignore_errors=True)
    shutil.rmtree(layout.folder, ignore_errors=True)
