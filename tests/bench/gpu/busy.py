"""The share of time in which a GPU computes, by NVIDIA's own counter."""

from __future__ import annotations

import threading
from types import TracebackType

from vllm.platforms import current_platform
from vllm.third_party import pynvml

INTERVAL = 0.1  # s


class BusyShare:
    """Reads the counter ten times a second, in a thread, while its block runs.

    The counter is the share of its last period (up to 1 s) in which any kernel ran. `share` is the
    mean, None without an NVIDIA GPU.
    """

    def __init__(self) -> None:
        self._readings: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where nothing was read."""
        return sum(self._readings) / len(self._readings) / 100 if self._readings else None

    def __enter__(self) -> BusyShare:
        if current_platform.is_cuda():
            pynvml.nvmlInit()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if current_platform.is_cuda():
            self._thread.join()
            pynvml.nvmlShutdown()

    def _read(self) -> None:
        number = current_platform.device_id_to_physical_device_id(0)
        device = pynvml.nvmlDeviceGetHandleByIndex(number)
        while not self._stop.wait(INTERVAL):
            self._readings.append(pynvml.nvmlDeviceGetUtilizationRates(device).gpu)
