//! Which generation of a binding a session meets, where several serve at once.

use crate::id::SessionId;
use crate::snapshot::Link;

/// Grows whenever who serves for a binding changes: what a session remembers of when it opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Era(pub u32);

/// A share of all sessions: each session is in it or not for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// Every session.
    pub const ALL: Self = Self(1 << 32);

    /// A share from 0 to 1; what is beyond is taken as the bound.
    pub fn new(part: f64) -> Self {
        Self((part.clamp(0.0, 1.0) * Self::ALL.0 as f64).round() as u64)
    }

    /// Whether a session is in the share. `salt` has each rollout try other sessions.
    pub fn has(self, session: SessionId, salt: u64) -> bool {
        // The finalizer of SplitMix64: ids that follow each other are far apart.
        let mut mixed = session.raw() ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 32 < self.0
    }
}

/// One generation of a binding, and which sessions meet it.
#[derive(Clone, Debug)]
pub struct Term {
    /// The generation; its own terms are not looked at.
    pub link: Link,
    /// Sessions that opened in this era or later meet it …
    pub since: Era,
    /// … and of these only so many.
    pub share: Share,
}

/// What a choice between generations depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) session: SessionId,
    /// When it opened.
    pub(crate) era: Era,
}

impl Link {
    /// The generation that a session meets: that of the first of the terms that it fits, else the link itself.
    #[inline]
    pub(crate) fn met_by(&self, who: impl FnOnce() -> Who) -> &Self {
        if self.terms.is_empty() {
            return self;
        }
        let Who { session, era } = who();
        let fits = |term: &&Term| term.since <= era && term.share.has(session, term.link.generation);
        self.terms.iter().find(fits).map_or(self, |term| &term.link)
    }

    /// The generation of this number; what took its place, if it serves no more.
    pub(crate) fn at(&self, generation: u64) -> &Self {
        self.all().find(|one| one.generation == generation).unwrap_or(self)
    }

    /// Every generation that a session may meet, the link's own first; of the others some perhaps twice.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Self> {
        let others = self.terms.iter().map(|term| &term.link);
        std::iter::once(self).chain(others.filter(move |one| one.generation != self.generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BindingId, ConnId, Directions, Effect, Failure, Instance, OnFailure, Program, Seat};
    use std::sync::Arc;

    #[derive(Debug)]
    struct Never;

    impl Program for Never {
        fn instantiate(&self, _: &Seat, _: &mut Vec<Effect>) -> Result<Box<dyn Instance>, Failure> {
            unreachable!("only who meets it is asked")
        }
    }

    fn link(generation: u64, terms: &[(&Link, u32, f64)]) -> Link {
        let term = |(link, since, share): &(&Link, u32, f64)| Term {
            link: (*link).clone(),
            since: Era(*since),
            share: Share::new(*share),
        };
        Link {
            binding: BindingId(0),
            name: "".into(),
            generation,
            program: Arc::new(Never),
            directions: Directions::default(),
            on_failure: OnFailure::default(),
            stats: Arc::default(),
            terms: terms.iter().map(term).collect(),
            max_held: usize::MAX,
            quarantine: Arc::default(),
            offload: None,
        }
    }

    fn met(link: &Link, session: u64, era: u32) -> u64 {
        link.met_by(|| Who { session: ConnId::from_raw(session), era: Era(era) }).generation
    }

    /// Ids as two workers give them: slot by slot, and each slot again under the next generation.
    fn sessions() -> impl Iterator<Item = u64> {
        (0..20u64).flat_map(|generation| {
            (0..2).flat_map(move |worker| (0..500).map(move |slot| generation << 32 | worker << 24 | slot))
        })
    }

    #[test]
    fn a_share_is_as_large_as_it_says_and_another_for_each_salt() {
        for part in [0.0, 0.01, 0.05, 0.3, 1.0] {
            let share = Share::new(part);
            let of = |salt| sessions().filter(|id| share.has(ConnId::from_raw(*id), salt)).count() as f64;
            for salt in 1..6 {
                // Five standard deviations of so many throws of such a coin.
                let all = sessions().count() as f64;
                let tolerance = 5.0 * (all * part * (1.0 - part)).sqrt();
                assert!((of(salt) - all * part).abs() <= tolerance, "{part}: {}", of(salt));
            }
            let both = |id: &u64| share.has(ConnId::from_raw(*id), 1) && share.has(ConnId::from_raw(*id), 2);
            let expected = 20_000.0 * part * part;
            assert!((sessions().filter(both).count() as f64 - expected).abs() <= 5.0 * expected.sqrt() + 1.0);
        }
        assert_eq!(Share::new(7.0), Share::ALL);
    }

    #[test]
    fn each_session_meets_one_generation_and_stays_with_it() {
        let (first, second) = (link(1, &[]), link(2, &[]));
        let both = link(1, &[(&second, 0, 0.25), (&first, 0, 1.0)]);
        let met = |id| met(&both, id, 7);
        assert!(sessions().all(|id| met(id) == met(id)));
        let tried = sessions().filter(|id| met(*id) == 2).count();
        assert!((4_500..5_500).contains(&tried), "{tried}");
    }

    #[test]
    fn who_opened_before_a_generation_stays_with_the_one_before() {
        let [one, two, three] = [1, 2, 3].map(|generation| link(generation, &[]));
        // The second was a canary from era 10, everybody's from era 20; the third came in era 30.
        let pinned = link(3, &[(&three, 30, 1.0), (&two, 20, 1.0), (&two, 10, 0.25), (&one, 0, 1.0)]);
        for id in sessions().take(1000) {
            assert_eq!([0, 9, 20, 29, 30, 99].map(|era| met(&pinned, id, era)), [1, 1, 2, 2, 3, 3]);
            let canary = Share::new(0.25).has(ConnId::from_raw(id), 2);
            assert_eq!(met(&pinned, id, 15), if canary { 2 } else { 1 });
        }
        // When the time of the first is over its sessions move to the newest, and those of the second stay.
        let drained = link(3, &[(&three, 30, 1.0), (&two, 20, 1.0), (&two, 10, 0.25)]);
        assert_eq!([0, 20, 30].map(|era| met(&drained, 5, era)), [3, 2, 3]);
    }
}
