//! Ties the life of a child process to this process.

use tokio::process::Command;

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
