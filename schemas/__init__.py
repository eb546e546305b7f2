"""Declarations: one module a pipeline."""
