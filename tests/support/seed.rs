//! Random choices that can be repeated: the seed is printed, and taken from `WEIR_TEST_SEED`.

use std::sync::Mutex;

/// A small generator (SplitMix64) for moments and places; tests share it between tasks.
pub struct Seed(Mutex<u64>);

impl Seed {
    /// Takes the seed from the environment or the clock, and prints it: tests that fail show it.
    pub fn new() -> Self {
        let given = std::env::var("WEIR_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.expect("the clock is after 1970").as_nanos() as u64
        });
        println!("to repeat the choices: WEIR_TEST_SEED={seed}");
        Self(Mutex::new(seed))
    }

    /// Returns one of its own, so that what shares this one does not change what that one chooses.
    pub fn fork(&self) -> Self {
        Self(Mutex::new(self.pick(0..u64::MAX)))
    }

    /// Returns one of some choices.
    pub fn one_of<'c, T>(&self, choices: &'c [T]) -> &'c T {
        &choices[self.pick(0..choices.len() as u64) as usize]
    }

    /// Says yes once in so many times.
    pub fn once_in(&self, times: u64) -> bool {
        self.pick(0..times) == 0
    }

    /// Returns a number of a range.
    pub fn pick(&self, range: std::ops::Range<u64>) -> u64 {
        let mut state = self.0.lock().expect("no holder panics");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }
}
