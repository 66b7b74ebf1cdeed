"""A machine with a GPU, on which programs and sessions of pytest are run, and in which files can be hidden."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.simulated.process import Completed, Running

ROOT = Path(__file__).resolve().parents[2]
STEERING = ("TFGPU_", "PYTEST_", "GITHUB_", "TF_", "XLA_", "CUDA_VISIBLE")
"""Starts of the variables that would change what a run says."""
TOOLKITS = (Path("/usr/local/cuda"), Path("/opt/cuda"))
"""Where TensorFlow looks for a CUDA toolkit besides PATH and NVIDIA's wheels."""


class CannotHide(Exception):
    """A file lies where it can't be hidden; the text says where."""


@dataclass(frozen=True)
class Session(Completed):
    """How a session of pytest ended."""

    report: Any = None
    """The JSON report; None where none was written."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """What each failing test raised, by its name."""
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """How each test ended, by its name."""
    figures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What tests noted with `record_property`, by their names."""


@dataclass(frozen=True)
class Place:
    """A machine with a GPU: its environment, and a folder to work in."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """What each command line begins with."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the programs that are run."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(STEERING)}
        path = os.pathsep.join(filter(None, [kept.get("PYTHONPATH"), str(ROOT)]))
        return {**kept, "PYTHONPATH": path, **self.variables}

    def having(self, **variables: str) -> Place:
        """Return the same place with environment variables set."""
        return replace(self, variables={**self.variables, **variables})

    # ----------------------------------------------------------------------------------------------- programs

    def start(self, argv: Sequence[str], folder: Path | None = None) -> Running:
        """Start a program."""
        return Running([*self.prefix, *argv], self.environment, folder or self.folder)

    def python(self, *arguments: str, seconds: float = 300) -> Completed:
        """Run Python with arguments to its end."""
        return self.start([sys.executable, *arguments]).finish(seconds)

    def doctor(self) -> Any:
        """Return what `tfgpu doctor --json` prints."""
        done = self.python("-m", "pytest_tfgpu", "doctor", "--json")
        return json.loads(done.stdout)

    def session(self, files: Mapping[str, str], *arguments: str, seconds: float = 300) -> Session:
        """Run pytest in a new folder that holds these files."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="session-"))
        for name, text in {"pytest.ini": "[pytest]\n", **files}.items():
            (folder / name).write_text(text, "utf-8")
        reports = ("--tfgpu-report=json:report.json", "--junit-xml=junit.xml")
        command = [sys.executable, "-m", "pytest", *loading(), "-p", "no:cacheprovider", *reports, *arguments]
        done = self.start(command, folder).finish(seconds)
        report = folder / "report.json"
        return Session(
            **vars(done),
            report=json.loads(report.read_text("utf-8")) if report.exists() else None,
            **read_junit(folder / "junit.xml"),
        )

    # ------------------------------------------------------------------------------------------------- hiding

    @functools.cached_property
    def files(self) -> dict[str, Path]:
        """Where the libraries and tools lie that TensorFlow would load, by name."""
        facts = self.doctor()["facts"]
        found = [*facts.get("libraries", []), *facts.get("on_demand", [])]
        return {entry["name"]: Path(entry["path"]).expanduser() for entry in found if entry.get("path")}

    def without(self, name: str) -> Place:
        """Return the same place without a library, as TensorFlow opens it, or a program such as `ptxas`.

        The rest stays where it is: a tree of links to it takes its place. A library of cuDNN's that only cuDNN itself
        opens is looked for beside it. Raises `CannotHide` where that is no way.
        """
        if ".so" in name:
            path = self.files.get(name) or self._beside_cudnn(name)
            return self._without_in_wheels(path) or self._without_in_search_path(path)
        here = self
        for path in self.wheels.glob(f"*/bin/{name}") if self.wheels else ():
            here = here._without_in_wheels(path) or here
        folders = [folder for folder in os.get_exec_path(here.environment) if not Path(folder, name).exists()]
        return here.having(PATH=os.pathsep.join(folders))._without_toolkits(name)

    @property
    def wheels(self) -> Path | None:
        """Where NVIDIA's wheels have their files, beside TensorFlow; None without them."""
        spec = importlib.util.find_spec("tensorflow")
        folder = None if spec is None or spec.origin is None else Path(spec.origin).parents[1] / "nvidia"
        return folder if folder and folder.is_dir() else None

    def _beside_cudnn(self, name: str) -> Path:
        cudnn = next((path for library, path in self.files.items() if library.startswith("libcudnn.")), None)
        if cudnn is None or not (cudnn.parent / name).exists():
            raise CannotHide(f"{name} is not here")
        return cudnn.parent / name

    def _without_in_wheels(self, path: Path) -> Place | None:
        """Hide a file of NVIDIA's wheels: TensorFlow finds those relative to its own place, so it is moved, too."""
        if self.wheels is None or self.wheels not in path.parents:
            return None
        installed = self.wheels.parent
        site = Path(tempfile.mkdtemp(dir=self.folder, prefix="site-"))
        metadata = [*installed.glob("tensorflow-*.dist-info"), *installed.glob("nvidia_*.dist-info")]
        subprocess.run(["cp", "-as", installed / "tensorflow", self.wheels, *metadata, site], check=True)
        (site / path.relative_to(installed)).unlink()
        return self.having(PYTHONPATH=os.pathsep.join([str(site), self.environment["PYTHONPATH"]]))

    def _without_in_search_path(self, path: Path) -> Place:
        """Hide a library in a folder on LD_LIBRARY_PATH."""
        folders = self.environment.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        if str(path.parent) not in folders:
            raise CannotHide(f"{path.name} lies in {path.parent}, a folder of the system")
        links = Path(tempfile.mkdtemp(dir=self.folder, prefix="links-"))
        for file in path.parent.iterdir():
            if file.name != path.name:
                (links / file.name).symlink_to(file)
        changed = [str(links) if folder == str(path.parent) else folder for folder in folders]
        return self.having(LD_LIBRARY_PATH=os.pathsep.join(changed))

    def _without_toolkits(self, name: str) -> Place:
        """Hide the CUDA toolkits that hold a program, where TensorFlow looks without being told."""
        toolkits = [str(folder) for folder in TOOLKITS if (folder / "bin" / name).exists()]
        if not toolkits:
            return self
        empty = Path(tempfile.mkdtemp(dir=self.folder, prefix="empty-"))
        mounts = "".join(f"mount --bind {empty} {folder} && " for folder in toolkits)
        shell = ("unshare", "--map-root-user", "--mount", "sh", "-c", f'{mounts}exec "$@"', "sh")
        if subprocess.run([*shell, "true"], capture_output=True, check=False).returncode:
            raise CannotHide(f"{name} lies in {toolkits[0]}, too, and nothing may be mounted here")
        return replace(self, prefix=shell)


def loading() -> tuple[str, ...]:
    """Return the arguments that load the plugin where it isn't installed, but only on the path."""
    installed = importlib.metadata.entry_points(group="pytest11", name="tfgpu")
    return () if installed else ("-p", "pytest_tfgpu.plugin")


def read_junit(path: Path) -> dict[str, Any]:
    """Return what the failing tests raised, how each test ended, and what they noted; nothing without a file."""
    failures, outcomes, figures = {}, {}, {}
    for case in ElementTree.parse(path).iter("testcase") if path.exists() else ():
        name = case.get("name", "")
        parts = {part.tag: part for part in case}
        outcomes[name] = next((tag for tag in ("failure", "error", "skipped") if tag in parts), "passed")
        if outcomes[name] in ("failure", "error"):
            failures[name] = parts[outcomes[name]].get("message", "")
        noted = {note.get("name", ""): note.get("value", "") for note in case.iter("property")}
        figures[name] = {what: value for what, value in noted.items() if not what.startswith("tfgpu_")}
    return {"failures": failures, "outcomes": outcomes, "figures": figures}
