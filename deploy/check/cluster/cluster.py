"""A control plane and one node of Kubernetes, as processes in the network, mount and process namespaces of this process.

deploy/kubernetes/e2e makes the namespaces. Nothing leads out of the network, and all processes end with this one.
"""

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import yaml
from environment import wait
from images import DNS, IMAGES, TOOLS
from programs import BIN, FOLDER
from tools import run

ADDRESS = "10.200.0.10"  # of the node
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
DNS_ADDRESS = "10.96.0.10"
SERVER = f"https://{ADDRESS}:6443"
DATA = FOLDER / "data"
PKI = DATA / "pki"
KUBELET = Path("/var/lib/kubelet")
CGROUP = "frontdoor-e2e"

#: What a kubelet sets for the whole machine. It finds these values instead, in files over those of /proc.
SYSCTLS = {
    "vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000, "kernel/keys/root_maxbytes": 25_000_000,
}

#: Who may authenticate, with the groups.
USERS = {
    "admin": "system:masters", "system:kube-controller-manager": "", "system:kube-scheduler": "", "system:kube-proxy": "",
    "system:node:node1": "system:nodes",
}


class Cluster:
    """Starts everything, and waits until the node is ready and names are resolved."""

    def __init__(self):
        assert os.getpid() < 10, "not in a process namespace of its own: start deploy/kubernetes/e2e"
        shutil.rmtree(DATA, ignore_errors=True)
        for folder in ("logs", "pki", "cni", "cni-cache", "etcd", "volume", "files"):
            (DATA / folder).mkdir(parents=True)
        os.environ["PATH"] = f"{BIN}:/usr/sbin:/sbin:{os.environ['PATH']}"
        self.processes = {}
        self._mounts()
        self._network()
        self._credentials()
        self._containerd()
        self._control_plane()
        self._node()
        self._dns()

    def _start(self, name: str, *command, **more):
        with (DATA / "logs" / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **more},
                start_new_session=True,
            )

    def _wait(self, description: str, ready, timeout=120):
        def check():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise AssertionError(f"{name} ended with {process.returncode}:\n{self.log(name)[-3000:]}")
            return ready()

        return wait(description, check, timeout)

    @staticmethod
    def log(name: str) -> str:
        return (DATA / "logs" / f"{name}.log").read_text(errors="replace")

    def _mounts(self):
        for folder in ("/run", "/var/log", "/var/lib/cni"):
            Path(folder).mkdir(exist_ok=True)
            run("mount", "-t", "tmpfs", "tmpfs", folder)
        Path("/run/lock").mkdir()
        for name, value in SYSCTLS.items():
            file = DATA / "files" / name.replace("/", "_")
            file.write_text(f"{value}\n")
            run("mount", "--bind", file, f"/proc/sys/{name}")
        (DATA / "kubelet").mkdir()
        KUBELET.mkdir(exist_ok=True)
        run("mount", "--bind", DATA / "kubelet", KUBELET)
        run("mount", "--make-shared", KUBELET)

    def _network(self):
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "node0", "type", "veth", "peer", "name", "node0p")
        run("ip", "address", "add", f"{ADDRESS}/24", "dev", "node0")
        for device in ("node0", "node0p"):
            run("ip", "link", "set", device, "up")
        run("ip", "route", "add", "default", "dev", "node0")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
        # New connections from and to pods wait for the agent of the network policies. Those of the node do not.
        for rule in (
            ["-m", "owner", "--uid-owner", "0", "-j", "ACCEPT"],
            ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"],
            ["-s", PODS, "-j", "NFQUEUE", "--queue-num", "100"],
            ["-d", PODS, "-j", "NFQUEUE", "--queue-num", "100"],
        ):
            run("iptables", "-t", "mangle", "-A", "POSTROUTING", *rule)
        network = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{
            "type": "ptp", "ipMasq": False,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(DATA / "cni-cache")},
        }]}
        (DATA / "cni/10-pods.conflist").write_text(json.dumps(network))

    def _credentials(self):
        """A token for each user, and a kubeconfig with it. The API server makes its own certificate."""
        tokens = {user: secrets.token_hex(16) for user in USERS}
        lines = [f'{tokens[user]},{user},{user},"{groups}"\n' for user, groups in USERS.items()]
        (PKI / "tokens.csv").write_text("".join(lines))
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", PKI / "service-accounts.key")
        run("openssl", "pkey", "-in", PKI / "service-accounts.key", "-pubout", "-out", PKI / "service-accounts.pub")
        for user in USERS:
            config = {
                "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
                "clusters": [{"name": "e2e", "cluster": {"server": SERVER, "certificate-authority": str(PKI / "apiserver.crt")}}],
                "users": [{"name": user, "user": {"token": tokens[user]}}],
                "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": user}}],
            }
            self.kubeconfig(user).write_text(json.dumps(config))
        os.environ["KUBECONFIG"] = str(self.kubeconfig("admin"))
        account = Path("/run/secrets/kubernetes.io/serviceaccount")
        account.mkdir(parents=True)
        (account / "token").write_text(tokens["admin"])
        (account / "ca.crt").symlink_to(PKI / "apiserver.crt")

    @staticmethod
    def kubeconfig(user: str) -> Path:
        return PKI / f"{user.rpartition(':')[2]}.conf"

    def _containerd(self):
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        (DATA / "containerd.toml").write_text(f"""
version = 2
root = "{DATA / 'containerd'}"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[{cri}]
  sandbox_image = "{TOOLS}"
  # Without the capability CAP_SYS_RESOURCE no process may lower its own score.
  restrict_oom_score_adj = true
  [{cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{DATA / 'cni'}"
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
""")
        self._start("containerd", "containerd", "--config", DATA / "containerd.toml")
        self._wait("containerd", lambda: run("ctr", "version", check=False).returncode == 0)
        for archive in sorted(IMAGES.glob("*.tar")):
            run("ctr", "-n", "k8s.io", "images", "import", archive)

    def _control_plane(self):
        self._start(
            "etcd", "etcd", "--data-dir", DATA / "etcd", "--unsafe-no-fsync", "--listen-peer-urls=http://127.0.0.1:2380",
            "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
        )
        self._start(
            "kube-apiserver", "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--service-cluster-ip-range={SERVICES}",
            f"--advertise-address={ADDRESS}", f"--cert-dir={PKI}", f"--token-auth-file={PKI / 'tokens.csv'}",
            f"--service-account-key-file={PKI / 'service-accounts.pub'}", f"--service-account-signing-key-file={PKI / 'service-accounts.key'}",
            "--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction", "--kubelet-preferred-address-types=InternalIP",
        )
        self._wait("the API server", lambda: kubectl("get", "--raw", "/readyz", check=False).returncode == 0)
        self._start(
            "kube-controller-manager", "kube-controller-manager", f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            f"--service-account-private-key-file={PKI / 'service-accounts.key'}", f"--root-ca-file={PKI / 'apiserver.crt'}",
            "--use-service-account-credentials", "--leader-elect=false",
        )
        self._start("kube-scheduler", "kube-scheduler", f"--kubeconfig={self.kubeconfig('system:kube-scheduler')}", "--leader-elect=false")

    def _node(self):
        for controller in Path("/sys/fs/cgroup").iterdir():
            if (controller / "tasks").exists():  # version 1
                (controller / CGROUP).mkdir(exist_ok=True)
        if Path("/sys/fs/cgroup/cgroup.controllers").exists():
            Path("/sys/fs/cgroup", CGROUP).mkdir(exist_ok=True)
        (DATA / "resolv.conf").write_text("search .\n")
        (DATA / "kubelet.yaml").write_text(json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{CGROUP}", "failCgroupV1": False, "failSwapOn": False, "oomScoreAdj": 0,
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock", "resolvConf": str(DATA / "resolv.conf"),
            "volumePluginDir": str(DATA / "files"), "clusterDNS": [DNS_ADDRESS], "clusterDomain": "cluster.local",
            # Only processes in these namespaces and pods reach the kubelet.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}}, "authorization": {"mode": "AlwaysAllow"},
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        }))
        self._start(
            "kubelet", "kubelet", f"--config={DATA / 'kubelet.yaml'}", f"--kubeconfig={self.kubeconfig('system:node:node1')}",
            "--hostname-override=node1", f"--node-ip={ADDRESS}",
        )
        self._wait("the node", lambda: kubectl("wait", "--for=condition=Ready", "node/node1", "--timeout=1s", check=False).returncode == 0)
        (DATA / "proxy.yaml").write_text(json.dumps({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
            "clientConnection": {"kubeconfig": str(self.kubeconfig("system:kube-proxy"))}, "clusterCIDR": PODS, "hostnameOverride": "node1",
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }))
        self._start("kube-proxy", "kube-proxy", f"--config={DATA / 'proxy.yaml'}")
        self._start(
            "kube-network-policies", "kube-network-policies", "--hostname-override=node1", "--disable-nri", "--netfilter-bug-1766-fix=false",
            "--metrics-bind-address=127.0.0.1:9080", KUBERNETES_SERVICE_HOST=ADDRESS, KUBERNETES_SERVICE_PORT="6443",
        )

    def _dns(self):
        kubectl("apply", "-f", "-", input=yaml.safe_dump_all(dns_objects()))
        kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")


