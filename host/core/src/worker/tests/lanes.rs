//! Connections with several ordered ways inside.

use super::*;
use crate::DropReason;

fn quic(transport: Transport, route: Route) -> Bench {
    let mut policy = listener(transport, route, Vec::new());
    policy.join.push("room".into());
    Bench::new(vec![policy])
}

#[test]
fn an_echo_goes_back_on_its_lane() {
    for transport in [Transport::Quic, Transport::WebTransport] {
        let mut bench = quic(transport, Route::Echo);
        let id = bench.open(0);
        bench.worker.lane_opened(id, Lane(0));
        bench.worker.lane_opened(id, Lane(4));
        bench.say_on(id, Lane(4), "four");
        bench.say_on(id, Lane::DATAGRAMS, "datagram");
        bench.say_on(id, Lane(0), "zero");
        let queue = bench.worker.queue(id).unwrap();
        assert_eq!(queue.lanes().collect::<Vec<_>>(), [Lane(4), Lane::DATAGRAMS, Lane(0)]);
        assert_eq!(queue.first_frame(Lane::DATAGRAMS).unwrap(), "datagram", "without a frame of its own");
        assert_eq!(bench.take_on(id, Lane(4)), r"\x04four");
        assert_eq!(bench.take_on(id, Lane(0)), r"\x04zero");
        assert_eq!(bench.take_on(id, Lane::DATAGRAMS), "datagram");
    }
}

#[test]
fn what_has_no_lane_waits_for_the_first_one() {
    let mut bench = quic(Transport::Quic, Route::Group("room".into()));
    let id = bench.open(0);
    // The datagrams are no lane for a message of somebody else.
    bench.worker.lane_opened(id, Lane::DATAGRAMS);
    bench.say_on(id, Lane::DATAGRAMS, "one");
    bench.say_on(id, Lane::DATAGRAMS, "two");
    assert_eq!(bench.worker.queue(id).unwrap().lanes().count(), 0);
    bench.worker.lane_opened(id, Lane(8));
    bench.say_on(id, Lane(8), "three");
    assert_eq!(bench.take_on(id, Lane(8)), r"\x03one\x03two\x05three");
}

#[test]
fn what_waits_for_a_lane_that_ends_is_dropped_and_the_next_goes_elsewhere() {
    let mut bench = quic(Transport::Quic, Route::Echo);
    let id = bench.open(0);
    bench.worker.lane_opened(id, Lane(0));
    bench.worker.lane_opened(id, Lane(4));
    bench.say_on(id, Lane(4), "one");
    bench.say_on(id, Lane(4), "two");
    bench.worker.written(id, Lane(4), 2);
    bench.worker.lane_ended(id, Lane(4));
    bench.worker.check_invariants();
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::LaneEnded).value(), 2);
    bench.say_on(id, Lane(4), "three");
    assert_eq!(bench.take_on(id, Lane(0)), r"\x05three");
}

#[test]
fn each_empty_datagram_is_one_message_and_they_are_bounded() {
    let mut bench = quic(Transport::Quic, Route::Echo);
    let id = bench.open(0);
    bench.say_on(id, Lane::DATAGRAMS, "");
    bench.say_on(id, Lane::DATAGRAMS, "");
    bench.worker.written(id, Lane::DATAGRAMS, 0);
    assert_eq!(bench.stats.listeners[0].outbound.delivered.value(), 1);
    bench.worker.unsendable(id, Lane::DATAGRAMS, DropReason::TooLong);
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::TooLong).value(), 1);
    assert!(bench.worker.queue(id).is_none());
    let mut said = 0;
    while bench.say_on(id, Lane::DATAGRAMS, "") == Flow::Continue {
        said += 1;
    }
    assert!(said < 100, "{said} frames that weigh nothing");
}

#[test]
fn only_the_first_frame_is_skipped_and_only_what_is_left_of_it() {
    let mut bench = quic(Transport::Quic, Route::Echo);
    let id = bench.open(0);
    bench.worker.lane_opened(id, Lane(0));
    bench.say_on(id, Lane(0), "one");
    bench.say_on(id, Lane(0), "two");
    bench.worker.written(id, Lane(0), 1);
    bench.worker.unsendable(id, Lane(0), DropReason::TooLong);
    assert_eq!(bench.take_on(id, Lane(0)), r"\x03two");
}
