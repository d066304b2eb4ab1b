//! A scripted HTTP endpoint on a free port of 127.0.0.1: it records every request and answers as its script says,
//! also in the ways that a healthy server never would.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A running endpoint; it ends when this is dropped.
pub struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: watch::Sender<Door>,
    thread: Option<JoinHandle<()>>,
}

/// Whether anybody listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
    Gone,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its place among all requests, from 0.
    pub number: usize,
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// Its place on that connection, from 0.
    pub turn: usize,
    /// When its body was complete.
    pub at: Instant,
    /// `POST`.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Names in lower case, values as sent, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The status that the script chose for it; `None`: no answer, or not a whole one.
    pub answered: Option<u16>,
}

impl Request {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What the script lets happen to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    trick: Trick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    None,
    Close,
    CloseUnannounced,
    Hang,
    Reset,
    ResetInHead,
    ResetInBody,
    StallInBody,
    TwoWrites,
    Garbage,
}

impl Answer {
    /// This status, no body, keep-alive.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
            trick: Trick::None,
        }
    }

    /// 200.
    pub fn ok() -> Self {
        Self::status(200)
    }

    /// No answer, ever; the connection stays open.
    pub fn hang() -> Self {
        Self::ok().trick(Trick::Hang)
    }

    /// The request is read whole, then the connection is reset without an answer.
    pub fn reset() -> Self {
        Self::ok().trick(Trick::Reset)
    }

    /// Not HTTP at all.
    pub fn garbage() -> Self {
        Self::ok().trick(Trick::Garbage)
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits before it answers (or resets).
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Answers, says `Connection: close`, and closes.
    pub fn closing(self) -> Self {
        self.trick(Trick::Close)
    }

    /// Answers, and closes without having said so: the client finds a stale connection.
    pub fn closing_unannounced(self) -> Self {
        self.trick(Trick::CloseUnannounced)
    }

    /// Resets the connection within the status line.
    pub fn reset_in_head(self) -> Self {
        self.trick(Trick::ResetInHead)
    }

    /// Sends the whole head and half of the body, then resets.
    pub fn reset_in_body(self) -> Self {
        self.trick(Trick::ResetInBody)
    }

    /// Sends the whole head and half of the body, then nothing more.
    pub fn stalling_in_body(self) -> Self {
        self.trick(Trick::StallInBody)
    }

    /// Sends the head and half of the body, and a moment later the rest.
    pub fn in_two_writes(self) -> Self {
        self.trick(Trick::TwoWrites)
    }

    fn trick(mut self, trick: Trick) -> Self {
        self.trick = trick;
        self
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    under_way: AtomicUsize,
    peak: AtomicUsize,
    resetting: AtomicBool,
    hasty: bool,
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Endpoint {
    /// Starts an endpoint that asks `script` about every request.
    ///
    /// # Errors
    /// No free port, or no thread.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<Self> {
        Self::serve(Box::new(script), false)
    }

    /// Answers as soon as it has read the head of a request, never reads a body, and closes.
    ///
    /// # Errors
    /// As [`Endpoint::start`].
    pub fn hasty(answer: Answer) -> Result<Self> {
        Self::serve(Box::new(move |_| answer.clone()), true)
    }

    fn serve(script: Box<Script>, hasty: bool) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("binding an endpoint")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            resetting: AtomicBool::new(false),
            hasty,
        });
        let (door, opened) = watch::channel(Door::Open);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("endpoint".into())
            .spawn(move || runtime.block_on(listen(listener, serving, opened)))?;
        Ok(Self {
            address,
            shared,
            door,
            thread: Some(thread),
        })
    }

    /// Gives everybody the same answer.
    ///
    /// # Errors
    /// As [`Endpoint::start`].
    pub fn always(answer: Answer) -> Result<Self> {
        Self::start(move |_| answer.clone())
    }

    /// Gives these answers in the order in which requests arrive, the last one for ever.
    ///
    /// # Errors
    /// As [`Endpoint::start`]; also when there is no answer to give.
    pub fn sequence(answers: Vec<Answer>) -> Result<Self> {
        let last = answers
            .last()
            .cloned()
            .context("a script needs an answer")?;
        Self::start(move |request| answers.get(request.number).unwrap_or(&last).clone())
    }

    /// `http://127.0.0.1:port/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        self.shared.requests().len()
    }

    /// How many connections have been made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The most requests that were under way at one time.
    pub fn peak(&self) -> usize {
        self.shared.peak.load(Ordering::SeqCst)
    }

    /// While set, every connection is reset before anything is read from it.
    pub fn reset_unread(&self, resetting: bool) {
        self.shared.resetting.store(resetting, Ordering::SeqCst);
    }

    /// While set, connections are refused, and those that are open are reset.
    pub fn refuse(&self, refusing: bool) {
        self.reset_unread(refusing);
        let _ = self
            .door
            .send(if refusing { Door::Shut } else { Door::Open });
    }

    /// Waits until that many requests have arrived; false when it takes longer than `patience`.
    pub fn wait_for(&self, count: usize, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.count() < count {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.door.send(Door::Gone);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut door: watch::Receiver<Door>,
) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = TcpListener::from_std(listener).ok();
    loop {
        let wanted = *door.borrow_and_update();
        match wanted {
            Door::Gone => return,
            Door::Shut => listener = None,
            Door::Open if listener.is_none() => listener = TcpListener::bind(address).await.ok(),
            Door::Open => {}
        }
        tokio::select! {
            changed = door.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(stream) = accept(listener.as_ref()) => {
                let connection = shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, connection, Arc::clone(&shared)));
            }
            // The port may be taken for a moment by the client's own end of a connection that was reset.
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let (stream, _) = listener?.accept().await.ok()?;
    Some(stream)
}

