//! Where messages go: clusters, groups, sessions, back.

use super::compression::{SharedFrame, share};
use super::slow::Keys;
use super::{Connect, State, Task};
use crate::conn::{Conn, Pauses, Role, Upstream};
use crate::id::{ClusterId, ConnId, SessionId};
use crate::lifecycle::Phase;
use crate::mail::{Letter, Outbox};
use crate::message::{Direction, Kind, Message, Payload};
use crate::reason::DropReason;
use crate::snapshot::{Route, Snapshot};
use crate::stats::TargetKind;
use crate::verdict::Target;
use bytes::Bytes;
use std::sync::Arc;
use weir_codec::Wire;

impl State {
    /// An inbound message has passed its chain.
    pub(crate) fn route(&mut self, snapshot: &Snapshot, message: Message<'_>, route: Option<Target>) {
        let id = message.session;
        let listener = self.listener_of(id);
        let (sequence, seen) = (message.sequence, self.tap_target(snapshot, listener, route.as_ref()));
        let outcome = match route {
            None => match &snapshot.listeners[listener].route {
                Route::Echo => Ok(self.echo(snapshot, message)),
                Route::Group(group) => self.publish_from(snapshot, id, group, message),
                Route::Cluster(cluster) => {
                    self.send_to_cluster(snapshot, id, *cluster, message.kind, &message.payload, true)
                }
                Route::Drop => Err(DropReason::RouteDrop),
            },
            Some(Target::Echo) => Ok(self.echo(snapshot, message)),
            Some(Target::Group(group)) => self.publish_from(snapshot, id, &group, message),
            Some(Target::Cluster(name)) => match snapshot.cluster_names.get(&name) {
                Some(cluster) => {
                    self.send_to_cluster(snapshot, id, *cluster, message.kind, &message.payload, true)
                }
                None => Err(DropReason::UnknownCluster),
            },
            Some(Target::Session(to)) => {
                let (kind, hops) = (message.kind, message.hops);
                let sent = self.send_to_session(snapshot, to, kind, message.payload, hops);
                self.press_mailbox(id, to.worker());
                sent
            }
        };
        if let Some(to) = seen {
            self.tap_routed(id, sequence, to, outcome.as_ref().err().copied());
        }
        let stats = &self.stats.listeners[listener].inbound;
        match outcome {
            Ok(kind) => stats.routed[kind as usize].add(1),
            Err(reason) => stats.dropped.of(reason).add(1),
        }
    }

    /// A plugin's own message.
    pub(crate) fn direct(
        &mut self,
        snapshot: &Snapshot,
        to: &Target,
        in_hand: Option<SessionId>,
        kind: Kind,
        payload: &Bytes,
        hops: u8,
    ) -> Result<TargetKind, DropReason> {
        match to {
            Target::Group(group) => self.publish(snapshot, group, kind, payload, hops),
            Target::Session(session) => {
                self.send_to_session(snapshot, *session, kind, Payload::Owned(payload.clone()), hops)
            }
            Target::Echo => {
                let session = in_hand.ok_or(DropReason::NoSession)?;
                self.send_to_session(snapshot, session, kind, Payload::Owned(payload.clone()), hops)?;
                Ok(TargetKind::Echo)
            }
            Target::Cluster(name) => {
                let session = in_hand.ok_or(DropReason::NoSession)?;
                let cluster = *snapshot.cluster_names.get(name).ok_or(DropReason::UnknownCluster)?;
                self.send_to_cluster(
                    snapshot,
                    session,
                    cluster,
                    kind,
                    &Payload::Owned(payload.clone()),
                    false,
                )
            }
        }
    }

    /// Back to the sender, on the lane of the message. The sender's reading stops while it does not take its echoes, so none is
    /// refused.
    fn echo(&mut self, snapshot: &Snapshot, message: Message<'_>) -> TargetKind {
        let id = message.session;
        self.offer(snapshot, id, message.kind, message.payload, message.lane, message.hops, true);
        if self.is_pressed(snapshot, id)
            && let Some(conn) = self.conns.get_mut(id)
        {
            conn.pauses.set(Pauses::DOWNSTREAM);
        }
        TargetKind::Echo
    }

