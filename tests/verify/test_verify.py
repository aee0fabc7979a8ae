"""Notebooks run from the top in real kernels: each has many cases, as a kernel takes seconds to start."""

from __future__ import annotations

import io
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from opencode_nb import cli
from opencode_nb.errors import OpencodeError
from opencode_nb.verify import kernel
from opencode_nb.verify.limits import Limits
from opencode_nb.verify.mend import mend
from opencode_nb.verify.report import CellReport, Report
from opencode_nb.verify.verify import verify
from tests.verify.corpus import code, picture, png, printed, raised, value, write

BUSY = 120.0
"""Seconds that a cell may take on a busy machine."""

FRAME = (
    "<div><table class='old'><tr><th></th><th>a</th></tr><tr><th>0</th><td>0.1</td></tr><tr><th>1</th><td>0.2</td></tr>"
    "</table></div>"
)
DRAW = "from PIL import Image\nImage.new('RGB', (4, 3), ({}, 0, 0))"
NOTEBOOK = {
    "sound": code("x = 1\nprint('x is', x)", printed("x is 1\n")),
    "seeded": code("import random\nrandom.seed(1)\nrandom.random()", value("0.13436424411240122"), count=2),
    "random": code("random.SystemRandom().random()", value("0.5"), count=3),
    "frame": code("import pandas as pd\npd.DataFrame({'a': [0.1, 0.2]})", value("", text_html=FRAME), count=4),
    "other frame": code("pd.DataFrame({'a': [0.1, 0.3]})", value("", text_html=FRAME), count=5),
    "figure": code(DRAW.format(200), picture(png((200, 0, 0), comment="of another run")), count=6),
    "other figure": code(DRAW.format(20), picture(png((200, 0, 0))), count=7),
    "time": code(
        "from datetime import datetime\ndatetime.now()", value("datetime.datetime(2020, 1, 2, 3, 4, 5)"), count=8
    ),
    "slow": code("import time\ntime.sleep(0.2)\nprint('slept')", printed("slept\n"), count=9),
    "raises": code("raise ValueError('<b>no</b> `x`')", count=10),
    "uses what is below": code("below + 1", value("6"), count=12),
    "below": code("below = 5", count=11),
    "hidden": code("gone", value("7"), count=13),
    "fails": code("half = 1 / 0", count=14),
    "needs what failed": code("half * 2", value("4"), count=15),
    "input": code("name = input('Name? ')", count=16),
    "tagged": code("1 / 0", raised("ZeroDivisionError", "division by zero"), count=17, tags=("raises-exception",)),
    "left out": code("1 / 0", count=18, tags=("skip-execution",)),
    "prompt": code("%%prompt -o turn\nMake made_by_agent.", count=19),
    "its turn": code("answer = turn.text", count=20),
    "its value": code("_.cost", count=21),
    "what follows": code("print(answer)", count=22),
    "what it made": code("made_by_agent", value("1"), count=23),
    "sends": code("from opencode_nb.api.verifying import refuse_acts\nsent = refuse_acts()"),
    "reads what was sent": code("sent", value("1")),
    "new": code("print('never run')", count=None),
    "check": code("assert x == 2", count=24),
    "after a check": code("open('deployed', 'w').close()", count=25),
}
EXPECTED = {
    "random": "differs",
    "other frame": "differs",
    "other figure": "differs",
    "raises": "raises",
    "uses what is below": "raises",
    "hidden": "raises",
    "fails": "raises",
    "needs what failed": "unrun",
    "input": "raises",
    "left out": "skipped",
    "prompt": "skipped",
    "its turn": "depends",
    "its value": "depends",
    "what follows": "depends",
    "what it made": "depends",
    "sends": "depends",
    "reads what was sent": "depends",
    "new": "new",
    "check": "raises",
    "after a check": "unrun",
}
"""The cells that are not as they were."""


