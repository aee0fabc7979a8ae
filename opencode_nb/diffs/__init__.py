"""Differences between two versions of files, as values: read, made, taken back, put together.

Knows nothing of servers, sessions or pages, and touches none of the files it is about: the same versions give the same
values. One module, `git_diff`, starts a program to find out what differs. Texts are str in which every byte that is not
UTF-8 stands as a lone surrogate (`surrogateescape`, as in `os.fsdecode`), so that `encode` gives back the exact bytes.
"""

from __future__ import annotations
