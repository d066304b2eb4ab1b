"""The programs that the checks need: installed on this machine, or downloaded from package registries."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEPLOY = ROOT / "deploy"
HOME = Path(os.environ["DEPLOY_CHECK_HOME"])
BIN = HOME / "bin"

TOFU = "1.10.10"
KUSTOMIZE = "5.7.1"


def run(*command, check=True, **options) -> subprocess.CompletedProcess:
    """Runs a command and captures its output as text. If it fails, the error contains the output."""
    options = {"capture_output": True, "text": True, "errors": "replace", **options}
    done = subprocess.run([str(word) for word in command], check=False, **options)
    if check and done.returncode != 0:
        shown = "\n".join(text for text in (done.stdout, done.stderr) if isinstance(text, str))
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{shown[-6000:]}")
    return done


def go_build(source: Path, package: str, program: str) -> Path:
    """Builds a Go program from the module in `source`, unless it is already built from the same source."""
    run(HERE / "needs-go")
    stamp = HOME / f"{program}.stamp"
    text = "\n".join(path.read_text() for path in sorted(source.iterdir()) if path.is_file())
    built = BIN / program
    if not built.exists() or not stamp.exists() or stamp.read_text() != text:
        BIN.mkdir(parents=True, exist_ok=True)
        run("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", built, package, cwd=source)
        stamp.write_text(text)
    return built


@functools.cache
def go_module(path: str, version: str) -> Path:
    """The folder with the files of a Go module. Nothing is built."""
    run(HERE / "needs-go")
    return Path(json.loads(run("go", "mod", "download", "-json", f"{path}@{version}", cwd=HOME).stdout)["Dir"])


def debian(package: str, program: str) -> Path:
    """A program of a Debian package: installed, or unpacked under target/."""
    installed = shutil.which(Path(program).name)
    if installed:
        return Path(installed)
    unpacked = HOME / "debian" / package
    if not (unpacked / program).exists():
        unpacked.mkdir(parents=True, exist_ok=True)
        if run("apt-get", "download", package, cwd=unpacked, check=False).returncode != 0:
            run("apt-get", "-qq", "update")
            run("apt-get", "download", package, cwd=unpacked)
        run("dpkg-deb", "--extract", next(unpacked.glob("*.deb")), unpacked)
    return unpacked / program


@functools.cache
def provider() -> Path:
    """The folder of the stand-in for the provider oracle/oci, which implements only the schema."""
    return go_build(HERE / "provider", ".", "terraform-provider-oci").parent


@functools.cache
def terraform() -> str:
    """Terraform or OpenTofu if installed; otherwise OpenTofu, built once from its Go module (about five minutes)."""
    for name in ("terraform", "tofu"):
        if shutil.which(name):
            return name
    run(HERE / "needs-go")
    source = HOME / "tofu-source"
    source.mkdir(parents=True, exist_ok=True)
    if not (source / "go.sum").exists():
        # `go install` rejects a module with a replace directive. A main module may have one.
        (source / "go.mod").write_text(
            f"module tofu\n\ngo 1.24.13\n\nrequire github.com/opentofu/opentofu v{TOFU}\n\n"
            "replace github.com/hashicorp/hcl/v2 v2.20.1 => "
            "github.com/opentofu/hcl/v2 v2.20.2-0.20251021132045-587d123c2828\n"
        )
        (source / "tools.go").write_text(
            '//go:build tools\n\npackage tofu\n\nimport _ "github.com/opentofu/opentofu/cmd/tofu"\n'
        )
        run("go", "mod", "tidy", cwd=source)
    return str(go_build(source, "github.com/opentofu/opentofu/cmd/tofu", "tofu"))


@functools.cache
def kustomize() -> list[str]:
    """kustomize or kubectl if installed; otherwise kustomize, built once from its Go module (about a minute)."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    run(HERE / "needs-go")
    BIN.mkdir(parents=True, exist_ok=True)
    run("go", "install", f"sigs.k8s.io/kustomize/kustomize/v5@v{KUSTOMIZE}", env={**os.environ, "GOBIN": str(BIN)})
    return ["kustomize", "build"]
