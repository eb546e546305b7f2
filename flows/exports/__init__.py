"""Files of the programs that pipelines come from, for the scripts that still read them.

A module here is named for its pipeline: `write(lake, folder)` writes them and gives their paths.
"""
