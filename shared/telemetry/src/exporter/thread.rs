//! The thread that sends telemetry.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread `telemetry`, with a Tokio runtime for all requests to the collector. It ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct ExportThread(Arc<Running>);

#[derive(Debug)]
struct Running {
    runtime: Handle,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl ExportThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread or the runtime's file descriptors.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("telemetry".to_owned())
            .spawn(move || {
                // The sender is dropped, never used.
                let _ = runtime.block_on(stopped);
                // A name lookup may still wait for an answer. The program does not wait for it.
                runtime.shutdown_background();
            })?;
        Ok(Self(Arc::new(Running {
            runtime: handle,
            _stop: stop,
        })))
    }

    /// Enters the thread's runtime, for what needs one when it is created.
    pub(crate) fn handle(&self) -> &Handle {
        &self.0.runtime
    }

    /// Runs a future on the thread. Can be awaited on any thread, without a runtime of its own. `None`: the thread has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.runtime.spawn(async move {
            // The receiver may be gone: its caller has a timeout.
            let _ = sender.send(future.await);
        });
        receiver.await.ok()
    }
}
