"""The same verdicts over columns, for ledgers too large for plain Python. The specification is the reference beside this folder.

What is here never judges on its own: the kernel replays markets whose every number is safe in 64 bits, the screen drops rows that cannot
break a law, and what is left, with every case out of the ordinary, goes through the reference.
"""
