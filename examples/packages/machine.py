"""
What is installed on this machine, read from the metadata that every installer leaves behind.

`importlib.metadata` goes in, models come out. Metadata is written by many tools over many years, so that nothing here
expects more of it than that it is text.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import PurePosixPath

import attrs

from examples.packages.relations import Distribution, File, Kind, Label, Module, Requirement


@attrs.frozen
class Found:
    """Everything that was found, each thing once and in the order of its key."""

    distributions: tuple[Distribution, ...]
    requirements: tuple[Requirement, ...]
    files: tuple[File, ...]
    labels: tuple[Label, ...]
    modules: tuple[Module, ...]

    @property
    def rows(self) -> int:
        """How many things that is."""
        parts = (self.distributions, self.requirements, self.files, self.labels, self.modules)
        return sum(len(part) for part in parts)


def installed(path: Sequence[str] | None = None) -> Mapping[str, metadata.Distribution]:
    """
    Find what is installed, by name and in its order.

    Of several with one name the first counts, as it does for `import`. Those without a name, which an interrupted
    uninstallation leaves behind, are left out.

    Args:
        path: Where to look; by default where `import` does.
    """
    found: dict[str, metadata.Distribution] = {}
    for each in metadata.distributions() if path is None else metadata.distributions(path=list(path)):
        if name := _first(each.metadata, "Name"):
            found.setdefault(normalised(name), each)
    return dict(sorted(found.items()))


def read(distributions: Mapping[str, metadata.Distribution], seen: Callable[[str], object] = str) -> Found:
    """Read the metadata of all of these; `seen` is called with the name of each."""
    parts: list[Found] = []
    for name, each in distributions.items():
        parts.append(_read(name, each))
        seen(name)
    return Found(
        tuple(model for part in parts for model in part.distributions),
        tuple(model for part in parts for model in part.requirements),
        tuple(model for part in parts for model in part.files),
        tuple(model for part in parts for model in part.labels),
        tuple(model for part in parts for model in part.modules),
    )


def _read(name: str, source: metadata.Distribution) -> Found:
    about = source.metadata
    requirements = {text: parse_requirement(name, text) for text in source.requires or ()}
    files = {each.as_posix(): _file(name, each) for each in source.files or ()}
    labels = {(each.kind.value, each.text): each for each in _labels(name, about)}
    modules = sorted(set(_modules(source.read_text("top_level.txt"), files)))
    return Found(
        (Distribution(name, _first(about, "Version") or "", _first(about, "Summary")),),
        tuple(model for _, model in sorted(requirements.items())),
        tuple(model for _, model in sorted(files.items())),
        tuple(model for _, model in sorted(labels.items())),
        tuple(Module(name, module) for module in modules),
    )


def _first(about: metadata.PackageMetadata, heading: str) -> str | None:
    values = about.get_all(heading)
    return values[0] if values else None


def normalised(name: str) -> str:
    """Return the name as package indexes compare it: `Foo.Bar_baz` is `foo-bar-baz` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


_NAME = r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?"
_ADDRESS = re.compile(_NAME + r"\s*@\s*(?P<rest>\S+)(?:\s+;(?P<marker>.*))?", re.DOTALL)
_VERSIONS = re.compile(_NAME + r"(?P<rest>[^;]*)(?:;(?P<marker>.*))?", re.DOTALL)
_EXTRA = re.compile(r"\bextra\s*==\s*(['\"])(?P<after>[^'\"]*)\1|(['\"])(?P<before>[^'\"]*)\3\s*==\s*extra\b")


def parse_requirement(distribution: str, text: str) -> Requirement:
    """
    Take a requirement apart: `uvloop[dev] (>=0.14) ; sys_platform != "win32" and extra == "fast"` (PEP 508).

    What is no requirement at all keeps its text as its name.
    """
    match = _ADDRESS.match(text) or _VERSIONS.match(text)
    if match is None:
        return Requirement(distribution, text, text, "", None, None)
    marker = (match["marker"] or "").strip() or None
    return Requirement(
        distribution,
        text,
        normalised(match["name"]),
        match["rest"].strip().removeprefix("(").removesuffix(")").replace(" ", ""),
        marker,
        _extra(marker or ""),
    )


def _extra(marker: str) -> str | None:
    match = _EXTRA.search(marker)
    return (match["after"] or match["before"]) if match else None


def _file(distribution: str, file: metadata.PackagePath) -> File:
    digest = f"{file.hash.mode}={file.hash.value}" if file.hash else None
    return File(distribution, file.as_posix(), file.suffix, file.size, digest)


def _labels(distribution: str, about: metadata.PackageMetadata) -> Iterator[Label]:
    for text in about.get_all("Classifier") or ():
        yield Label(distribution, Kind.CLASSIFIER, text)
    keywords = _first(about, "Keywords") or ""
    for text in keywords.split("," if "," in keywords else None):
        if word := text.strip():
            yield Label(distribution, Kind.KEYWORD, word)


def _modules(declared: str | None, paths: Iterable[str]) -> Iterator[str]:
    """Use the list that some installers leave behind, else see what the files would import as."""
    if declared is not None:
        yield from (line.strip() for line in declared.splitlines() if line.strip())
        return
    for path in map(PurePosixPath, paths):
        top, module = path.parts[0], inspect.getmodulename(path.name)
        if module is None or "__pycache__" in path.parts:
            continue
        if len(path.parts) == 1:
            yield module
        elif top.isidentifier():
            yield top
