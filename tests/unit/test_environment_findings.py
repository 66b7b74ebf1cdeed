"""The findings: each fault that facts show, with its cause, evidence and help."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, none, one_of, sampled_from, text

import pytest_tfgpu
from pytest_tfgpu.environment.faults import RULES
from pytest_tfgpu.environment.findings import findings
from pytest_tfgpu.environment.presence import presence
from pytest_tfgpu.model import BuiltFor, EvidenceLine, Facts, Finding, Gpu, GpuProcess, Help, Library

SITE = "/venv/lib/python3.12/site-packages"
LIBCUDA = Library("libcuda.so.1", path="/usr/lib/libcuda.so.1", version="555.42.06", provider="ldconfig")
T4 = Gpu(
    index=0,
    name="Tesla T4",
    uuid="GPU-1",
    compute_capability="7.5",
    memory_total_mib=15360,
    memory_free_mib=15000,
)
HEALTHY = Facts(
    tensorflow="2.21.0",
    tensorflow_distribution="tensorflow",
    tensorflow_path=f"{SITE}/tensorflow",
    is_cuda_build=True,
    built_for=BuiltFor("12.5.1", "9.3", ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90")),
    platform="linux",
    driver="555.42.06",
    driver_cuda="12.5",
    cudnn="9.3.0",
    gpus=(T4,),
    visible_gpus=(0,),
    libraries=(LIBCUDA,),
    device_files=("/dev/nvidia0",),
)
BARE = Facts(
    tensorflow="2.21.0",
    tensorflow_distribution="tensorflow",
    is_cuda_build=True,
    libraries=(Library("libcuda.so.1"), Library("libcudart.so.12"), Library("libcudnn.so.9")),
    platform="linux",
    nvml_error=12,
    unknown={"nvml": "NVML's library (libnvidia-ml.so.1) is not found."},
)
SEARCHED = (f"{SITE}/nvidia/cublas/lib", f"{SITE}/nvidia/cudnn/lib", "/lib64")


def only(facts: Facts) -> Finding:
    """Return the one finding of a machine."""
    (finding,) = findings(facts)
    return finding


def test_healthy_machine() -> None:
    """Where nothing is wrong, nothing is said."""
    assert findings(HEALTHY) == ()


def test_machine_without_gpu() -> None:
    """On a machine without a GPU that is said once, as information, and no library is missed."""
    assert only(BARE) == Finding("There is no NVIDIA GPU: no driver, NVML or device file shows one.", "info")


def test_no_tensorflow() -> None:
    """A missing TensorFlow is an error with the flavours to choose from, with a GPU and without one."""
    sentence = "TensorFlow is not installed for this Python."
    none = {"tensorflow": None, "tensorflow_path": None, "is_cuda_build": None, "built_for": None}
    for facts in (HEALTHY, BARE):
        lacking = replace(facts, **none, unknown={**facts.unknown, "tensorflow": sentence})  # type: ignore[arg-type]
        first = findings(lacking)[0]
        assert (first.summary, first.severity, first.cause) == (sentence, "error", None)
        assert [help_.text for help_ in first.help] == [
            'For NVIDIA GPUs: pip install "tensorflow[and-cuda]"',
            "For CPUs only: pip install tensorflow-cpu",
        ]


def test_no_tensorflow_for_this_python() -> None:
    """Where no TensorFlow exists for this Python, another Python is the help, not pip."""
    sentence = "TensorFlow is not installed, and TensorFlow up to 2.21 has no wheel for Python 3.14."
    facts = replace(BARE, tensorflow=None, unknown={"tensorflow": sentence})
    assert findings(facts)[0].help == (Help("Use a Python that TensorFlow has wheels for, 3.10 to 3.13."),)


def test_cpu_only_build() -> None:
    """A CPU build where a GPU is there is an error, with what to install instead."""
    facts = replace(
        HEALTHY, tensorflow_distribution="tensorflow-cpu", is_cuda_build=False, built_for=None, cudnn=None
    )
    finding = only(facts)
    assert finding.summary == "The installed tensorflow-cpu 2.21.0 has no GPU support."
    assert finding.cause == "cpu-only-build"
    assert finding.evidence == (EvidenceLine("is_cuda_build is False", "TensorFlow's build_info.py"),)
    assert finding.help == (
        Help("pip uninstall tensorflow-cpu"),
        Help('pip install "tensorflow[and-cuda]==2.21.0"'),
    )


def test_cpu_only_build_on_windows() -> None:
    """On Windows no package helps: GPU support is inside WSL 2."""
    facts = replace(HEALTHY, platform="windows", is_cuda_build=False, built_for=None)
    (help_,) = only(facts).help
    assert "WSL 2" in help_.text


def test_build_for_other_accelerators() -> None:
    """A ROCm build isn't called one without GPU support."""
    facts = replace(
        HEALTHY, tensorflow_distribution="tensorflow-rocm", is_cuda_build=False, built_for=None, cudnn=None
    )
    assert findings(facts) == ()


