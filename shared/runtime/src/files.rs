//! Files of this machine: bounded reads of text, and atomic replacement.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// Reads a whole text file of at most `limit` bytes.
///
/// # Errors
/// The file cannot be read, is larger, or is not UTF-8. The text completes a sentence that begins with the file's name.
pub fn read_text(path: &Path, limit: usize) -> Result<String, String> {
    text(read(path, limit)?, limit)
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// The file cannot be read, or is larger. The text completes a sentence that begins with the file's name.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    Ok(bytes)
}

/// Converts bytes to a text of at most `limit` bytes.
///
/// # Errors
/// As [`read_text`].
pub fn text(bytes: Vec<u8>, limit: usize) -> Result<String, String> {
    if bytes.len() > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// Replaces a file atomically: a reader sees the old content or the new content, also after a crash. Symbolic links are
/// followed and permissions are kept. A device or a pipe is written to.
///
/// The new content is first written to `.NAME.PID.part` in the same folder. A crash may leave that file behind; the
/// next call with the same process id removes it.
///
/// # Errors
/// Writing fails; the old content is unchanged then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path has no file name"))?;
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(part);
    // A container's process has the same id after each restart.
    let _ = fs::remove_file(&part);
    let written = (|| {
        let mut file = File::create_new(&part)?;
        file.write_all(bytes)?;
        if let Some(before) = before {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&part, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn replaces_the_target_of_a_link_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(read_text(&file, 3).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }

    #[test]
    fn removes_the_part_file_of_a_crashed_process() {
        let folder = tempfile::tempdir().unwrap();
        let part = format!(".file.{}.part", std::process::id());
        fs::write(folder.path().join(part), "half").unwrap();
        let file = folder.path().join("file");
        replace(&file, b"whole").unwrap();
        assert_eq!(read_text(&file, 5).unwrap(), "whole");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn reports_a_path_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        assert!(replace(folder.path(), b"x").is_err());
        assert!(replace(&folder.path().join("missing/file"), b"x").is_err());
        assert!(replace(Path::new("/dev/null"), b"x").is_ok());
        assert!(replace(Path::new(""), b"x").is_err());
    }
}
