//! A child process that cannot outlive us, however we end.

use tokio::process::Command;

/// The child leads a process group of its own (a terminal's Ctrl-C reaches us alone, and we end it in good order),
/// is killed when its handle is dropped, and on Linux when we die without having dropped anything.
pub(crate) fn tie(command: &mut Command) -> &mut Command {
    command.kill_on_drop(true).process_group(0);
    #[cfg(target_os = "linux")]
    die_with_us(command);
    command
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_us(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; these are two bare system calls, and
    // neither allocates.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // We may have died before the call above: then nobody would send the signal any more.
            if getppid() == Some(parent) {
                Ok(())
            } else {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        });
    }
}