def test_two_flavours_installed() -> None:
    """Distributions installed over one another are a warning that names them."""
    text = "tensorflow and tensorflow-cpu are installed over one another."
    facts = replace(HEALTHY, unknown={"tensorflow_distribution": text})
    assert only(facts) == Finding(text, "warning", "python-package-conflict")


@pytest.mark.parametrize(
    ("platform", "word"),
    [("docker", "NVIDIA_DRIVER"), ("wsl", "wsl --shutdown"), ("colab", "runtime"), ("linux", "Install")],
)
def test_driver_library_missing(platform: str, word: str) -> None:
    """A GPU without libcuda.so.1 has no reachable driver; the help fits the platform."""
    facts = replace(HEALTHY, platform=platform, libraries=(Library("libcuda.so.1", searched=("/lib64",)),))
    finding = only(facts)
    assert (finding.cause, finding.severity) == ("driver-missing", "error")
    assert finding.evidence == (EvidenceLine("/lib64", "libcuda.so.1 is not in"),)
    assert word in finding.help[0].text


def test_driver_stub() -> None:
    """A stub that the loader would take for the driver's library is named with its path."""
    stub = Library("libcuda.so.1", path="/usr/local/cuda/lib64/stubs/libcuda.so.1")
    finding = only(replace(HEALTHY, libraries=(stub,)))
    assert finding.cause == "driver-library-mismatch"
    assert finding.evidence[0].text == stub.path


def test_card_without_driver() -> None:
    """A card on the PCI bus without a driver is an error of the driver, though no GPU can be used."""
    facts = replace(BARE, device_files=("/sys/bus/pci/devices/0000:01:00.0",))
    finding = only(facts)
    assert (finding.severity, finding.cause) == ("error", "driver-missing")


def test_nvml_missing() -> None:
    """NVML that is missing beside a driver is named as what is missing, since TensorFlow says nothing."""
    libraries = (LIBCUDA, Library("libnvidia-ml.so.1", searched=(f"{SITE}/nvidia/cublas/lib", "/lib64")))
    finding = only(replace(HEALTHY, libraries=libraries, nvml_error=12, unknown=BARE.unknown))
    assert finding.summary == (
        "TensorFlow can't load NVML (libnvidia-ml.so.1), and without it silently drops every GPU."
    )
    assert finding.cause == "cuda-library-missing"
    assert EvidenceLine("/lib64", "libnvidia-ml.so.1 is not in") in finding.evidence


@pytest.mark.parametrize(
    ("code", "cause", "severity"),
    [
        (9, "driver-missing", "error"),
        (18, "driver-library-mismatch", "error"),
        (999, "driver-unhealthy", "error"),
    ],
)
def test_nvml_refuses(code: int, cause: str, severity: str) -> None:
    """Each way in which NVML refuses has its cause, with NVML's sentence as evidence."""
    finding = only(replace(HEALTHY, nvml_error=code, unknown={"nvml": "NVML said so."}))
    assert (finding.cause, finding.severity) == (cause, severity)
    assert finding.evidence[0] == EvidenceLine("NVML said so.", "NVML")


