//! Starts child processes: their life is tied to this process, and they do not keep the sockets of embedded brokers open.

use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use tokio::process::Command;

/// Read while a process starts, written while a broker goes down.
static PROCESS_STARTS: RwLock<()> = RwLock::new(());

/// Runs `spawn`, which starts a process, at a time when no embedded broker goes down.
///
/// From fork to exec, a child has every socket of this process open. An embedded broker that goes down closes its listener
/// and binds the port again, and librdkafka aborts this process if the port is still in use.
pub fn spawn<T>(spawn: impl FnOnce() -> T) -> T {
    let _guard = PROCESS_STARTS
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    spawn()
}

/// While this is held, no process starts with [`spawn`].
pub(crate) fn no_process_starts() -> RwLockWriteGuard<'static, ()> {
    PROCESS_STARTS
        .write()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Makes the child the leader of its own process group and kills it when its handle is dropped; on Linux it is also
/// killed when this process dies.
///
/// In its own process group the child does not receive the terminal's Ctrl-C, so that this process can stop its children
/// in order.
pub(crate) fn attach(command: &mut Command) -> &mut Command {
    command.kill_on_drop(true).process_group(0);
    #[cfg(target_os = "linux")]
    kill_with_parent(command);
    command
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn kill_with_parent(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; these are two system calls that do not
    // allocate.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // If the parent died before the call above, the kernel never sends the signal.
            if getppid() == Some(parent) {
                Ok(())
            } else {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        });
    }
}
