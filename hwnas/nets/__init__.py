"""torch modules: primitives, discrete networks and the weight-sharing supernet."""