    fn send_to_session(
        &mut self,
        snapshot: &Snapshot,
        to: SessionId,
        kind: Kind,
        payload: Payload<'_>,
        hops: u8,
    ) -> Result<TargetKind, DropReason> {
        if to.worker() == self.seat.worker {
            self.offer(snapshot, to, kind, payload, None, hops, false);
        } else {
            if usize::from(to.worker().0) >= self.outboxes.len() {
                return Err(DropReason::UnknownSession);
            }
            let letter = Letter::Deliver { session: to, kind, payload: payload.into_bytes(), hops };
            if !self.post(to.worker(), letter) {
                return Err(DropReason::MailboxFull);
            }
        }
        Ok(TargetKind::Session)
    }

    fn publish_from(
        &mut self,
        snapshot: &Snapshot,
        from: SessionId,
        group: &Arc<str>,
        message: Message<'_>,
    ) -> Result<TargetKind, DropReason> {
        let sent = self.publish(snapshot, group, message.kind, &message.payload.into_bytes(), message.hops);
        for worker in 0..self.outboxes.len() {
            self.press_mailbox(from, crate::WorkerId(worker as u8));
        }
        sent
    }

    /// To every member of a group, here and on the other workers.
    pub(crate) fn publish(
        &mut self,
        snapshot: &Snapshot,
        group: &Arc<str>,
        kind: Kind,
        payload: &Bytes,
        hops: u8,
    ) -> Result<TargetKind, DropReason> {
        let Self { groups, seat, outboxes, .. } = self;
        let here = groups.presence(group);
        let known;
        let presence = if let Some(presence) = here {
            presence
        } else {
            known = seat.directory.presence(group).ok_or(DropReason::EmptyGroup)?;
            &*known
        };
        let (mut reached, mut refused) = (here.is_some(), 0);
        for (worker, outbox) in outboxes.iter_mut().enumerate() {
            if worker == usize::from(seat.worker.0) || presence.on(worker) == 0 {
                continue;
            }
            if outbox.write(Letter::Publish { group: group.clone(), kind, payload: payload.clone(), hops }) {
                reached = true;
            } else {
                refused += 1;
            }
        }
        if here.is_some() {
            self.publish_here(snapshot, group, kind, payload, hops);
        }
        match (reached, refused) {
            (false, 0) => Err(DropReason::EmptyGroup),
            (false, _) => Err(DropReason::MailboxFull),
            (true, refused) => {
                // It arrived, but not everywhere.
                let nobody = self.stats.nobody();
                nobody.offered.add(refused);
                nobody.dropped.of(DropReason::MailboxFull).add(refused);
                Ok(TargetKind::Group)
            }
        }
    }

    /// To the members of this worker: framed, and compressed, once for each wire format, except where a plugin wants to see each delivery.
    pub(crate) fn publish_here(
        &mut self,
        snapshot: &Snapshot,
        group: &Arc<str>,
        kind: Kind,
        payload: &Bytes,
        hops: u8,
    ) {
        let members = self.groups.take_members(group);
        self.bear(hops, members.len());
        let mut frames: Vec<(Wire, Result<SharedFrame, DropReason>)> = Vec::new();
        let mut keys = Keys::default();
        for &member in &members {
            let Some(conn) = self.conns.get(member) else { continue };
            let Some(session) = conn.session() else { continue };
            let policy = &snapshot.listeners[session.listener.index()];
            if policy.chain.has_outbound() || session.held[Direction::Outbound as usize].is_some() {
                self.tasks.push(Task::Offer { session: member, kind, payload: payload.clone(), hops });
                continue;
            }
            let framed = if let Some(at) = frames.iter().position(|(wire, _)| *wire == conn.wire) {
                at
            } else {
                let frame = share(&mut self.deflater, &conn.wire, kind, payload);
                frames.push((conn.wire.clone(), frame));
                frames.len() - 1
            };
            let key = keys.of(session.listener, policy, payload);
            self.offer_frame(snapshot, member, &frames[framed].1, payload.len(), key, (kind, payload));
        }
        self.groups.put_back(group, members);
    }

