"""Builds `.venv` from the hashed lock with nothing but Python's own tools.

`python3.11 deploy/tools/environment.py`: runs before anything is installed, hence the standard
library only. Does nothing when the environment already holds exactly this lock.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements-dev.lock"
FLOOR = (3, 11)
PROGRESS_EVERY = 20


def say(line: str) -> None:
    """Progress for the person at the terminal."""
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def fail(line: str) -> None:
    """End with a sentence that says what to do."""
    sys.stderr.write(f"{line}\n")
    sys.exit(1)


def wanted() -> str:
    """What the environment must have been built from."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return hashlib.sha256(LOCK.read_bytes()).hexdigest() + " " + version


def is_current() -> bool:
    """Whether the environment was built whole from this lock by this Python."""
    stamp = VENV / "built-from"
    python = VENV / "bin" / "python"
    return python.exists() and stamp.exists() and stamp.read_text().strip() == wanted()


def create() -> None:
    """Make an empty environment with pip in it."""
    if (VENV / "bin" / "python").exists() and _has_pip():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode == 0:
        return
    if os.geteuid() == 0 and shutil.which("apt-get") and _install_venv_package():
        return
    fail(
        "This Python cannot make a virtual environment. On Debian and Ubuntu:\n"
        f"  sudo apt-get install python3-venv\n{made.stdout}{made.stderr}"
    )


def _has_pip() -> bool:
    python = str(VENV / "bin" / "python")
    probe = [python, "-c", "import pip, sys; sys.exit(sys.version_info[:2] < (3, 11))"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _install_venv_package() -> bool:
    """Debian keeps `ensurepip` in a package of its own; root may fetch it."""
    say("installing python3-venv")
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv"],
    ):
        subprocess.run(
            command,
            check=False,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    shutil.rmtree(VENV, ignore_errors=True)
    again = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
    return again.returncode == 0


def install() -> None:
    """Install every pinned version; a file whose hash differs is refused by pip."""
    command = [
        *(str(VENV / "bin" / "python"), "-m", "pip", "install", "--require-hashes"),
        *("--disable-pip-version-check", "--no-input", "--progress-bar=off"),
        *("--only-binary=:all:", "--requirement", str(LOCK)),
    ]
    total = sum(1 for line in LOCK.read_text().splitlines() if "==" in line)
    fetched = 0
    last: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        for line in pip.stdout or ():
            last = [*last[-20:], line.rstrip()]
            if line.startswith("Collecting "):
                fetched += 1
                if fetched % PROGRESS_EVERY == 0:
                    say(f"{fetched} of {total} libraries fetched")
            elif line.startswith("Installing collected packages"):
                say("installing them")
    if pip.returncode != 0:
        fail("The libraries could not be installed; pip says:\n" + "\n".join(last))


def main() -> None:
    """Bring the environment to the lock; a second call returns at once."""
    if sys.version_info < FLOOR:
        fail(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    if is_current():
        return
    started = time.monotonic()
    say("building .venv from requirements-dev.lock (a minute or two, once)")
    create()
    install()
    (VENV / "built-from").write_text(wanted() + "\n")
    say(f".venv is complete ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main()
