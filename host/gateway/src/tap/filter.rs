//! Which messages somebody wants to see.

use super::Want;
use super::query::Query;
use std::hash::{DefaultHasher, Hash, Hasher};
use weir_core::{
    Depth, Direction, DropReason, Fate, Glimpse, Kind, ListenerId, Meeting, Record, SessionId, Target,
    Verdict,
};

/// A query against the names of this gateway.
#[derive(Debug)]
pub(crate) struct Filter {
    listeners: Vec<ListenerId>,
    sessions: Vec<SessionId>,
    groups: Vec<String>,
    plugins: Vec<String>,
    verdicts: Vec<Sort>,
    direction: Option<Direction>,
    kind: Option<Kind>,
    fates: Vec<FateSort>,
    /// Of 2³² parts.
    sample: u64,
    by_session: bool,
}

/// A verdict, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Forward,
    Change,
    Drop,
    Close,
    Hold,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FateSort {
    Routed,
    Queued,
    Dropped,
    For(DropReason),
}

impl Sort {
    const ALL: [Self; 6] = [Self::Forward, Self::Change, Self::Drop, Self::Close, Self::Hold, Self::Failed];

    pub(crate) fn of(meeting: &Meeting) -> Self {
        match &meeting.answer {
            Ok(Verdict::Forward(forwarding)) if meeting.changed.is_none() && forwarding.route.is_none() => {
                Self::Forward
            }
            Ok(Verdict::Forward(_)) => Self::Change,
            Ok(Verdict::Drop(_)) => Self::Drop,
            Ok(Verdict::Close(_)) => Self::Close,
            Ok(Verdict::Hold(_)) => Self::Hold,
            Err(_) => Self::Failed,
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Change => "change",
            Self::Drop => "drop",
            Self::Close => "close",
            Self::Hold => "hold",
            Self::Failed => "failed",
        }
    }
}

impl Filter {
    /// The error says what to write instead.
    pub(crate) fn new(query: &Query, listeners: &[String]) -> Result<Self, String> {
        let listener = |name: &String| {
            let at = listeners.iter().position(|known| known == name);
            at.map(|at| ListenerId(at as u16))
                .ok_or_else(|| format!("listener: there is no {name}; there are {}", listeners.join(", ")))
        };
        let session = |id: &String| {
            u64::from_str_radix(id, 16)
                .map(SessionId::from_raw)
                .map_err(|_| format!("session: an id as the log shows it, such as 1000000, not {id}"))
        };
        let verdict = |word: &String| {
            Sort::ALL
                .into_iter()
                .find(|sort| sort.label() == word)
                .ok_or_else(|| format!("verdict: forward, change, drop, close, hold or failed, not {word}"))
        };
        let fate = |word: &String| match word.as_str() {
            "routed" => Ok(FateSort::Routed),
            "queued" => Ok(FateSort::Queued),
            "dropped" => Ok(FateSort::Dropped),
            reason => DropReason::ALL
                .iter()
                .find(|known| known.label() == reason)
                .map(|reason| FateSort::For(*reason))
                .ok_or_else(|| {
                    format!(
                        "fate: routed, queued, dropped or a reason such as plugin or queue_full, not {reason}"
                    )
                }),
        };
        let direction = |word: &String| match word.as_str() {
            "in" | "inbound" => Ok(Direction::Inbound),
            "out" | "outbound" => Ok(Direction::Outbound),
            other => Err(format!("direction: in or out, not {other}")),
        };
        let kind = |word: &String| match word.as_str() {
            "text" => Ok(Kind::Text),
            "binary" => Ok(Kind::Binary),
            other => Err(format!("kind: text or binary, not {other}")),
        };
        Ok(Self {
            listeners: query.listener.iter().map(listener).collect::<Result<_, _>>()?,
            sessions: query.session.iter().map(session).collect::<Result<_, _>>()?,
            groups: query.group.clone(),
            plugins: query.plugin.clone(),
            verdicts: query.verdict.iter().map(verdict).collect::<Result<_, _>>()?,
            direction: only(&query.direction.iter().map(direction).collect::<Result<Vec<_>, _>>()?),
            kind: only(&query.kind.iter().map(kind).collect::<Result<Vec<_>, _>>()?),
            fates: query.fate.iter().map(fate).collect::<Result<_, _>>()?,
            sample: (query.sample * (1u64 << 32) as f64) as u64,
            by_session: query.by_session,
        })
    }

    /// What can be told before the chain.
    pub(crate) fn wants(&self, glimpse: &Glimpse<'_>, depth: Depth) -> Want {
        let message = glimpse.message;
        let fits = any(&self.listeners, &glimpse.listener)
            && any(&self.sessions, &message.session)
            && self.direction.is_none_or(|direction| direction == message.direction)
            && self.kind.is_none_or(|kind| kind == message.kind)
            && self.samples(message.session, message.direction, message.sequence);
        if !fits {
            Want::Nothing
        } else if self.groups.is_empty() || self.groups.iter().any(|group| glimpse.is_in(group)) {
            Want::Surely(depth)
        } else if message.direction == Direction::Inbound {
            // It may go to the group.
            Want::Perhaps(depth)
        } else {
            Want::Nothing
        }
    }

    /// What can be told only when it is over. `surely`: the session was in a group that is asked for, or none is.
    pub(crate) fn fits(&self, record: &Record, surely: bool) -> bool {
        let to_group = || match &record.fate {
            Fate::Routed(Target::Group(group)) => self.groups.iter().any(|known| **known == **group),
            _ => false,
        };
        let met = |meeting: &Meeting| {
            let plugin = self.plugins.is_empty() || self.plugins.iter().any(|name| **name == *meeting.name);
            plugin && any(&self.verdicts, &Sort::of(meeting))
        };
        let chain = self.plugins.is_empty() && self.verdicts.is_empty() || record.meetings.iter().any(met);
        let fate = |sort: &FateSort| match (sort, &record.fate) {
            (FateSort::Routed, Fate::Routed(_))
            | (FateSort::Queued, Fate::Queued)
            | (FateSort::Dropped, Fate::Dropped(_)) => true,
            (FateSort::For(wanted), Fate::Dropped(reason)) => wanted == reason,
            _ => false,
        };
        chain && (surely || to_group()) && (self.fates.is_empty() || self.fates.iter().any(fate))
    }

    /// The same for a message whenever it is asked, and, by session, for all of its messages.
    fn samples(&self, session: SessionId, direction: Direction, sequence: u64) -> bool {
        if self.sample >= 1 << 32 {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        session.hash(&mut hasher);
        if !self.by_session {
            (direction, sequence).hash(&mut hasher);
        }
        hasher.finish() >> 32 < self.sample
    }
}

/// Whether one of them is asked for, or none in particular.
fn any<T: PartialEq>(wanted: &[T], value: &T) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

/// The one that is asked for; with both, either will do.
fn only<T: Copy + PartialEq>(wanted: &[T]) -> Option<T> {
    let (first, rest) = wanted.split_first()?;
    rest.iter().all(|other| other == first).then_some(*first)
}
