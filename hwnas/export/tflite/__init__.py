"""TFLite files (LiteRT), written from the graph: float32, and full-integer INT8."""
