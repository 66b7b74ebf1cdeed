"""Texts that say nothing about a cause: TensorFlow's guesses, and log lines that it prints on healthy machines too."""

from __future__ import annotations

ADVICE: tuple[str, ...] = (
    "This is probably because cuDNN failed to initialize, so try looking to see if a warning log message was "
    "printed above",
    "Failure to initialize cublas may be due to OOM",
    "Possibly insufficient driver version",
    "or may be because this binary was not built with support for the GPU in your machine",
    "If the cause is memory fragmentation maybe the environment variable",
    "to avoid OOM due to memory fragmentation",
    "Hint: If you want to see a list of allocated tensors when OOM happens",
    "This could mean that the variable was uninitialized",
    "If using a binary install, upgrade your CuDNN library",
    "If building from sources, make sure the library loaded at runtime",
    "Please make sure the missing libraries mentioned above are installed properly",
    "Make sure the device specification refers to a valid device",
)
"""Sentences in which TensorFlow guesses or advises; printed whatever the reason, blanked before anything is matched."""

HARMLESS: tuple[str, ...] = (
    "oneDNN custom operations are on",
    "This TensorFlow binary is optimized",
    "To enable the following instructions:",
    "To enable them in other operations, rebuild TensorFlow",
    "Your CPU supports instructions that this TensorFlow binary was not compiled to use",
    "All log messages before absl::InitializeLog() is called are written to STDERR",
    "Unable to register {cuFFT|cuDNN|cuBLAS} factory",
    "Attempting to register factory for plugin",
    "computation placer already registered",
    "successful NUMA node read from SysFS had negative value",
    "could not open file to read NUMA node",
    "Could not identify NUMA node of platform",
    "The caller indicates that this is not a failure",
    "TF-TRT Warning",
    "Could not load dynamic library {'|}libnvinfer",
    "Could not dlopen library {'|}libnvinfer",
    "Relying on driver to perform ptx compilation",
    "this does not indicate an error and you can ignore this message",
    "None of the MLIR Optimization Passes are enabled",
    "MLIR V1 optimization pass is not enabled",
    "XLA_GPU and XLA_CPU devices are deprecated",
    "this does not guarantee that XLA will be used",
    "Compiled cluster using XLA!",
    "Local rendezvous recv item cancelled",
    "Ignore this message unless multi-node NVLink is used",
    "TensorFloat-32 will be used for the matrix multiplication",
    "Failed to find bogomips or clock in /proc/cpuinfo",
    "Delay kernel timed out",
    "Filling up shuffle buffer",
    "layout failed: INVALID_ARGUMENT: Size of values",
    "Error retrieving driver version: UNIMPLEMENTED",
    "retrieving CUDA diagnostic information for host",
    "CUPTI_ERROR_",
    "Insufficient privilege to run libcupti",
    "End of sequence",
)
"""Log lines that are dropped: they stand in logs of healthy runs, or repeat what another line says."""
