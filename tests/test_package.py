"""The walls of the house, its public face, and what is shipped."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import venv
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import opencode_nb
from tests.support.imports import Import, import_graph, imports, module_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "opencode_nb"
TESTS = ROOT / "tests"

AT_ONCE: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "portal": set(),
    "secret": set(),
    "closest": set(),
    "file_lock": set(),
    "callbacks": set(),
    "prose": set(),
    "tools.names": set(),
    "tools": {"errors", "portal", "secret", "tools.names"},
    "interrupt": set(),
    "kernel.values": {"closest", "secret", "tools"},
    "demo": set(),
    "retry": {"errors"},
    "api.verifying": {"errors"},
    "failure_kinds": set(),
    "failures": {"errors", "failure_kinds", "retry"},
    "api": {"errors", "portal", "retry", "secret", "api.verifying"},
    "types": {"api"},
    "server": {"errors", "file_lock", "secret", "tools.names"},
    "stored": {"errors", "server"},
    "diffs": {"errors"},
    "transcript": {"diffs", "tools.names"},
    "results": {"tools", "tools.names", "transcript"},
    "render": set(),
    "render.markup": set(),
    "render.markdown": {"render.markup"},
    "render.diff": {"diffs", "render.markup", "render.markdown"},
    "render.turn": {
        *("diffs", "failures", "tools.names", "transcript", "render.markup", "render.markdown", "render.diff"),
    },
    "render.chat": {"transcript", "render.markup", "render.turn"},
    "render.findings": {"render.markup", "render.markdown"},
    "changes": {"api.verifying", "diffs", "errors", "transcript"},
    "recording": {"diffs", "errors", "secret", "tools", "tools.names", "transcript"},
    "spending": {"errors", "file_lock", "transcript"},
    "session.prompt": {"changes", "closest", "errors", "prose", "tools.names", "transcript"},
    "session.permissions": {"api", "callbacks", "closest", "errors", "portal", "tools.names", "transcript"},
    "functions": {
        *("closest", "errors", "interrupt", "kernel.values", "portal", "secret", "session.permissions", "tools"),
        "tools.names",
    },
    "session": {
        *("api", "callbacks", "changes", "closest", "diffs", "errors", "failures", "functions", "portal", "secret"),
        *("server", "transcript", "recording", "results", "retry", "session.prompt", "session.permissions"),
        *("spending", "stored", "tools", "tools.names", "api.verifying"),
    },
    "session.blocking": {
        *("api", "changes", "diffs", "errors", "functions", "portal", "recording", "results", "retry", "secret"),
        "server",
        *("session", "session.permissions", "session.prompt", "spending", "transcript"),
    },
    "acp": {
        *("api", "changes", "closest", "diffs", "errors", "functions", "portal", "retry", "server", "session"),
        *("session.blocking", "session.permissions", "tools.names", "transcript", "api.verifying"),
    },
    "session.recorded.replay": {"portal", "recording", "session", "session.blocking", "session.permissions"},
    "oneshot": {"session", "session.blocking"},
    "session.blocking_compose": {"portal", "session", "session.blocking", "session.prompt"},
    "kernel": {
        *("closest", "diffs", "errors", "interrupt", "kernel.values", "portal", "prose", "secret"),
        *("session.permissions", "tools", "tools.names", "transcript"),
    },
    "verify": {"errors", "portal", "render.markup", "session.permissions", "api.verifying"},
    "terminal": {"render.turn", "session", "session.blocking", "session.permissions", "transcript"},
    "widgets": {
        *("changes", "diffs", "errors", "kernel", "portal", "session", "session.blocking", "session.prompt"),
        *(
            "session.permissions",
            "tools",
            "transcript",
            "render",
            "render.markup",
            "render.diff",
            "render.turn",
            "render.chat",
        ),
    },
    "quickstart": {"errors"},
    "doctor": {"errors"},
    "magics.typed": set(),
    "magics": {
        *("magics.typed", "changes", "closest", "diffs", "errors", "kernel", "kernel.values", "portal", "results"),
        *("retry", "secret", "session", "session.blocking", "session.blocking_compose", "session.permissions"),
        *("session.prompt", "spending", "tools", "tools.names", "transcript", "verify", "api.verifying", "widgets"),
    },
    "many": {
        *("changes", "diffs", "errors", "file_lock", "portal", "recording", "results", "retry", "session"),
        *("session.blocking", "session.permissions", "session.prompt", "spending", "tools", "transcript"),
        "api.verifying",
    },
    "cli": {
        *("errors", "render.markup", "render.diff", "render.turn", "session", "session.blocking"),
        *("session.blocking_compose", "session.permissions", "session.prompt", "terminal", "transcript"),
    },
    "telemetry": {"_version", "errors", "session", "transcript"},
    "__init__": set(),
    "__main__": {"cli"},
}
"""Room of the house -> the rooms that it may import when it is imported itself. Each room stands below those."""

LAZILY: dict[str, set[str]] = {
    "server": {"demo"},
    "changes": {"render.diff"},
    "session.permissions": {"render.markup", "render.turn"},
    "session": {"render.turn"},
    "kernel": {"changes", "render.markup", "render.turn"},
    "verify": {"render.findings"},
    "doctor": {"server", "session", "session.blocking"},
    "magics": {"acp", "server", "terminal", "doctor", "render"},
    "many": {"magics", "render", "widgets"},
    "cli": {"server", "quickstart", "doctor", "render", "verify"},
    "telemetry": {"session.blocking"},
    "__init__": {
        *("errors", "retry", "api", "types", "server", "stored", "changes", "transcript", "functions", "session"),
        "acp",
        *("session.blocking", "session.prompt", "session.recorded.replay", "spending", "oneshot", "widgets", "magics"),
        "many",
    },
}
"""The rooms that it may import later, inside a function, or for types, beside the above."""

IN_NOTEBOOKS = {"kernel", "kernel.values", "widgets", "magics"}
ONLY_IN: dict[str, set[str]] = {
    "httpx": {"api"},
    "websockets": {"api"},
    "markdown_it": {"render.markdown"},
    "math_core": {"render.markdown"},
    "mdit_py_plugins": {"render.markdown"},
    "pygments": {"render.markup"},
    "anywidget": IN_NOTEBOOKS,
    "ipywidgets": IN_NOTEBOOKS,
    "traitlets": IN_NOTEBOOKS,
    "IPython": IN_NOTEBOOKS,
    "ipykernel": IN_NOTEBOOKS,
    "acp": {"acp"},
    "mcp": {"tools"},
    "mcp_types": {"tools"},
    "starlette": {"tools"},
    "uvicorn": {"tools"},
    "pydantic": {"functions", "results"},
    "pydantic_core": {"functions", "results"},
    "jsonschema": {"results"},
    "referencing": {"results"},
    "nbclient": {"quickstart", "verify"},
    "nbconvert": {"quickstart"},
    "jupyterlab": {"cli"},
    "prompt_toolkit": {"cli"},
    "opentelemetry": {"telemetry"},
}
"""Library -> the only rooms that may import it, at once or lazily."""

PUBLIC = """
    __version__ load_ipython_extension unload_ipython_extension
    Client AsyncClient Record types
    serve Server
    ask map amap Opencode AsyncOpencode AcpAgent AsyncAcpAgent Transport
    Session AsyncSession Attachment Turn ToolCall Diff FileDiff Budget
    Hook Hooks
    tool FunctionTool Tools confirm choose input
    StoredSession stored_session stored_sessions
    ChatPanel chat DiffView diff replay
    OpencodeError DiffConflictError PromptBlockedError
    ServerError BinaryNotFoundError ServerStartError ServerExitedError
    APIConnectionError APITimeoutError
    APIStatusError BadRequestError AuthenticationError PermissionDeniedError NotFoundError ConflictError
    UnprocessableEntityError RateLimitError InternalServerError
    NotSupportedError
    InvalidResponseError ModelError NoModelError InvalidModelError
    TurnError AbortedError BudgetExceededError StructuredOutputError ContextOverflowError ContentFilterError
    OutputLimitError ProviderAuthError ProviderOverloadedError ServerGoneError TurnRateLimitError TurnTimeoutError
    Retry RetryDecision evaluate_retry
