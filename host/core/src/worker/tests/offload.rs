//! Plugins that are called elsewhere: what waits for them, in which order it goes on, and what becomes of it when they do not come to it.

use super::*;
use crate::{Answers, Desk, DropReason, Job, Mail, Offload, Target};
use std::collections::VecDeque;

/// The way back to the worker.
#[derive(Debug, Default)]
pub(in crate::worker) struct Letters(Mutex<Vec<Mail>>);

impl Answers for Letters {
    fn bring(&self, answer: Mail) {
        self.0.lock().unwrap().push(answer);
    }
}

/// One thread, which does nothing until it is told to.
#[derive(Debug)]
struct Thread {
    jobs: Mutex<VecDeque<Job>>,
    queue: usize,
}

impl Offload for Thread {
    fn submit(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let mut jobs = self.jobs.lock().unwrap();
        if jobs.len() >= if job.may_exceed() { 2 * self.queue } else { self.queue } {
            return Err(job);
        }
        jobs.push_back(*job);
        Ok(())
    }

    fn threads(&self) -> usize {
        1
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// A generation that is called elsewhere, and who calls it.
struct Elsewhere {
    link: Link,
    thread: Arc<Thread>,
    desk: Desk,
    /// What the thread counts.
    stats: Arc<[CallStats]>,
}

impl Elsewhere {
    fn new(plugin: Plugin, queue: usize) -> Self {
        Self::at(1, plugin, queue)
    }

    fn at(generation: u64, plugin: Plugin, queue: usize) -> Self {
        let thread = Arc::new(Thread { jobs: Mutex::default(), queue });
        let link = Link { generation, ..plugin.link(0) };
        let stats: Arc<[CallStats]> = (0..1).map(|_| CallStats::default()).collect();
        let desk = Desk::new(Link { stats: stats.clone(), ..link.clone() }, 0);
        let offload: Arc<dyn Offload> = thread.clone();
        Self { link: Link { offload: Some(offload), ..link }, thread, desk, stats }
    }

    /// Does so many jobs, if there are so many. The worker has the answers afterwards.
    fn serve(&mut self, bench: &mut Bench, most: usize) -> usize {
        let mut done = 0;
        while done < most {
            let Some(job) = self.thread.jobs.lock().unwrap().pop_front() else { break };
            if let Some(reply) = self.desk.serve(job, bench.now(), 1_500) {
                reply.send();
            }
            done += 1;
        }
        let letters = std::mem::take(&mut *bench.answers.0.lock().unwrap());
        bench.worker.deliver(letters);
        bench.worker.check_invariants();
        done
    }

    fn serve_all(&mut self, bench: &mut Bench) {
        while self.serve(bench, 64) > 0 {}
    }

    fn waiting(&self) -> usize {
        self.thread.jobs.lock().unwrap().len()
    }
}

/// What both sides count of one generation.
fn totals(elsewhere: &Elsewhere) -> crate::CallTotals {
    let mut totals = crate::CallTotals::of(&elsewhere.link.stats);
    totals.add(&crate::CallTotals::of(&elsewhere.stats));
    totals
}

#[test]
fn messages_wait_for_their_answers_in_order_and_nobody_else_does() {
    let mut there = Elsewhere::new(Plugin::mark("!"), 100);
    let beside = listener(Transport::Tcp, Route::Echo, Vec::new());
    let mut bench = Bench::new(vec![listener(Transport::Tcp, Route::Echo, vec![there.link.clone()]), beside]);
    let (slow, plain) = (bench.open(0), bench.open(1));
    there.serve_all(&mut bench);
    assert_eq!(bench.say(slow, "1"), Flow::Pause);
    // What comes all the same does not overtake.
    bench.say(slow, "2");
    bench.say(slow, "3");
    bench.say(plain, "x");
    assert_eq!((bench.take(slow), bench.take(plain)), (String::new(), "x".to_owned()));
    assert_eq!((bench.is_read(slow), bench.is_read(plain)), (false, true));
    assert_eq!(there.waiting(), 1, "one of a session and direction at a time");
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 3);
    assert_eq!(totals(&there).waiting(), 1);
    there.serve_all(&mut bench);
    assert_eq!(bench.take(slow), "1! 2! 3!");
    assert!(bench.is_read(slow));
    let totals = totals(&there);
    assert_eq!((totals.messages(), totals.changed, totals.others[0], totals.failed()), (3, 3, 1, 0));
    assert_eq!((totals.latency.iter().sum::<u64>(), totals.instances), (3, 1));
    // The instance, the opening, and three messages.
    assert_eq!((totals.offloaded, totals.taken, totals.waits_ns), (5, 5, 5 * 1_500));
}

#[test]
fn a_full_queue_is_a_failure_and_nobody_waits_for_it() {
    for (on_failure, said, end) in [
        (OnFailure::Open, "b", None),
        (OnFailure::Closed, "", None),
        (OnFailure::Close, "", Some(crate::CloseReason::PluginFailed)),
    ] {
        let mut there = Elsewhere::new(Plugin::mark("!").on_failure(on_failure), 1);
        let mut bench = echo(vec![there.link.clone()]);
        there.serve_all(&mut bench);
        let [first, second] = [0, 0].map(|_| {
            let id = bench.open(0);
            there.serve_all(&mut bench);
            id
        });
        bench.say(first, "a");
        bench.say(second, "b");
        assert_eq!(bench.take(second), said);
        assert_eq!(there.link.stats[0].failure(FailureCause::QueueFull).value(), 1);
        assert_eq!(totals(&there).unanswered, 0, "no call was made");
        bench.worker.lost(second);
        bench.worker.release(second);
        there.serve_all(&mut bench);
        assert_eq!(bench.take(first), "a!");
        let stats = &bench.stats.listeners[0];
        let dropped = stats.inbound.dropped.of(match on_failure {
            OnFailure::Close => DropReason::SessionRejected,
            _ => DropReason::PluginFailed,
        });
        assert_eq!(dropped.value(), u64::from(on_failure != OnFailure::Open));
        if let Some(end) = end {
            assert_eq!(stats.closed.of(end).value(), 1);
        }
    }
}

#[test]
fn a_message_whose_session_ends_meanwhile_is_counted_and_not_asked_about() {
    let journal = Journal::default();
    let mut there = Elsewhere::new(Plugin::mark("!").journal(&journal), 100);
    let mut bench = echo(vec![there.link.clone()]);
    let id = bench.open(0);
    there.serve_all(&mut bench);
    bench.say(id, "a");
    bench.say(id, "b");
    bench.worker.lost(id);
    bench.worker.check_invariants();
    assert_eq!(bench.stats.listeners[0].inbound.dropped.of(DropReason::SessionEnded).value(), 2);
    there.serve_all(&mut bench);
    bench.worker.release(id);
    assert_eq!(*journal.lock().unwrap(), ["! open", "! close 1006"]);
    assert_eq!(totals(&there).waiting(), 0);
}

#[test]
fn an_answer_that_comes_after_the_end_of_its_session_does_what_it_asked_for() {
    let mut there = Elsewhere::new(
        Plugin::new("tell", |_, call| {
            call.effects.push(send(Target::Group("all".into()), "said"));
            Ok(pass())
        }),
        100,
    );
    let mut bench = echo(vec![there.link.clone()]);
    bench.snapshot.listeners.push(ListenerPolicy {
        join: vec!["all".into()],
        ..listener(Transport::Tcp, Route::Drop, Vec::new())
    });
    let mut bench = Bench::new(bench.snapshot.listeners);
    let (id, member) = (bench.open(0), bench.open(1));
    there.serve_all(&mut bench);
    bench.say(id, "a");
    // The call is made, and its session ends before the answer is there.
    let job = there.thread.jobs.lock().unwrap().pop_front().unwrap();
    let reply = there.desk.serve(job, bench.now(), 0).unwrap();
    bench.worker.lost(id);
    reply.send();
    there.serve_all(&mut bench);
    bench.worker.release(id);
    assert_eq!(bench.take(member), "said");
    let totals = totals(&there);
    assert_eq!(
        (totals.messages(), totals.forwarded + totals.unanswered),
        (1, 1),
        "each call has its verdict"
    );
}

#[test]
fn a_session_is_not_heard_before_it_is_accepted_nor_told_anything() {
    let mut there = Elsewhere::new(Plugin::mark("!"), 100);
    let behind = Plugin::mark("?");
    let journal = behind.journal.clone();
    let mut policy =
        listener(Transport::Tcp, Route::Group("all".into()), vec![there.link.clone(), behind.link(1)]);
    policy.join = vec!["all".into()];
    let mut bench = Bench::new(vec![policy]);
    let first = bench.open(0);
    there.serve_all(&mut bench);
    let second = bench.open(0);
    assert!(!bench.is_read(second));
    assert_eq!(*journal.lock().unwrap(), ["? open"], "of the first");
    bench.say(second, "early");
    bench.say(first, "hi");
    // The opening stands before the message in the queue.
    assert_eq!(there.waiting(), 2);
    assert_eq!((bench.take(first), bench.take(second)), (String::new(), String::new()));
    there.serve_all(&mut bench);
    assert_eq!(bench.take(first), "hi!? early!?");
    assert_eq!(bench.take(second), "hi!? early!?");
    assert!(bench.is_read(second));
}

#[test]
fn a_session_that_is_refused_hears_why_and_nothing_else() {
    let mut plugin = Plugin::pass("door");
    plugin.open = Box::new(|_, call| {
        call.effects.push(send(Target::Echo, "go away"));
        Ok(Err(Rejection::new(4001, "no")))
    });
    let mut there = Elsewhere::new(plugin, 100);
    let mut policy = listener(Transport::Tcp, Route::Echo, vec![there.link.clone()]);
    policy.join = vec!["all".into()];
    let mut bench =
        Bench::new(vec![policy, listener(Transport::Tcp, Route::Group("all".into()), Vec::new())]);
    let (id, other) = (bench.open(0), bench.open(1));
    bench.say(id, "early");
    bench.say(other, "secret");
    there.serve_all(&mut bench);
    assert_eq!(bench.take(id), "go away");
    bench.worker.peer_ended(id, None);
    assert_eq!(bench.end(id), Some((crate::CloseReason::Plugin, 4001)));
    assert_eq!(totals(&there).refused, 1);
    assert_eq!(bench.stats.listeners[0].inbound.dropped.of(DropReason::SessionEnded).value(), 1);
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::SessionEnded).value(), 1);
}

