"""Benches of pipelines: each one's own hot paths beside their peers and limits.

A module here is the bench of the pipeline it is named for, found by listing: `lines(folder)` yields a
`lake.bench.Line` a measurement, `QUICK` has smaller values of its keywords.
"""