""".split()  # noqa: SIM905  # in groups, as the package's documentation has them
"""Every name that `opencode_nb` gives out. Adding one is a promise to keep it."""

MACHINE_PATHS = re.compile(r"(?<![\w.])/(root|work/(main|shared)|tmp/w|opt/(pypi|wheels))\b")
REGISTRIES = re.compile(r"registry\.npmjs|npmmirror|pypi\.(org|io)|pythonhosted\.org|index-url")


def room(module: str) -> str:
    """Return the room of a module: the longest of the plan, as `render.diff` for `opencode_nb.render.diff.rows`."""
    names = [*module.split("."), "__init__"][1:]
    every = (".".join(names[:count]) for count in range(len(names), 0, -1))
    return next((name for name in every if name in AT_ONCE), names[0])


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def own_room(file: Path) -> str:
    return room(module_name(file, ROOT))


@cache
def imports_of(file: Path) -> list[Import]:
    return imports(file, ".".join(file.relative_to(ROOT).parent.parts))


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def through_the_wall(file: Path) -> Iterator[str]:
    """Tell each import of the package's own modules that the plan does not have."""
    here = own_room(file)
    at_once = AT_ONCE[here] | {here, "_version"}
    later = at_once | LAZILY.get(here, set())
    for found in imports_of(file):
        if found.module.split(".")[0] != "opencode_nb":
            continue
        if room(found.module) not in (at_once if found.when == "at once" else later):
            yield f"{named(file)}:{found.line} imports {found.module} {found.when}"


