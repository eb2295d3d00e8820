"""What tells a service how much of a shared card is its own."""

from collections.abc import Mapping

from frontdesk.system.layout.gpu import Slot


def mps_limits(slot: Slot, pipe: str) -> Mapping[str, str]:
    """The variables by which CUDA's Multi-Process Service bounds one client: percent of threads, and memory.

    `pipe` is the folder where the service listens
    (docs.nvidia.com/deploy/mps, "Environment Variables").
    """
    return {
        "CUDA_MPS_PIPE_DIRECTORY": pipe,
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(slot.compute),
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": f"0={slot.memory // 2**20}M",
    }