def test_versions_that_differ_are_quoted() -> None:
    """A mismatch quotes the version of the kernel driver and that of the library."""
    finding = only(replace(HEALTHY, driver="550.1", nvml_error=18, unknown={"nvml": "They differ."}))
    assert finding.evidence[1:] == (
        EvidenceLine("kernel driver 550.1", "/proc/driver/nvidia/version"),
        EvidenceLine("libcuda 555.42.06", "/usr/lib/libcuda.so.1"),
    )


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("NVML did not answer within 2 s.", None), ("NVML crashed (SIGSEGV).", "driver-unhealthy")],
)
def test_nvml_without_an_answer(reason: str, cause: str | None) -> None:
    """An NVML that hangs or crashes is a warning: TensorFlow may still get its answer."""
    assert only(replace(HEALTHY, unknown={"nvml": reason})) == Finding(reason, "warning", cause)


def test_nvml_beside_a_cpu_build() -> None:
    """Where TensorFlow has no GPU support, NVML isn't called what it misses."""
    facts = replace(HEALTHY, is_cuda_build=False, built_for=None, nvml_error=12, unknown=BARE.unknown)
    assert only(facts).cause == "cpu-only-build"


def test_nvml_on_jetson() -> None:
    """A Jetson has no NVML, and that is no fault."""
    assert findings(replace(HEALTHY, platform="jetson", nvml_error=12, unknown=BARE.unknown)) == ()


def test_unclear_machine() -> None:
    """Where only libcuda.so.1 speaks for a driver, what is wrong with NVML is a warning, and no more is said."""
    facts = replace(BARE, libraries=(LIBCUDA, *BARE.libraries[1:]))
    finding = only(facts)
    assert (finding.severity, finding.cause) == ("warning", "cuda-library-missing")


@pytest.mark.parametrize(
    ("driver", "driver_cuda", "severity"),
    [
        ("470.57.02", "11.4", "error"),
        ("535.183.01", "12.2", "warning"),
        ("555.42.06", "12.5", None),
        ("580.65.06", "13.0", None),
        ("470.57.02", None, "error"),
        ("525.60.13", None, None),
        ("1.0", None, "error"),
    ],
)
def test_driver_too_old(driver: str, driver_cuda: str | None, severity: str | None) -> None:
    """An older major version of CUDA can't run the build; an older minor one may lack what is compiled later."""
    library = replace(LIBCUDA, version=driver)
    found = findings(replace(HEALTHY, driver=driver, driver_cuda=driver_cuda, libraries=(library,)))
    assert [(finding.cause, finding.severity) for finding in found] == (
        [("driver-too-old", severity)] if severity else []
    )


def test_cusolver_of_2_21_0() -> None:
    """CuSOLVER's wheel beside a RUNPATH that lacks it is said in words, with the line to type."""
    file = f"{SITE}/nvidia/cusolver/lib/libcusolver.so.11"
    library = Library("libcusolver.so.11", searched=SEARCHED, near=(file,))
    line = f"export LD_LIBRARY_PATH={SITE}/nvidia/cusolver/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    assert only(replace(HEALTHY, libraries=(LIBCUDA, library))) == Finding(
        "TensorFlow 2.21.0 can't load libcusolver.so.11: it is installed where the loader doesn't look.",
        cause="cuda-library-missing",
        evidence=(
            EvidenceLine(file, "installed"),
            EvidenceLine(
                "lacks nvidia/cusolver/lib", "RUNPATH of TensorFlow 2.21.0's libtensorflow_framework.so.2"
            ),
            EvidenceLine(f"{SITE}/nvidia/{{cublas,cudnn}}/lib, /lib64", "libcusolver.so.11 is not in"),
        ),
        help=(Help(line),),
    )


