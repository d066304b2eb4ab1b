"""Lints shell scripts and Dockerfiles, and checks the commands of make and of the documents."""

import os
import re
import shutil

import pytest
import yaml
from tools import DEPLOY, ROOT, debian, run


def tracked():
    listed = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def is_shell(path):
    with path.open("rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and any(first.split()[-1].endswith(shell) for shell in (b"/sh", b"bash", b"dash")) or path.suffix == ".sh"


SCRIPTS = [path for path in tracked() if is_shell(path)]
DOCKERFILES = [path for path in tracked() if path.name == "Dockerfile" or path.name.startswith("Dockerfile.") or path.suffix == ".Dockerfile"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_reports_nothing(script):
    shellcheck = debian("shellcheck", "usr/bin/shellcheck")
    # SC2015 is a matter of style: "A && B || C", where B cannot fail, or C must also run after B fails.
    run(shellcheck, "--external-sources", "--source-path=SCRIPTDIR", "--exclude=SC2015", script, cwd=ROOT)


def test_shellcheck_rejects_an_invalid_script(tmp_path):
    assert len(SCRIPTS) >= 4
    changed = tmp_path / "script"
    changed.write_text("#!/bin/sh\nrm -rf $1/*\n")
    assert run(debian("shellcheck", "usr/bin/shellcheck"), changed, check=False).returncode == 1


def test_a_go_that_is_missing_or_too_old_is_reported_first(tmp_path):
    go = tmp_path / "go"
    needs = {"check/needs-go": "1.24", "check/run": "1.24", "fn/e2e": "1.24", "lambda/emulator": "1.26.6"}
    for script, needed in needs.items():
        for version in ("go1.19.8", ""):
            go.write_text(f"#!/bin/sh\necho {version}\n")
            go.chmod(0o755)
            environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "CARGO_TARGET_DIR": str(tmp_path)}
            done = run(DEPLOY / script, check=False, env=environment)
            assert done.returncode == 69, done.stderr
            assert f"Go {needed} or newer is needed" in done.stderr, done.stderr


FAKE_GO = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
  "env GOVERSION") echo go1.26.0 ;;
  "mod download -json "*) echo '"GoMod": "/dev/null"' ;;
  "$FAILING"*) printf 'go: downloading example.org/other v1.0.0\n%s\n' "$REASON" >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize("failing, code, reason, message", [
    ("mod download ", 69, "go: github.com/fnproject/fn@v0.3.753: 403 Forbidden", "the Go module proxy does not serve all of"),
    ("get ", 69, "go: example.org/dependency@v1.2.3: 404 Not Found", "the Go module proxy does not serve all of"),
    ("build ", 1, "agent.go:7:2: undefined: missing", "github.com/fnproject/fn/cmd/fnserver@v0.3.753 does not compile"),
])  # fmt: skip
def test_e2e_fn_reports_why_fns_server_cannot_be_built(tmp_path, failing, code, reason, message):
    go = tmp_path / "go"
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CARGO_TARGET_DIR": str(tmp_path), "LOG": str(tmp_path / "log")}
    done = run(DEPLOY / "fn/e2e", check=False, env={**os.environ, **variables, "FAILING": failing, "REASON": reason})
    assert done.returncode == code, done.stderr
    assert message in done.stderr and reason in done.stderr and "downloading" not in done.stderr, done.stderr
    commands = (tmp_path / "log").read_text().splitlines()
    # `go get MODULE` would add no checksums for what only the package needs.
    assert failing == "mod download " or "get github.com/fnproject/fn/cmd/fnserver@v0.3.753" in commands, commands


def test_e2e_fn_rejects_a_path_that_is_not_a_program(tmp_path):
    done = run(DEPLOY / "fn/e2e", check=False, env={**os.environ, "FNSERVER": str(tmp_path)})
    assert (done.returncode, done.stderr) == (66, f"e2e-fn: FNSERVER is not a program: {tmp_path}\n")


def test_hadolint_reports_nothing():
    for file in DOCKERFILES:
        run("hadolint", "--failure-threshold", "warning", file, cwd=ROOT)


def test_hadolint_rejects_an_invalid_dockerfile(tmp_path):
    changed = tmp_path / "Dockerfile"
    changed.write_text("FROM debian:latest\nRUN cd /tmp && apt-get install curl\n")
    assert run("hadolint", changed, check=False).returncode == 1


def test_the_image_is_built_with_the_manifest_of_every_crate():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and line.split()[1].endswith("/Cargo.toml")}
    manifests = {str(path.relative_to(ROOT)) for path in tracked() if path.name == "Cargo.toml" and path.parent != ROOT}
    assert copied == manifests


def test_make_help_lists_every_command():
    listed = [line.split()[1] for line in run("make", "help", cwd=ROOT).stdout.splitlines()]
    makefiles = [ROOT / "Makefile", ROOT / "deploy/deploy.mk", ROOT / "jobs/spark/spark.mk"]
    phony = [line for file in makefiles for line in file.read_text().splitlines() if line.startswith(".PHONY:")]
    commands = {command for line in phony for command in line.split()[1:]}
    assert {"images", "push", "deploy", "plan", "invoke", "help"} <= commands == set(listed)


def test_the_documented_sed_removes_only_the_trigger_of_func_yaml(tmp_path):
    (command,) = re.findall(r"sed -i '([^']+)' \"\$copy/func.yaml\"", (DEPLOY / "fn/README.md").read_text())
    whole = yaml.safe_load((ROOT / "func.yaml").read_text())
    shutil.copy(ROOT / "func.yaml", tmp_path)
    run("sed", "-i", command, tmp_path / "func.yaml")
    assert whole.pop("triggers") and yaml.safe_load((tmp_path / "func.yaml").read_text()) == whole


def test_documented_pushes_use_the_tag_of_the_build():
    files = [ROOT / "README.md", *DEPLOY.rglob("*.md"), *DEPLOY.rglob("*.tf")]
    pushes = [line for file in files for line in re.findall(r"\bmake (?:[^`#\n\"]* )?push\b[^`#\n\"]*", file.read_text())]
    assert len(pushes) >= 4
    for line in pushes:
        words = re.sub(r"<[^>]*>|\$\{[^}]*\}", "x", line).split()
        shown = run("make", "-n", *words[1:], cwd=ROOT).stdout
        built, pushed = re.search(r"--tag \$image:(\S+)", shown), re.search(r"docker tag \$image:(\S+)", shown)
        assert built and pushed and built[1] == pushed[1], f"{line!r} pushes a tag that was not built"


def test_go_is_formatted():
    assert run("gofmt", "-l", ROOT / "deploy/check/provider").stdout == ""
