//! The Unix socket of an Fn container. It must accept connections of every user as soon as its name appears.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A bound socket and the link to it that the agent waits for. Both are removed on drop.
pub(super) struct Socket {
    bound: std::os::unix::net::UnixListener,
    /// The path of the socket.
    socket: PathBuf,
    /// The path of the link, from `FN_LISTENER`.
    link: PathBuf,
}

impl Socket {
    /// Binds the socket for `unix:/folder/name`: a socket of another name in the same folder, with mode 0666, and a
    /// relative link to it. The agent rejects a link to another folder and an absolute one: it sees the folder under
    /// another path.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `FN_LISTENER`.
    pub(super) fn bind(listener: &str) -> Result<Self, String> {
        let error = |what: String| format!("FN_LISTENER is {listener:?}: {what}");
        let link = listener
            .strip_prefix("unix:")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .ok_or_else(|| error("expected unix:/folder/name.sock".to_owned()))?;
        let file = link
            .file_name()
            .and_then(|file| file.to_str())
            .ok_or_else(|| error("the path has no file name".to_owned()))?;
        let target = format!("phony{file}");
        let socket = link.with_file_name(&target);
        match bind(&link, &socket, &target) {
            Ok(bound) => Ok(Self {
                bound,
                socket,
                link,
            }),
            Err(cause) => Err(error(format!("binding the socket: {cause}"))),
        }
    }

    /// The listener, registered with the runtime.
    pub(super) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.bound.try_clone()?)
    }
}

fn bind(link: &Path, socket: &Path, target: &str) -> io::Result<std::os::unix::net::UnixListener> {
    // A killed predecessor may have left its files.
    remove(link)?;
    remove(socket)?;
    let bound = std::os::unix::net::UnixListener::bind(socket)?;
    bound.set_nonblocking(true)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o666))?;
    // Last: the agent connects as soon as the link exists.
    symlink(target, link)?;
    Ok(bound)
}

/// Removes a file if it exists.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.display().fmt(f)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = remove(&self.link);
        let _ = remove(&self.socket);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn binds_an_open_socket_and_a_relative_link_in_the_same_folder() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("lsnr.sock");
        // As a killed process leaves them.
        fs::write(&name, "stale").unwrap();
        fs::write(folder.path().join("phonylsnr.sock"), "stale").unwrap();
        let socket = Socket::bind(&format!("unix:{}", name.display())).unwrap();
        assert_eq!(fs::read_link(&name).unwrap(), Path::new("phonylsnr.sock"));
        let metadata = fs::metadata(&name).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o666);
        UnixStream::connect(&name).unwrap();
        drop(socket);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_invalid_listener_is_reported_in_one_sentence() {
        let long = format!("unix:/tmp/{}/x.sock", "a".repeat(120));
        for invalid in ["/tmp/x.sock", "unix:x.sock", "unix:/", "tcp://h:1", &long] {
            let sentence = Socket::bind(invalid).err().unwrap();
            assert!(sentence.starts_with("FN_LISTENER is "), "{sentence}");
        }
    }
}