#[test]
fn an_upstream_is_asked_for_when_the_session_is_accepted() {
    let mut there = Elsewhere::new(Plugin::mark("!"), 100);
    let policy = listener(Transport::Tcp, Route::Cluster(crate::ClusterId(0)), vec![there.link.clone()]);
    let mut bench = Bench::new(vec![policy]);
    let id = bench.open(0);
    bench.say(id, "early");
    assert!(!bench.worker.has_connects());
    there.serve_all(&mut bench);
    let upstreams = bench.connect();
    assert_eq!(upstreams.len(), 1);
    assert_eq!(bench.take(upstreams[0]), "early!");
}

#[test]
fn what_waits_too_long_fails_and_what_is_under_way_does_not() {
    let mut there = Elsewhere::new(Plugin::mark("!").on_failure(OnFailure::Open), 100);
    let mut bench = echo(vec![there.link.clone()]);
    let [first, second] = [0, 0].map(|_| bench.open(0));
    there.serve_all(&mut bench);
    bench.say(first, "a");
    bench.say(second, "b");
    let job = there.thread.jobs.lock().unwrap().pop_front().unwrap();
    let under_way = there.desk.serve(job, bench.now(), 0).unwrap();
    bench.wait(4_999);
    assert_eq!(bench.take(second), "");
    bench.wait(1);
    assert_eq!((bench.take(first), bench.take(second)), (String::new(), "b".to_owned()));
    assert_eq!(there.link.stats[0].failure(FailureCause::QueueWait).value(), 1);
    under_way.send();
    there.serve_all(&mut bench);
    assert_eq!((bench.take(first), bench.take(second)), ("a!".to_owned(), String::new()));
    assert_eq!(totals(&there).messages(), 1, "who waited too long was not asked about afterwards");
    // A session that opens waits no longer either.
    let third = bench.open(0);
    bench.say(third, "c");
    bench.wait(5_000);
    assert_eq!(there.waiting(), 2, "its opening, called off, and its message");
    bench.wait(5_000);
    assert_eq!(bench.take(third), "c");
    assert_eq!(there.link.stats[0].failure(FailureCause::QueueWait).value(), 3);
}

