//! Where bytes go: a file that appears whole or not at all, or standard output.

use std::fmt;
use std::path::{Path, PathBuf};

use runtime::{console, exit, files};

use super::failure::Failure;

/// A path, or a standard stream.
pub(super) enum Target {
    Standard,
    File(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Standard => f.write_str("-"),
            Target::File(path) => path.display().fmt(f),
        }
    }
}

impl Target {
    /// `-` is the standard stream.
    pub(super) fn of(path: &Path) -> Self {
        match path.to_str() {
            Some("-") => Target::Standard,
            _ => Target::File(path.to_owned()),
        }
    }

    /// Writes all of it. A file that was there before is there still, unchanged, if this fails.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Target::Standard => print(bytes),
            Target::File(path) => files::replace(path, bytes)
                .map_err(|error| Failure::io(format!("writing {}", path.display()), &error)),
        }
    }
}

/// Writes to standard output.
pub(super) fn print(bytes: &[u8]) -> Result<(), Failure> {
    match console::print(bytes) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Unheard),
        Err(error) => Err(Failure::io("writing to standard output", &error)),
    }
}

/// Sixteen random bytes, which no data hold by chance.
pub(super) fn sync_marker() -> Result<[u8; 16], Failure> {
    let mut marker = [0; 16];
    openssl::rand::rand_bytes(&mut marker)
        .map_err(|error| Failure::Told(exit::SOFTWARE, format!("making a sync marker: {error}")))?;
    Ok(marker)
}
