"""
What the type checkers say of a file, against what the file's comments expect.

In go Python files with comments, out come lines of difference. A comment stands anywhere in the statement it is about:

    reveal_type(query)  # revealed: Query[Post, Posts]
    reveal_type(other)  # revealed[mypy]: Any  # revealed[pyright]: Unknown
    Posts.title.to(3)   # error: what comes after the colon is for people
    if Posts.public:    # error[pyright]: mypy does not see this one

Without a checker in brackets a comment holds for both. Types are compared without module names, and unions in any
order, so that one comment serves both checkers.
"""

import ast
import io
import json
import os
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

Checker = Literal["mypy", "pyright"]
CHECKERS: tuple[Checker, ...] = ("mypy", "pyright")
ROOT = Path(__file__).parent.parent.parent

EXPECTATION = re.compile(
    r"#\s*(?P<kind>revealed|error)(?:\[(?P<checker>mypy|pyright)\])?(?::\s*(?P<text>.*?))?\s*(?=#\s*(?:revealed|error)\b|$)"
)
MYPY_REVEALED = re.compile(r'^Revealed type is "(?P<type>.*)"$', re.DOTALL)
NAMED_TUPLE = re.compile(r"tuple\[(?:[^\[\]]|\[[^\[\]]*\])*, fallback=(?P<name>\w+)\]")
PYRIGHT_REVEALED = re.compile(r'^Type of ".*" is "(?P<type>.*)"$', re.DOTALL)


class CheckerFailed(Exception):
    """A checker ended without a judgement."""


@attrs.frozen
class Finding:
    """A revealed type or an error, at a line counted from 1; expected by a comment or reported by a checker."""

    line: int
    checker: Checker
    kind: Literal["revealed", "error"]
    text: str


# -- expectations ----------------------------------------------------------------------------


def expectations(source: str) -> list[Finding]:
    """Read the comments of a file."""
    found: list[Finding] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for match in EXPECTATION.finditer(token.string):
                checkers: list[Checker] = [name for name in CHECKERS if match["checker"] in (None, name)]
                kind: Literal["revealed", "error"] = "revealed" if match["kind"] == "revealed" else "error"
                found += [Finding(token.start[0], checker, kind, match["text"] or "") for checker in checkers]
    return found


