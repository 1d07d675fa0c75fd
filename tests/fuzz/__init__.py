"""Files that are broken at random, through the readers: none may end a run, hang, or take more than it may.

`test_fuzz.py` reads some hundred of them; `python -m tests.fuzz --files 10000` as many as wanted.
"""
