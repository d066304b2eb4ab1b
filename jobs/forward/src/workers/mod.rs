//! A window that is shared among workers on other machines, such as the tasks of Spark.
//!
//! The run plans the window, joins the consumer group, and divides each partition's range into *slices*. A worker gets a
//! slice in a task, runs the pipeline over it without the group and without commits, and returns the outcome. The
//! run merges the outcomes as they arrive, commits what they have completed to the same group, and reports as if it had done
//! the work itself.
//!
//! A slice whose worker is lost stays for the next run, or for another attempt of the worker's platform. Its requests are
//! then repeated with the same idempotency keys; its counts are those of the one outcome that was returned.
//!
//! - `divide`: which slices there are, and which is next
//! - `task`: what a worker gets and returns
//! - `driver`: hands out slices, merges, commits
//! - `merge`: the outcomes as one
//! - `worker`: works on one slice

mod divide;
mod driver;
mod merge;
mod task;
mod worker;

use settings::TransferredSettings;

pub(crate) use driver::Driver;
pub(crate) use task::{Task, VERSION};
pub use worker::{TaskError, run_task};

/// Workers on other machines, each with [`run_task`].
pub trait Workers: Sync {
    /// The most tasks that run at once. Called when there is a window to share.
    ///
    /// # Errors
    /// The platform of the workers cannot be started, or its configuration is invalid.
    fn tasks(&self) -> Result<usize, String>;

    /// The most offsets of a slice; `None`: as many as suit the window and the speed of the tasks.
    ///
    /// # Errors
    /// As [`Workers::tasks`].
    fn slice_offsets(&self) -> Result<Option<i64>, String>;

    /// Executes [`run_task`] with `task` on a worker, and returns its result. Called from several threads at once.
    ///
    /// # Errors
    /// The worker was lost, or the task failed, in every attempt.
    fn execute(&self, task: &[u8]) -> Result<Vec<u8>, String>;

    /// Ends all tasks as soon as possible: their calls of [`Workers::execute`] return.
    fn cancel(&self);
}

/// The workers of a run, and the settings that they get.
pub struct WorkerPool<'w> {
    /// The workers.
    pub workers: &'w dyn Workers,
    /// The settings of the run.
    pub settings: TransferredSettings,
}
