"""What a cell is for, the names that it needs and sets, and what depends on hidden state or order."""

from __future__ import annotations

import pytest

from opencode_nb.verify.cells import CodeCell, code_cells
from opencode_nb.verify.names import names_of
from opencode_nb.verify.order import notes
from opencode_nb.verify.source import without_prompts
from tests.verify.corpus import code

READS_AND_SETS = [
    ("x = y + 1", "y", "", "x"),
    ("x = x + 1", "x", "", "x"),
    ("x += 1", "x", "", "x"),
    ("import numpy as np, os.path\nfrom a import b as c", "", "", "np os c"),
    ("def f(a, *b, c=d, **e):\n    global g\n    g = a + h\n    return lambda i: i + j + c", "d", "h j", "f g"),
    ("class A(B):\n    x = y\n    def m(self): return z", "B y", "z", "A"),
    ("[a for a in b if c(a)]", "b c", "", ""),
    ("total = sum(v for v in {k: w for k, w in d.items()}.values())", "d sum", "", "total"),
    ("for i in n:\n    s = i\nwith open(p) as f:\n    pass", "n open p", "", "i s f"),
    ("try:\n    import q\nexcept E as e:\n    q = None", "E", "", "q e"),
    ("match m:\n    case {'a': [x, *y], **z}: pass\n    case w: pass", "m", "", "x y z w"),
    ("if (n := len(d)) > 3:\n    del d", "d len", "", "n"),
    ("x: int = 3\ny: str\n[a, (b, *c)] = d\nobj.attr = e\nobj[k] = v", "d e int k obj str v", "", "x a b c"),
    ("def f():\n    def g(): return here + there\n    here = 1\n    return g", "", "there", "f"),
    ("%time x = load()\nfiles = !ls\n%matplotlib inline\ndf.head?\nimport os", "load", "", "x files os"),
    ("%%time\nx = y", "y", "", "x"),
    ("%%capture out\nprint(z)", "print z", "", "out"),
    ("total = (a\n    % b)", "a b", "", "total"),
    ("await f(x)", "f x", "", ""),
]


@pytest.mark.parametrize(("source", "reads", "later", "sets"), READS_AND_SETS)
def test_a_cell_reads_and_sets_other_names(source: str, reads: str, later: str, sets: str) -> None:
    found = names_of(source)
    assert (found.reads, found.later, found.sets) == (set(reads.split()), set(later.split()), set(sets.split()))
    assert not found.hidden


@pytest.mark.parametrize("source", ["%run x.py", "from m import *", "%%bash\nls", "exec('a = 1')", "this is no Python"])
def test_a_cell_that_may_set_any_name_is_not_known_as_one(source: str) -> None:
    assert names_of(source).hidden


# -- what is for the agent ---------------------------------------------------------------------------------------------

FOR_THE_AGENT = [
    ("%%prompt -o plan\nDo it, as `x = 1` does.", "", "plan", True),
    ("%prompt fix it", "", "", True),
    ("import os\nturn = %prompt fix it?\nprint(os)", "import os\npass\nprint(os)", "turn", True),
    ("if x:\n    %prompt -o t fix it", "if x:\n    pass", "t", True),
    ("%load_ext opencode_nb\n%opencode start --demo", "%load_ext opencode_nb\npass", "", False),
    ("# the panel\n%opencode chat", "", "", True),
    ("%opencode verify", "", "", False),
    ("%%prompt What does --replay do?", "", "", True),
]


@pytest.mark.parametrize(("source", "rest", "names", "asks"), FOR_THE_AGENT)
def test_what_is_for_the_agent_is_run_again(source: str, rest: str, names: str, asks: bool) -> None:
    found = without_prompts(source)
    assert (found.rest, found.names, found.taken, found.asks) == (rest, set(names.split()), True, asks)


def test_prompts_that_are_played_are_left_out() -> None:
    for source, replaying in (
        ("%%prompt --replay t.jsonl\nhi", False),
        ("%%prompt\nhi", True),
        ("%prompt hi", True),
        ("%prompt -q -m a/b --replay=t hi", False),
    ):
        found = without_prompts(source, replaying=replaying)
        assert (found.rest, found.taken, found.played) == (source, False, True)
    assert without_prompts("%opencode status", replaying=True).rest == ""
    assert without_prompts("x = 5 % prompt").rest == "x = 5 % prompt"


# -- hidden state and order --------------------------------------------------------------------------------------------


def cells(*of: tuple[str, int | None]) -> list[CodeCell]:
    return code_cells([code(source, count=count) for source, count in of])


BELOW = "It reads `x`, which cell 2 (In[1]), below it, sets."
GONE = "It reads `x`, which no cell sets: its value was of code that is no longer here."
AGAIN = "It reads `x` and sets it: each run gives another value, and it may have run more than once."
NOTES: list[tuple[tuple[tuple[str, int | None], ...], dict[int, list[str]]]] = [
    ((("x = 1", 1), ("x = x + 1", 2), ("print(x, len([]))", 3)), {}),
    ((("x", 2), ("x = 1", 1)), {1: [BELOW], 2: ["It last ran before cell 1 (In[2]), which stands above it."]}),
    (
        (("x = 1", 5), ("y = 2", 4), ("%run a.py", 3), ("1 + len([])", 2)),
        {3: ["It last ran before cell 1 (In[5]), which stands above it."]},
    ),
    ((("x", None), ("x = 1", None)), {1: ["It reads `x`, which cell 2, below it, sets."]}),
    ((("import os", 1), ("x", 2)), {2: [GONE]}),
    ((("from a import *", 1), ("x", 2)), {}),
    ((("%%prompt\nmake x", 1), ("x", 2)), {}),
    ((("x = 1", 1), ("x = x + 1", 3)), {2: [AGAIN]}),
    (
        (("x = 1", 1), ("print(x)", 3), ("x = 2", 2)),
        {
            2: ["It read `x` of cell 3 (In[2]); from the top, it reads that of cell 1 (In[1])."],
            3: ["It last ran before cell 2 (In[3]), which stands above it."],
        },
    ),
    ((("def f(): return x", 1), ("f()", 2)), {1: ["Its functions read `x`, which no cell sets."]}),
    ((("def f(): return x", 1), ("x = 2", 2), ("f()", 3)), {}),
    (
        (("Out[3] + _7", 1),),
        {1: [f"It reads `{n}`, which depends on the numbers of the cells' runs." for n in ("Out", "_7")]},
    ),
]


@pytest.mark.parametrize(("of", "said"), NOTES)
def test_a_note_on_hidden_state_is_missing_or_wrong(
    of: tuple[tuple[str, int | None], ...], said: dict[int, list[str]]
) -> None:
    assert notes(cells(*of)) == said
