//! Containers with the settings of Fn's server, through Docker's API: the start of Docker's client takes longer than some of
//! the measured times.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::freeze::Freeze;

/// The tag of all images.
const TAG: &str = "bench";

/// A container of a function. Dropping it removes the container.
pub(crate) struct Container {
    id: String,
    folder: TempDir,
}

impl Container {
    /// Creates a stopped container with the limits of Fn's server.
    pub(crate) fn create(image: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("iofs").tempdir()?;
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777))?;
        let fixed = [
            ("FN_FORMAT", "http-stream"),
            ("FN_LISTENER", "unix:/tmp/iofs/lsnr.sock"),
            ("FN_TYPE", "sync"),
            ("FN_MEMORY", "128"),
            ("FN_APP_ID", "01DWAPP0000000000000000000"),
            ("FN_FN_ID", "01DWFN00000000000000000000"),
            ("HOME", "/"),
        ];
        let environment = fixed.iter().chain(settings);
        let memory = 128 * 1024 * 1024;
        let specification = json!({
            "Image": format!("{image}:{TAG}"),
            "User": "1000:1000",
            "Env": environment.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            "HostConfig": {
                "CapDrop": ["all"],
                "SecurityOpt": ["no-new-privileges"],
                "ReadonlyRootfs": true,
                "Init": true,
                "NetworkMode": "host",
                "Memory": memory,
                "MemorySwap": memory,
                "MemorySwappiness": 0,
                "KernelMemory": memory,
                "PidsLimit": 50,
                "Ulimits": [
                    {"Name": "nofile", "Soft": 350, "Hard": 350},
                    {"Name": "memlock", "Soft": 65536, "Hard": 65536},
                    {"Name": "sigpending", "Soft": 5000, "Hard": 5000},
                    {"Name": "msgqueue", "Soft": 819_200, "Hard": 819_200},
                ],
                "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev"},
                "Binds": [format!("{}:/tmp/iofs", folder.path().display())],
                "LogConfig": {"Type": "none"},
            },
        });
        let created = request("POST", "/containers/create", Some(&specification))?;
        let id = created["Id"].as_str().context("no id")?.to_owned();
        Ok(Self { id, folder })
    }

    /// Starts the container; returns when Docker reports it as running.
    pub(crate) fn start(&self) -> Result<()> {
        self.post("start")
    }

    /// The memory of the control group without the page cache, and the resident memory of the processes, in bytes.
    pub(crate) fn memory(&self) -> Result<(u64, u64)> {
        let stats = request("GET", &self.path("stats?stream=false"), None)?;
        let counted = &stats["memory_stats"];
        let usage = counted["usage"].as_u64().context("no usage")?;
        // The name in version 1 and in version 2 of control groups.
        let cache = ["total_cache", "file"]
            .iter()
            .find_map(|name| counted["stats"][name].as_u64())
            .context("no page cache")?;
        let top = request("GET", &self.path("top?ps_args=-o%20pid,rss"), None)?;
        let processes = top["Processes"].as_array().context("no processes")?;
        let kilobytes: u64 = processes
            .iter()
            .filter_map(|line| line[1].as_str()?.parse::<u64>().ok())
            .sum();
        Ok((usage.saturating_sub(cache), kilobytes * 1024))
    }

    fn post(&self, verb: &str) -> Result<()> {
        request("POST", &self.path(verb), None).map(drop)
    }

    fn path(&self, rest: &str) -> String {
        format!("/containers/{}/{rest}", self.id)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let path = format!("/containers/{}?force=1", self.id);
        if let Err(error) = request("DELETE", &path, None) {
            eprintln!("cannot remove a container: {error:#}");
        }
    }
}

impl Freeze for Container {
    fn socket(&self) -> PathBuf {
        self.folder.path().join("lsnr.sock")
    }

    fn freeze(&self) -> Result<()> {
        self.post("pause")
    }

    fn thaw(&self) -> Result<()> {
        self.post("unpause")
    }
}

/// The size of an image in bytes.
pub(crate) fn size(image: &str) -> Result<u64> {
    let shown = request("GET", &format!("/images/{image}:{TAG}/json"), None)?;
    shown["Size"].as_u64().context("no size")
}

/// Sends one request to the engine in HTTP/1.0, in which the response is not chunked and ends with the connection.
fn request(method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock");
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream =
        UnixStream::connect(socket).with_context(|| format!("connecting to Docker at {socket}"))?;
    let length = body.len();
    stream.write_all(
        format!(
            "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply
        .split_once("\r\n\r\n")
        .context("Docker's response is incomplete")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(
        status.starts_with('2'),
        "{method} {path}: Docker responded with {status}: {body}"
    );
    Ok(serde_json::from_str(body).unwrap_or(Value::Null))
}
