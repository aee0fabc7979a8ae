"""Figures and images that the agent's code shows or leaves open: PNG files of ours, and the user's figures stay."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from opencode_nb.kernel.running.execution import Ran

Run = Callable[..., Ran]
INLINE = "module://matplotlib_inline.backend_inline"
DRAW = "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\n"


def sizes(ran: Ran) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(png)).size for png in ran.images]


@pytest.fixture(params=[INLINE, "agg"], ids=["inline", "agg"])
def backend(request: pytest.FixtureRequest, shell: InteractiveShell) -> str:
    """The inline backend as a kernel has it, and one that shows nothing."""
    shell.run_cell(f"import matplotlib\nmatplotlib.use({request.param!r})\nimport matplotlib.pyplot as plt")
    if request.param == INLINE:
        from matplotlib_inline.backend_inline import configure_inline_support  # needs matplotlib

        configure_inline_support(shell, INLINE)
    return str(request.param)


@pytest.mark.parametrize("end", ["", "plt.gcf()", "display(plt.gcf()); plt.close()"])
def test_a_figure_is_one_image(run: Run, backend: str, end: str) -> None:
    ran = run(DRAW + end)
    assert len(ran.images) == 1
    assert [block["kind"] for block in ran.blocks] == ["image"]


def test_a_large_figure_is_made_small(run: Run, backend: str) -> None:
    ran = run("import matplotlib.pyplot as plt\nplt.figure(figsize=(90, 9), dpi=300)\nplt.plot([1]); plt.show()")
    assert max(sizes(ran)[0]) in range(700, 1025)


def test_the_users_open_figure_stays_his(run: Run, shell: InteractiveShell, backend: str) -> None:
    shell.user_ns["mine"] = figure = shell.user_ns["plt"].figure()
    assert len(run(DRAW).images) == 1
    assert shell.user_ns["plt"].gcf() is figure


def test_a_displayed_picture_is_encoded_anew(run: Run) -> None:
    ran = run("from PIL import Image\ndisplay(Image.new('RGB', (3000, 10)))\nImage.new('L', (5, 5))")
    assert sizes(ran) == [(1024, 3), (5, 5)]


def test_a_figure_that_cannot_be_drawn_is_an_error_of_its_own(run: Run, backend: str) -> None:
    ran = run("import matplotlib.pyplot as plt\nplt.title(r'$\\frac{$'); plt.show()")
    assert "ParseSyntaxException" in "".join(block.get("text", "") for block in ran.blocks)
