//! The door: one HTTP request with Avro in its body becomes Kafka messages, all of them checked before the first
//! is sent, and the reply says where they are stored.
//!
//! It knows nothing of its host: a request and a [`Call`] in, a response out.
//!
//! - `intake`: method, content type and encodings; the body, within its limits
//! - `datums`: the body as data of the schema, each proven in full
//! - `envelope`: key and headers of each message
//! - `publisher`: sends the messages and waits for the acknowledgements
//! - `reply`, `problem`: what the caller reads

mod body;
mod config;
mod datums;
mod encodings;
mod envelope;
mod intake;
mod problem;
mod publisher;
mod reply;
mod trace;

use std::fmt::Display;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response};
use http_body::Body;

use avro::Schema;
pub use config::Config;
use envelope::Stamp;
use intake::Limits;
use problem::{Kind, Problem};
use publisher::Publisher;
pub use publisher::StartError;
use tracing::debug;

/// What a host knows about one call beyond its HTTP request.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// When the reply must be on its way; `None`: only the door's own limit counts.
    pub deadline: Option<Instant>,
    /// The host's name for this call, for the log and the message's `call-id` header.
    pub id: Option<String>,
    /// How long the body may take to arrive; `None`: as long as the deadline allows.
    pub patience: Option<Duration>,
    /// How many bytes of a refused body are read and thrown away, so that the caller, still sending, gets to read
    /// the refusal instead of a broken connection.
    pub discard: u64,
    /// Why the host refuses the request, whatever the rest of it says.
    pub refusal: Option<Refusal>,
}

/// A request that the host received but cannot hand over as its caller sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The header section exceeds a limit of the host; the text says what it has too much of.
    HeaderFieldsTooLarge(String),
    /// The body was decoded as text on its way; the text says how that shows.
    BodyDecodedAsText(String),
}

impl Call {
    /// When reading the body must end.
    fn body_end(&self, now: Instant) -> Option<Instant> {
        let patience = self.patience.map(|patience| now + patience);
        patience.into_iter().chain(self.deadline).min()
    }
}

/// The one handler behind every host.
pub struct Door {
    limits: Limits,
    schema: Schema,
    stamp: Stamp,
    publisher: Publisher,
}

impl Door {
    /// Opens the door: everything is compiled and the broker's client started, but no connection is awaited.
    ///
    /// # Errors
    /// The broker's client refuses the configuration.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        Ok(Self {
            limits: config.limits,
            schema: config.schema,
            stamp: config.stamp,
            publisher: Publisher::start(config.publisher).await?,
        })
    }

    /// The answer to a call that came before the door was open, and could not wait longer.
    pub fn not_open_yet(call: &Call) -> Response<Bytes> {
        later(
            Kind::NotOpenYet,
            "The function is still fetching its settings.",
            call,
        )
    }

    /// What a call reads whose turn did not come in time.
    pub fn busy(call: &Call) -> Response<Bytes> {
        later(
            Kind::Busy,
            "Too many calls are under way, or the stream is slow to acknowledge.",
            call,
        )
    }

    /// Ends when the broker has refused who we are: the password may have been changed.
    pub async fn refused(&self) {
        self.publisher.authentication_failed().await;
    }

    /// Takes one request in and answers it: 202 and the coordinates once the broker has acknowledged every message,
    /// else a problem (RFC 9457) that says what is wrong and what became of the message.
    ///
    /// Nothing is published unless the whole body is valid. If the process dies before the reply, each message is
    /// either stored or not, never in part.
    pub async fn answer<B>(&self, request: Request<B>, call: &Call) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        match self.take_in(request, call).await {
            Ok(response) => {
                debug!(call = call.id.as_deref().unwrap_or_default(), "stored");
                response
            }
            Err(problem) => {
                problem.log(call);
                problem.into_response(call)
            }
        }
    }

    async fn take_in<B>(
        &self,
        request: Request<B>,
        call: &Call,
    ) -> Result<Response<Bytes>, Box<Problem>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        let intake = intake::read(request, &self.limits, call).await?;
        let datums = datums::prove(&self.schema, &intake.body, &self.limits)?;
        let messages = envelope::seal(&datums, &intake.headers, &self.stamp, call)?;
        let statuses = self.publisher.publish(&messages, call.deadline).await;
        reply::settle(self.publisher.topic(), datums.many, &statuses)
    }
}

/// The answer to a call that was not dealt with, and may be sent again as it is.
fn later(kind: Kind, why: &str, call: &Call) -> Response<Bytes> {
    let detail = format!("{why} Nothing was published: send it again.");
    let problem = Problem::new(kind, detail).header(RETRY_AFTER, "1");
    problem.log(call);
    problem.into_response(call)
}
