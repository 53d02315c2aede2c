//! Adds up what speaks for each candidate, and remembers which seed said it.
//!
//! Sums are made in the order of the calls, so equal sequences of calls give equal sums to the bit.

use hashbrown::HashMap;

const EXCLUDED: u32 = u32::MAX;

/// Candidates of a usual answer: room made at once, as growing costs a fifth of the whole answer.
const USUAL: usize = 4096;

struct Candidate {
    item: u32,
    score: f64,
    /// Last neighbour that spoke for it: each speaks once a seed.
    neighbour: u32,
}

struct Voice {
    candidate: u32,
    seed: u32,
    weight: f64,
}

#[derive(Default)]
pub(super) struct Candidates {
    places: HashMap<u32, u32>,
    met: Vec<Candidate>,
    voices: Vec<Voice>,
    neighbour: u32,
}

impl Candidates {
    /// Starts with items that can never become candidates.
    pub(super) fn without(excluded: &[u32]) -> Self {
        let mut places = HashMap::with_capacity(excluded.len() + USUAL);
        places.extend(excluded.iter().map(|item| (*item, EXCLUDED)));
        Self { places, ..Self::default() }
    }

    /// Announces the next neighbour; of what it says for one item only the first word counts.
    pub(super) fn next_neighbour(&mut self) {
        self.neighbour += 1;
    }

    pub(super) fn add(&mut self, item: u32, seed: u32, weight: f64) {
        let next = self.met.len() as u32;
        let place = *self.places.entry(item).or_insert(next);
        if place == EXCLUDED {
            return;
        }
        if place == next {
            self.met.push(Candidate { item, score: 0.0, neighbour: 0 });
        }
        let candidate = &mut self.met[place as usize];
        if candidate.neighbour == self.neighbour {
            return;
        }
        candidate.neighbour = self.neighbour;
        candidate.score += weight;
        self.voices.push(Voice { candidate: place, seed, weight });
    }

    /// All candidates as (place, item, sum of weights), in the order in which they were first met.
    pub(super) fn sums(&self) -> impl Iterator<Item = (u32, u32, f64)> {
        (0..).zip(&self.met).map(|(place, candidate)| (place, candidate.item, candidate.score))
    }

    /// For each of `chosen` places, the seeds that spoke for it, the strongest first, at most `most`.
    pub(super) fn reasons(&self, chosen: &[u32], most: usize) -> Vec<Vec<u32>> {
        let mut rows = vec![EXCLUDED; self.met.len()];
        for (row, place) in (0..).zip(chosen) {
            rows[*place as usize] = row;
        }
        let mut sums: Vec<Vec<(u32, f64)>> = vec![Vec::new(); chosen.len()];
        for voice in &self.voices {
            let Some(sum) = sums.get_mut(rows[voice.candidate as usize] as usize) else {
                continue;
            };
            // Seeds speak one after the other, so one seed's voices for a candidate are adjacent.
            match sum.last_mut() {
                Some((seed, weight)) if *seed == voice.seed => *weight += voice.weight,
                _ => sum.push((voice.seed, voice.weight)),
            }
        }
        sums.into_iter()
            .map(|mut sum| {
                sum.sort_by(|a, b| b.1.total_cmp(&a.1));
                sum.into_iter().take(most).map(|(seed, _)| seed).collect()
            })
            .collect()
    }
}
