//! Writes to standard output, or to a file that is replaced atomically.

use std::fmt;
use std::path::{Path, PathBuf};

use runtime::{console, exit, files};

use super::failure::Failure;

/// A file or standard output.
pub(super) enum Target {
    StandardOutput,
    File(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::StandardOutput => f.write_str("-"),
            Target::File(path) => path.display().fmt(f),
        }
    }
}

impl Target {
    /// The target of a command-line argument; `-` is standard output.
    pub(super) fn of(path: &Path) -> Self {
        match path.to_str() {
            Some("-") => Target::StandardOutput,
            _ => Target::File(path.to_owned()),
        }
    }

    /// Writes the bytes. If this fails, an existing file is not changed.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Target::StandardOutput => print(bytes),
            Target::File(path) => files::replace(path, bytes)
                .map_err(|error| Failure::io(format!("writing {}", path.display()), &error)),
        }
    }
}

/// Writes to standard output.
pub(super) fn print(bytes: &[u8]) -> Result<(), Failure> {
    match console::print(bytes) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::OutputClosed),
        Err(error) => Err(Failure::io("writing to standard output", &error)),
    }
}

/// Makes a random sync marker.
pub(super) fn sync_marker() -> Result<[u8; 16], Failure> {
    let mut marker = [0; 16];
    openssl::rand::rand_bytes(&mut marker).map_err(|error| {
        Failure::Error(exit::SOFTWARE, format!("making a sync marker: {error}"))
    })?;
    Ok(marker)
}
