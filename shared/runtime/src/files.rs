//! Text files of this machine, read with a bound.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A whole text file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read, is larger, or is not UTF-8; a phrase to put after the file's name.
pub fn read_text(path: &Path, limit: usize) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    text(bytes, limit)
}

/// Bytes as a text of at most `limit` bytes.
///
/// # Errors
/// As [`read_text`].
pub fn text(bytes: Vec<u8>, limit: usize) -> Result<String, String> {
    if bytes.len() > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
