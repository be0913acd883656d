//! Numbers that look random and can be had again (SplitMix64).

pub struct Random(u64);

impl Random {
    /// Begins with the number in that environment variable, so that a run can be repeated; else with a new one, and says it.
    pub fn seeded(variable: &str) -> Random {
        let seed = setting(variable).unwrap_or_else(|| getrandom::u64().unwrap());
        eprintln!("{variable}={seed}");
        Random(seed)
    }

    /// One that goes its own way from here.
    pub fn another(&mut self) -> Random {
        Random(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// The number in an environment variable.
pub fn setting(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}
