"""Platform, CI system and environment variables, on trees of files and given environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfgpu.environment import process
from tests.trees import touch


@pytest.mark.parametrize(
    ("files", "environ", "system", "expected"),
    [
        ({}, {}, "linux", "linux"),
        ({}, {}, "darwin", "macos"),
        ({}, {}, "win32", "windows"),
        ({}, {}, "freebsd14", "freebsd14"),
        ({".dockerenv": ""}, {}, "linux", "docker"),
        ({"run/.containerenv": ""}, {}, "linux", "docker"),
        ({"proc/1/cgroup": "12:pids:/kubepods/besteffort/pod1\n"}, {}, "linux", "docker"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, {}, "linux", "linux"),
        ({"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}, {}, "linux", "wsl"),
        ({"etc/nv_tegra_release": "# R36"}, {}, "linux", "jetson"),
        ({"proc/device-tree/model": "NVIDIA Jetson AGX Orin\0"}, {}, "linux", "jetson"),
        ({".dockerenv": ""}, {"COLAB_RELEASE_TAG": "release-colab_2026"}, "linux", "colab"),
        ({".dockerenv": ""}, {}, "darwin", "macos"),
    ],
)
def test_platform(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str], system: str, expected: str
) -> None:
    """The platform is told by files that only it has, on Linux alone."""
    for name, text in files.items():
        touch(tmp_path / name, text)
    assert process.platform_name(environ, tmp_path, system) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"CI": "true"}, "ci"),
        ({"CI": "false"}, None),
        ({"CI": ""}, None),
        ({"CI": "true", "GITHUB_ACTIONS": "true"}, "github"),
        ({"CI": "true", "GITLAB_CI": "true"}, "gitlab"),
        ({"JENKINS_URL": "http://ci.example/"}, "jenkins"),
        ({"TF_BUILD": "True"}, "azure"),
        ({"CI": "1", "CIRCLECI": "true"}, "circleci"),
    ],
)
def test_ci_system(environ: dict[str, str], expected: str | None) -> None:
    """The CI system's own variable names it; CI alone says only that there is one."""
    assert process.ci_system(environ) == expected


def test_only_listed_variables_are_read() -> None:
    """Secrets and everything else that isn't on the list stay out of the facts."""
    environ = {
        "AWS_SECRET_ACCESS_KEY": "s",
        "TF_API_TOKEN": "t",
        "XLA_FLAGS": "--x",
        "CUDA_VISIBLE_DEVICES": "",
    }
    assert process.variables(environ) == {"CUDA_VISIBLE_DEVICES": "", "XLA_FLAGS": "--x"}


def test_list_of_variables_is_sorted_and_holds_no_credentials() -> None:
    """The list is in order, without repeats, and no name in it speaks of credentials."""
    assert list(process.VARIABLES) == sorted(set(process.VARIABLES))
    assert not [
        name for name in process.VARIABLES if any(w in name for w in ("TOKEN", "SECRET", "_KEY", "PASS"))
    ]


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("false", False), ("1", None), ("True", None), (None, None)]
)
def test_memory_growth(value: str | None, expected: bool | None) -> None:
    """TensorFlow takes the words true and false in lower case and no other."""
    environ = {} if value is None else {"TF_FORCE_GPU_ALLOW_GROWTH": value}
    assert process.memory_growth(environ) is expected