def out_of_its_room(file: Path) -> Iterator[str]:
    """Tell each import of a library that belongs to other rooms only."""
    for found in imports_of(file):
        rooms = ONLY_IN.get(found.module.split(".")[0])
        if rooms is not None and own_room(file) not in rooms and found.when != "for types":
            yield f"{named(file)}:{found.line} imports {found.module}, which only {', '.join(sorted(rooms))} may"


def test_every_module_stands_in_a_room_of_the_plan() -> None:
    assert {own_room(file) for file in modules()} <= set(AT_ONCE)


def test_the_plan_has_one_direction() -> None:
    """What a room imports stands above it in the table: so no rooms can import each other."""
    order = list(AT_ONCE)
    for plan in (AT_ONCE, LAZILY):
        for here, others in plan.items():
            assert [other for other in others if order.index(other) >= order.index(here)] == [], here


def test_imports_go_down_only() -> None:
    assert [line for file in modules() for line in through_the_wall(file)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(import_graph(PACKAGE)) == []


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle, the first again as the last; [] where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])[::-1]
    return []


ANY_NUMBER = {"opencode_nb/api", "opencode_nb/api/types", "tests/recordings"}
"""Folders of what is generated or recorded."""


def test_no_folder_has_more_than_twenty_files() -> None:
    """A folder that is read at a glance."""
    files = [file for file in tracked() if file.is_relative_to(PACKAGE) or file.is_relative_to(TESTS)]
    count = Counter(named(file.parent) for file in files)
    assert {folder: n for folder, n in count.items() if n > 20 and folder not in ANY_NUMBER} == {}


def test_no_module_has_more_than_440_lines() -> None:
    """A file that has one duty. One that outgrows this has two: cut it by duty."""
    lines = {named(file): file.read_text(encoding="utf-8").count("\n") for file in modules()}
    assert {file: n for file, n in lines.items() if n > 440 and "/api/types/" not in file} == {}


def test_no_method_is_a_stub() -> None:
    """A base class that needs something of its subclass says so by `abc.abstractmethod`."""
    assert [named(file) for file in modules() if "raise NotImplementedError" in file.read_text(encoding="utf-8")] == []


FOR_THE_PACKAGE = {"_async"}
"""Private names that other files may use: the async original of a blocking class."""

OF_OTHERS = re.compile(
    r"__.+__|_repr_\w+_|_(asdict|replace|fields|exit|SubParsersAction|reply_subshell_for|current_frames)"
)
"""Names with an underscore that belong to Python and its libraries."""


