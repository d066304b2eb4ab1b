"""Builds the programs of a cluster from their Go modules: the control plane, the node, etcd, CoreDNS and network policies."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from environment import TARGET
from tools import HERE, run

KUBERNETES = "1.34.4"
COREDNS = "1.13.1"
NETWORK_POLICIES = "0.8.0"

FOLDER = TARGET / "kubernetes"
BIN = FOLDER / "bin"
SOURCE = FOLDER / "source"

#: The package of each program.
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-network-policies": "sigs.k8s.io/kube-network-policies/cmd",
    "coredns": "./dns",
}


def module() -> str:
    """A go.mod for all programs, so that they share compiled packages.

    The module k8s.io/kubernetes replaces k8s.io/api and others by folders of its repository. The same code is published as
    modules of the version 0.MINOR.PATCH.
    """
    downloaded = json.loads(run("go", "mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}", cwd=FOLDER).stdout)
    theirs = Path(downloaded["GoMod"]).read_text()
    staged = re.findall(r"^\t(k8s\.io/[a-z-]+) => \./staging/", theirs, re.MULTILINE)
    assert len(staged) > 20, f"unexpected go.mod of Kubernetes {KUBERNETES}"
    (etcd,) = re.findall(r"^\tgo\.etcd\.io/etcd/client/v3 (v\S+)", theirs, re.MULTILINE)
    version = KUBERNETES.removeprefix("1.")
    lines = ["module cluster", *re.findall(r"^(?:go|godebug) .*$", theirs, re.MULTILINE), "require ("]
    lines += [f"k8s.io/kubernetes v{KUBERNETES}", f"go.etcd.io/etcd/server/v3 {etcd}"]
    lines += [f"github.com/coredns/coredns v{COREDNS}", f"sigs.k8s.io/kube-network-policies v{NETWORK_POLICIES}", ")"]
    lines += ["replace (", *(f"{name} => {name} v0.{version}" for name in staged), ")"]
    return "\n".join(lines) + "\n"


def build() -> None:
    """Builds what is not built yet. The first build takes about ten minutes on two processors."""
    run(HERE / "needs-go")
    SOURCE.mkdir(parents=True, exist_ok=True)
    main = (HERE / "cluster/dns/main.go").read_text()
    wanted = "\n".join((Path(__file__).read_text(), main))
    stamp = FOLDER / "programs.stamp"
    if stamp.exists() and stamp.read_text() == wanted and all((BIN / name).exists() for name in PACKAGES):
        return
    (SOURCE / "dns").mkdir(exist_ok=True)
    (SOURCE / "dns/main.go").write_text(main)
    (SOURCE / "go.mod").write_text(module())
    flags = ["-s", "-w"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        major, minor, _ = KUBERNETES.split(".")
        flags += [f"-X {package}.gitVersion=v{KUBERNETES}", f"-X {package}.gitMajor={major}", f"-X {package}.gitMinor={minor}"]
    for name, package in PACKAGES.items():
        start = time.monotonic()
        command = ["go", "build", "-mod=mod", "-trimpath", "-ldflags", " ".join(flags), "-o", str(BIN / name), package]
        subprocess.run(["env", "CGO_ENABLED=0", *command], cwd=SOURCE, check=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    stamp.write_text(wanted)
