//! A job with a status page, as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::Stage;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The process, its address and its output. It is killed when it is dropped.
pub(crate) struct Job {
    child: Child,
    pub(crate) address: String,
    reports: Receiver<String>,
    log: Receiver<String>,
    /// The log before the page was served.
    pub(crate) startup_log: String,
}

/// A response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Job {
    /// Starts `forward run --every` and waits for its status page.
    pub(crate) fn start(stage: &Stage, every: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = stage.forward(&["--every", every]);
        command.env("STATUS_LISTEN", "127.0.0.1:0");
        command.envs(settings.iter().copied());
        let mut child = command.spawn().unwrap();
        let reports = lines(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        let mut job = Self {
            child,
            address: String::new(),
            reports,
            log,
            startup_log: String::new(),
        };
        let line = loop {
            let line = job.log.recv_timeout(TIMEOUT).expect("a status page");
            if line.contains("status page: listening") {
                break line;
            }
            job.startup_log.push_str(&line);
        };
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        job.address = line["address"].as_str().unwrap().to_owned();
        job
    }

    /// The next printed report.
    pub(crate) fn next_report(&self) -> String {
        self.reports.recv_timeout(TIMEOUT).expect("a report")
    }

    /// A response to `METHOD TARGET` with these further header lines, on a connection of its own.
    pub(crate) fn request(&self, request: &str, headers: &str) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let text = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect("a response");
        Response {
            status: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.request(&format!("GET {target}"), "")
    }

    /// The page as soon as it satisfies a condition.
    pub(crate) fn page_with(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + TIMEOUT;
        loop {
            let page = self.get("/").body;
            if is_wanted(&page) {
                return page;
            }
            assert!(Instant::now() < end, "{page}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM; returns the status and the time until the end.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let pid = self.child.id().to_string();
        let kill = std::process::Command::new("kill").arg(pid).status();
        assert!(kill.unwrap().success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            assert!(start.elapsed() < TIMEOUT, "the job does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream, read on a thread of their own: a full pipe would stop the job.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
