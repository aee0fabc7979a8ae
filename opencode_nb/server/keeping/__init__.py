"""The parts of the keeper (../keeper.py). Imports little, only from the standard library, and nothing else of ours.

Imported as part of the package, and as top-level `keeping` by the keeper's own interpreter: hence relative imports.
"""
