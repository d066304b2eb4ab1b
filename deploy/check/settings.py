"""The names that settings and options may have, from the two tables they are all in."""

import re

from tools import ROOT

CATALOG = ROOT / "shared/settings/src/catalog.rs"
COMMAND_LINE = ROOT / "jobs/forward/src/cli.rs"


def catalog() -> dict[str, str | None]:
    """Every setting's name, with its default."""
    found = re.findall(r'^\s*(?:#\[\w+\] )?[A-Z_0-9]+ = "([a-z_0-9]+)"(?: or "([^"]*)")?,', CATALOG.read_text(), re.MULTILINE)
    assert len(found) > 40, f"{CATALOG} is not read rightly: {len(found)} settings"
    return {name: default or None for name, default in found}


def secrets() -> set[str]:
    """The settings whose values must not be seen."""
    return set(re.findall(r'#\[secret\] [A-Z_0-9]+ = "([a-z_0-9]+)"', CATALOG.read_text()))


def unknown_flags(arguments: list[str]) -> list[str]:
    """The flags among the arguments of `forward run` that neither a setting has nor the command line; secrets have none."""
    options = set(re.findall(r'\.long\("([a-z-]+)"\)', COMMAND_LINE.read_text()))
    assert {"output", "every"} <= options, f"{COMMAND_LINE} is not read rightly: {sorted(options)}"
    known = {"--" + name for name in options | {name.replace("_", "-") for name in set(catalog()) - secrets()}}
    flags = [word.split("=")[0] for word in arguments if word.startswith("-")]
    return [flag for flag in flags if flag not in known]


def unknown_variables(names) -> list[str]:
    """The environment variables that no setting has."""
    known = {name.upper() for name in catalog()}
    return sorted(name for name in names if name not in known)


def seconds(text: str) -> float:
    """A duration as settings write it: 30s, 4m, 200ms."""
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", text).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
