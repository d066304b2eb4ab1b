//! The documents name what exists: paths, links, make targets, settings, commands, exit codes, causes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use api_avro_sample::settings::SAMPLE_ENDPOINT;
use caller_auth::settings::CALLER_AUTH;
use clap::error::ErrorKind;
use fn_recep_avro::settings::INGEST;
use forward::exit::RunOutcome;
use forward::metrics;
use forward::settings::{DEAD_LETTERS, DELIVERY, METRICS, REPORT, ROUTING, STATUS_PAGE, WINDOW};
use http_server::settings::HTTP_SERVER;
use kafka::settings::KAFKA;
use schema_registry::settings::REGISTRY;
use serde_json::Value;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD, WRITER_SCHEMAS};
use settings::names::NAMES;
use settings::{Group, Setting, markdown};
use telemetry::settings::TELEMETRY;

/// The settings of all programs, in the order of docs/CONFIGURATION.md.
static GROUPS: [&Group; 17] = [
    &EVERY_PROGRAM,
    &WRITER_SCHEMAS,
    &ORACLE_CLOUD,
    &KAFKA,
    &REGISTRY,
    &HTTP_SERVER,
    &CALLER_AUTH,
    &INGEST,
    &SAMPLE_ENDPOINT,
    &ROUTING,
    &WINDOW,
    &DELIVERY,
    &DEAD_LETTERS,
    &REPORT,
    &METRICS,
    &STATUS_PAGE,
    &TELEMETRY,
];

/// Names in upper case that are not settings of the programs.
const OTHER_NAMES: [&str; 16] = [
    // Variables of OpenSSL and of HTTP clients.
    "SSL_CERT_FILE",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    // The host of the ingest function.
    "FN_LISTENER",
    "FN_FORMAT",
    // Aliases of settings.
    "KAFKA_BOOTSTRAPSERVER",
    "AUTH_TOKEN",
    // A variable of `make bench-peers`.
    "CONNECT_HTTP_SINK",
    // Stages of Kafka Connect.
    "VALUE_CONVERTER",
    "TASK_PUT",
    // Arguments of make.
    "BENCH",
    "CHAOS",
    "SPARK_E2E",
    "RUSTDOCFLAGS",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A document, by its path from the root.
struct Document {
    path: PathBuf,
    text: String,
}

fn documents() -> Vec<Document> {
    let mut paths: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ]
    .map(PathBuf::from)
    .to_vec();
    for folder in ["docs", "docs/decisions"] {
        let files = fs::read_dir(root().join(folder)).unwrap();
        let files = files.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
        paths.extend(files.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    assert!(paths.len() > 15, "{paths:?}");
    let read = |path: PathBuf| Document {
        text: read(&path),
        path,
    };
    paths.into_iter().map(read).collect()
}

impl Document {
    /// The lines of code blocks, and code within sentences.
    fn code(&self) -> Vec<&str> {
        let (mut code, mut in_block) = (Vec::new(), false);
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if in_block {
                code.push(line);
            } else {
                code.extend(line.split('`').skip(1).step_by(2));
            }
        }
        code
    }

    fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.text.split("](").skip(1);
        targets.map(|rest| rest.split(')').next().unwrap_or_default())
    }

    fn assert(&self, holds: bool, what: impl std::fmt::Display) {
        assert!(holds, "{}: {what}", self.path.display());
    }
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
            _ => None,
        });
        kept.collect()
    };
    headings.map(anchor).collect()
}

/// The tables of docs/CONFIGURATION.md.
fn tables() -> String {
    format!(
        "{}\n### Exit codes of `forward run`\n\n{}",
        markdown::tables(&GROUPS),
        RunOutcome::markdown()
    )
}

/// `UPDATE_TABLES=1` (`make readme`) writes the tables instead.
#[test]
fn the_tables_match_the_programs() {
    let configuration = "docs/CONFIGURATION.md";
    assert_table(configuration, "settings", &tables());
    assert_table(configuration, "profiles", &kafka::profile::markdown());
    let operations = "docs/OPERATIONS.md";
    assert_table(operations, "job-metrics", &metrics::markdown::table());
}

/// Asserts that the document has this text between the marks of this name.
fn assert_table(path: &str, name: &str, expected: &str) {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let text = read(path);
    let (before, rest) = text.split_once(&begin).expect(&begin);
    let (written, after) = rest.split_once(&end).expect(&end);
    if std::env::var_os("UPDATE_TABLES").is_some() {
        let text = format!("{before}{begin}{expected}{end}{after}");
        fs::write(root().join(path), text).unwrap();
        return;
    }
    let mut lines = written.lines().zip(expected.lines());
    let difference = lines.find(|(written, expected)| written != expected);
    assert_eq!(difference, None, "`make readme` writes the tables");
    assert_eq!(written, expected, "`make readme` writes the tables");
}

