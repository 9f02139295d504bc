"""Turns every contract below `proto/` into Python modules and their types in `proto/gen`.

`python proto/generate.py` writes; `python proto/generate.py --check` writes nothing and fails when
what is committed differs from what the contracts say. The same contracts give the same bytes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import grpc_tools  # type: ignore[import-untyped]
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
GENERATED = ROOT / "gen"
WELL_KNOWN = Path(grpc_tools.__file__).resolve().parent / "_proto"
PACKAGE_DOC = '"""Generated from the contracts below `proto/`; never edited."""\n'


class GenerationFailed(Exception):
    """The contracts do not compile; protoc has said why on standard error."""


def contracts() -> list[Path]:
    """Every contract below `proto/`, relative to it, in a stable order."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.proto"))
    return sorted(path for path in found if path.parts[0] != "gen")


def compile_into(target: Path) -> None:
    """Compile every contract into `target`, with an `__init__.py` in each package."""
    # protoc looks for its plugins on the path; ours stand beside the interpreter.
    beside_interpreter = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([beside_interpreter, os.environ.get("PATH", "")])
    arguments = [
        "protoc",
        f"--proto_path={ROOT}",
        f"--proto_path={WELL_KNOWN}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet,only_async:{target}",
        *(path.as_posix() for path in contracts()),
    ]
    if protoc.main(arguments) != 0:
        raise GenerationFailed
    for folder in sorted(path for path in target.rglob("*") if path.is_dir()):
        (folder / "__init__.py").write_text(PACKAGE_DOC, encoding="utf-8")


def contents(folder: Path) -> dict[Path, bytes]:
    """Every generated file below a folder, by its relative path."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".py", ".pyi"}
    }


def write(wanted: dict[Path, bytes], present: dict[Path, bytes]) -> int:
    """Make `proto/gen` hold exactly what is wanted; returns the number of files that changed."""
    changed = 0
    for path in present.keys() - wanted.keys():
        (GENERATED / path).unlink(missing_ok=True)
        changed += 1
    for path, body in wanted.items():
        if present.get(path) == body:
            continue
        final = GENERATED / path
        final.parent.mkdir(parents=True, exist_ok=True)
        # A process that imports while we write sees the old file or the new one, never half.
        draft = final.with_suffix(f"{final.suffix}.draft{os.getpid()}")
        draft.write_bytes(body)
        draft.replace(final)
        changed += 1
    return changed


def main(arguments: list[str]) -> int:
    """Generate, or with `--check` compare; 0 when `proto/gen` is as the contracts say."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            compile_into(Path(scratch))
        except GenerationFailed:
            return 1
        wanted = contents(Path(scratch))
    present = contents(GENERATED) if GENERATED.exists() else {}
    if "--check" in arguments:
        differing = sorted(
            path.as_posix()
            for path in wanted.keys() | present.keys()
            if wanted.get(path) != present.get(path)
        )
        for name in differing:
            sys.stderr.write(f"proto/gen/{name} differs from its contract\n")
        return 1 if differing else 0
    changed = write(wanted, present)
    sys.stdout.write(f"proto/gen: {len(wanted)} files, {changed} changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
