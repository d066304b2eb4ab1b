//! README.md agrees with the programs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use api_avro_sample::settings::SAMPLE_ENDPOINT;
use fn_recep_avro::settings::INGEST;
use forward::exit::RunOutcome;
use forward::settings::{DEAD_LETTERS, DELIVERY, ROUTING, WINDOW};
use http_server::settings::HTTP_SERVER;
use kafka::settings::KAFKA;
use settings::common::{EVERY_PROGRAM, ORACLE_CLOUD};
use settings::names::NAMES;
use settings::{Group, markdown};

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const BEGIN: &str = "<!-- settings -->\n";
const END: &str = "<!-- /settings -->";

/// The settings of all programs, in the order of the README.
static GROUPS: [&Group; 10] = [
    &EVERY_PROGRAM,
    &ORACLE_CLOUD,
    &KAFKA,
    &HTTP_SERVER,
    &INGEST,
    &SAMPLE_ENDPOINT,
    &ROUTING,
    &WINDOW,
    &DELIVERY,
    &DEAD_LETTERS,
];

/// `UPDATE_README=1` (`make readme`) writes the tables instead.
#[test]
fn tables_match_the_settings_and_exit_codes() {
    let path = format!("{TOP}/README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect(BEGIN);
    let (written, after) = rest.split_once(END).expect(END);
    let expected = format!(
        "{}\n### Exit codes of `forward run`\n\n{}",
        markdown::tables(&GROUPS),
        RunOutcome::markdown()
    );
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
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
fn every_named_file_and_make_target_exists() {
    let readme = std::fs::read_to_string(format!("{TOP}/README.md")).unwrap();
    let makefiles: String = ["Makefile", "deploy/deploy.mk"]
        .map(|file| std::fs::read_to_string(format!("{TOP}/{file}")).unwrap())
        .concat();
    let words: Vec<&str> = readme.split(['`', '\n', '(', ')']).collect();
    let mut verbs = 0;
    for word in words {
        if let Some(verb) = word.trim().strip_prefix("make ")
            && verb.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        {
            verbs += 1;
            let rule = format!("\n{verb}:");
            assert!(makefiles.contains(&rule), "make {verb} is not a target");
        }
        let is_path = ["deploy/", "functions/", "shared/", "jobs/"]
            .iter()
            .any(|folder| word.starts_with(folder));
        if is_path && !word.contains(['{', ' ', '<']) {
            let path = format!("{TOP}/{word}");
            assert!(
                std::path::Path::new(&path).exists(),
                "{word} does not exist"
            );
        }
    }
    assert!(verbs > 5, "found only {verbs} targets");
}
