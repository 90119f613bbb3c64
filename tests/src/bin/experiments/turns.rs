//! Those that are compared take turns.

/// Measures each of them once to warm up, and then so many times; gives what was measured of each, round by round. From round to round the
/// order is turned around, so that none always finds the caches that the same other one has left.
pub(crate) fn turns<T, M>(
    rounds: usize,
    compared: &mut [T],
    mut measure: impl FnMut(&mut T) -> anyhow::Result<M>,
) -> anyhow::Result<Vec<Vec<M>>> {
    let mut measured: Vec<Vec<M>> = compared.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for step in 0..compared.len() {
            let at = if round % 2 == 0 { step } else { compared.len() - 1 - step };
            let found = measure(&mut compared[at])?;
            if round > 0 {
                measured[at].push(found);
            }
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn each_has_its_turn_in_every_round_and_the_first_round_does_not_count() {
        let mut order = Vec::new();
        let found = turns(2, &mut ['a', 'b', 'c'], |who| {
            order.push(*who);
            Ok((*who, order.len()))
        });
        assert_eq!(
            found.unwrap(),
            [[('a', 6), ('a', 7)], [('b', 5), ('b', 8)], [('c', 4), ('c', 9)]].map(Vec::from)
        );
        assert_eq!(order.iter().collect::<String>(), "abccbaabc");
        assert!(turns(1, &mut [()], |()| Err::<(), _>(anyhow::anyhow!("no figure"))).is_err());
    }
}
