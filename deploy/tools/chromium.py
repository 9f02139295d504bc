"""Finds a Chromium for the browser tests, installing Debian's where it may."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL = "apt-get install -y --no-install-recommends chromium fonts-liberation"


def find() -> str | None:
    """The Chromium of this machine: the one named in CHROMIUM, else the first on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def ensure() -> str:
    """Chromium's path, installed now if root may do so; else the process ends saying how."""
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stdout.write("  installing chromium for the browser tests (once)\n")
        sys.stdout.flush()
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], INSTALL.split()):
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment)
        found = find()
    if found is None:
        sys.stderr.write(
            "The browser tests need Chromium and do not run without it. Install it, then repeat:\n"
            f"  sudo {INSTALL}\n"
            "or name another: make test CHROMIUM=/path/to/chrome\n"
        )
        sys.exit(1)
    return found


if __name__ == "__main__":
    ensure()
