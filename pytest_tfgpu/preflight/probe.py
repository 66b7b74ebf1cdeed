"""What NVIDIA's libraries say of themselves, through ctypes. For the child only: this starts the driver."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from pytest_tfgpu.environment.loaded import mapped


def driver(name: str | None = None) -> dict[str, Any]:
    """Load the driver's library and ask it what TensorFlow will ask it; JSON of a `Driver`.

    `cuInit` and the questions for devices create no context and take no GPU memory.
    """
    try:
        library = ctypes.CDLL(name or ("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"))
        code = int(library.cuInit(0))
    except (OSError, AttributeError) as error:
        return {"loaded": False, "message": str(error)}
    answer: dict[str, Any] = {"loaded": True, "code": code}
    version = _integer(library, "cuDriverGetVersion")
    if version:
        answer["cuda"] = f"{version // 1000}.{version % 1000 // 10}"
    if code:
        answer["error"] = _error_name(library, code)
        return answer
    count = _integer(library, "cuDeviceGetCount")
    answer["count"] = count
    answer["devices"] = [_device(library, ordinal) for ordinal in range(count or 0)]
    return answer


def cudnn_version() -> str | None:
    """Return the version of the cuDNN that is loaded in this process, as it says; None: none is (Linux)."""
    try:
        path = next(path for path in mapped() if "/libcudnn.so" in path)
        get = ctypes.CDLL(path).cudnnGetVersion
    except (OSError, StopIteration, AttributeError):
        return None
    get.restype = ctypes.c_size_t
    number = int(get())
    scale = 10000 if number >= 90000 else 1000
    return f"{number // scale}.{number % scale // 100}.{number % 100}"


def memory_left_mib(ordinal: int) -> int:
    """Return the free memory of a GPU that this process uses, in MiB; -1 where the driver doesn't say.

    Asks in the context that TensorFlow made; the thread's own context is put back.
    """
    device, context, before = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        if library.cuDeviceGet(ctypes.byref(device), ordinal) or library.cuCtxGetCurrent(
            ctypes.byref(before)
        ):
            return -1
        if library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
            return -1
        try:
            if library.cuCtxSetCurrent(context):
                return -1
            code = library.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
            library.cuCtxSetCurrent(before)
        finally:
            library.cuDevicePrimaryCtxRelease_v2(device)
    except (OSError, AttributeError):
        return -1
    return -1 if code else free.value >> 20


def _integer(library: ctypes.CDLL, function: str) -> int | None:
    """Return what a function `CUresult f(int *)` of the driver writes; None where it fails or is missing."""
    call, value = getattr(library, function, None), ctypes.c_int()
    return value.value if call is not None and call(ctypes.byref(value)) == 0 else None


def _error_name(library: ctypes.CDLL, code: int) -> str | None:
    call, text = getattr(library, "cuGetErrorName", None), ctypes.c_char_p()
    if call is None or call(code, ctypes.byref(text)) != 0 or text.value is None:
        return None
    return text.value.decode(errors="replace")


def _device(library: ctypes.CDLL, ordinal: int) -> dict[str, Any]:
    """Return uuid and name of one GPU, as far as the driver tells them."""
    handle, found = ctypes.c_int(), {}
    get = getattr(library, "cuDeviceGet", None)
    if get is None or get(ctypes.byref(handle), ordinal) != 0:
        return {}
    uuid = ctypes.create_string_buffer(16)
    ask = getattr(library, "cuDeviceGetUuid_v2", None) or getattr(library, "cuDeviceGetUuid", None)
    if ask is not None and ask(uuid, handle) == 0:
        digits = uuid.raw.hex()
        found["uuid"] = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    name, ask = ctypes.create_string_buffer(256), getattr(library, "cuDeviceGetName", None)
    if ask is not None and ask(name, len(name), handle) == 0:
        found["name"] = name.value.decode(errors="replace")
    return found
