"""Rules of the house that no ready-made linter holds: `make tree`.

Each rule is a small function that yields one line for each breach. A rule that nobody checks is
better struck out than written down.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# "About 400" in the style guide; beyond this a file is split by noun.
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
VAGUE_NAMES = {"utils", "helpers", "common", "base", "manager", "misc"}
BINARY = {".png", ".jpg", ".webp", ".ico", ".woff2", ".binpb", ".mo", ".gz"}

# Written in halves, so that this file does not breach its own rule.
REGISTRIES = [
    ".".join(host)
    for host in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("proxy", "golang", "org"),
    )
]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work/(?:main|shared)|root/\S|Users/\w|home/\w+/)")
TOPIC = re.compile(r"loyalty\.(enrollment|points|rewards|offers|messaging)(\.contact)?\.v1")
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")


def files() -> list[Path]:
    """Every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        hidden = {".git", ".venv", ".local", "node_modules", "__pycache__"}
        return [p for p in ROOT.rglob("*") if p.is_file() and not hidden & set(p.parts)]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def addresses(path: Path, text: str) -> Iterator[str]:
    """No address of a package registry, no path of one person's machine."""
    for host in REGISTRIES:
        if host in text:
            yield f"{path}: names the package registry {host}"
    if found := MACHINE_PATH.search(text):
        yield f"{path}: holds a path of one machine ({found.group()}…)"


def sizes(path: Path, text: str, tree: ast.Module) -> Iterator[str]:
    """A file about 400 lines at most, a function on one screen."""
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines; split it by noun (limit {FILE_LINES_MAX})"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines"


def names(path: Path) -> Iterator[str]:
    """Files are nouns of the domain."""
    if path.stem in VAGUE_NAMES:
        yield f"{path}: a name that says nothing"


def pure_domain(path: Path, tree: ast.Module) -> Iterator[str]:
    """A domain imports the standard library and its own service's domain, nothing else."""
    parts = path.parts
    if len(parts) < 3 or parts[0] != "services" or Path(parts[2]).stem != "domain":
        return
    own = f"services.{parts[1]}.domain"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported = [node.module or ""]
        else:
            continue
        for name in imported:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and not f"{name}.".startswith(f"{own}."):
                yield f"{path}:{node.lineno}: the domain imports {name}"


def topics(path: Path, tree: ast.Module) -> Iterator[str]:
    """Only `events` names a service's own topics, only `consumers` those of others."""
    if len(path.parts) < 3 or path.parts[0] != "services" or path.parts[1] == "chassis":
        return
    room = Path(path.parts[2]).stem
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        found = TOPIC.fullmatch(node.value)
        if found and room != ("events" if found.group(1) == path.parts[1] else "consumers"):
            yield f"{path}:{node.lineno}: names the topic {node.value}"


def open_ends(path: Path, text: str) -> Iterator[str]:
    """What is left to do carries an issue's number."""
    for number, line in enumerate(text.splitlines(), 1):
        if OPEN_END.search(line):
            yield f"{path}:{number}: an open end without an issue number"


def breaches(path: Path) -> Iterator[str]:
    """All breaches of one file, given by its absolute path."""
    relative = path.relative_to(ROOT)
    if path.suffix in BINARY or relative.parts[:2] == ("proto", "gen"):
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    yield from addresses(relative, text)
    if path.suffix != ".py":
        return
    yield from names(relative)
    if path != Path(__file__).resolve():
        yield from open_ends(relative, text)
    tree = ast.parse(text, filename=str(relative))
    yield from sizes(relative, text, tree)
    yield from pure_domain(relative, tree)
    yield from topics(relative, tree)


def main() -> int:
    """Print every breach; 0 when there is none."""
    found = [line for path in files() for line in breaches(path)]
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