#[test]
fn what_waits_when_another_generation_comes_is_answered_by_the_one_that_was_asked() {
    let mut old = Elsewhere::at(1, Plugin::mark("1"), 100);
    let mut new = Elsewhere::at(2, Plugin::mark("2"), 100);
    let mut bench = echo(vec![old.link.clone()]);
    let ids: Vec<_> = (0..10).map(|_| bench.open(0)).collect();
    old.serve_all(&mut bench);
    for id in &ids {
        bench.say(*id, "a");
        bench.say(*id, "b");
    }
    old.serve(&mut bench, 5);
    bench.reload(|snapshot| snapshot.listeners[0].chain = Chain::new(vec![new.link.clone()]));
    bench.wait(0);
    new.serve_all(&mut bench);
    assert_eq!(old.serve(&mut bench, 100), 10, "half of the first and half of the second messages");
    new.serve_all(&mut bench);
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(bench.take(*id), if at < 5 { "a1 b1" } else { "a1 b2" });
    }
    assert_eq!((totals(&old).messages(), totals(&new).messages()), (15, 5));
    // Placed on the workers again, nothing waits.
    bench.reload(|snapshot| {
        let link = Link { generation: 3, ..Plugin::mark("3").link(0) };
        snapshot.listeners[0].chain = Chain::new(vec![link]);
    });
    bench.say(ids[0], "c");
    assert_eq!(bench.take(ids[0]), "c3");
}

