//! Calls to suspended functions: Fn pauses a container 50 ms after its reply.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use testkit::agent::Agent;

use super::connection::Connection;
use super::spread::Spread;

const FREEZE_DURATION: Duration = Duration::from_millis(150);
const FREEZES: usize = 40;

/// A function that can be suspended.
pub(crate) trait Freeze {
    /// The path of its socket.
    fn socket(&self) -> PathBuf;
    /// Suspends the function.
    fn freeze(&self) -> Result<()>;
    /// Resumes the function.
    fn thaw(&self) -> Result<()>;
}

impl Freeze for Agent {
    fn socket(&self) -> PathBuf {
        Agent::socket(self)
    }

    fn freeze(&self) -> Result<()> {
        Agent::freeze(self)
    }

    fn thaw(&self) -> Result<()> {
        Agent::thaw(self)
    }
}

/// Measures the time from the resumption to the reply. The replies must contain the text next to the function.
pub(crate) async fn calls(
    functions: &[(&dyn Freeze, &'static str)],
    datum: &[u8],
) -> Result<Vec<Spread>> {
    let mut times = vec![Vec::new(); functions.len()];
    for round in 0..=FREEZES {
        for ((function, expected), times) in functions.iter().zip(&mut times) {
            let mut connection = Connection::open(&function.socket(), datum, expected)?;
            connection.call()?;
            function.freeze()?;
            tokio::time::sleep(FREEZE_DURATION).await;
            let start = Instant::now();
            function.thaw()?;
            connection.call()?;
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    Ok(times.into_iter().map(Spread::of).collect())
}