@pytest.fixture(scope="module")
def folder(not_quick: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verified")


@pytest.fixture(scope="module")
def steps() -> list[str]:
    return []


@pytest.fixture(scope="module")
def report(folder: Path, steps: list[str]) -> Report:
    path = write(folder / "every.ipynb", *NOTEBOOK.values())
    before = path.read_bytes()
    found = verify(path, Limits(cell=BUSY), steps.append, notes=["A note of the caller."])
    assert path.read_bytes() == before
    return found


def cell_of(report: Report, name: str) -> CellReport:
    return report.cells[list(NOTEBOOK).index(name)]


def test_cells_are_not_judged_as_they_should_be(report: Report) -> None:
    statuses = dict(zip(NOTEBOOK, (cell.status for cell in report.cells), strict=True))
    assert statuses == {name: EXPECTED.get(name, "same") for name in NOTEBOOK}
    assert not report.ok


SAID = {
    "random": "It shows another value.",
    "other frame": "It shows another table.",
    "other figure": "It draws another picture. 12 of its 12 pixels differ.",
    "raises": "ValueError: <b>no</b> `x`",
    "uses what is below": "It reads `below`, which cell 12 (In[11]), below it, sets.",
    "hidden": "It reads `gone`, which no cell sets: its value was of code that is no longer here.",
    "needs what failed": "It reads `half`, which cell 14 was to set.",
    "input": "It asks for input, which nobody can give in a run from the top.",
    "its turn": "It reads `turn` of cell 19.",
    "its value": "It reads the value of cell 19.",
    "what follows": "It reads `answer` of cell 20.",
    "what it made": "It reads `made_by_agent`, which the prompt in cell 19 may have set.",
    "sends": "It sends something to the agent from Python.",
    "reads what was sent": "It reads `sent` of cell 24.",
    "after a check": "The check in cell 27 failed.",
}


@pytest.mark.parametrize("name", SAID)
def test_the_report_does_not_say_why(report: Report, name: str) -> None:
    assert SAID[name] in cell_of(report, name).finding.lines


def test_the_report_lacks_what_differs(report: Report, folder: Path) -> None:
    assert cell_of(report, "other frame").finding.blocks == ("- 1 | 0.2\n+ 1 | 0.3",)
    assert "ZeroDivisionError" in cell_of(report, "fails").traceback
    assert not (folder / "deployed").exists()
    assert report.summary == "every.ipynb is not sound: 6 cells raise, 3 cells differ, 2 cells were not run."
    assert report.ran.startswith("Run from the top in a fresh kernel (python3, ")
    assert report.ran.endswith(
        "2 cells were not run again, 1 cell has nothing to compare with, 8 cells show what they showed."
    )


def test_the_progress_is_not_told(report: Report, steps: list[str]) -> None:
    assert steps[:2] == ["Starting a fresh kernel", f"Running cell 1 of {len(NOTEBOOK)}"]
    assert steps[-1] == f"Running cell {len(NOTEBOOK) - 1} of {len(NOTEBOOK)}"


def test_a_form_of_the_report_is_not_escaped_or_lacks_something(report: Report) -> None:
    forms = report._repr_mimebundle_()
    for text in (forms["text/plain"], forms["text/markdown"], forms["text/html"]):
        assert "Cell 10" in text
        assert "A note of the caller." in text
    assert "<b>no" not in forms["text/html"]
    assert r"\<b\>no\</b\> \`x\`" in forms["text/markdown"]
    written = io.StringIO()
    Console(file=written, width=200).print(report)
    assert "✗ Cell 10 (In[10]) raises." in written.getvalue()


def test_a_model_is_told_data_that_is_not_marked_as_data(report: Report) -> None:
    structure = "".join(text for text, is_data in report.told() if not is_data)
    assert f"Cell 5 (In[5]) differs. Its id: {report.cells[4].id}" in structure
    assert not [word for word in ("<b>", "pd.", "0.3", "made_by_agent") if word in structure]


def test_a_report_of_many_cells_or_long_lines_is_too_long_to_save() -> None:
    cells = [CellReport(n, str(n), n, "x" * 10_000, "raises", "E: " + "y" * 10_000) for n in range(1, 301)]
    found = Report(Path("many.ipynb"), "python3", 1.0, cells)
    assert str(found).count("\n    E: ") == 100
    assert "200 more cells are not listed." in str(found)
    assert len(str(found)) < 100_000
    assert len("".join(text for text, _ in found.told())) < 20_000


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.not_quick  # starts a kernel
def test_an_endless_cell_is_not_stopped_or_stops_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "GRACE", 5.0)
    monkeypatch.setattr(kernel, "LARGEST", 2_000_000)
    path = write(
        tmp_path / "endless.ipynb",
        code("while True:\n    pass"),
        code("import time\nwhile True:\n    print('x' * 10_000)\n    time.sleep(0.002)"),
        code("print('after')", printed("after\n")),
        code("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass"),
        code("print('never')", printed("never\n")),
    )
    cells = verify(path, Limits(cell=4.0)).cells
    assert [cell.status for cell in cells] == ["stopped", "stopped", "same", "stopped", "unrun"]
    assert cells[0].reason == "It took longer than 4 s."
    assert cells[1].reason == "It showed more than 2 MB."
    assert cells[3].reason.endswith("It did not stop when it was interrupted, so its kernel was ended.")
    assert cells[4].reason == "The kernel ended in cell 4."


