//! The README says what the programs say.

#![allow(clippy::unwrap_used, clippy::expect_used)]

const README: &str = include_str!("../../../README.md");

fn between<'a>(begin: &str, end: &str) -> &'a str {
    let (_, rest) = README.split_once(&format!("{begin}\n")).expect(begin);
    rest.split_once(end).expect(end).0
}

#[test]
fn its_tables_are_those_of_the_settings_catalog_and_the_exit_codes() {
    let written = between("<!-- settings -->", "<!-- /settings -->");
    let due = forward::cli::markdown();
    let differs = written
        .lines()
        .zip(due.lines())
        .find(|(written, due)| written != due);
    assert_eq!(differs, None, "make readme writes the tables again");
    assert_eq!(written, due, "make readme writes the tables again");
}

#[test]
fn every_file_and_verb_that_it_names_is_there() {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let makefiles: String = ["Makefile", "deploy/deploy.mk"]
        .map(|file| std::fs::read_to_string(format!("{top}/{file}")).unwrap())
        .concat();
    let words: Vec<&str> = README.split(['`', '\n', '(', ')']).collect();
    let mut verbs = 0;
    for word in words {
        if let Some(verb) = word.trim().strip_prefix("make ")
            && verb.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        {
            verbs += 1;
            let rule = format!("\n{verb}:");
            assert!(makefiles.contains(&rule), "make {verb} is no verb");
        }
        let is_path = ["deploy/", "functions/", "shared/", "jobs/"]
            .iter()
            .any(|folder| word.starts_with(folder));
        if is_path && !word.contains(['{', ' ', '<']) {
            let path = format!("{top}/{word}");
            assert!(std::path::Path::new(&path).exists(), "{word} is not there");
        }
    }
    assert!(verbs > 5, "only {verbs} verbs were found");
}
