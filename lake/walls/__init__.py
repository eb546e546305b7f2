"""Three walls around SQL of people we do not trust; `lake.untrusted` is the door.

1. `files`: a database in memory whose only file system holds the files of one snapshot and cannot write.
2. `syntax`: one select over the lake's own names, with functions of values only, before anything is run.
3. `child`: a process a statement, with limits on its memory and time, killed by its parent at the end of them.
"""
