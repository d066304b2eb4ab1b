//! Standard output and standard error. Whoever reads them may go away: that is never a failure of ours, and never a
//! panic, as it is with `println!` and `eprintln!`.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints all of it to standard output; false if whoever reads it has read enough and closed it.
///
/// # Errors
/// It cannot be written, such as to a full disk.
pub fn print(text: &[u8]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says one line on standard error, if anybody is there to read it.
pub fn say(line: impl Display) {
    // In one piece, or it may mingle with other lines.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
