//! The bounds: what was measured when they were set, and three hundredths more.

/// What a steady call may allocate.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Composed resources beside the instance and the two Secrets.
    pub(crate) others: usize,
    /// How often memory may be allocated.
    pub(crate) allocations: u64,
    /// Bytes allocated in all, beyond those of the encoded answer.
    pub(crate) beyond_answer: u64,
}

pub(crate) const BOUNDS: &[Bound] = &[
    Bound { others: 0, allocations: 106, beyond_answer: 24_400 },
    Bound { others: 150, allocations: 284, beyond_answer: 83_700 },
    Bound { others: 2_500, allocations: 3_110, beyond_answer: 1_014_000 },
];
