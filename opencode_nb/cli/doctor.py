"""`opencode-nb doctor`: what is wrong with the set-up, and what to do about it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

DESCRIPTION = """\
Look at everything that opencode_nb rests on: the program, whether a server starts, which model prompts go to, the tools
beside it, Python and Jupyter, the directories it writes to, the environment. Each line is ok, a warning or a problem,
and says what to do. No value of an environment variable is shown.

The exit code is 1 if there is a problem, else 0."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="find out what is wrong with the set-up, and what to do",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-d", "--directory", type=Path, metavar="DIR", help="where the agent works (default: here)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
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