def test_toolkit_off_the_path() -> None:
    """Several libraries that the loader doesn't come by are one finding with one line to type."""
    names = ("libcublas.so.12", "libcublasLt.so.12", "libcufft.so.11")
    folder = "/usr/local/cuda/lib64"
    libraries = [Library(name, searched=("/lib64",), near=(f"{folder}/{name}",)) for name in names]
    libraries.append(Library("libcusparse.so.12", near=("/opt/cuda/lib64/libcusparse.so.12",)))
    finding = only(replace(HEALTHY, libraries=(LIBCUDA, *libraries)))
    assert finding.summary == (
        "TensorFlow 2.21.0 can't load libcublas.so.12, libcublasLt.so.12, libcufft.so.11 and libcusparse.so.12: "
        "they are installed where the loader doesn't look."
    )
    (help_,) = finding.help
    assert help_.text.startswith("export LD_LIBRARY_PATH=/usr/local/cuda/lib64:/opt/cuda/lib64$")


def test_line_to_type_works() -> None:
    """A shell that runs the line has the folder first, before what was on the path, and no empty entry."""
    library = Library("libcublas.so.12", near=("/my cuda/lib64/libcublas.so.12",))
    (help_,) = only(replace(HEALTHY, libraries=(LIBCUDA, library))).help
    for before, after in (("/a", "/my cuda/lib64:/a"), ("", "/my cuda/lib64")):
        done = subprocess.run(
            ["sh", "-c", f'{help_.text}; printf %s "$LD_LIBRARY_PATH"'],
            env={"LD_LIBRARY_PATH": before, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == after


def test_libraries_missing() -> None:
    """Libraries that are nowhere are listed in one finding, cuDNN in another, with where they were looked for."""
    names = ("libcudart.so.12", "libcublas.so.12", "libcusolver.so.11", "libcudnn.so.9")
    libraries = (LIBCUDA, *(Library(name, searched=SEARCHED) for name in names))
    cuda, cudnn = findings(replace(HEALTHY, cudnn=None, libraries=libraries))
    assert cuda.summary == (
        "TensorFlow 2.21.0 can't load libcudart.so.12, libcublas.so.12 and libcusolver.so.11."
    )
    assert (cuda.cause, cudnn.cause) == ("cuda-library-missing", "cudnn-missing")
    assert cudnn.summary == "TensorFlow 2.21.0 can't load libcudnn.so.9."
    assert cudnn.help == (Help('pip install "tensorflow[and-cuda]==2.21.0"'),)
    assert cuda.evidence[0].text == f"{SITE}/nvidia/{{cublas,cudnn}}/lib, /lib64"


def test_installing_alone_does_not_help() -> None:
    """Where the RUNPATH lacks the folder that pip will fill, the help names both steps."""
    library = Library("libcusolver.so.11", searched=SEARCHED)
    helps = [help_.text for help_ in only(replace(HEALTHY, libraries=(LIBCUDA, library))).help]
    assert helps[0] == 'pip install "tensorflow[and-cuda]==2.21.0"'
    assert helps[1].startswith(f"export LD_LIBRARY_PATH={SITE}/nvidia/cusolver/lib$")


def test_another_major_version() -> None:
    """A cuDNN of another major version is quoted beside the one that is missing."""
    library = Library("libcudnn.so.9", searched=("/lib64",), near=("/lib64/libcudnn.so.8",))
    finding = only(replace(HEALTHY, cudnn=None, libraries=(LIBCUDA, library)))
    assert finding.cause == "cudnn-missing"
    assert finding.evidence[0] == EvidenceLine("/lib64/libcudnn.so.8", "another major version")


@pytest.mark.parametrize(
    ("found", "needed", "fits"),
    [
        ("9.3.0", "9.3", True),
        ("9.8.0", "9.3", True),
        ("9.1.0", "9.3", False),
        ("8.9.7", "9.3", False),
        ("10.0.0", "9.3", False),
        ("9.0.0", "9", True),
        ("8.9.6", "8.9", True),
    ],
)
def test_cudnn_version(found: str, needed: str, fits: bool) -> None:
    """The cuDNN found must be of the major version that was built for, and of its minor version or a newer one."""
    facts = replace(HEALTHY, cudnn=found, built_for=BuiltFor("12.5.1", needed))
    assert [finding.cause for finding in findings(facts)] == ([] if fits else ["cudnn-version-mismatch"])


def test_stale_cudnn_on_the_variable() -> None:
    """A stale cuDNN on LD_LIBRARY_PATH is quoted with its path, and pip isn't the help."""
    library = Library("libcudnn.so.9", "/old/libcudnn.so.9", "9.1.0", "LD_LIBRARY_PATH")
    finding = only(replace(HEALTHY, cudnn="9.1.0", libraries=(LIBCUDA, library)))
    assert finding.summary == "cuDNN 9.1.0 is found here; TensorFlow 2.21.0 needs 9.3 or a newer 9."
    assert finding.evidence == (EvidenceLine("/old/libcudnn.so.9", "LD_LIBRARY_PATH"),)
    (help_,) = finding.help
    assert "/old" in help_.text
    assert "pip" not in help_.text


@pytest.mark.parametrize(
    ("capability", "cause"),
    [
        ("5.0", "unsupported-compute-capability"),
        ("6.0", None),
        ("7.5", None),
        ("8.6", None),
        ("9.0", None),
        ("10.0", "kernels-compiled-at-first-use"),
        ("12.0", "kernels-compiled-at-first-use"),
        (None, None),
    ],
)
def test_compute_capability(capability: str | None, cause: str | None) -> None:
    """Binaries serve their own major version from their minor on; PTX serves all that is newer."""
    facts = replace(HEALTHY, gpus=(replace(T4, compute_capability=capability),))
    assert [finding.cause for finding in findings(facts)] == ([cause] if cause else [])


def test_hidden_gpu_is_not_judged() -> None:
    """The age of a GPU that is hidden doesn't matter."""
    facts = replace(HEALTHY, gpus=(T4, replace(T4, index=1, compute_capability="3.5")))
    assert findings(facts) == ()


@pytest.mark.parametrize(
    ("value", "visible", "stop"),
    [("0,7", (0,), "'7'"), ("0,x,1", (0,), "'x'"), ("0,-1", (0,), None), ("0", (0,), None)],
)
def test_visibility_cut(value: str, visible: tuple[int, ...], stop: str | None) -> None:
    """An entry that names no GPU ends the list and is named; -1 ends it on purpose."""
    facts = replace(HEALTHY, visible_gpus=visible, environment={"CUDA_VISIBLE_DEVICES": value})
    found = findings(facts)
    assert [finding.cause for finding in found] == (["gpu-not-visible"] if stop else [])
    assert stop is None or stop in found[0].summary


def test_all_hidden() -> None:
    """GPUs that are all hidden are a warning with the variable as evidence."""
    facts = replace(HEALTHY, visible_gpus=(), environment={"CUDA_VISIBLE_DEVICES": "-1"})
    assert only(facts) == Finding(
        "CUDA_VISIBLE_DEVICES=-1 hides the only GPU.",
        "warning",
        "gpu-not-visible",
        evidence=(EvidenceLine("CUDA_VISIBLE_DEVICES=-1", "environment"),),
        help=(Help("unset CUDA_VISIBLE_DEVICES"),),
    )


def test_memory_held_by_others() -> None:
    """A GPU whose memory is nearly all taken is a warning that names who holds it."""
    full = replace(T4, memory_free_mib=500)
    holder = GpuProcess(pid=42, name="python", memory_mib=14000, gpu=0)
    finding = only(replace(HEALTHY, gpus=(full,), gpu_processes=(holder,)))
    assert finding.summary == "GPU 0 (Tesla T4) has 500 of 15360 MiB free."
    assert (finding.cause, finding.severity) == ("memory-held-by-other-process", "warning")
    assert finding.evidence == (EvidenceLine("process 42 (python): 14000 MiB", "NVML"),)


@pytest.mark.parametrize(
    ("mode", "held", "severities"),
    [
        ("prohibited", False, ["error"]),
        ("exclusive-process", True, ["warning"]),
        ("exclusive-process", False, []),
        ("default", True, []),
    ],
)
def test_compute_mode(mode: str, held: bool, severities: list[str]) -> None:
    """A compute mode that keeps this process off is a fault, an exclusive one only while the GPU is in use."""
    processes = (GpuProcess(pid=42, name="python", gpu=0),) if held else ()
    found = findings(replace(HEALTHY, gpus=(replace(T4, compute_mode=mode),), gpu_processes=processes))
    assert [finding.severity for finding in found] == severities
    assert all(finding.cause == "gpu-busy" for finding in found)


def test_empty_facts() -> None:
    """Facts that say nothing give a finding about TensorFlow and one about the GPU, and no exception."""
    assert [finding.severity for finding in findings(Facts())] == ["error", "info"]


def test_rules_survive_facts_with_holes() -> None:
    """Every rule answers for facts of which any one field is missing."""
    full = HEALTHY.to_json()
    for name in full:
        facts = Facts.from_json({key: value for key, value in full.items() if key != name})
        assert all(isinstance(finding, Finding) for rule in RULES for finding in rule(facts)), name


WORDS = one_of(
    none(), text(max_size=12), sampled_from(["12.5", "9", "sm_", "sm_5", "8.x", "-1", "0,7", "1" * 5000])
)


@given(
    words=lists(WORDS, min_size=8, max_size=8),
    memory=one_of(none(), integers()),
    visible=one_of(none(), lists(integers(0, 3), max_size=3).map(tuple)),
    code=sampled_from([None, 9, 12, 18, 999]),
)
def test_any_facts(
    words: list[str | None], memory: int | None, visible: tuple[int, ...] | None, code: int | None
) -> None:
    """Facts as a hook may lay them over, however odd, give findings and a presence, and no exception."""
    gpu = Gpu(0, words[0], words[1], words[2], memory, memory, words[3])
    facts = replace(
        HEALTHY,
        cudnn=words[4],
        driver=words[5],
        driver_cuda=words[6],
        built_for=BuiltFor(words[7], words[4], tuple(filter(None, words))),
        gpus=(gpu, T4),
        visible_gpus=visible,
        nvml_error=code,
        unknown={} if code is None else {"nvml": "NVML said so."},
        environment={} if words[0] is None else {"CUDA_VISIBLE_DEVICES": words[0]},
    )
    found = findings(facts)
    assert all(finding.summary for finding in found)
    if presence(facts).status == "unusable":
        assert any(finding.severity == "error" for finding in found)


def test_causes_are_known() -> None:
    """Every cause that a rule may name is in the catalogue."""
    package = Path(pytest_tfgpu.__file__).parent
    known = {path.stem.replace("_", "-") for path in (package / "knowledge/causes").glob("*.py")}
    files = [package / "environment/presence.py", *(package / "environment/faults").glob("*.py")]
    source = "".join(path.read_text() for path in files)
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source))
    assert named <= known
    assert {"cpu-only-build", "driver-missing", "cudnn-version-mismatch"} <= named


