"""Diffs between two versions of a file, as values: parse, build, revert and merge them.

Knows nothing of servers, sessions or pages, and never touches the files it compares: the same versions always give the
same result. Only `git_diff` starts a program. In a text, every byte that is not UTF-8 is a lone surrogate
(`surrogateescape`, as in `os.fsdecode`), so `encode` restores the exact bytes.
"""

from __future__ import annotations
