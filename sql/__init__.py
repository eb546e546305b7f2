"""Relations: one folder a pipeline, one file a relation."""
