//! The way to the door: who comes before it is open waits, and after its settings have changed there is a new one.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use settings::telemetry;
use settings::{LiveSettings, Settings};
use tokio::sync::watch;
use tokio::time::timeout_at;
use tracing::{info, warn};

use crate::ingest::{Call, Config, Door};
use crate::settings::GROUPS;
use http_server::program::Failure;

/// How long a call without a deadline of its own waits for the door to open.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where every host brings its calls; cheap to clone.
#[derive(Clone)]
pub(super) struct Entrance(watch::Receiver<Option<Arc<Door>>>);

/// Opens the door, and opens it anew when its settings change.
pub(super) struct Keeper {
    live: LiveSettings,
    door: watch::Sender<Option<Arc<Door>>>,
}

impl Entrance {
    /// An entrance whose door is still to be opened, through what comes with it.
    pub(super) fn new() -> (Self, watch::Sender<Option<Arc<Door>>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(receiver), sender)
    }

    /// Answers as the door does; 503 with `Retry-After` if the door does not open before the call's deadline.
    pub(super) async fn answer<B>(&self, request: Request<B>, call: &Call) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        match self.door(call.deadline).await {
            Some(door) => door.answer(request, call).await,
            None => Door::not_open_yet(call),
        }
    }

    async fn door(&self, deadline: Option<Instant>) -> Option<Arc<Door>> {
        let open = self.0.borrow().clone();
        if open.is_some() {
            return open;
        }
        let deadline = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        let mut door = self.0.clone();
        let open = timeout_at(deadline.into(), door.wait_for(Option::is_some)).await;
        open.ok()?.ok()?.clone()
    }
}

impl Keeper {
    /// Gathers the settings and opens the door with them.
    ///
    /// # Errors
    /// A configuration that cannot work, in one sentence.
    pub(super) async fn open(
        door: watch::Sender<Option<Arc<Door>>>,
        flags: &[(&'static str, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let live = LiveSettings::gather(&GROUPS, flags, environment)
            .await
            .map_err(Failure::configuration)?;
        telemetry::start(&live.current()).map_err(Failure::configuration)?;
        let keeper = Self { live, door };
        keeper.open_with(&keeper.live.current()).await?;
        Ok(keeper)
    }

    /// The settings that the door was opened with.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.live.current()
    }

    /// Reads the settings again now and then and when the broker refuses who we are, for ever. A door that cannot be
    /// opened with the new ones stays as it is; calls under way end at the door at which they began.
    pub(super) async fn keep(&self) -> Infallible {
        let mut changes = self.live.changes();
        let fresh = self.live.keep_fresh();
        let mut fresh = std::pin::pin!(fresh);
        loop {
            tokio::select! {
                () = &mut fresh => {}
                () = self.refused() => {
                    if !self.live.refresh(Instant::now()).await {
                        // The client tries again twice a second, and the vault has nothing new so soon.
                        tokio::time::sleep(Duration::from_secs(5)).await;
                    }
                }
                // It lasts as long as the settings, which we hold.
                _ = changes.changed() => {
                    let settings = changes.borrow_and_update().clone();
                    match self.open_with(&settings).await {
                        Ok(()) => info!("the door is open with the new settings"),
                        Err(failure) => warn!(error = failure.sentence, "the new settings open no door; keeping the old ones"),
                    }
                }
            }
        }
    }

    async fn refused(&self) {
        let door = self.door.borrow().clone();
        match door {
            Some(door) => door.refused().await,
            None => std::future::pending().await,
        }
    }

    async fn open_with(&self, settings: &Settings) -> Result<(), Failure> {
        let config = Config::from_settings(settings).map_err(Failure::configuration)?;
        let door = Door::open(config).await.map_err(Failure::configuration)?;
        self.door.send_replace(Some(Arc::new(door)));
        Ok(())
    }
}
