//! `create-avro-sample`, as a user runs it.

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
        // A program that refuses its arguments does not read its input.
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input)
            .unwrap_or_default();
        child.wait_with_output().unwrap()
    }

    fn done(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.run(args, input);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        output.stdout
    }

    fn refused(&self, args: &[&str], input: &[u8], code: i32) -> String {
        let before = self.files();
        let output = self.run(args, input);
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        assert_eq!(output.stdout, b"", "nothing is written");
        assert_eq!(self.files(), before, "nothing is written");
        told(&output)
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

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_tutorials_command_writes_the_tutorials_bytes() {
    let shell = Shell::new();
    let output = shell.run(&["meu_file.bin", JOHN], b"");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        told(&output),
        "wrote 1 record of User to meu_file.bin (raw datum, 21 bytes)\n"
    );
    assert_eq!(shell.read("meu_file.bin"), RAW);
    assert_eq!(shell.files().len(), 1, "no part is left behind");
    let json = shell.done(&["--decode", "meu_file.bin"], b"");
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
}

#[test]
fn json_comes_from_standard_input_and_bytes_go_to_standard_output() {
    let shell = Shell::new();
    assert_eq!(shell.done(&["-"], JOHN.as_bytes()), RAW);
    assert_eq!(shell.done(&["-", "-"], JOHN.as_bytes()), RAW);
    let json = shell.done(&["--decode", "-"], RAW);
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
    assert!(shell.files().is_empty());
}

#[test]
fn a_container_of_any_codec_comes_back_line_by_line() {
    let shell = Shell::new();
    let lines: String = (0..2_000)
        .map(|id| format!("{{\"id\":{id},\"name\":\"n{id}\",\"email\":\"\"}}\n"))
        .collect();
    let mut sizes = Vec::new();
    for codec in ["null", "deflate", "snappy", "zstandard"] {
        let args = ["--container", "--codec", codec, "people.avro"];
        shell.done(&args, lines.as_bytes());
        let file = shell.read("people.avro");
        sizes.push(file.len());
        let reader = apache_avro::Reader::new(&file[..]).unwrap();
        assert_eq!(reader.filter(Result::is_ok).count(), 2_000);
        let json = shell.done(&["--decode", "people.avro"], b"");
        assert!(json == lines.as_bytes());
    }
    assert!(sizes[1..].iter().all(|size| *size < sizes[0]), "{sizes:?}");
    shell.done(&["--container", "one.avro", JOHN], b"");
    let json = shell.done(&["--decode", "one.avro"], b"");
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
}

#[test]
fn a_single_object_begins_with_magic_and_fingerprint() {
    let shell = Shell::new();
    shell.done(&["--single-object", "one.bin", JOHN], b"");
    let file = shell.read("one.bin");
    assert!(file.starts_with(b"\xc3\x01"));
    assert_eq!(&file[10..], RAW);
    let json = shell.done(&["--decode", "one.bin"], b"");
    assert_eq!(json, format!("{JOHN}\n").into_bytes());
}

#[test]
fn another_schema_is_taken_from_a_file_and_found_again_in_a_container() {
    let shell = Shell::new();
    let schema = r#"{"type":"record","name":"Point","fields":[
        {"name":"x","type":"double"},{"name":"label","type":["null","string"],"default":null}]}"#;
    fs::write(shell.path().join("point.avsc"), schema).unwrap();
    let json = b"{\"x\":1.5}{\"x\":2,\"label\":\"two\"}";
    shell.done(&["--schema", "point.avsc", "--container", "p.avro"], json);
    let lines = "{\"x\":1.5,\"label\":null}\n{\"x\":2.0,\"label\":\"two\"}\n";
    assert_eq!(shell.done(&["--decode", "p.avro"], b""), lines.as_bytes());

    // Read as another schema, as a consumer with that one would.
    let narrow = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"double"}]}"#;
    fs::write(shell.path().join("narrow.avsc"), narrow).unwrap();
    let args = ["--schema", "narrow.avsc", "--decode", "p.avro"];
    assert_eq!(shell.done(&args, b""), b"{\"x\":1.5}\n{\"x\":2.0}\n");
    let args = ["--schema", "point.avsc", "--decode", "raw.bin"];
    fs::write(shell.path().join("raw.bin"), [0; 9]).unwrap();
    assert_eq!(shell.done(&args, b""), b"{\"x\":0.0,\"label\":null}\n");
}