#[test]
fn what_an_old_generation_holds_is_offered_to_the_one_that_serves() {
    let mut old = Elsewhere::at(1, Plugin::new("1", |_, _| Ok(Verdict::Hold(60_000))), 100);
    let mut bench = echo(vec![old.link.clone()]);
    let id = bench.open(0);
    old.serve_all(&mut bench);
    bench.say(id, "a");
    bench.reload(|snapshot| {
        let link = Link { generation: 2, ..Plugin::mark("2").link(0) };
        snapshot.listeners[0].chain = Chain::new(vec![link]);
    });
    old.serve_all(&mut bench);
    bench.wait(0);
    assert_eq!(bench.take(id), "a2");
}

#[test]
fn effects_come_first_and_a_release_is_for_what_is_held() {
    let mut there = Elsewhere::new(
        Plugin::new("h", |message, call| {
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            let session = message.session;
            if let Some(sequence) = text.strip_prefix("free ") {
                call.effects.push(send(Target::Echo, "first"));
                call.effects.push(Effect::Release {
                    session: ConnId::from_raw(sequence.parse().unwrap()),
                    direction: Direction::Inbound,
                    sequence: 1,
                    verdict: change(b"free"),
                });
                // Its own message is not held.
                call.effects.push(Effect::Release {
                    session,
                    direction: Direction::Inbound,
                    sequence: message.sequence,
                    verdict: change(b"twice"),
                });
                return Ok(change(b"then"));
            }
            Ok(Verdict::Hold(60_000))
        }),
        100,
    );
    let mut bench = echo(vec![there.link.clone()]);
    let (holds, frees) = (bench.open(0), bench.open(0));
    there.serve_all(&mut bench);
    bench.say(holds, "keep");
    there.serve_all(&mut bench);
    bench.say(frees, &format!("free {}", holds.raw()));
    there.serve_all(&mut bench);
    assert_eq!((bench.take(holds), bench.take(frees)), ("free".to_owned(), "first then".to_owned()));
    assert_eq!(there.link.stats[0].refused_effects.value(), 1);
}

#[test]
fn a_group_is_told_after_each_answer_and_the_queue_of_each_is_its_own() {
    let mut there = Elsewhere::new(Plugin::mark("!").outbound(), 1000);
    let mut policy = listener(Transport::Tcp, Route::Group("all".into()), vec![there.link.clone()]);
    policy.join = vec!["all".into()];
    let mut bench = Bench::new(vec![policy]);
    let ids: Vec<_> = (0..20).map(|_| bench.open(0)).collect();
    there.serve_all(&mut bench);
    for text in ["a", "b", "c"] {
        bench.say(ids[0], text);
    }
    assert_eq!(bench.stats.listeners[0].outbound_held.value(), 60);
    assert_eq!(there.waiting(), 20);
    there.serve_all(&mut bench);
    for id in &ids {
        assert_eq!(bench.take(*id), "a! b! c!");
    }
}

#[test]
fn the_timer_runs_on_the_first_thread_and_is_not_asked_for_twice() {
    let mut plugin = Plugin::pass("tick");
    plugin.every = 100;
    let journal = plugin.journal.clone();
    let mut there = Elsewhere::new(plugin, 100);
    let mut bench = echo(vec![there.link.clone()]);
    bench.wait(1_000);
    assert_eq!(there.waiting(), 1, "nobody knows of a rhythm before there is an instance");
    there.serve_all(&mut bench);
    for _ in 0..5 {
        bench.wait(100);
    }
    assert_eq!(there.waiting(), 1, "a slow one is not asked again and again");
    there.serve_all(&mut bench);
    bench.wait(100);
    there.serve_all(&mut bench);
    assert_eq!(*journal.lock().unwrap(), ["tick timer", "tick timer"]);
    assert_eq!(totals(&there).others[2], 2);
}

