"""The contents of the images: one program, CA certificates, licences and a user; no shell and no writable file."""

import gzip
import os
import subprocess
import tarfile

import pytest
from docker import CONFINED, IMAGES, LABEL, TAG, docker, image, inspect
from environment import free_port, wait
from tools import DEPLOY, ROOT, debian, run

# The largest size of the function's image in bytes: a small image shortens cold starts. Authentication of callers and TLS
# are 0.42 MB of it, CEL expressions for keys and timestamps about 4.4 MB, telemetry (OTLP over HTTP and gRPC) about 2.8 MB.
LARGEST = 22_600_000
FILES = {"LICENSE", "licences.txt.gz", "etc/passwd", "etc/group", "etc/ssl/certs/ca-certificates.crt"}


def exported(name, folder):
    """Unpacks an image into the folder and returns the names of its files."""
    made = docker("create", "--label", LABEL, image(name))
    try:
        docker("export", "--output", folder / "image.tar", made)
    finally:
        docker("rm", made)
    with tarfile.open(folder / "image.tar") as archive:
        # Debian 12's Python has no filters. Only regular files of our own image are unpacked.
        options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, members=[member for member in archive if member.isreg()], **options)
        # Files that the engine adds to every container.
        own = ("dev/", "proc/", "sys/", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab")
        return {member.name for member in archive if not member.isdir() and not member.name.startswith(own)}


@pytest.mark.parametrize("name", IMAGES)
def test_contains_one_static_program_and_no_shell(name, tmp_path):
    assert exported(name, tmp_path) == FILES | {name}
    headers = run("readelf", "--program-headers", tmp_path / name).stdout
    assert "INTERP" not in headers, "the program needs a dynamic loader"
    licences = gzip.decompress((tmp_path / "licences.txt.gz").read_bytes()).decode()
    assert "tokio v1." in licences and "openssl/LICENSE.txt" in licences
    # The sample endpoint has no Kafka client.
    assert ("librdkafka/LICENSE" in licences) == (name != "api-avro-sample")
    assert "LESSER GENERAL PUBLIC" in licences and licences.count("Apache License") >= 1
    sizes = {file: (tmp_path / file).stat().st_size for file in (name, "licences.txt.gz", "etc/ssl/certs/ca-certificates.crt")}
    total = inspect(image(name))["Size"]
    print(f"\n{name}: {total / 1e6:.2f} MB; " + ", ".join(f"{file} {size / 1e6:.2f}" for file, size in sizes.items()))
    assert name != "fn-recep-avro" or total <= LARGEST


@pytest.mark.parametrize("name", IMAGES)
def test_has_labels_and_user_1000(name):
    facts = inspect(image(name))
    config = facts["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["title"] == name and labels["licenses"] == "Apache-2.0" and labels["description"]
    assert labels["version"] == TAG
    assert labels["revision"] == os.environ["REVISION"]
    assert config["User"] == "1000:1000" and config["Entrypoint"] == [f"/{name}"]
    assert not config.get("Volumes"), "Fn rejects images with volumes"


@pytest.mark.parametrize("name", IMAGES)
def test_prints_help_without_writable_files_and_capabilities(name):
    shown = docker("run", "--rm", "--label", LABEL, *CONFINED, image(name), *(["run"] if name == "forward" else []), "--help")
    assert "KAFKA_BOOTSTRAP_SERVERS" in shown or "API_TITLE" in shown
    done = run("docker", "run", "--rm", "--label", LABEL, "--entrypoint", "/bin/sh", image(name), "-c", "true", check=False)
    assert done.returncode != 0 and "no such file" in done.stderr


def test_the_static_program_resolves_names_by_dns():
    """The statically linked resolver of the C library cannot load NSS modules."""
    network = docker("network", "create", "--label", LABEL, "frontdoor-e2e")
    api = docker("run", "--detach", "--label", LABEL, "--network", network, "--name", "api-type-a", image("api-avro-sample"))
    try:
        done = run(
            "docker", "run", "--rm", "--label", LABEL, "--network", network,
            "--env", "KAFKA_BOOTSTRAP_SERVERS=unknown.invalid:9092", "--env", "START_TIMEOUT=2s",
            "--env", "API_TYPE_A_URL=http://api-type-a:8080/", "--env", "API_TYPE_B_URL=http://unknown.invalid:8080/",
            image("forward"), "check", check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        print(output)
        lines = [line for line in output.splitlines() if "api-type-a:8080" in line]
        assert len(lines) == 1 and lines[0].startswith("ok"), output
    finally:
        docker("rm", "--force", api)
        docker("network", "rm", network)


def test_make_push_pushes_every_image_to_a_registry(tmp_path):
    """Pushes to Debian's registry on the loopback, and compares the pulled images with the pushed ones."""
    port = free_port()
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{tmp_path / 'store'}'}}}}\n"
    )
    program = debian("docker-registry", "usr/bin/docker-registry")
    registry = subprocess.Popen([program, "serve", tmp_path / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait("the registry", lambda: run("curl", "-sf", f"127.0.0.1:{port}/v2/", check=False).returncode == 0)
        run("make", "push", f"REGISTRY=127.0.0.1:{port}/frontdoor", f"IMAGE_TAG={TAG}", cwd=ROOT)
        for name in IMAGES:
            pushed = f"127.0.0.1:{port}/frontdoor/{name}:{TAG}"
            docker("rmi", pushed)
            docker("pull", "--quiet", pushed)
            assert inspect(pushed)["Id"] == inspect(image(name))["Id"]
            docker("rmi", pushed)
    finally:
        registry.terminate()
        registry.wait(30)


def test_the_image_of_the_empty_function_is_built():
    """`make bench-fn-images` compares the function with it. Its program is built alone, with only its own dependencies."""
    run(DEPLOY / "fn/images", "--without-python")
    assert inspect("bench-empty:bench")["Config"]["Entrypoint"] == ["/bench-empty"]


def test_a_changed_source_compiles_no_librdkafka_again(tmp_path):
    """The older builder is watched until it comes to the second compilation, and is stopped there."""
    project = tmp_path / "project"
    project.mkdir()
    run("sh", "-c", f"git ls-files -z | xargs -0 cp --parents -t '{project}'", cwd=ROOT)
    with (project / "functions/fn-recep-avro/src/lib.rs").open("a") as file:
        file.write("\n// changed\n")
    building = subprocess.Popen(
        ["docker", "build", "."], cwd=project, env={**os.environ, "DOCKER_BUILDKIT": "0"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    steps, step = {}, ""
    try:
        for line in building.stdout:
            if line.startswith("Step "):
                step = line.split(" : ", 1)[1].strip()
            elif line.startswith(" ---> ") and ("Using cache" in line or "Running in" in line):
                steps.setdefault(step, line)
            if step.startswith("RUN find ") and step in steps:
                break
    finally:
        building.terminate()
        building.wait(60)
    dependencies = next(line for name, line in steps.items() if name.startswith("RUN deploy/images/hollow"))
    assert "Using cache" in dependencies, steps
    assert "Running in" in steps[step], steps


def test_the_functions_own_tests_pass_on_the_binary_from_the_image(tmp_path):
    """Hundreds of cases over Fn's socket, plain HTTP and Lambda's events, on the very binary that ships."""
    exported("fn-recep-avro", tmp_path)
    binary = tmp_path / "fn-recep-avro"
    binary.chmod(0o755)
    command = ("cargo", "test", "--locked", "--workspace", "--test", "ingest")
    done = run(*command, cwd=ROOT, env={**os.environ, "FRONTDOOR_FUNCTION": str(binary)})
    print(next(line for line in done.stdout.splitlines() if line.startswith("test result:")))