/// One connection: requests and answers in turn, until somebody has had enough.
async fn converse(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::new();
    for turn in 0.. {
        if shared.resetting.load(Ordering::SeqCst) {
            let _ = stream.set_zero_linger();
            return;
        }
        let Some(mut request) = read(&mut stream, &mut unread, shared.hasty).await else {
            return;
        };
        if shared.resetting.load(Ordering::SeqCst) {
            let _ = stream.set_zero_linger();
            return;
        }
        (request.connection, request.turn) = (connection, turn);
        let now = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        shared.peak.fetch_max(now, Ordering::SeqCst);
        let answer = {
            let mut requests = shared.requests();
            request.number = requests.len();
            let answer = (shared.script)(&request);
            let whole = !matches!(
                answer.trick,
                Trick::Hang | Trick::Reset | Trick::ResetInHead | Trick::Garbage
            );
            request.answered = whole.then_some(answer.status);
            requests.push(request);
            answer
        };
        let more = perform(&mut stream, &answer).await;
        shared.under_way.fetch_sub(1, Ordering::SeqCst);
        if shared.hasty {
            // What was said shall arrive before the reset that unread bytes cause.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !more || shared.hasty {
            return;
        }
    }
}

async fn perform(stream: &mut TcpStream, answer: &Answer) -> bool {
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let mut head = format!("HTTP/1.1 {} -\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if answer.trick == Trick::Close {
        head += "connection: close\r\n";
    }
    if answer.status != 204 && answer.status != 304 {
        head += &format!("content-length: {}\r\n", answer.body.len());
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    let body_at = bytes.len();
    bytes.extend_from_slice(&answer.body);
    match answer.trick {
        Trick::Hang => {
            // Until the client gives up.
            let _ = stream.read(&mut [0; 1]).await;
            return false;
        }
        Trick::Reset => bytes.clear(),
        Trick::ResetInHead => bytes.truncate(12),
        Trick::ResetInBody | Trick::StallInBody => {
            bytes.truncate(body_at + answer.body.len() / 2);
        }
        Trick::Garbage => bytes = b"220 mail.example ESMTP\r\n".to_vec(),
        Trick::TwoWrites => {
            let rest = bytes.split_off(body_at + answer.body.len() / 2);
            if stream.write_all(&bytes).await.is_err() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            bytes = rest;
        }
        Trick::None | Trick::Close | Trick::CloseUnannounced => {}
    }
    if stream.write_all(&bytes).await.is_err() {
        return false;
    }
    match answer.trick {
        Trick::StallInBody => {
            let _ = stream.read(&mut [0; 1]).await;
            false
        }
        Trick::Reset | Trick::ResetInHead | Trick::ResetInBody => {
            // What was sent shall arrive before the reset overtakes it.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = stream.set_zero_linger();
            false
        }
        Trick::None | Trick::TwoWrites => true,
        _ => false,
    }
}

/// Reads one request with a `Content-Length` body; `None` when the connection ends, or it is no such request.
async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>, hasty: bool) -> Option<Request> {
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&unread[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(Some(0), |(_, value)| value.parse::<usize>().ok())?;
    let end = match hasty {
        true => head_end + 4,
        false => head_end + 4 + length,
    };
    while unread.len() < end {
        if stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
    let rest = unread.split_off(end);
    let body = Bytes::from(std::mem::replace(unread, rest)).slice(head_end + 4..);
    Some(Request {
        number: 0,
        connection: 0,
        turn: 0,
        at: Instant::now(),
        method,
        target,
        headers,
        body,
        answered: None,
    })
}
