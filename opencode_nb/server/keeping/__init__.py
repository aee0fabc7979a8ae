"""What the keeper (../keeper.py) is made of. Standard library only, and little of that; imports nothing else of ours.

Imported as part of the package, and as the top-level `keeping` by the keeper's own interpreter: hence relative imports.
"""
