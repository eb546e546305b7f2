"""The lake: store, schemas, readers, query and command, and the first pipeline on real photons."""
