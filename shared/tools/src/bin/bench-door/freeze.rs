//! Calls to functions that were frozen meanwhile, as Fn freezes a container 50 ms after its reply.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use testkit::agent::Agent;

use super::spread::Spread;
use super::wire::Wire;

const FROZEN: Duration = Duration::from_millis(150);
const FREEZES: usize = 40;

/// A function that can be stopped where it stands.
pub(crate) trait Frozen {
    /// The name of its socket.
    fn socket(&self) -> PathBuf;
    /// Stops it.
    fn freeze(&self) -> Result<()>;
    /// Lets it go on.
    fn thaw(&self) -> Result<()>;
}

impl Frozen for Agent {
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

/// From the thaw to the reply, of each function in turn; its replies must say what stands beside it.
pub(crate) async fn calls(
    functions: &[(&dyn Frozen, &'static str)],
    datum: &[u8],
) -> Result<Vec<Spread>> {
    let mut times = vec![Vec::new(); functions.len()];
    for round in 0..=FREEZES {
        for ((function, expected), times) in functions.iter().zip(&mut times) {
            let mut wire = Wire::to(&function.socket(), datum, expected)?;
            wire.call()?;
            function.freeze()?;
            tokio::time::sleep(FROZEN).await;
            let start = Instant::now();
            function.thaw()?;
            wire.call()?;
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    Ok(times.into_iter().map(Spread::of).collect())
}
