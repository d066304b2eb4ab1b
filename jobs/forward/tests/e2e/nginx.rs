//! nginx as an endpoint, with a certificate of an authority.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::certificates::CertificateAuthority;
use testkit::program::spawn;
use tokio::process::{Child, Command};

/// nginx. It closes the connection after each response. The files of the certificates are in its folder: `ca.pem`,
/// `server.pem`, `server-key.pem`.
pub(crate) struct Nginx {
    folder: TempDir,
    pub(crate) port: u16,
    pub(crate) authority: CertificateAuthority,
    _process: Child,
}

impl Nginx {
    /// nginx on a port of 127.0.0.1 with TLS. `clients`: it requires a client certificate.
    pub(crate) async fn start(clients: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateAuthority::new("authority").unwrap();
        let server = authority.server("server").unwrap();
        let port = free_port();
        let path = folder.path().display();
        let clients = match clients {
            true => format!("ssl_client_certificate {path}/ca.pem; ssl_verify_client on;"),
            false => String::new(),
        };
        let config = format!(
            "daemon off; master_process off; pid {path}/pid; error_log {path}/error.log;\n\
             events {{}}\n\
             http {{\n\
               log_format clients '$status $ssl_client_s_dn';\n\
               access_log {path}/access.log clients;\n\
               client_body_temp_path {path}/body;\n\
               keepalive_timeout 0;\n\
               server {{\n\
                 listen 127.0.0.1:{port} ssl;\n\
                 ssl_certificate {path}/server.pem; ssl_certificate_key {path}/server-key.pem;\n\
                 {clients}\n\
                 location / {{ return 200; }}\n\
               }}\n\
             }}\n"
        );
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("nginx.conf", config);
        write("ca.pem", authority.pem().unwrap());
        write("server.pem", server.pem().unwrap());
        write("server-key.pem", server.key_pem().unwrap());
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .kill_on_drop(true);
        let process = spawn(|| command.spawn()).expect("nginx is installed");
        let nginx = Self {
            folder,
            port,
            authority,
            _process: process,
        };
        wait_for_port(port, "nginx").await;
        nginx
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The requests so far: status and subject of the client.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    pub(crate) async fn wait_for(&self, expected: &[&str]) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.log() != expected {
            assert!(Instant::now() < end, "{:?}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
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
