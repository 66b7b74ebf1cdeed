"""Machines with simulated GPUs, as values: describe one, then run programs on it.

`Machine(workshop, gpus=(Gpu(),)).without("libcublas.so.12").run_pytest("--tfgpu-preflight")`
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.suite import WITHOUT_NEIGHBOURS

from .process import Completed, Running

if TYPE_CHECKING:
    from .forks import Forks

MIB = 2**20
UNITS = {"B": 1, "KiB": 2**10, "MiB": MIB, "GiB": 2**30}
HIDDEN = re.compile(r"(CUDA|NVIDIA|TF_|TFGPU|PYTEST|TOX_ENV_DIR|XLA|LD_|GITHUB|KERAS|COV_|SIMULATED_GPU)")
"""Variables of the outer session that a program on the machine must not see."""


PTXAS, LIBDEVICE = "ptxas", "libdevice"
FORKED = """
import os, sys, pytest
os.chdir({!r})
status = int(pytest.main({!r}))
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
"""
"""Runs pytest in a folder, with arguments."""

TOOLKITS = (Path("/usr/local/cuda"), Path("/opt/cuda"))
"""Where TensorFlow finds a CUDA toolkit of the real machine, and in it the only libdevice."""


def size(text: str | int) -> int:
    """Return a size such as `8 GiB` in bytes."""
    if isinstance(text, int):
        return text
    number, unit = text.split()
    return int(float(number) * UNITS[unit])


@functools.cache
def built_for() -> tuple[str, str]:
    """Return the CUDA and the cuDNN that the installed TensorFlow was built for, as in `("12.5.1", "9")`."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or spec.origin is None:
        raise LookupError("TensorFlow is not installed")
    text = Path(spec.origin).with_name("python").joinpath("platform", "build_info.py").read_text()
    versions = dict(re.findall(r"\('(cuda_version|cudnn_version)', '([\d.]+)'\)", text))
    return versions["cuda_version"], versions["cudnn_version"]


@functools.cache
def tensorflow_version() -> tuple[int, int]:
    """Return the installed TensorFlow's version, as in `(2, 21)`."""
    major, minor = importlib.metadata.version("tensorflow").split(".")[:2]
    return int(major), int(minor)


def misfit() -> str:
    """Return a version of cuDNN that the installed TensorFlow refuses."""
    return "8.2.4" if built_for()[1].startswith("8") else "8.9.7"


@dataclass(frozen=True)
class Holder:
    """A process, not one of ours, that holds memory of a GPU."""

    memory: str | int
    name: str = "python"
    pid: int = 4242


