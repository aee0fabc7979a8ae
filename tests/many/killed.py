"""A map to be killed: `python -m tests.many.killed URL DIRECTORY FILE COUNT` sends COUNT prompts, and keeps FILE."""

from __future__ import annotations

import os
import sys

import opencode_nb as oc


def main() -> None:
    """Map, and print the texts."""
    url, directory, path, count = sys.argv[1:]
    with oc.Opencode(base_url=url, password=os.environ["PASSWORD"], directory=directory) as ai:
        for turn in oc.map([f"Say exactly: {number}" for number in range(int(count))], ai=ai, resume=path):
            print(turn.text)


if __name__ == "__main__":
    main()
