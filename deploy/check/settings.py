"""The names that settings and options may have: from docs/CONFIGURATION.md, which a Rust test keeps equal to the programs."""

import re

from tools import ROOT

TABLES = ROOT / "docs/CONFIGURATION.md"
COMMAND_LINE = ROOT / "jobs/forward/src/cli/run.rs"


def rows() -> list[tuple[str, str, str]]:
    """Every setting's name in lower case, with its default and its meaning."""
    tables = TABLES.read_text().split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    found = re.findall(r"^\| `([A-Z_0-9]+)` \| (?:`(.*?)`)? ?\| (.*) \|$", tables, re.MULTILINE)
    assert len(found) > 40, f"{TABLES}: expected more than 40 settings, found {len(found)}"
    return [(name.lower(), default, meaning) for name, default, meaning in found]


def catalog() -> dict[str, str | None]:
    """Every setting's name, with its default."""
    return {name: default or None for name, default, _ in rows()}


def secrets() -> set[str]:
    """The settings whose values must not be printed."""
    return {name for name, _, meaning in rows() if meaning.endswith(" Secret.")}


def unknown_flags(arguments: list[str]) -> list[str]:
    """The flags among the arguments of `forward run` that name neither a setting nor an option; secrets have no flag."""
    options = set(re.findall(r'\.long\("([a-z-]+)"\)', COMMAND_LINE.read_text()))
    options.add("output")  # of all commands
    assert {"report", "every"} <= options, f"{COMMAND_LINE}: expected options, found {sorted(options)}"
    known = {"--" + name for name in options | {name.replace("_", "-") for name in set(catalog()) - secrets()}}
    flags = [word.split("=")[0] for word in arguments if word.startswith("-")]
    return [flag for flag in flags if flag not in known]


def unknown_variables(names) -> list[str]:
    """The environment variables that name no setting."""
    known = {name.upper() for name in catalog()}
    return sorted(name for name in names if name not in known)


def seconds(text: str) -> float:
    """Parses a duration in the format of settings: 30s, 4m, 200ms."""
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", text).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
