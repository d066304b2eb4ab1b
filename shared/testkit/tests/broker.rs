//! The embedded broker.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::broker::Broker;
use testkit::program;

/// librdkafka aborts this process if a child still has the broker's listener open.
#[test]
fn goes_down_while_processes_start() {
    let broker = Broker::start().unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let mut command = Command::new("true");
                    command.stdin(Stdio::null());
                    let child = program::spawn(|| command.spawn());
                    child.unwrap().wait().unwrap();
                }
            });
        }
        for _ in 0..4 {
            broker.set_down().unwrap();
            broker.set_up().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
}
