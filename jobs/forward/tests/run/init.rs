//! `forward init` as a process, and `forward check --offline` of what it writes.

use std::fs;
use std::path::Path;

use super::*;

fn forward(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("API_TOKEN", "t")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

fn init(folder: &Path, schema: &str) -> (i32, String) {
    let path = folder.join("schema.avsc");
    fs::write(&path, schema).unwrap();
    let directory = folder.join("new/job");
    let (schema, directory) = (path.to_str().unwrap(), directory.to_str().unwrap());
    forward(&["init", "--schema", schema, "--directory", directory])
}

/// Checks the files of [`init`], each after this change of its text.
fn assert_accepted(folder: &Path, change: impl Fn(&str) -> String) {
    let config = folder.join("new/job/config.properties");
    for file in [&config, &folder.join("new/job/routes.yaml")] {
        fs::write(file, change(&fs::read_to_string(file).unwrap())).unwrap();
    }
    let arguments = [
        "check",
        "--offline",
        "--output",
        "json",
        "--config-location",
    ];
    let (code, text) = forward(&[&arguments[..], &[config.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    for check in report["checks"].as_array().unwrap() {
        let is_catch_all = check["detail"] == "route \"others\" matches every record";
        assert!(check["result"] == "ok" || is_catch_all, "{check:#}");
    }
}

/// The text without the `#` of each line that is a setting with a value, or a member of a route.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let (indent, rest) = line.split_once('#').unwrap_or((line, ""));
        let is_comment = !indent.trim().is_empty() || rest.starts_with(' ') || rest.is_empty();
        let has_value = rest.contains(": ")
            || rest
                .split_once('=')
                .is_some_and(|(_, value)| !value.is_empty());
        match is_comment || !has_value {
            true => line.to_owned(),
            false => format!("{indent}{rest}"),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_written_passes_the_check_with_and_without_its_examples() {
    let field = |kind: &str| {
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{kind}}}]}}"#)
    };
    let schemas = [
        include_str!("../../../../schemas/user.avsc").to_owned(),
        r#"{"type":"record","name":"a.b.Empty","fields":[]}"#.to_owned(),
        r#"{"type":"record","name":"R","fields":[{"name":"namespace","type":"string","doc":"a # and: \n - b"},
            {"name":"in","type":"int"},{"name":"record","type":"long"}]}"#
            .to_owned(),
        field(r#""string""#),
        field(r#"["null","string"]"#),
        field(r#"{"type":"enum","name":"E","symbols":["ONE"]}"#),
        field(r#"{"type":"enum","name":"E","symbols":["ONE","TWO"]}"#),
        field(r#"{"type":"long","logicalType":"timestamp-micros"}"#),
        field(r#"{"type":"array","items":"R"}"#),
        field(r#""boolean""#),
    ];
    for schema in schemas {
        let folder = tempfile::tempdir().unwrap();
        let (code, text) = init(folder.path(), &schema);
        assert_eq!(code, 0, "{schema}: {text}");
        assert!(
            text.contains("forward check --offline --config-location"),
            "{text}"
        );
        assert_accepted(folder.path(), str::to_owned);
        assert_accepted(folder.path(), uncommented);
        let routes = fs::read_to_string(folder.path().join("new/job/routes.yaml")).unwrap();
        assert!(routes.contains("    batch: 100\n"), "{routes}");
        println!("{routes}");
    }
}

#[test]
fn a_schema_with_many_fields_takes_seconds() {
    let fields = (0..3_000).map(|n| format!(r#"{{"name":"f{n}","type":["null","string"]}}"#));
    let fields = fields.collect::<Vec<_>>().join(",");
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let schema = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    let (code, text) = init(folder.path(), &schema);
    assert_eq!(code, 0, "{text}");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let routes = fs::read_to_string(folder.path().join("new/job/routes.yaml")).unwrap();
    assert!(routes.contains("#   and 2900 more\n"), "{routes}");
    assert!(routes.contains("has(record.f0)"), "{routes}");
}

#[test]
fn no_file_is_replaced() {
    for existing in ["config.properties", "routes.yaml"] {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("new/job");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(existing), "mine").unwrap();
        let (code, text) = init(folder.path(), r#"{"type":"record","name":"R","fields":[]}"#);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.contains(existing) && text.contains("nothing is written"),
            "{text}"
        );
        assert_eq!(
            fs::read_to_string(directory.join(existing)).unwrap(),
            "mine"
        );
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}

#[test]
fn an_invalid_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for schema in ["", "hello", "{}", r#"{"type":"record"}"#] {
        let (code, text) = init(folder.path(), schema);
        assert_eq!(code, 65, "{schema}: {text}");
        assert!(
            text.contains("the schema ") && text.lines().count() == 1,
            "{text}"
        );
    }
    let (code, text) = forward(&["init", "--schema", "no-such-file"]);
    assert_eq!(code, 74, "{text}");
    assert_eq!(forward(&["init"]).0, 64);
    assert!(!folder.path().join("new").exists());
}
