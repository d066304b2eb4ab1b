//! Tests of the program `create-avro-sample`.

#![cfg(test)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const JOHN: &str = r#"{"id":10029,"name":"John","email":"john@bla.com"}"#;
const RAW: &[u8] = b"\xda\x9c\x01\x08John\x18john@bla.com";

struct Shell {
    folder: TempDir,
}

impl Shell {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Output {
        self.run_with(&[], args, input)
    }

    fn run_with(&self, settings: &[(&str, &str)], args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_create-avro-sample"))
            .args(args)
            .env_clear()
            .envs(settings.iter().copied())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program does not read its input if its arguments are invalid.
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input)
            .unwrap_or_default();
        child.wait_with_output().unwrap()
    }

    fn run_ok(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.run(args, input);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        output.stdout
    }

    fn run_failing(&self, args: &[&str], input: &[u8], code: i32) -> String {
        let before = self.files();
        let output = self.run(args, input);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert_eq!(output.stdout, b"", "nothing is written");
        assert_eq!(self.files(), before, "nothing is written");
        stderr(&output)
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (
                    path.display().to_string(),
                    fs::read(&path).unwrap_or_default(),
                )
            })
            .collect();
        files.sort();
        files
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn writes_the_tutorials_message() {
    let shell = Shell::new();
    let output = shell.run(&["meu_file.bin", JOHN], b"");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stderr(&output),
        "wrote 1 record of User to meu_file.bin (raw datum, 21 bytes)\n"
    );
    assert_eq!(shell.read("meu_file.bin"), RAW);
    assert_eq!(shell.files().len(), 1, "no temporary file remains");
    let json = shell.run_ok(&["--decode", "meu_file.bin"], b"");
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
}

#[test]
fn reads_standard_input_and_writes_standard_output() {
    let shell = Shell::new();
    assert_eq!(shell.run_ok(&["-"], JOHN.as_bytes()), RAW);
    assert_eq!(shell.run_ok(&["-", "-"], JOHN.as_bytes()), RAW);
    let json = shell.run_ok(&["--decode", "-"], RAW);
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
    assert!(shell.files().is_empty());
}

#[test]
fn container_files_of_every_codec_survive_a_round_trip() {
    let shell = Shell::new();
    let lines: String = (0..2_000)
        .map(|id| format!("{{\"id\":{id},\"name\":\"n{id}\",\"email\":\"\"}}\n"))
        .collect();
    let mut sizes = Vec::new();
    for codec in ["null", "deflate", "bzip2", "snappy", "xz", "zstandard"] {
        let args = ["--container", "--codec", codec, "people.avro"];
        shell.run_ok(&args, lines.as_bytes());
        let file = shell.read("people.avro");
        sizes.push(file.len());
        let reader = apache_avro::Reader::new(&file[..]).unwrap();
        assert_eq!(reader.filter(Result::is_ok).count(), 2_000);
        let json = shell.run_ok(&["--decode", "people.avro"], b"");
        assert!(json == lines.as_bytes());
    }
    assert!(sizes[1..].iter().all(|size| *size < sizes[0]), "{sizes:?}");
    shell.run_ok(&["--container", "one.avro", JOHN], b"");
    let json = shell.run_ok(&["--decode", "one.avro"], b"");
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
}

#[test]
fn writes_the_single_object_encoding() {
    let shell = Shell::new();
    shell.run_ok(&["--single-object", "one.bin", JOHN], b"");
    let file = shell.read("one.bin");
    assert!(file.starts_with(b"\xc3\x01"));
    assert_eq!(&file[10..], RAW);
    let json = shell.run_ok(&["--decode", "one.bin"], b"");
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
}

#[test]
fn uses_the_schema_of_a_file_or_container() {
    let shell = Shell::new();
    let schema = r#"{"type":"record","name":"Point","fields":[
        {"name":"x","type":"double"},{"name":"label","type":["null","string"],"default":null}]}"#;
    fs::write(shell.path().join("point.avsc"), schema).unwrap();
    let json = b"{\"x\":1.5}{\"x\":2,\"label\":\"two\"}";
    shell.run_ok(&["--schema", "point.avsc", "--container", "p.avro"], json);
    let lines = "{\"x\":1.5,\"label\":null}\n{\"x\":2.0,\"label\":\"two\"}\n";
    assert_eq!(shell.run_ok(&["--decode", "p.avro"], b""), lines.as_bytes());

    // Decode with another reader's schema.
    let narrow = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"double"}]}"#;
    fs::write(shell.path().join("narrow.avsc"), narrow).unwrap();
    let args = ["--schema", "narrow.avsc", "--decode", "p.avro"];
    assert_eq!(shell.run_ok(&args, b""), b"{\"x\":1.5}\n{\"x\":2.0}\n");
    let args = ["--schema", "point.avsc", "--decode", "raw.bin"];
    fs::write(shell.path().join("raw.bin"), [0; 9]).unwrap();
    assert_eq!(shell.run_ok(&args, b""), b"{\"x\":0.0,\"label\":null}\n");
}

