"""The run directory and its values: directory, schema, history, front, models, measurements."""
