"""What a network costs, predicted: counts, memory, kernels, latency tables and their fit,
metrics."""