def statement_lines(source: str) -> dict[int, int]:
    """
    Map each line to the first line of its statement.

    Of a statement with a body only the head counts, to the line before the body.
    """
    lines: dict[int, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body: list[ast.stmt] = getattr(node, "body", [])
            end = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            lines.update(dict.fromkeys(range(node.lineno, end + 1), node.lineno))
    return lines


def normalize(type_: str) -> str:
    """
    Write a type in the form that both checkers have in common.

    That is without modules, scopes of type variables, `def` and the mark of an inferred literal, with unions sorted.
    """
    text = re.sub(r"(?<![\w.])(?:\w+\.)+(?=\w)", "", type_.strip())
    text = re.sub(r"`-?\d+|(?<=\w)@\w+|(?<=\])\?|\bdef (?=\()|(?<!\w)\*(?=\w)", "", text)
    text = re.sub(r"\bCoroutineType\b", "Coroutine", text)
    text = NAMED_TUPLE.sub(r"\g<name>", text)
    try:
        return ast.unparse(_SortUnions().visit(ast.parse(text, mode="eval")))
    except SyntaxError:
        return re.sub(r"\s+", " ", text)


class _SortUnions(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        members = sorted({ast.unparse(self.visit(member)) for member in _members(node)})
        return ast.parse(" | ".join(members), mode="eval").body


def _members(node: ast.expr) -> list[ast.expr]:
    return [*_members(node.left), *_members(node.right)] if isinstance(node, ast.BinOp) else [node]


# -- checkers --------------------------------------------------------------------------------


def check(files: Sequence[Path], scratch: Path) -> dict[Path, list[Finding]]:
    """
    Run each checker once over all files, both at the same time.

    Args:
        files: What is checked. Modules of the project can be imported from it.
        scratch: A directory for the checkers' own files.

    Raises:
        CheckerFailed: A checker crashed or could not start.
    """
    running = {"mypy": _start_mypy(files, scratch), "pyright": _start_pyright(files, scratch)}
    outputs = {name: _finish(name, process) for name, process in running.items()}
    found: dict[Path, list[Finding]] = {path.resolve(): [] for path in files}
    for path, finding in [*_read_mypy(outputs["mypy"]), *_read_pyright(outputs["pyright"])]:
        if path in found:
            found[path].append(finding)
    return found


def _start_mypy(files: Sequence[Path], scratch: Path) -> subprocess.Popen[str]:
    options = [
        "--strict",
        "--config-file=",
        "--python-version=3.11",
        "--explicit-package-bases",
        "--output=json",
        f"--cache-dir={scratch / 'mypy'}",
    ]
    return _start("mypy", [*options, *map(str, files)], {"MYPYPATH": str(ROOT)})


def _start_pyright(files: Sequence[Path], scratch: Path) -> subprocess.Popen[str]:
    settings = {
        "include": [str(path.resolve()) for path in files],
        "exclude": [],
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "reportUnusedExpression": "none",
    }
    project = scratch / "pyrightconfig.json"
    project.write_text(json.dumps(settings), "utf-8")
    return _start("basedpyright", ["--project", str(project), "--pythonpath", sys.executable, "--outputjson"], {})


def _start(module: str, arguments: list[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(name: str, process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate()
    if process.returncode not in (0, 1):
        raise CheckerFailed(f"{name} ended with exit code {process.returncode}\n{errors or output}")
    return output


def _read_mypy(output: str) -> Iterable[tuple[Path, Finding]]:
    for line in filter(None, output.splitlines()):
        report = json.loads(line)
        path = (ROOT / report["file"]).resolve()
        if revealed := MYPY_REVEALED.match(report["message"]):
            yield path, Finding(report["line"], "mypy", "revealed", revealed["type"])
        elif report["severity"] == "error":
            yield path, Finding(report["line"], "mypy", "error", f"{report['message']} [{report['code']}]")


def _read_pyright(output: str) -> Iterable[tuple[Path, Finding]]:
    for report in json.loads(output)["generalDiagnostics"]:
        path, line = Path(report["file"]).resolve(), report["range"]["start"]["line"] + 1
        if revealed := PYRIGHT_REVEALED.match(report["message"]):
            yield path, Finding(line, "pyright", "revealed", revealed["type"])
        elif report["severity"] in ("error", "warning"):
            message = report["message"].splitlines()[0]
            yield path, Finding(line, "pyright", "error", f"{message} [{report.get('rule', 'syntax')}]")


# -- differences -----------------------------------------------------------------------------


def differences(source: str, reported: Iterable[Finding]) -> list[str]:
    """
    Compare what a file expects with what the checkers report, statement by statement.

    Returns:
        One line per difference, in the file's order; an empty list where all is as expected.
    """
    lines = statement_lines(source)
    expected = _by_statement(expectations(source), lines)
    actual = _by_statement(reported, lines)
    return [text for line in sorted({*expected, *actual}) for text in _compare(line, expected[line], actual[line])]


def _by_statement(findings: Iterable[Finding], lines: Mapping[int, int]) -> defaultdict[int, list[Finding]]:
    statements: defaultdict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        statements[lines.get(finding.line, finding.line)].append(finding)
    return statements


def _compare(line: int, expected: list[Finding], actual: list[Finding]) -> Iterable[str]:
    for checker in CHECKERS:
        yield from _compare_types(
            line, checker, _texts(expected, checker, "revealed"), _texts(actual, checker, "revealed")
        )
        wanted, errors = _texts(expected, checker, "error"), _texts(actual, checker, "error")
        if wanted and not errors:
            yield f"line {line}: {checker} reports no error, expected: {wanted[0] or 'an error'}"
        if errors and not wanted:
            yield from (f"line {line}: {checker} reports an unexpected error: {error}" for error in errors)


def _compare_types(line: int, checker: Checker, expected: list[str], actual: list[str]) -> Iterable[str]:
    wanted, seen = [normalize(type_) for type_ in expected], [normalize(type_) for type_ in actual]
    if wanted != seen:
        found, hoped = (" and ".join(types) or "nothing" for types in (seen, wanted))
        yield f"line {line}: {checker} reveals {found}, expected: {hoped}"


def _texts(findings: list[Finding], checker: Checker, kind: str) -> list[str]:
    return [finding.text for finding in findings if (finding.checker, finding.kind) == (checker, kind)]