def kubectl(*words, check=True, **options) -> subprocess.CompletedProcess:
    return run(BIN / "kubectl", *words, check=check, **options)


def dns_objects():
    name = {"name": "coredns", "namespace": "kube-system"}
    labels = {"k8s-app": "kube-dns"}
    corefile = f".:53 {{\n  errors\n  ready\n  kubernetes cluster.local {{\n    kubeconfig /etc/coredns/kubeconfig\n  }}\n}}\n"
    kubeconfig = json.loads(Cluster.kubeconfig("admin").read_text())
    kubeconfig["clusters"][0]["cluster"]["certificate-authority"] = "/etc/coredns/ca.crt"
    files = {"Corefile": corefile, "kubeconfig": json.dumps(kubeconfig), "ca.crt": (PKI / "apiserver.crt").read_text()}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": name, "stringData": files},
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": name,
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                "dnsPolicy": "Default", "automountServiceAccountToken": False,
                "containers": [{
                    "name": "coredns", "image": DNS, "args": ["-conf", "/etc/coredns/Corefile"],
                    "volumeMounts": [{"name": "files", "mountPath": "/etc/coredns", "readOnly": True}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                }],
                "volumes": [{"name": "files", "secret": {"secretName": "coredns"}}],
            }}},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": DNS_ADDRESS, "selector": labels, "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ]},
        },
    ]