def private_uses(file: Path) -> Iterator[str]:
    """Tell each use of another object's private member that this file does not define."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    used = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr.startswith("_")]
    of_self = [node for node in used if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")]
    own |= {node.attr for node in of_self}
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    for node in used:
        of_class = isinstance(node.value, ast.Name) and node.value.id in classes  # inherited
        if not (of_class or node.attr in own | FOR_THE_PACKAGE or OF_OTHERS.fullmatch(node.attr)):
            yield f"{named(file)}:{node.lineno} uses {ast.unparse(node)}"


def test_private_members_are_used_in_their_own_file_only() -> None:
    assert [line for file in modules() for line in private_uses(file)] == []


def test_libraries_stay_in_their_rooms() -> None:
    assert [line for file in modules() for line in out_of_its_room(file)] == []


def test_only_one_module_of_the_pure_rooms_starts_a_program() -> None:
    pure = (file for file in modules() if own_room(file).split(".")[0] in ("diffs", "transcript", "render"))
    starting = [file for file in pure if any(found.module.split(".")[0] == "subprocess" for found in imports_of(file))]
    assert [named(file) for file in starting] == ["opencode_nb/diffs/git_diff.py"]


def test_the_public_face_is_this() -> None:
    assert sorted(opencode_nb.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(opencode_nb))
    for name in PUBLIC:
        assert getattr(opencode_nb, name) is not None


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {
        *("httpx", "IPython", "anywidget", "traitlets", "mcp", "pydantic", "jsonschema"),
        *("anyio", "rich", "pygments", "markdown_it"),
    }
    code = f"import sys, opencode_nb; print(sorted({heavy} & set(sys.modules)))"
    assert run_python(Path(sys.executable), code) == "[]"


def test_loading_the_extension_loads_what_the_magics_offer_and_not_what_they_do() -> None:
    """The rest is loaded by the first prompt, while the server starts: `%load_ext` must stay quick."""
    late = [
        "changes.diff",
        "diffs",
        "failures",
        "functions",
        "many",
        "recording",
        "render",
        "results",
        "server",
        "stored",
    ]
    late += ["kernel.cells.tools", "kernel.memory", "kernel.running", "kernel.values.tools", "tools.server", "widgets"]
    late += [f"session.{name}" for name in ("blocking", "connection", "hooks", "incoming", "session", "turn")]
    theirs = ["anywidget", "httpx", "ipywidgets", "markdown_it", "mcp", "pydantic", "rich"]
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell; "
        "InteractiveShell.instance().run_line_magic('load_ext', 'opencode_nb'); "
        f"print([name for name in {theirs + [f'opencode_nb.{name}' for name in late]} if name in sys.modules])"
    )
    assert run_python(Path(sys.executable), code) == "[]"


def test_the_command_loads_what_it_runs_only() -> None:
    heavy = "{'httpx', 'IPython', 'anyio', 'rich', 'markdown_it', 'prompt_toolkit', 'asyncio', 'nbformat'}"
    code = f"import sys; from opencode_nb import cli; cli._parser(); print(sorted({heavy} & set(sys.modules)))"
    assert run_python(Path(sys.executable), code) == "[]"


def test_the_package_runs_as_the_command() -> None:
    command = [sys.executable, "-m", "opencode_nb", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.split()[:2] == ["opencode_nb", opencode_nb.__version__]


def test_the_demo_needs_the_standard_library_only() -> None:
    for file in (PACKAGE / "demo").glob("*.py"):
        names = {found.module.split(".")[0] for found in imports_of(file)}
        assert names <= {*sys.stdlib_module_names, "opencode_nb"}, named(file)


# --- what is kept and shipped -----------------------------------------------------------------------------------------


def tracked() -> list[Path]:
    """Return the files under version control, or all of an unpacked source distribution."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRIES], ids=["machine paths", "package registries"])
def test_no_file_tells_where_it_was_made(pattern: re.Pattern[str]) -> None:
    told = []
    for file in tracked():
        if file != Path(__file__) and file.suffix not in (".png", ".gif"):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if pattern.search(line):
                    told.append(f"{named(file)}:{number} {line.strip()[:100]}")
    assert told == []


@pytest.fixture(scope="module")
def wheel(not_quick: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(directory.glob("*.whl"))


def test_the_wheel_has_the_whole_package(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    files = {named(file) for file in PACKAGE.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert files <= shipped
    assert {
        "opencode_nb/py.typed",
        "opencode_nb/static/turn/turn.js",
        "opencode_nb/notebooks/quickstart.ipynb",
    } <= shipped
    assert not [name for name in shipped if name.startswith(("tests/", "benchmarks/"))]


def test_the_wheel_works_where_nothing_else_is_installed(wheel: Path, tmp_path: Path) -> None:
    """Every module must import with the declared dependencies alone: no test tool, no JupyterLab."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, cwd=tmp_path)
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in modules() if file.stem != "__main__"]
    code = f"import importlib; [importlib.import_module(name.removesuffix('.__init__')) for name in {names!r}]"
    run_python(python, code, cwd=tmp_path)
    assert "demo" in subprocess.run([python.with_name("opencode-nb"), "--help"], capture_output=True, text=True).stdout


def run_python(python: Path, code: str, cwd: Path = ROOT) -> str:
    """Run `code` in an interpreter of its own and return what it prints; a failure shows what it said."""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