    /// To the session's own connection to a cluster, made if there is none. With `press`, the session's reading stops while that
    /// connection has its queue full, so nothing is refused.
    fn send_to_cluster(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        cluster: ClusterId,
        kind: Kind,
        payload: &Payload<'_>,
        press: bool,
    ) -> Result<TargetKind, DropReason> {
        let Some(upstream) = self.upstream(snapshot, id, cluster) else {
            return Err(DropReason::UpstreamUnreachable);
        };
        let limit = snapshot.clusters[cluster.index()].queue;
        let conn = self.conns.get(upstream);
        let finishing =
            conn.is_some_and(|conn| matches!(&conn.role, Role::Upstream(upstream) if upstream.finishing));
        let room = conn.is_some_and(|conn| conn.has_room(payload.len(), limit));
        // A plugin's own sends have nobody to hold back, and after the client's last message the upstream was told that no more comes.
        let pushed = match (press, finishing, room) {
            (false, true, _) => Err(DropReason::UpstreamEnded),
            (false, _, false) => Err(DropReason::QueueFull),
            _ => self.push(upstream, None, kind, payload),
        };
        let stats = &self.stats.clusters[cluster.index()].delivery;
        stats.offered.add(1);
        if let Err(reason) = pushed {
            stats.dropped.of(reason).add(1);
            return Ok(TargetKind::Cluster);
        }
        let full = self.conns.get(upstream).is_some_and(|conn| conn.queued() > limit);
        if full
            && press
            && let Some(conn) = self.conns.get_mut(id)
        {
            conn.pauses.set(Pauses::UPSTREAM);
        }
        Ok(TargetKind::Cluster)
    }

    /// The session's connection to a cluster, asked for if there is none. `None`: the session has ended, or the worker is full.
    pub(crate) fn upstream(
        &mut self,
        snapshot: &Snapshot,
        id: SessionId,
        cluster: ClusterId,
    ) -> Option<ConnId> {
        let conn = self.conns.get(id).filter(|conn| conn.phase.takes_output())?;
        let known = conn.session()?.upstreams.iter().find(|(to, _)| *to == cluster);
        if let Some((_, upstream)) = known {
            return Some(*upstream);
        }
        let wire = snapshot.clusters.get(cluster.index())?.wire.clone();
        // After the client's last message no more comes than what leads to this connection.
        let session = conn.session()?;
        let finishing =
            conn.phase == Phase::ExpectAnswers && session.held[Direction::Inbound as usize].is_none();
        let role = Role::Upstream(Upstream { session: id, cluster, finishing });
        let now = self.now;
        let upstream = self.conns.insert(Conn::new(now, wire, role))?;
        self.conns.get_mut(id).and_then(Conn::session_mut)?.upstreams.push((cluster, upstream));
        let stats = &self.stats.clusters[cluster.index()];
        stats.opened.add(1);
        stats.connections.add(1);
        self.stats.connections.add(1);
        self.connects.push(Connect { conn: upstream, cluster, session: id });
        Some(upstream)
    }

    /// The reading of whoever fills a mailbox stops while it is full.
    fn press_mailbox(&mut self, from: SessionId, to: crate::WorkerId) {
        let Some(outbox) = self.outboxes.get_mut(usize::from(to.0)) else { return };
        if outbox.fill() < Outbox::FULL {
            return;
        }
        if let Some(conn) = self.conns.get_mut(from) {
            outbox.waiting.insert(from);
            conn.pauses.set(Pauses::MAILBOX);
        }
    }
}
