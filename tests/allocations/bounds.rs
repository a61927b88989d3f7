//! The bounds. A tenth above what was measured when they were set.

/// What a steady call may allocate.
pub(crate) struct Bound {
    /// Composed resources beside the instance and the two Secrets.
    pub(crate) others: usize,
    /// How often memory may be allocated.
    pub(crate) allocations: u64,
    /// Bytes allocated in all, less those of the encoded answer.
    pub(crate) beyond_request: u64,
}

pub(crate) const BOUNDS: &[Bound] = &[
    Bound { others: 0, allocations: 1, beyond_request: 1 },
    Bound { others: 150, allocations: 1, beyond_request: 1 },
    Bound { others: 2_500, allocations: 1, beyond_request: 1 },
];
