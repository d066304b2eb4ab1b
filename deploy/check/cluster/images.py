"""Packs images without Docker, as the archives that `docker save` writes: one layer each.

The images of Frontdoor stand in for those of the Dockerfile: the program that cargo has built, with the libraries that it
loads. The image apache/kafka stands in for Apache's: the same jars from Maven, its own class that reads the variables KAFKA_*,
and this machine's Java.
"""

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from pathlib import Path

from environment import KAFKA, TARGET, program
from programs import BIN, FOLDER
from tools import DEPLOY, ROOT, debian, run

IMAGES = FOLDER / "images"
LIBS = TARGET / "kafka/libs"
KAFKA_VERSION = re.search(r"<kafka.version>([\d.]+)</kafka.version>", (DEPLOY / "kafka/pom.xml").read_text())[1]

TOOLS = "frontdoor.test/tools:1"
DNS = "frontdoor.test/dns:1"
BROKER = f"docker.io/apache/kafka:{KAFKA_VERSION}"
FRONTDOOR = "registry.example/frontdoor/{}:0.1.0"

RUN_BROKER = """#!/bin/sh
set -e
java=/opt/java/bin/java
$java -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \\
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config
exec $java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml \\
  -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
"""
TOPICS = """#!/bin/sh
exec /opt/java/bin/java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' org.apache.kafka.tools.TopicCommand "$@"
"""
LOG4J = """Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout: {pattern: "%d %p %m (%c)%n"}
  Loggers:
    Root: {level: INFO, AppenderRef: [{ref: STDOUT}]}
"""


class Layer:
    """The files of an image."""

    def __init__(self, path: Path):
        self.path = path
        self.tar = tarfile.open(path, "w")
        self.names = set()

    def _add(self, info: tarfile.TarInfo, content=None, owner=0):
        info.uid = info.gid = owner
        info.uname = info.gname = ""
        self.names.add(info.name)
        self.tar.addfile(info, content)

    def folder(self, name: str, owner=0):
        info = tarfile.TarInfo(name.strip("/"))
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        self._add(info, owner=owner)

    def text(self, name: str, content: str, mode=0o644, owner=0):
        info = tarfile.TarInfo(name.strip("/"))
        info.size, info.mode = len(content.encode()), mode
        self._add(info, io.BytesIO(content.encode()), owner)

    def link(self, name: str, target: str):
        info = tarfile.TarInfo(name.strip("/"))
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._add(info)

    def file(self, name: str, source: Path):
        """A copy of a file, of the file that a link names."""
        source = source.resolve()
        info = tarfile.TarInfo(name.strip("/"))
        if info.name in self.names:
            return
        info.size, info.mode = source.stat().st_size, 0o755 if os.access(source, os.X_OK) else 0o644
        with source.open("rb") as content:
            self._add(info, content)

    def program(self, name: str, source: Path):
        """A program, with the libraries that it loads from the same places as on this machine."""
        self.file(name, source)
        for library in re.findall(r"(/\S+) \(0x", run("ldd", source, check=False).stdout):
            self.file(library, Path(library))

    def save(self, image: str, archive: Path, **config):
        """Writes the archive. `config` is the image's configuration: User, Env, Entrypoint, Cmd."""
        self.tar.close()
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        described = json.dumps({
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }).encode()
        name = hashlib.sha256(described).hexdigest() + ".json"
        manifest = json.dumps([{"Config": name, "RepoTags": [image], "Layers": [f"{digest}/layer.tar"]}]).encode()
        with tarfile.open(archive, "w") as tar:
            for member, content in ((name, described), ("manifest.json", manifest)):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            tar.add(self.path, f"{digest}/layer.tar")
        self.path.unlink()


def pack() -> list[Path]:
    """Writes the archives of all images."""
    shutil.rmtree(IMAGES, ignore_errors=True)
    IMAGES.mkdir(parents=True)
    return [shell(), dns(), broker(), *(frontdoor(name) for name in ("fn-recep-avro", "api-avro-sample", "forward"))]


