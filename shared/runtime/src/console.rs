//! Standard output and standard error. Both may be closed by the process that reads them, such as `head`. That is not
//! an error here, and never a panic, unlike with `println!` and `eprintln!`.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Writes all bytes to standard output. Returns false if standard output is a closed pipe.
///
/// # Errors
/// Writing fails for another reason, such as a full disk.
pub fn print(text: &[u8]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes one line to standard error. Errors are ignored: there is no other stream to report them on.
pub fn say(line: impl Display) {
    // One write: several could interleave with the lines of other threads.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