def test_findings_are_plain_data() -> None:
    """A finding becomes JSON and comes back the same."""
    library = Library("libcusolver.so.11", searched=SEARCHED)
    finding = only(replace(HEALTHY, libraries=(LIBCUDA, library)))
    assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


def test_nvml_missing_under_a_tensorflow_that_does_not_ask_it() -> None:
    """TensorFlow 2.16 works without NVML: that nothing is known of the GPUs is a warning, not a fault."""
    finding = only(replace(HEALTHY, tensorflow="2.16.2", nvml_error=12, unknown=BARE.unknown))
    assert (finding.severity, finding.cause) == ("warning", None)
    assert finding.summary == "NVML gives no answer, so the GPUs of this machine are not known."


def test_one_of_two_gpus_is_too_old() -> None:
    """A GPU that the build has no kernels for is a warning beside one that works, and an error by itself."""
    old = replace(T4, index=1, name="Tesla K80", uuid="GPU-2", compute_capability="3.7")
    mixed = replace(HEALTHY, gpus=(T4, old), visible_gpus=(0, 1))
    finding = only(mixed)
    assert (finding.severity, finding.cause) == ("warning", "unsupported-compute-capability")
    assert presence(mixed).status == "present"
    assert presence(replace(HEALTHY, gpus=(old,))).status == "unusable"
