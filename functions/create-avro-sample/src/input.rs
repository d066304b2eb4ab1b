//! Where records and files come from: the command line, standard input, a path.

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

/// The records in the argument, or else in standard input.
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

/// One JSON value after another, on lines of their own or not.
fn parse(text: &str) -> Result<Vec<Record>, Failure> {
    // Windows editors put a byte order mark before the first value.
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

/// All of a file; `-` is standard input.
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
    fn records_are_told_apart_with_the_lines_they_end_on() {
        let records = parse("\u{feff}{\"a\":1}\n\n{\n \"a\":\n2}{\"a\":3}\n").unwrap();
        let seen: Vec<_> = records
            .iter()
            .map(|record| (record.value["a"].as_i64(), record.line))
            .collect();
        assert_eq!(seen, [(Some(1), 1), (Some(2), 5), (Some(3), 5)]);
        assert!(parse("  \n").unwrap().is_empty());
    }

    #[test]
    fn text_that_is_not_json_is_refused_with_its_place() {
        let failure = parse("{\"a\":1}\n{\"a\":x}").unwrap_err();
        assert_eq!(
            failure.to_string(),
            "the input is not JSON: expected value at line 2 column 6"
        );
    }
}