#[test]
fn invalid_json_is_reported_and_nothing_is_written() {
    let shell = Shell::new();
    fs::write(shell.path().join("old.bin"), "as it was").unwrap();
    for (json, sentence) in [
        (
            r#"{"id":"x","name":"","email":""}"#,
            "id: expected an int, a whole number of 32 bits, found the text \"x\"",
        ),
        (
            r#"{"id":1,"name":""}"#,
            "email: expected string, found nothing: the field is absent, and the schema has no default for it",
        ),
        (
            r#"{"id":1,"name":"","email":"","x":1}"#,
            "x: expected one of the fields id, name, email, found a field the schema does not have",
        ),
        (
            "[]",
            "the value: expected the record User, an object, found an array of 0",
        ),
        (
            "{",
            "the input is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (" ", "the input has no JSON record"),
    ] {
        for file in ["old.bin", "new.bin", "-"] {
            let message = shell.run_failing(&[file, json], b"", 65);
            assert_eq!(message, format!("create-avro-sample: {sentence}\n"));
        }
    }
    let message = shell.run_failing(
        &["--container", "new.avro"],
        format!("{JOHN}\n\n{JOHN}\n{{\"id\":1}}\n").as_bytes(),
        65,
    );
    assert!(
        message.starts_with("create-avro-sample: record 3 (line 4): name: expected"),
        "{message}"
    );
    shell.run_failing(&["new.bin"], b"\xff", 65);
}

#[test]
fn several_records_require_a_container() {
    let shell = Shell::new();
    let two = format!("{JOHN}\n{JOHN}\n");
    let message = shell.run_failing(&["two.bin"], two.as_bytes(), 64);
    assert_eq!(
        message,
        "create-avro-sample: a raw datum has exactly one record, and the input has 2: add --container\n"
    );
    let message = shell.run_failing(&["--single-object", "two.bin"], two.as_bytes(), 64);
    assert!(
        message.contains("a single object has exactly one record"),
        "{message}"
    );
}

#[test]
fn an_invalid_command_line_is_a_usage_error() {
    let shell = Shell::new();
    for args in [
        &[][..],
        &["--codec", "null", "file"],
        &["--container", "--codec", "lzma", "file"],
        &["--container", "--single-object", "file"],
        &["--decode", "file", "--container"],
        &["--decode", "file", "other"],
        &["file", JOHN, "more"],
        &["--unknown", "file"],
        &["--completions", "cmd.com"],
    ] {
        shell.run_failing(args, b"", 64);
    }
    assert_eq!(shell.run(&["--help"], b"").status.code(), Some(0));
    let version = shell.run_ok(&["--version"], b"");
    assert!(version.starts_with(b"create-avro-sample "));
}

#[test]
fn failures_to_read_or_write_are_io_errors() {
    let shell = Shell::new();
    fs::create_dir(shell.path().join("folder")).unwrap();
    for args in [
        &["--decode", "missing"][..],
        &["--schema", "missing", "file", JOHN],
        &["folder", JOHN],
        &["missing/file", JOHN],
        &["--decode", "folder"],
    ] {
        let message = shell.run_failing(args, b"", 74);
        assert!(message.starts_with("create-avro-sample: "), "{message}");
    }
}

#[test]
fn damaged_files_are_reported_with_the_position() {
    let shell = Shell::new();
    fs::write(shell.path().join("cut.bin"), &RAW[..10]).unwrap();
    assert_eq!(
        shell.run_failing(&["--decode", "cut.bin"], b"", 65),
        "create-avro-sample: cut.bin: the datum ends inside a string of 12 bytes at byte 8, in field email\n"
    );
    shell.run_ok(&["--container", "ok.avro", JOHN], b"");
    let mut file = shell.read("ok.avro");
    let end = file.len() - 20;
    file[end] = 0xff;
    fs::write(shell.path().join("bad.avro"), &file).unwrap();
    let message = shell.run_failing(&["--decode", "bad.avro"], b"", 65);
    assert!(
        message.contains("block 1, record 1: text is not UTF-8 at byte"),
        "{message}"
    );
    fs::write(shell.path().join("bad.avsc"), "{}").unwrap();
    let message = shell.run_failing(&["--schema", "bad.avsc", "x", JOHN], b"", 65);
    assert!(
        message.contains("bad.avsc: a type has no \"type\""),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn writing_keeps_symbolic_links_permissions_and_devices() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let shell = Shell::new();
    let real = shell.path().join("real.bin");
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("real.bin", shell.path().join("link.bin")).unwrap();
    shell.run_ok(&["link.bin", JOHN], b"");
    assert!(shell.path().join("link.bin").is_symlink());
    assert_eq!(shell.read("real.bin"), RAW);
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(shell.run_ok(&["/dev/stdout", JOHN], b""), RAW);
    shell.run_ok(&["/dev/null", JOHN], b"");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn prints_completions_for_every_shell() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = shell.run_ok(&["--completions", name], b"");
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("single-object"), "{name}");
    }
}

#[test]
fn uses_the_configured_schema() {
    let shell = Shell::new();
    fs::write(shell.path().join("int.avsc"), "\"int\"").unwrap();
    fs::write(shell.path().join("string.avsc"), "\"string\"").unwrap();
    fs::write(
        shell.path().join("config.properties"),
        "avro_schema=int.avsc\n",
    )
    .unwrap();
    for (name, value) in [
        ("AVRO_SCHEMA", "int.avsc"),
        ("CONFIG_LOCATION", "config.properties"),
    ] {
        let made = shell.run_with(&[(name, value)], &["-", "7"], b"");
        assert_eq!(made.stdout, b"\x0e", "{}", stderr(&made));
        // The option takes precedence.
        let made = shell.run_with(
            &[(name, value)],
            &["--schema", "string.avsc", "-", "\"a\""],
            b"",
        );
        assert_eq!(made.stdout, b"\x02a", "{}", stderr(&made));
        let wrong = shell.run_with(&[(name, "nowhere")], &["-", "7"], b"");
        assert_eq!(wrong.status.code(), Some(78));
        assert!(stderr(&wrong).contains("nowhere"), "{}", stderr(&wrong));
    }
}
