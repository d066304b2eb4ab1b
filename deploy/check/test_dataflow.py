"""The dependency archive of OCI Data Flow: its layout, its bytes, and the wheels that it rejects."""

import base64
import hashlib
import os
import sys
import zipfile

import pytest
from tools import DEPLOY, ROOT, run

ARCHIVE = DEPLOY / "dataflow/archive"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
#: The wheels that deploy/dataflow/wheel has built.
BUILT = sorted((ROOT / "target/dataflow").glob("frontdoor_spark-*.whl"))


def digest(content):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def make_wheel(folder, tags="py3-none-any", files=None, changed=None):
    """A wheel of the package `sample` with its RECORD. Afterwards the content of the files in `changed` is replaced."""
    info = "sample-1.0.dist-info"
    files = files or {"sample/__init__.py": b"VALUE = 1\n", "sample/data/words.txt": b"a\n"}
    files |= {f"{info}/WHEEL": f"Wheel-Version: 1.0\nTag: {tags}\n".encode(), f"{info}/METADATA": b"Name: sample\nVersion: 1.0\n"}
    record = "".join(f"{name},{digest(content)},{len(content)}\n" for name, content in files.items()) + f"{info}/RECORD,,\n"
    files |= changed or {}
    wheel = folder / f"sample-1.0-{tags}.whl"
    with zipfile.ZipFile(wheel, "w") as zipped:
        for name, content in [*files.items(), (f"{info}/RECORD", record.encode())]:
            zipped.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return wheel


def archive(wheel, output, *options, check=True):
    return run(sys.executable, ARCHIVE, wheel, "--output", output, *options, check=check)


def imported_from(place, package):
    """The file of a package that Python imports with only the unpacked archive, and the standard library, in its path."""
    shown = f"import sys; sys.path.append(sys.argv[1]); import {package}; print({package}.__file__)"
    folder = place / "python/lib" / f"python{PYTHON}" / "site-packages"
    return run(sys.executable, "-I", "-S", "-B", "-c", shown, folder, cwd=place).stdout.strip(), folder


@pytest.mark.parametrize("wheel", [None, *BUILT], ids=lambda wheel: wheel.name if wheel else "sample")
def test_python_imports_the_package_from_the_unpacked_archive(wheel, tmp_path):
    archive(wheel or make_wheel(tmp_path), tmp_path / "archive.zip", "--python", PYTHON)
    with zipfile.ZipFile(tmp_path / "archive.zip") as zipped:
        zipped.extractall(tmp_path / "opt")
        name, version = (wheel.name if wheel else "sample-1.0").split("-")[:2]
        assert zipped.read("version.txt") == f"{name} {version}\npython {PYTHON}\n".encode()
    file, folder = imported_from(tmp_path / "opt", "frontdoor_spark._core" if wheel else "sample")
    assert file.startswith(f"{folder}/{name}/"), f"imported from {file}"


def test_the_layout_is_that_of_the_dependency_packager(tmp_path):
    archive(make_wheel(tmp_path, "cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64"), tmp_path / "archive.zip")
    folder = "python/lib/python3.11/site-packages"
    with zipfile.ZipFile(tmp_path / "archive.zip") as zipped:
        names = zipped.namelist()
        files = [name for name in names if not name.endswith("/")]
        assert zipped.getinfo(f"{folder}/sample/__init__.py").external_attr >> 16 == 0o100644
    assert {"python/", "python/lib/", "python/lib/python3.11/", f"{folder}/", f"{folder}/sample/data/"} <= set(names)
    assert files[-1] == "version.txt" and all(name.startswith(f"{folder}/sample") for name in files[:-1])


def test_the_same_wheel_gives_the_same_bytes(tmp_path):
    wheel = make_wheel(tmp_path, files={"sample/b.py": b"", "sample/__init__.py": b"", "sample/a.py": b""})
    archive(wheel, tmp_path / "one.zip")
    os.utime(wheel, (0, 0))
    archive(wheel, tmp_path / "other.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as zipped:
        assert {entry.date_time for entry in zipped.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert zipped.namelist() == sorted(zipped.namelist())


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("cp38-abi3-linux_x86_64", "build it with deploy/dataflow/wheel"),
        ("cp38-abi3-manylinux_2_28_x86_64", "glibc 2.17 or older"),
        ("cp38-abi3-macosx_11_0_arm64", "glibc 2.17 or older"),
        ("cp312-abi3-manylinux2014_x86_64", "not for Python 3.11"),
        ("cp310-cp310-manylinux2014_x86_64", "not for Python 3.11"),
        ("py2-none-any", "not for Python 3.11"),
    ],
)
def test_rejects_a_wheel_that_cannot_run_on_data_flow(tags, message, tmp_path):
    done = archive(make_wheel(tmp_path, tags), tmp_path / "archive.zip", check=False)
    assert done.returncode == 65 and message in done.stderr, done.stderr
    assert not (tmp_path / "archive.zip").exists()


@pytest.mark.parametrize("tags", ["cp38-abi3-manylinux2014_aarch64", "cp311-cp311-manylinux_2_12_x86_64", "py2.py3-none-any"])
def test_accepts_a_wheel_that_runs_on_data_flow(tags, tmp_path):
    archive(make_wheel(tmp_path, tags), tmp_path / "archive.zip")


@pytest.mark.parametrize(
    ("files", "changed", "message"),
    [
        (None, {"sample/__init__.py": b"VALUE = 2\n"}, "does not match its digest"),
        (None, {"sample/added.py": b""}, "does not match its digest"),
        ({"../outside.py": b""}, None, "outside of the folder"),
        ({"/outside.py": b""}, None, "outside of the folder"),
        ({"sample-1.0.data/scripts/run": b""}, None, "another folder"),
    ],
)
def test_rejects_a_wheel_with_unexpected_files(files, changed, message, tmp_path):
    done = archive(make_wheel(tmp_path, files=files, changed=changed), tmp_path / "archive.zip", check=False)
    assert done.returncode == 65 and message in done.stderr, done.stderr


def test_rejects_files_that_are_not_wheels(tmp_path):
    text = tmp_path / "sample-1.0-py3-none-any.whl"
    text.write_text("no archive")
    for wheel, message in ((text, "not a zip file"), (tmp_path / "sample.zip", "not that of a wheel"), (tmp_path / "none-1-py3-none-any.whl", "No such file")):
        done = archive(wheel, tmp_path / "archive.zip", check=False)
        assert done.returncode == 65 and message in done.stderr, done.stderr