@dataclass(frozen=True)
class Gpu:
    """A GPU, or an instance of one (MIG)."""

    name: str = "Tesla T4"
    compute_capability: str = "7.5"
    memory: str | int = "8 GiB"
    uuid: str = ""
    """Made from the position where it is empty."""
    exclusive: bool = False
    xid: int = 0
    uncorrected_ecc: int = 0
    remap_pending: bool = False
    remap_failed: bool = False
    clock_reasons: int = 0
    """Bits, as NVML gives them: 0x40 is heat, 0x80 the power brake."""
    temperature: int = 40
    slowdown_temperature: int = 90
    licensed: bool | None = None
    """Of a virtual GPU; None: a real one."""
    holders: tuple[Holder, ...] = ()
    instances: tuple[Gpu, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A call that fails: which function (wildcards allowed), how, after how many calls, how often.

    `code` is the code returned, or `hang`; `count` 0 means from then on. A launch of the kernel `K` is a call
    of `kernel:K`.
    """

    function: str
    code: int | str
    skip: int = 0
    count: int = 0


@dataclass(frozen=True)
class PytestResult(Completed):
    """How a run of pytest ended."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    """As in pytest's last line: `{"passed": 2, "failed": 1}`."""
    report: Any = None
    """The JSON report; None where none was written."""


@dataclass(frozen=True)
class Machine:
    """A machine with simulated GPUs. Nothing is written before the first run."""

    workshop: Path
    """A folder that holds `driver.so`; the machine's own folder is made in it."""
    name: str = ""
    """Machines that differ only in their names are two machines."""
    gpus: tuple[Gpu, ...] = (Gpu(),)
    driver: str = "555.42.06"
    cuda: str = "12.5"
    """The newest CUDA that the driver supports."""
    cudnn: str = ""
    """What the cuDNN library says of itself; made to fit the installed TensorFlow where it is empty."""
    context_memory: str | int = "300 MiB"
    """What each process takes of a GPU that it uses."""
    library_memory: str | int = "64 MiB"
    """What each handle of cuBLAS and of cuDNN takes."""
    missing: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    # --------------------------------------------------------------------------------------- other machines

    def without(self, *libraries: str) -> Machine:
        """Return the same machine without these libraries (`libcublas.so.12`), `ptxas` or `libdevice`."""
        unknown = set(libraries) - {*self.libraries, PTXAS, LIBDEVICE}
        if unknown:
            raise ValueError(f"not a library of this machine: {', '.join(sorted(unknown))}")
        return replace(self, missing=self.missing | set(libraries))

    def failing(self, function: str, code: int | str, *, skip: int = 0, count: int = 0) -> Machine:
        """Return the same machine where calls of `function` return `code` (or `hang`)."""
        return replace(self, faults=(*self.faults, Fault(function, code, skip, count)))

    def holding(
        self, memory: str | int, *, gpu: int = 0, name: str = "python", pid: int | None = None
    ) -> Machine:
        """Return the same machine where another process, by default the one that runs the tests, holds memory."""
        holders = (*self.gpus[gpu].holders, Holder(memory, name, pid or os.getpid()))
        return self.with_gpu(gpu, holders=holders)

    def with_gpu(self, index: int, **changes: Any) -> Machine:
        """Return the same machine with one GPU changed."""
        gpus = list(self.gpus)
        gpus[index] = replace(gpus[index], **changes)
        return replace(self, gpus=tuple(gpus))

    def with_environment(self, **variables: str) -> Machine:
        """Return the same machine with environment variables set."""
        return replace(self, variables=tuple({**dict(self.variables), **variables}.items()))

    # -------------------------------------------------------------------------------------------- its files

    @property
    def cudnn_version(self) -> str:
        """The version that cuDNN states."""
        return self.cudnn or ("8.9.7" if built_for()[1].startswith("8") else "9.3.0")

    @property
    def libraries(self) -> dict[str, str]:
        """The names that TensorFlow opens, and the full names that they stand for."""
        cudnn = f"libcudnn.so.{built_for()[1].split('.')[0]}"
        return {
            "libcuda.so.1": f"libcuda.so.{self.driver}",
            "libnvidia-ml.so.1": f"libnvidia-ml.so.{self.driver}",
            "libcudart.so.12": "libcudart.so.12.5.82",
            "libcublas.so.12": "libcublas.so.12.5.3.2",
            "libcublasLt.so.12": "libcublasLt.so.12.5.3.2",
            "libcufft.so.11": "libcufft.so.11.2.3.61",
            "libcusolver.so.11": "libcusolver.so.11.6.3.83",
            "libcusparse.so.12": "libcusparse.so.12.5.1.3",
            cudnn: f"libcudnn.so.{self.cudnn_version}",
        }

    @property
    def folder(self) -> Path:
        """The machine's folder: equal machines share it, and so the memory of their GPUs."""
        digest = hashlib.sha256(json.dumps(asdict(self), default=str, sort_keys=True).encode())
        folder = self.workshop / digest.hexdigest()[:16]
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=self.workshop) as scratch:
                made = Path(scratch, "made")
                (made / "lib").mkdir(parents=True)
                (made / "bin").mkdir()
                if PTXAS not in self.missing:
                    shutil.copy(Path(__file__).with_name(PTXAS), made / "bin")
                for name, full_name in self.libraries.items():
                    if name not in self.missing:
                        (made / "lib" / full_name).hardlink_to(self.workshop / "driver.so")
                        (made / "lib" / name).symlink_to(full_name)
                (made / "machine").write_text(self.description())
                try:
                    made.rename(folder)
                except OSError:
                    if not folder.exists():
                        raise
        return folder

    def description(self) -> str:
        """Return the text that the simulated driver reads (driver/rules.c)."""
        lines = [
            f"driver {self.driver}",
            f"cuda {_number(self.cuda, 1000, 10)}",
            f"runtime {_number(built_for()[0], 1000, 10)}",
            f"cudnn {_number(self.cudnn_version, 1000 if self.cudnn_version.startswith('8') else 10000, 100)}",
            f"context-memory {size(self.context_memory)}",
            f"library-memory {size(self.library_memory)}",
        ]
        for index, gpu in enumerate(self.gpus):
            lines += _gpu_lines("gpu", gpu, f"GPU-{index:08x}-5d1e-4b2c-9a37-0123456789ab")
            for number, instance in enumerate(gpu.instances):
                uuid = f"MIG-{index:04x}{number:04x}-77c0-5a44-8d52-0123456789ab"
                lines += _gpu_lines("instance", instance, uuid)
        lines += [f"fault {fault.function} {fault.code} {fault.skip} {fault.count}" for fault in self.faults]
        return "\n".join(lines) + "\n"

    def become(self, other: Machine) -> None:
        """Turn into another machine under the programs that run on this one (its libraries stay)."""
        fresh = self.folder / "machine.new"
        fresh.write_text(other.description())
        fresh.replace(self.folder / "machine")

    # --------------------------------------------------------------------------------------------- programs

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which programs see this machine and nothing of the session that started them."""
        outer = {name: value for name, value in os.environ.items() if not HIDDEN.match(name)}
        others = [path for path in os.get_exec_path() if not Path(path, PTXAS).exists()]
        inner = {
            "LD_LIBRARY_PATH": str(self.folder / "lib"),
            "PATH": os.pathsep.join([str(self.folder / "bin"), *others]),
            "SIMULATED_GPU": str(self.folder),
        }
        return {**outer, **inner, **dict(self.variables)}

    def start(self, argv: Sequence[str], *, folder: Path | None = None) -> Running:
        """Start a program on this machine."""
        toolkits = [path for path in TOOLKITS if path.exists()]
        if toolkits and self.missing & {PTXAS, LIBDEVICE}:
            script = "".join(f"mount --bind {self.folder / 'bin'} {path} && " for path in toolkits)
            argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{script}exec "$@"', "sh", *argv]
        return Running(argv, self.environment, folder or self.folder)

    def start_python(self, code: str) -> Running:
        """Start Python code on this machine, in a fresh process."""
        script = Path(tempfile.mkdtemp(dir=self.folder, prefix="run-"), "case.py")
        script.write_text(code)
        return self.start([sys.executable, str(script)])

    def run(self, argv: Sequence[str], *, seconds: float = 120, folder: Path | None = None) -> Completed:
        """Run a program on this machine to its end."""
        return self.start(argv, folder=folder).finish(seconds)

    def run_python(self, code: str, *, seconds: float = 120) -> Completed:
        """Run Python code on this machine, in a fresh process."""
        return self.start_python(code).finish(seconds)

    def run_pytest(
        self,
        *arguments: str,
        files: Mapping[str, str] | None = None,
        seconds: float = 180,
        forks: Forks | None = None,
    ) -> PytestResult:
        """Run pytest in a new folder that holds `files` (one passing test by default) on this machine.

        With `forks` it is run in a fork that has TensorFlow, which saves seconds, where no library is missing.
        """
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="run-"))
        report = folder / "report.json"
        default = {"test_it.py": "def test_it():\n    pass\n"}
        for name, text in {"pytest.ini": "[pytest]\n", **(files or default)}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        asked = ["-p", "no:cacheprovider", *WITHOUT_NEIGHBOURS, *arguments, f"--tfgpu-report=json:{report}"]
        if forks is None or self.missing:
            done = self.run([sys.executable, "-m", "pytest", *asked], seconds=seconds, folder=folder)
        else:
            done = forks.run(self, FORKED.format(str(folder), asked), seconds=seconds)
        return PytestResult(
            **vars(done),
            outcomes=_outcomes(done.stdout),
            report=json.loads(report.read_text()) if report.exists() else None,
        )

    def doctor(self, *arguments: str) -> Any:
        """Return the JSON that `tfgpu doctor` prints on this machine."""
        done = self.run([sys.executable, "-m", "pytest_tfgpu", "doctor", "--json", *arguments])
        if done.exit_status not in (0, 1):
            raise AssertionError(f"tfgpu doctor ended with {done.exit_status}:\n{done.text}")
        return json.loads(done.stdout)

    def calls(self) -> list[str]:
        """Names of the functions called so far, by programs that were run with SIMULATED_GPU_CALLS set."""
        path = self.folder / "calls"
        return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []


Describe = Callable[..., Machine]
"""The type of the fixture `simulated_gpu`."""


def _number(version: str, major: int, minor: int) -> int:
    parts = [int(part) for part in version.split(".")] + [0, 0]
    return parts[0] * major + parts[1] * minor + (parts[2] if minor == 100 else 0)


def _gpu_lines(kind: str, gpu: Gpu, uuid: str) -> list[str]:
    lines = [
        f"{kind} {gpu.uuid or uuid}",
        f"name {gpu.name}",
        f"compute-capability {gpu.compute_capability}",
        f"memory {size(gpu.memory)}",
        f"compute-mode {3 if gpu.exclusive else 0}",
        f"xid {gpu.xid}",
        f"ecc {gpu.uncorrected_ecc}",
        f"remap {gpu.remap_pending:d} {gpu.remap_failed:d}",
        f"clocks {gpu.clock_reasons}",
        f"temperature {gpu.temperature} {gpu.slowdown_temperature}",
    ]
    if gpu.licensed is not None:
        lines.append(f"virtual {gpu.licensed:d}")
    return lines + [f"holder {holder.pid} {size(holder.memory)} {holder.name}" for holder in gpu.holders]


def _outcomes(output: str) -> dict[str, int]:
    """Return the counts of pytest's last line."""
    lines = [line for line in output.splitlines() if re.search(r" in \d+\.\d+s", line)]
    words = "passed|failed|error|skipped|xfailed|xpassed|deselected|warning"
    return {word: int(number) for number, word in re.findall(rf"(\d+) ({words})", lines[-1] if lines else "")}