#[test]
fn json_that_does_not_fit_is_named_and_nothing_is_written() {
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
        (" ", "there is no JSON record in the input"),
    ] {
        for file in ["old.bin", "new.bin", "-"] {
            let told = shell.refused(&[file, json], b"", 65);
            assert_eq!(told, format!("create-avro-sample: {sentence}\n"));
        }
    }
    let told = shell.refused(
        &["--container", "new.avro"],
        format!("{JOHN}\n\n{JOHN}\n{{\"id\":1}}\n").as_bytes(),
        65,
    );
    assert!(
        told.starts_with("create-avro-sample: record 3 (line 4): name: expected"),
        "{told}"
    );
    shell.refused(&["new.bin"], b"\xff", 65);
}

#[test]
fn many_records_need_a_container() {
    let shell = Shell::new();
    let two = format!("{JOHN}\n{JOHN}\n");
    let told = shell.refused(&["two.bin"], two.as_bytes(), 64);
    assert_eq!(
        told,
        "create-avro-sample: 2 records do not fit into one raw datum, which holds exactly one: add --container\n"
    );
    let told = shell.refused(&["--single-object", "two.bin"], two.as_bytes(), 64);
    assert!(told.contains("one single object"), "{told}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
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
        shell.refused(args, b"", 64);
    }
    assert_eq!(shell.run(&["--help"], b"").status.code(), Some(0));
    let version = shell.done(&["--version"], b"");
    assert!(version.starts_with(b"create-avro-sample "));
}

#[test]
fn what_cannot_be_read_or_written_is_an_io_error() {
    let shell = Shell::new();
    fs::create_dir(shell.path().join("folder")).unwrap();
    for args in [
        &["--decode", "missing"][..],
        &["--schema", "missing", "file", JOHN],
        &["folder", JOHN],
        &["missing/file", JOHN],
        &["--decode", "folder"],
    ] {
        let told = shell.refused(args, b"", 74);
        assert!(told.starts_with("create-avro-sample: "), "{told}");
    }
}

#[test]
fn damaged_files_are_refused_with_the_place() {
    let shell = Shell::new();
    fs::write(shell.path().join("cut.bin"), &RAW[..10]).unwrap();
    assert_eq!(
        shell.refused(&["--decode", "cut.bin"], b"", 65),
        "create-avro-sample: cut.bin: the datum ends inside a string of 12 bytes at byte 8, in field email\n"
    );
    shell.done(&["--container", "ok.avro", JOHN], b"");
    let mut file = shell.read("ok.avro");
    let end = file.len() - 20;
    file[end] = 0xff;
    fs::write(shell.path().join("bad.avro"), &file).unwrap();
    let told = shell.refused(&["--decode", "bad.avro"], b"", 65);
    assert!(
        told.contains("block 1, record 1: text is not UTF-8 at byte"),
        "{told}"
    );
    fs::write(shell.path().join("bad.avsc"), "{}").unwrap();
    let told = shell.refused(&["--schema", "bad.avsc", "x", JOHN], b"", 65);
    assert!(told.contains("bad.avsc: a type has no \"type\""), "{told}");
}

#[cfg(unix)]
#[test]
fn a_link_a_mode_and_a_device_survive_being_written_to() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let shell = Shell::new();
    let real = shell.path().join("real.bin");
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("real.bin", shell.path().join("link.bin")).unwrap();
    shell.done(&["link.bin", JOHN], b"");
    assert!(shell.path().join("link.bin").is_symlink());
    assert_eq!(shell.read("real.bin"), RAW);
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(shell.done(&["/dev/stdout", JOHN], b""), RAW);
    shell.done(&["/dev/null", JOHN], b"");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn each_shell_gets_its_completions() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = shell.done(&["--completions", name], b"");
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("single-object"), "{name}");
    }
}

#[test]
fn the_schema_is_the_one_that_every_other_program_takes() {
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
        assert_eq!(made.stdout, b"\x0e", "{}", told(&made));
        // The flag goes before it.
        let made = shell.run_with(
            &[(name, value)],
            &["--schema", "string.avsc", "-", "\"a\""],
            b"",
        );
        assert_eq!(made.stdout, b"\x02a", "{}", told(&made));
        let wrong = shell.run_with(&[(name, "nowhere")], &["-", "7"], b"");
        assert_eq!(wrong.status.code(), Some(78));
        assert!(told(&wrong).contains("nowhere"), "{}", told(&wrong));
    }
}