#[test]
fn the_list_of_names_is_that_of_all_programs() {
    let settings = GROUPS.iter().flat_map(|group| group.settings);
    let mut names: Vec<&str> = settings.flat_map(|setting| setting.names()).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

#[test]
fn help_texts_end_with_a_full_stop() {
    for setting in GROUPS.iter().flat_map(|group| group.settings) {
        assert!(setting.help.ends_with('.'), "{}", setting.name);
    }
}

#[test]
fn every_path_exists() {
    let folders = [
        "deploy/",
        "docs/",
        "functions/",
        "jobs/",
        "shared/",
        "schemas/",
    ];
    let mut found = 0;
    for document in documents() {
        for word in document.code().iter().flat_map(|code| code.split(' ')) {
            let is_path = folders.iter().any(|folder| word.starts_with(folder));
            if is_path && !word.contains(['{', '<', '*']) {
                document.assert(root().join(word).exists(), format!("{word} does not exist"));
                found += 1;
            }
        }
    }
    assert!(found > 20, "{found} paths");
}

#[test]
fn every_link_leads_to_a_file_and_heading() {
    let mut found = 0;
    for document in documents() {
        let folder = document.path.parent().unwrap_or(Path::new(""));
        for link in document.links().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.path.clone(),
                path => folder.join(path),
            };
            let exists = root().join(&target).exists();
            document.assert(exists, format!("{link} does not exist"));
            if !anchor.is_empty() {
                let is_heading = anchors(&read(&target)).iter().any(|known| known == anchor);
                document.assert(is_heading, format!("{link} has no such heading"));
            }
            found += 1;
        }
    }
    assert!(found > 40, "{found} links");
}

#[test]
fn every_make_target_exists() {
    let makefiles: String = ["Makefile", "deploy/deploy.mk", "jobs/spark/spark.mk"]
        .map(read)
        .concat();
    let mut found = 0;
    for document in documents() {
        for code in document.code() {
            let Some((_, rest)) = code.split_once("make ") else {
                continue;
            };
            let target = rest.split([' ', ',', '.']).next().unwrap_or_default();
            let is_rule = makefiles.contains(&format!("\n{target}:"));
            document.assert(is_rule, format!("make {target} does not exist"));
            found += 1;
        }
    }
    assert!(found > 20, "{found} targets");
}

#[test]
fn every_setting_exists() {
    let settings = GROUPS.iter().flat_map(|group| group.settings);
    // A family is listed as `NAME_<PROPERTY>`.
    let (families, settings): (Vec<&Setting>, Vec<_>) =
        settings.partition(|setting| setting.family);
    let families = families.iter().map(|family| family.variable());
    let families: Vec<String> = families
        .map(|name| name.replace("<PROPERTY>", ""))
        .collect();
    let settings: HashSet<String> = settings.iter().map(|setting| setting.variable()).collect();
    let exists = |word: &str| {
        settings.contains(word) || families.iter().any(|family| word.starts_with(family))
    };
    let mut found = 0;
    for document in documents() {
        // Old names are part of what changed.
        if document.path.ends_with("CHANGELOG.md") {
            continue;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for code in document.code() {
            for word in code.split(|c| !is_word(c)) {
                let is_name = word.contains('_')
                    && word.starts_with(|c: char| c.is_ascii_uppercase())
                    && !word.contains(|c: char| c.is_ascii_lowercase());
                // Variables of AWS's hosts and SDKs.
                let is_of_aws = word.starts_with("AWS_");
                if is_name && !is_of_aws && !OTHER_NAMES.contains(&word) {
                    document.assert(exists(word), format!("no setting {word}"));
                    found += 1;
                }
            }
        }
    }
    assert!(found > 100, "{found} settings");
}

#[test]
fn every_command_of_the_job_is_valid() {
    let mut found = 0;
    for document in documents() {
        for code in document.code() {
            let line = code.split('#').next().unwrap_or_default();
            for command in line.split(" | ") {
                let command = command.split(" > ").next().unwrap_or_default().trim();
                if !command.starts_with("forward ") {
                    continue;
                }
                let words = command.split_whitespace();
                if let Err(error) = forward::cli::command().try_get_matches_from(words) {
                    // A sentence names a command without its required arguments.
                    let is_valid = matches!(
                        error.kind(),
                        ErrorKind::DisplayHelp | ErrorKind::MissingRequiredArgument
                    );
                    document.assert(is_valid, error);
                }
                found += 1;
            }
        }
    }
    assert!(found > 15, "{found} commands");
}

#[test]
fn every_exit_code_has_its_advice() {
    let operations = read("docs/OPERATIONS.md");
    for outcome in RunOutcome::ALL {
        let row = format!("| {} | `{}` |", outcome.code(), outcome.name());
        assert!(operations.contains(&row), "{row}");
    }
}

#[test]
fn every_cause_of_dead_letters_is_described() {
    let schema: Value =
        serde_json::from_str(&read("docs/schemas/dead-letter-headers.schema.json")).unwrap();
    let envelope: Value =
        serde_json::from_str(&read("docs/schemas/dead-letter-envelope.schema.json")).unwrap();
    let causes = &schema["$defs"]["cause"]["enum"];
    assert_eq!(*causes, envelope["properties"]["cause"]["enum"]);
    for document in ["docs/FORMATS.md", "docs/OPERATIONS.md"] {
        for cause in causes.as_array().unwrap() {
            let row = format!("\n| `{}` |", cause.as_str().unwrap());
            assert!(read(document).contains(&row), "{document}: {row}");
        }
    }
}
