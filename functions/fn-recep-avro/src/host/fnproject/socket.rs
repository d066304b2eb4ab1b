//! The socket that the agent waits for: it must be ready, and open to everybody, the moment its name appears.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A bound socket under the name that the agent watches; both names are removed when this is dropped.
pub(super) struct Socket {
    bound: std::os::unix::net::UnixListener,
    /// The socket itself.
    real: PathBuf,
    /// The link to it.
    name: PathBuf,
}

impl Socket {
    /// Binds `unix:/folder/name` as the contract asks: the socket under another name in the same folder, mode 0666,
    /// then a *relative* link to it. The agent refuses a link that leads out of the folder, and one that is
    /// absolute, since the folder has another path where it lives.
    ///
    /// # Errors
    /// A sentence that names `FN_LISTENER` and what is wrong with it.
    pub(super) fn bind(listener: &str) -> Result<Self, String> {
        let wrong = |what: String| format!("FN_LISTENER is {listener:?}: {what}");
        let name = listener
            .strip_prefix("unix:")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .ok_or_else(|| wrong("expected unix:/folder/name.sock".to_owned()))?;
        let file = name
            .file_name()
            .and_then(|file| file.to_str())
            .ok_or_else(|| wrong("it names no file".to_owned()))?;
        let link_target = format!("phony{file}");
        let real = name.with_file_name(&link_target);
        make(&name, &real, &link_target)
            .map(|bound| Self { bound, real, name })
            .map_err(|error| wrong(format!("binding the socket: {error}")))
    }

    /// A handle for the runtime.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.bound.try_clone()?)
    }
}

fn make(
    name: &Path,
    real: &Path,
    link_target: &str,
) -> io::Result<std::os::unix::net::UnixListener> {
    remove(name)?;
    remove(real)?;
    let bound = std::os::unix::net::UnixListener::bind(real)?;
    bound.set_nonblocking(true)?;
    fs::set_permissions(real, fs::Permissions::from_mode(0o666))?;
    // Last: the agent calls as soon as it sees the name.
    symlink(link_target, name)?;
    Ok(bound)
}

/// A predecessor that was killed left its names behind.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.display().fmt(f)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = remove(&self.name);
        let _ = remove(&self.real);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_name_is_a_relative_link_to_an_open_socket_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("lsnr.sock");
        // As after a SIGKILL.
        fs::write(&name, "stale").unwrap();
        fs::write(folder.path().join("phonylsnr.sock"), "stale").unwrap();
        let socket = Socket::bind(&format!("unix:{}", name.display())).unwrap();
        assert_eq!(fs::read_link(&name).unwrap(), Path::new("phonylsnr.sock"));
        let facts = fs::metadata(&name).unwrap();
        assert!(facts.file_type().is_socket());
        assert_eq!(facts.permissions().mode() & 0o777, 0o666);
        UnixStream::connect(&name).unwrap();
        drop(socket);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_socket_path_is_said_in_one_sentence() {
        let long = format!("unix:/tmp/{}/x.sock", "a".repeat(120));
        for wrong in ["/tmp/x.sock", "unix:x.sock", "unix:/", "tcp://h:1", &long] {
            let sentence = Socket::bind(wrong).err().unwrap();
            assert!(sentence.starts_with("FN_LISTENER is "), "{sentence}");
        }
    }
}
