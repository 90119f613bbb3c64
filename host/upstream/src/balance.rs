//! Which of several endpoints.

use crate::Balance;
use crate::random::Random;

/// An endpoint that may be taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Its place in the cluster.
    pub(crate) index: usize,
    /// Connections, those being made included.
    pub(crate) active: usize,
}

impl Balance {
    /// The place of the chosen one; `None` if there is none. `turn` grows by one with each choice.
    pub(crate) fn choose(self, candidates: &[Candidate], turn: usize, random: &mut Random) -> Option<usize> {
        let count = candidates.len();
        let chosen = match self {
            _ if count < 2 => candidates.first()?,
            Self::RoundRobin => &candidates[turn % count],
            Self::P2c => {
                let first = random.below(count);
                // Never the same twice: one of the others, counted on from the first.
                let second = (first + 1 + random.below(count - 1)) % count;
                let [first, second] = [&candidates[first], &candidates[second]];
                if second.active < first.active { second } else { first }
            }
            Self::LeastConnections => {
                let least = candidates.iter().map(|candidate| candidate.active).min()?;
                let equals = || candidates.iter().filter(|candidate| candidate.active == least);
                equals().nth(random.below(equals().count()))?
            }
        };
        Some(chosen.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(active: &[usize]) -> Vec<Candidate> {
        active.iter().enumerate().map(|(index, &active)| Candidate { index, active }).collect()
    }

    /// How often each of the candidates is chosen in 12,000 choices among unchanging ones.
    fn shares(balance: Balance, active: &[usize]) -> Vec<u32> {
        let (candidates, mut random) = (candidates(active), Random::new(7));
        let mut shares = vec![0; active.len()];
        for turn in 0..12_000 {
            shares[balance.choose(&candidates, turn, &mut random).unwrap()] += 1;
        }
        shares
    }

    #[test]
    fn nobody_to_choose_is_nobody_chosen() {
        for balance in [Balance::P2c, Balance::RoundRobin, Balance::LeastConnections] {
            assert_eq!(balance.choose(&[], 3, &mut Random::new(1)), None);
            assert_eq!(balance.choose(&candidates(&[9]), 3, &mut Random::new(1)), Some(0));
        }
    }

    #[test]
    fn two_choices_among_equals_are_even() {
        for share in shares(Balance::P2c, &[5; 6]) {
            assert!((1_800..2_200).contains(&share), "{share} of 12,000 among six");
        }
    }

    #[test]
    fn two_choices_follow_the_load() {
        // Of n candidates with different loads, the r-th least loaded wins 2(n - r) of n(n - 1) pairs: 1/2, 1/3, 1/6 and none.
        let shares = shares(Balance::P2c, &[3, 0, 2, 1]);
        for (share, expected) in std::iter::zip(shares, [0_u32, 6_000, 2_000, 4_000]) {
            assert!(share.abs_diff(expected) <= expected / 10, "{share} where {expected} is expected");
        }
    }

    #[test]
    fn two_choices_keep_loads_close() {
        let (mut loads, mut random) = ([0; 10], Random::new(42));
        for turn in 0..10_000 {
            let chosen = Balance::P2c.choose(&candidates(&loads), turn, &mut random).unwrap();
            loads[chosen] += 1;
        }
        let spread = loads.iter().max().unwrap() - loads.iter().min().unwrap();
        assert!(spread <= 10, "{loads:?}");
    }

    #[test]
    fn turns_go_round() {
        assert_eq!(shares(Balance::RoundRobin, &[100, 0, 7]), [4_000; 3]);
    }

    #[test]
    fn the_least_loaded_share_alone() {
        let shares = shares(Balance::LeastConnections, &[4, 1, 9, 1]);
        assert_eq!((shares[0], shares[2]), (0, 0));
        assert!(shares[1].abs_diff(shares[3]) < 600, "{shares:?}");
    }
}