def frontdoor(name: str) -> Path:
    """The image of one of the project's programs: that of `make images` if IMAGE_TAG names one, or packed from the program."""
    archive, image = IMAGES / f"{name}.tar", FRONTDOOR.format(name)
    tag = os.environ.get("IMAGE_TAG")
    if tag:
        run("docker", "tag", f"{name}:{tag}", image)
        run("docker", "save", "--output", archive, image)
        return archive
    layer = Layer(IMAGES / name)
    stripped = IMAGES / f"{name}.stripped"
    run("strip", "--strip-debug", "-o", stripped, program(name))
    layer.program(name, stripped)
    stripped.unlink()
    layer.file("etc/ssl/certs/ca-certificates.crt", Path("/etc/ssl/certs/ca-certificates.crt"))
    layer.text("etc/passwd", "fn:x:1000:1000::/:/none\n")
    layer.text("etc/group", "fn:x:1000:\n")
    layer.file("LICENSE", ROOT / "LICENSE")
    settings = ["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"] + ["LISTEN=0.0.0.0:8080"] * (name == "api-avro-sample")
    layer.save(image, archive, User="1000:1000", Env=settings, Entrypoint=[f"/{name}"], Cmd=["run"] if name == "forward" else [])
    return archive


def busybox(layer: Layer) -> None:
    layer.file("bin/busybox", debian("busybox-static", "bin/busybox"))
    for name in ("sh", "sleep", "nc", "true"):
        layer.link(f"bin/{name}", "busybox")


def shell() -> Path:
    """A shell and nc, for pods that test connections. It is the image of pod sandboxes, too."""
    layer = Layer(IMAGES / "tools")
    busybox(layer)
    layer.save(TOOLS, IMAGES / "tools.tar", User="1000:1000", Env=["PATH=/bin"], Entrypoint=["/bin/sleep", "1000000"])
    return IMAGES / "tools.tar"


def dns() -> Path:
    layer = Layer(IMAGES / "dns")
    layer.file("coredns", BIN / "coredns")
    layer.save(DNS, IMAGES / "dns.tar", User="0:0", Entrypoint=["/coredns"])
    return IMAGES / "dns.tar"


def broker() -> Path:
    run(KAFKA, "fetch")
    tool = IMAGES / f"kafka-tools-{KAFKA_VERSION}.jar"
    artifact = f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}"
    run("mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={IMAGES}", cwd=FOLDER)
    layer = Layer(IMAGES / "kafka")
    busybox(layer)
    for jar in [*sorted(LIBS.glob("*.jar")), tool]:
        layer.file(f"opt/kafka/libs/{jar.name}", jar)
    java = Path(shutil.which("java")).resolve().parent.parent
    for folder, _, files in os.walk(java, followlinks=True):
        place = Path(folder).relative_to(java)
        if place.parts[:1] not in (("jmods",), ("include",), ("man",), ("legal",), ("docs",), ("demo",)):
            for file in files:
                if file not in ("src.zip", "classes.jsa", "classes_nocoops.jsa") and (Path(folder) / file).exists():
                    layer.file(f"opt/java/{place}/{file}", Path(folder) / file)
    for loaded in [java / "bin/java", *sorted((java / "lib").rglob("*.so"))]:
        for library in re.findall(r"(/(?:usr/)?lib\S+) \(0x", run("ldd", loaded, check=False).stdout):
            if not library.startswith(str(java)):
                layer.file(library, Path(library))
    layer.text("opt/kafka/bin/kafka-topics.sh", TOPICS, mode=0o755)
    layer.text("etc/kafka/docker/run", RUN_BROKER, mode=0o755)
    layer.text("etc/kafka/docker/server.properties", "num.partitions=1\n")
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        layer.text(f"etc/kafka/docker/{name}", LOG4J)
    for name in ("opt/kafka/config", "mnt/shared/config", "var/lib/kafka/data", "tmp"):
        layer.folder(name, owner=1000)
    layer.text("etc/passwd", "appuser:x:1000:1000::/:/bin/sh\n")
    layer.save(BROKER, IMAGES / "kafka.tar", User="1000:1000", Env=["PATH=/bin", "CLUSTER_ID=5L6g3nShT-eMCtK--X86sw"], Cmd=["/etc/kafka/docker/run"])
    return IMAGES / "kafka.tar"

