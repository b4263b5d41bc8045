"""What `nstd bench gpu` measures on one accelerator, step by step."""