#[test]
fn failures_back_off_and_end_in_quarantine_as_on_a_worker() {
    let mut there = Elsewhere::new(Plugin::new("trap", |_, _| Err(trap())).on_failure(OnFailure::Open), 100);
    there.link.quarantine = Arc::new(crate::Quarantine::after(3));
    there.desk = Desk::new(Link { stats: there.stats.clone(), offload: None, ..there.link.clone() }, 0);
    let mut bench = echo(vec![there.link.clone()]);
    let id = bench.open(0);
    there.serve_all(&mut bench);
    for _ in 0..4 {
        bench.say(id, "x");
        there.serve_all(&mut bench);
        assert_eq!(bench.take(id), "x");
    }
    assert_eq!(totals(&there).failure(FailureCause::Trap), 2);
    assert_eq!(totals(&there).failure(FailureCause::BackOff), 2);
    bench.wait(1_000);
    bench.say(id, "x");
    there.serve_all(&mut bench);
    assert!(there.link.quarantine.is_on());
    bench.say(id, "y");
    assert_eq!((bench.take(id), there.waiting()), ("x y".to_owned(), 0));
    let told: Vec<_> = bench.worker.take_notices().iter().map(|notice| notice.quarantined).collect();
    assert_eq!(told, [false, false, true]);
}

#[test]
fn a_session_that_is_drained_has_its_answers_first() {
    for spread in [0, 500] {
        let mut there = Elsewhere::new(Plugin::mark("!"), 100);
        let mut bench = echo(vec![there.link.clone()]);
        let [asks, idle] = [0, 0].map(|_| bench.open(0));
        there.serve_all(&mut bench);
        let opens = bench.open(0);
        bench.say(asks, "a");
        bench.worker.drain(Duration::from_millis(spread), Duration::ZERO);
        bench.wait(1_000);
        bench.wait(1_000);
        assert!(!bench.is_read(idle));
        let next = bench.worker.next_deadline();
        assert!(next.is_none_or(|at| at > bench.now()), "nobody looks again and again");
        assert_eq!(bench.take(asks), "");
        there.serve_all(&mut bench);
        assert_eq!(bench.take(asks), "a!");
        for id in [asks, opens, idle] {
            bench.worker.peer_ended(id, None);
            assert_eq!(bench.end(id).map(|(reason, _)| reason), Some(crate::CloseReason::Shutdown));
        }
    }
}

#[test]
fn a_session_that_ends_before_it_is_accepted_is_told_of_twice_or_never() {
    for begun in [false, true] {
        let journal = Journal::default();
        let mut old = Elsewhere::at(1, Plugin::pass("old").journal(&journal), 100);
        let mut new = Elsewhere::at(2, Plugin::pass("new").journal(&journal), 100);
        let mut bench = echo(vec![old.link.clone()]);
        old.serve_all(&mut bench);
        let id = bench.open(0);
        let job = old.thread.jobs.lock().unwrap().pop_front().unwrap();
        let (reply, job) =
            if begun { (old.desk.serve(job, bench.now(), 0), None) } else { (None, Some(job)) };
        // Another generation serves when it ends: the end is to come behind the beginning all the same.
        bench.reload(|snapshot| snapshot.listeners[0].chain = Chain::new(vec![new.link.clone()]));
        bench.worker.lost(id);
        bench.worker.check_invariants();
        if let Some(job) = job {
            assert!(old.desk.serve(job, bench.now(), 0).is_none(), "it was called off");
        }
        if let Some(reply) = reply {
            reply.send();
        }
        old.serve_all(&mut bench);
        new.serve_all(&mut bench);
        bench.worker.release(id);
        let told: &[&str] = if begun { &["old open", "old close 1006"] } else { &[] };
        assert_eq!(*journal.lock().unwrap(), told);
    }
}

#[test]
fn who_is_told_of_a_session_follows_a_chain_that_changes_meanwhile() {
    let journal = Journal::default();
    let mut door = Elsewhere::new(Plugin::pass("door").journal(&journal), 100);
    let mut bench = echo(vec![door.link.clone(), Plugin::pass("gone").journal(&journal).link(1)]);
    door.serve_all(&mut bench);
    let id = bench.open(0);
    bench.reload(|snapshot| {
        let came = Plugin::pass("came").journal(&journal).link(2);
        snapshot.listeners[0].chain = Chain::new(vec![door.link.clone(), came]);
    });
    door.serve_all(&mut bench);
    bench.worker.lost(id);
    door.serve_all(&mut bench);
    bench.worker.release(id);
    assert_eq!(*journal.lock().unwrap(), ["door open", "came open", "came close 1006", "door close 1006"]);
}
