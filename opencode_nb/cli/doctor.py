"""`opencode-nb doctor`: check the set-up, and say how to fix what is wrong."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

DESCRIPTION = """\
Check everything opencode_nb depends on: the program, whether a server starts, which model prompts go to, ripgrep and
git, Python and Jupyter, the directories it writes to, the environment. Each line is ok, a warning or a problem, with
what to do about it. Values of environment variables are not shown.

The exit code is 1 if there is a problem, else 0."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of `doctor`."""
    parser = commands.add_parser(
        "doctor",
        help="check the set-up, and say how to fix what is wrong",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-d", "--directory", type=Path, metavar="DIR", help="the agent's working directory (default: the current one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from opencode_nb.cli.ending import ending_signals
    from opencode_nb.doctor import Finding, examine, summary

    findings: list[Finding] = []
    with ending_signals():
        for finding in examine(options.directory):
            findings.append(finding)
            if not options.json:
                print(finding, flush=True)
    healthy = all(finding.status != "problem" for finding in findings)
    if options.json:
        print(json.dumps({"ok": healthy, "checks": [asdict(finding) for finding in findings]}, indent=2))
    else:
        print(summary(findings))
    return 0 if healthy else 1
