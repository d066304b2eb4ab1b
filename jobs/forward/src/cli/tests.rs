use std::time::Duration;

use settings::Settings;

use super::*;

fn parsed(line: &str) -> Result<(Action, Flags), u8> {
    parse(line.split(' '))
}

#[test]
fn run_has_options_and_settings() {
    let (action, flags) = parsed(
        "forward run --every 30s --output json --report r.json --dry-run --progress never --kafka-topic orders",
    )
    .unwrap();
    let expected = RunOptions {
        every: Some(Duration::from_secs(30)),
        output: Output::Json,
        report: Some(Location::File("r.json".into())),
        dry_run: true,
        progress: false,
        plan: None,
    };
    assert_eq!(action, Action::Run(expected));
    assert_eq!(flags, [("kafka_topic", "orders".to_owned())]);
    let (action, flags) = parsed("forward run").unwrap();
    let plain = RunOptions {
        progress: true,
        ..RunOptions::default()
    };
    assert_eq!((action, flags), (Action::Run(plain), vec![]));
}

#[test]
fn test_has_samples_and_settings() {
    let (action, flags) = parsed("forward test --records - --output json --routes r.yaml").unwrap();
    let expected = TestOptions {
        records: "-".into(),
        output: Output::Json,
    };
    assert_eq!(action, Action::Test(expected));
    assert_eq!(flags, [("routes", "r.yaml".to_owned())]);
    let mut command = command();
    let test = command.find_subcommand_mut("test").unwrap();
    let help = test.render_long_help().to_string();
    for text in [
        "Examples:",
        "CLUSTER/TOPIC-ID/0/OFFSET",
        "   1  A sample has",
        "  78  ",
    ] {
        assert!(help.contains(text), "{help}");
    }
}

#[test]
fn an_invalid_command_line_is_a_usage_error() {
    for line in [
        "forward test",
        "forward test --records",
        "forward test --records a --output yaml",
        "forward",
        "forward walk",
        "forward run --kafka-topc x",
        "forward run --every 30",
        "forward run --every 0s",
        "forward run --every 30s --plan p.json",
        "forward run --shard 1/2",
        "forward run --plan p.json --shard 3/2",
        "forward plan --shards 0",
        "forward reset",
        "forward reset --to 7",
        "forward reset --to newest",
        "forward run --report oci://bucket",
        "forward run --report s3://bucket/object",
        "forward run --output yaml",
        "forward run --kafka-password secret",
        "forward run extra",
        "forward completions",
        "forward completions dos",
    ] {
        assert_eq!(parsed(line).unwrap_err(), 64, "{line}");
    }
    assert_eq!(parsed("forward --version").unwrap_err(), 0);
    assert_eq!(parsed("forward run --help").unwrap_err(), 0);
}

#[test]
fn every_setting_of_the_job_has_its_flag_and_the_help_its_codes() {
    command().debug_assert();
    let mut command = command();
    let run = command.find_subcommand_mut("run").unwrap();
    let help = run.render_long_help().to_string();
    for setting in GROUPS.iter().flat_map(|group| group.settings) {
        let shown = match setting.secret || setting.family {
            true => setting.variable(),
            false => format!("--{} <", setting.flag()),
        };
        assert!(help.contains(&shown), "{shown}");
    }
    assert!(help.contains("Examples:") && help.contains("  76  Records were deleted"));
}

/// The commands of a line of a shell, as words.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut quote, mut words) = (None, vec![String::new()]);
    for c in line.trim().chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words
        .split(|word| word == "|")
        .map(<[String]>::to_vec)
        .collect()
}

fn assert_examples(command: &Command, found: &mut usize) {
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(
        help.contains("Examples:\n"),
        "{} has no example",
        command.get_name()
    );
    for mut words in help.lines().flat_map(commands) {
        if words.first().is_none_or(|word| word != "forward") {
            continue;
        }
        words.truncate(
            words
                .iter()
                .position(|word| word == ">")
                .unwrap_or(words.len()),
        );
        let parsed = super::command().try_get_matches_from(&words);
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        *found += 1;
    }
    for subcommand in command.get_subcommands() {
        assert_examples(subcommand, found);
    }
}

#[test]
fn every_command_has_examples_that_are_valid() {
    let mut found = 0;
    for subcommand in command().get_subcommands() {
        assert_examples(subcommand, &mut found);
    }
    assert!(found > 20, "{found} examples");
}

#[test]
fn the_tables_hold_settings_and_codes() {
    let tables = markdown();
    assert!(tables.contains("| `WINDOW_START` | `committed` |"));
    assert!(tables.contains("### Exit codes of `forward run`\n\n| Code |"));
}

#[tokio::test]
async fn the_listing_shows_where_values_come_from_and_no_secret() {
    let environment = |name: &str| (name == "KAFKA_PASSWORD").then(|| "hunter2".to_owned());
    let flags = [("kafka_topic", "orders".to_owned())];
    let settings = Settings::gather(&GROUPS, &flags, environment)
        .await
        .unwrap();
    let listing = listing(&settings);
    let line = |name: &str| {
        let found = listing.lines().find(|line| line.starts_with(name));
        found.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(line("KAFKA_TOPIC ").unwrap(), "KAFKA_TOPIC orders (flag)");
    assert_eq!(
        line("KAFKA_PASSWORD ").unwrap(),
        "KAFKA_PASSWORD [redacted] (environment)"
    );
    assert_eq!(
        line("SHUTDOWN_TIMEOUT ").unwrap(),
        "SHUTDOWN_TIMEOUT 10s (default)"
    );
    assert!(line("API_TITLE ").is_none() && !listing.contains("hunter2"));
}
