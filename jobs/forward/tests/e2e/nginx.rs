//! nginx as an endpoint.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::program::spawn;
use tokio::process::{Child, Command};

/// A running nginx. Its access log is `access.log` in the folder.
pub(crate) struct Nginx {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    _process: Child,
}

impl Nginx {
    /// Starts nginx with these directives in its block `http`, in which `FOLDER` is the folder of its files, and `PORT` a
    /// free port of 127.0.0.1.
    pub(crate) async fn start(folder: TempDir, http: &str) -> Self {
        let port = free_port();
        let path = folder.path().to_str().unwrap();
        let config = format!(
            "daemon off; master_process off; pid FOLDER/pid; error_log FOLDER/error.log;\n\
             events {{}}\n\
             http {{\n\
               client_body_temp_path FOLDER/body;\n\
               {http}\n\
             }}\n"
        );
        let config = config
            .replace("FOLDER", path)
            .replace("PORT", &port.to_string());
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(path)
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .kill_on_drop(true);
        let process = spawn(|| command.spawn()).expect("nginx is installed");
        wait_for_port(port, "nginx").await;
        Self {
            folder,
            port,
            _process: process,
        }
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of the access log so far: one for each request.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

pub(crate) async fn wait_for_port(port: u16, program: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "{program} does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