@pytest.mark.not_quick  # starts a kernel
def test_a_kernel_that_dies_is_not_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "dies.ipynb", code("import os\nos._exit(1)"), code("1", value("1"), count=2))
    assert cli.main(["verify", str(path), "--yes", "--timeout", str(BUSY)]) == 1
    said = capsys.readouterr()
    assert said.err == "Starting a fresh kernel…\nRunning cell 1 of 2…\n"
    assert said.out.splitlines()[1:-1] == [
        "✗ Cell 1 (In[1]) was stopped.",
        "    import os",
        "    The kernel died.",
        "≠ Cell 2 (In[2]) was not run.",
        "    1",
        "    The kernel ended in cell 1.",
    ]


@pytest.mark.not_quick  # starts a kernel
def test_an_interrupt_leaves_the_kernel_running(tmp_path: Path) -> None:
    path = write(tmp_path / "long.ipynb", code("while True:\n    pass"))
    before = set(psutil.Process().children())

    def interrupt(step: str) -> None:
        if step.startswith("Running"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(path, tell=interrupt)
    left = set(psutil.Process().children()) - before
    assert psutil.wait_procs(left, timeout=kernel.END_TIMEOUT)[1] == []


def test_a_kernel_that_is_not_installed_is_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(OpencodeError, match=r"The kernel no-such of strange\.ipynb is not installed here"):
        verify(write(tmp_path / "strange.ipynb", code("1"), kernel="no-such"))


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("{", "is not a notebook"), ("[]", "is not a")])
def test_a_file_that_is_no_notebook_is_a_traceback(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "odd.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OpencodeError, match=said):
        verify(path)


# -- mending -----------------------------------------------------------------------------------------------------------


def test_mending_goes_on_too_long_or_not_long_enough(tmp_path: Path) -> None:
    path = tmp_path / "mended.ipynb"

    def reports(*changes: str, rounds: int) -> int:
        """Return how often the notebook is run, if each turn writes this; "sound" mends it."""
        path.write_text("broken")
        left = iter(changes)

        def check() -> Report:
            status = "same" if path.read_text() == "sound" else "raises"
            return Report(path, "python3", 1.0, [CellReport(1, "a", 1, "x", status)])

        return len(list(mend(check, lambda _report: path.write_text(next(left)), rounds, path.read_text)))

    assert reports(rounds=0) == 1
    assert reports("sound", rounds=3) == 2
    assert reports("better", "sound", rounds=3) == 3
    assert reports("better", "still", rounds=2) == 3
    assert reports("broken", rounds=3) == 1
