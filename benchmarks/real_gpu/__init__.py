"""What a machine with a real GPU has to say: the parts of `benchmarks/on_gpu.py`."""
