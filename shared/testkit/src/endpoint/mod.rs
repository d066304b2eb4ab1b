//! A scripted HTTP endpoint on a free port of 127.0.0.1. It records every request and answers as its script states,
//! including responses that a correct server never sends.

mod answer;
mod connection;
mod state;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use state::{Script, Shared};

pub use answer::Answer;
pub use state::Request;

/// A running endpoint. Dropping this stops it.
pub struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: watch::Sender<Listening>,
    thread: Option<JoinHandle<()>>,
}

/// The state of the listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Accepting,
    Refusing,
    Stopped,
}

impl Endpoint {
    /// Starts an endpoint that calls `script` for the response to each request.
    ///
    /// # Errors
    /// There is no free port, or the thread cannot be started.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<Self> {
        Self::serve(Box::new(script), false)
    }

    /// Starts an endpoint that responds after the head of a request, does not read the body, and closes the connection.
    ///
    /// # Errors
    /// As [`Endpoint::start`].
    pub fn ignoring_bodies(answer: Answer) -> Result<Self> {
        Self::serve(Box::new(move |_| answer.clone()), true)
    }

    fn serve(script: Box<Script>, ignores_body: bool) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("binding an endpoint")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            peak_in_flight: AtomicUsize::new(0),
            resetting: AtomicBool::new(false),
            ignores_body,
        });
        let (listening, listening_receiver) = watch::channel(Listening::Accepting);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let server_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("endpoint".into())
            .spawn(move || runtime.block_on(listen(listener, server_shared, listening_receiver)))?;
        Ok(Self {
            address,
            shared,
            listening,
            thread: Some(thread),
        })
    }

    /// Starts an endpoint that gives the same answer to every request.
    ///
    /// # Errors
    /// As [`Endpoint::start`].
    pub fn always(answer: Answer) -> Result<Self> {
        Self::start(move |_| answer.clone())
    }

    /// Starts an endpoint that gives one of these answers to each request in order of arrival, then repeats the last one.
    ///
    /// # Errors
    /// As [`Endpoint::start`], or `answers` is empty.
    pub fn sequence(answers: Vec<Answer>) -> Result<Self> {
        let last = answers
            .last()
            .cloned()
            .context("`answers` must not be empty")?;
        Self::start(move |request| answers.get(request.number).unwrap_or(&last).clone())
    }

    /// `http://127.0.0.1:port/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The address of the listening socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// The number of requests so far.
    pub fn count(&self) -> usize {
        self.shared.requests().len()
    }

    /// The number of accepted connections.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The highest number of requests in flight at one time.
    pub fn peak_in_flight(&self) -> usize {
        self.shared.peak_in_flight.load(Ordering::SeqCst)
    }

    /// While true, every connection is reset before a request is read from it.
    pub fn reset_connections(&self, resetting: bool) {
        self.shared.resetting.store(resetting, Ordering::SeqCst);
    }

    /// While true, new connections are refused and open connections are reset.
    pub fn refuse_connections(&self, refusing: bool) {
        self.reset_connections(refusing);
        let _ = self.listening.send(match refusing {
            true => Listening::Refusing,
            false => Listening::Accepting,
        });
    }

    /// Waits until `count` requests have arrived; false after `timeout`.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
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
        let _ = self.listening.send(Listening::Stopped);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut listening: watch::Receiver<Listening>,
) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = TcpListener::from_std(listener).ok();
    loop {
        let wanted = *listening.borrow_and_update();
        match wanted {
            Listening::Stopped => return,
            Listening::Refusing => listener = None,
            Listening::Accepting if listener.is_none() => {
                listener = TcpListener::bind(address).await.ok();
            }
            Listening::Accepting => {}
        }
        tokio::select! {
            changed = listening.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(stream) = accept(listener.as_ref()) => {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection::serve(stream, number, Arc::clone(&shared)));
            }
            // Binding fails for a moment if the client's end of a reset connection still has the port: try again.
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let (stream, _) = listener?.accept().await.ok()?;
    Some(stream)
}
