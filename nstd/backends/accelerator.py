"""What torch knows about the GPU of this process; for the record of a job."""

from __future__ import annotations


def peak_memory(device: str) -> int:
    """The most bytes that torch's allocator held on `device`; starts again from here."""
    import torch

    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return peak


def name(device: str) -> str:
    """The model of the GPU."""
    import torch

    return torch.cuda.get_device_name(device)
