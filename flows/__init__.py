"""Flows: one module a pipeline; each is a methods section."""
