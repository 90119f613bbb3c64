//! What a thread of a plugin does.

use super::Waiting;
use super::bounds::Bounds;
use super::unfinished::Unfinished;
use std::sync::mpsc::Receiver;
use std::time::Instant;
use weir_core::{Desk, Time};

/// Behind the workers where both want the processor: on a machine with few cores a slow plugin would otherwise take from the workers
/// as much as it does when it runs on them.
const NICENESS: i32 = 5;

/// Does one job after the other, until nobody can bring one any more and there is none left.
pub(super) fn run(jobs: &Receiver<Waiting>, mut desk: Desk, bounds: &Bounds, unfinished: &Unfinished) {
    // On Linux a priority is a thread's own. To lower it needs no privilege.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let began = Instant::now();
    while let Ok(Waiting { job, since }) = jobs.recv() {
        bounds.leave(job.bytes());
        let now = Time(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        let waited = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(reply) = desk.serve(*job, now, waited) {
            // Waits for the worker where that has more to do than it can: then it is to have no more.
            reply.send();
        }
        unfinished.end();
    }
}
