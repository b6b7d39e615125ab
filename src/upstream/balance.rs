//! Which endpoint takes a call: a pure function of what is known of each.
//!
//! Whether an endpoint may be asked at all is decided before; here are only those that may.

use super::random::{Random, mix};
use super::spec::Balance;

/// An endpoint that may be asked.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its place in the list of endpoints.
    pub index: usize,
    /// Its share of the calls.
    pub weight: u32,
    /// How many calls it answers at the moment.
    pub in_flight: usize,
    /// What tells it from the others, across workers and restarts.
    pub hash: u64,
}

/// Chooses one of the candidates; `None` when there is none.
///
/// `turn` is a number that grows by one from call to call.
pub fn choose(
    balance: Balance,
    candidates: &[Candidate],
    affinity: Option<u64>,
    turn: usize,
    random: &Random,
) -> Option<usize> {
    let chosen = match (balance, affinity) {
        (_, _) if candidates.len() < 2 => candidates.first(),
        (Balance::RoundRobin, _) => in_turn(candidates, turn),
        (Balance::Hash, Some(key)) => by_hash(candidates, key),
        (Balance::P2c, _) | (Balance::Hash, None) => less_loaded_of_two(candidates, random),
    };
    chosen.map(|candidate| candidate.index)
}

/// The weights as they count: where all are zero, all are equal.
fn total(candidates: &[Candidate]) -> usize {
    candidates.iter().map(|candidate| candidate.weight as usize).sum()
}

/// The candidate at a point of the weights laid end to end; all weights zero: at a point of the list.
fn at(candidates: &[Candidate], mut point: usize) -> Option<&Candidate> {
    if total(candidates) == 0 {
        return candidates.get(point);
    }
    candidates.iter().find(|candidate| {
        let weight = candidate.weight as usize;
        let here = point < weight;
        point = point.saturating_sub(weight);
        here
    })
}

fn span(candidates: &[Candidate]) -> usize {
    match total(candidates) {
        0 => candidates.len(),
        total => total,
    }
}

fn in_turn(candidates: &[Candidate], turn: usize) -> Option<&Candidate> {
    at(candidates, turn % span(candidates).max(1))
}

/// Two by weighted chance, then the one with less in flight for its weight (gRFC A48; Mitzenmacher 2001).
fn less_loaded_of_two<'a>(candidates: &'a [Candidate], random: &Random) -> Option<&'a Candidate> {
    let first = at(candidates, random.below(span(candidates)))?;
    let others: usize = span(candidates) - share(candidates, first);
    if others == 0 {
        return Some(first);
    }
    let mut point = random.below(others);
    let second = candidates.iter().filter(|candidate| candidate.index != first.index).find(|candidate| {
        let share = share(candidates, candidate);
        let here = point < share;
        point = point.saturating_sub(share);
        here
    })?;
    // The quotients of in_flight and weight, without division. Of two idle ones the first drawn is taken,
    // so that chance alone follows the weights.
    let first_load = first.in_flight * share(candidates, second);
    let second_load = second.in_flight * share(candidates, first);
    Some(if first_load <= second_load { first } else { second })
}

fn share(candidates: &[Candidate], candidate: &Candidate) -> usize {
    if total(candidates) == 0 { 1 } else { candidate.weight as usize }
}

/// Rendezvous hashing with weights: when an endpoint comes or goes, only its own keys move
/// (Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005).
fn by_hash(candidates: &[Candidate], key: u64) -> Option<&Candidate> {
    let score = |candidate: &Candidate| {
        let mixed = u32::try_from(mix(key ^ candidate.hash) >> 32).unwrap_or_default();
        let uniform = (f64::from(mixed) + 0.5) / 4_294_967_296.0;
        let share = u32::try_from(share(candidates, candidate)).unwrap_or(u32::MAX);
        f64::from(share) / -uniform.ln()
    };
    candidates.iter().max_by(|one, other| score(one).total_cmp(&score(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(weights: &[u32]) -> Vec<Candidate> {
        let candidate = |(index, weight): (usize, &u32)| Candidate {
            index,
            weight: *weight,
            in_flight: 0,
            hash: mix(index as u64 + 1),
        };
        weights.iter().enumerate().map(candidate).collect()
    }

    /// How many of `calls` calls each candidate gets; calls never end where `pile_up`.
    fn deal(balance: Balance, weights: &[u32], calls: usize, pile_up: bool) -> Vec<usize> {
        let random = Random::new();
        let mut candidates = candidates(weights);
        let mut counts = vec![0; weights.len()];
        for turn in 0..calls {
            let key = Some(mix(turn as u64));
            let chosen = choose(balance, &candidates, key, turn, &random).unwrap();
            counts[chosen] += 1;
            candidates[chosen].in_flight += usize::from(pile_up);
        }
        counts
    }

    #[test]
    fn nobody_is_chosen_of_none() {
        for balance in [Balance::P2c, Balance::RoundRobin, Balance::Hash] {
            assert_eq!(choose(balance, &[], Some(1), 0, &Random::new()), None);
        }
    }

    #[test]
    fn every_way_follows_the_weights() {
        for balance in [Balance::P2c, Balance::RoundRobin, Balance::Hash] {
            for pile_up in [false, true] {
                let counts = deal(balance, &[8, 1, 1], 10_000, pile_up);
                assert!((7500..=8500).contains(&counts[0]), "{balance:?} {pile_up}: {counts:?}");
                assert!(counts[1] > 800 && counts[2] > 800, "{balance:?} {pile_up}: {counts:?}");
            }
        }
    }

    #[test]
    fn zero_takes_nothing_while_others_can() {
        for balance in [Balance::P2c, Balance::RoundRobin, Balance::Hash] {
            assert_eq!(deal(balance, &[0, 1], 100, true), [0, 100], "{balance:?}");
            let counts = deal(balance, &[0, 0], 1000, false);
            assert!(counts.iter().all(|&count| count > 400), "{balance:?}: {counts:?}");
        }
    }

    #[test]
    fn in_turn_is_strict() {
        assert_eq!(deal(Balance::RoundRobin, &[1, 1, 1], 9, false), [3, 3, 3]);
    }

    #[test]
    fn the_busier_of_two_is_spared() {
        let mut two = candidates(&[1, 1]);
        two[0].in_flight = 1;
        for turn in 0..100 {
            assert_eq!(choose(Balance::P2c, &two, None, turn, &Random::new()), Some(1));
        }
    }

    #[test]
    fn only_the_keys_of_a_lost_endpoint_move() {
        let all = candidates(&[1, 1, 1, 1]);
        let fewer: Vec<_> = all.iter().filter(|candidate| candidate.index != 2).copied().collect();
        let random = Random::new();
        for key in 0..1000 {
            let before = choose(Balance::Hash, &all, Some(mix(key)), 0, &random).unwrap();
            let after = choose(Balance::Hash, &fewer, Some(mix(key)), 0, &random).unwrap();
            assert!(before == after || before == 2, "key {key} moved from {before} to {after}");
        }
    }
}
