//! Reads records and files: from the command line, standard input or a path.

use std::io::{IsTerminal, Read};
use std::path::Path;

use serde_json::{Deserializer, Value};

use super::failure::Failure;

/// One JSON record, and the line of the input on which it ends.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) value: Value,
    pub(super) line: usize,
}

/// Parses the records in the argument; without one, in standard input.
pub(super) fn records(json: Option<&str>) -> Result<Vec<Record>, Failure> {
    match json {
        Some(json) => parse(json),
        None => {
            if std::io::stdin().is_terminal() {
                runtime::console::say("reading JSON from the terminal; Ctrl-D ends it");
            }
            let bytes = bytes(Path::new("-"))?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                Failure::data(format!("the input is not UTF-8 at byte {at}"))
            })?;
            parse(&text)
        }
    }
}

/// Parses consecutive JSON values, with or without line breaks between them.
fn parse(text: &str) -> Result<Vec<Record>, Failure> {
    // Editors on Windows write a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut records = Vec::new();
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let (mut line, mut counted) = (1, 0);
    while let Some(value) = values.next() {
        let value =
            value.map_err(|error| Failure::data(format!("the input is not JSON: {error}")))?;
        let end = values.byte_offset();
        line += text[counted..end].matches('\n').count();
        counted = end;
        records.push(Record { value, line });
    }
    Ok(records)
}

/// Reads a file; `-` is standard input.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return std::fs::read(path)
            .map_err(|error| Failure::io(format!("reading {}", path.display()), &error));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io("reading standard input", &error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_consecutive_records_with_their_lines() {
        let records = parse("\u{feff}{\"a\":1}\n\n{\n \"a\":\n2}{\"a\":3}\n").unwrap();
        let found: Vec<_> = records
            .iter()
            .map(|record| (record.value["a"].as_i64(), record.line))
            .collect();
        assert_eq!(found, [(Some(1), 1), (Some(2), 5), (Some(3), 5)]);
        assert!(parse("  \n").unwrap().is_empty());
    }

    #[test]
    fn rejects_invalid_json_with_its_position() {
        let failure = parse("{\"a\":1}\n{\"a\":x}").unwrap_err();
        assert_eq!(
            failure.to_string(),
            "the input is not JSON: expected value at line 2 column 6"
        );
    }
}
