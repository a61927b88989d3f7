//! Tries to break the function: the real one, between a model of Crossplane and
//! a model of Infisical, in simulated time.
//!
//! - [`schedule`]: what happens, drawn from a seed.
//! - [`world`]: carries it out; [`crossplane`] and [`infisical`] are the models.
//! - [`invariants`]: what holds after every call and every step.
//! - [`liveness`]: what becomes of it all when nothing goes wrong any more.
//! - [`seeds`]: runs many, and shortens those that fail; [`regressions`] keeps
//!   them.
//! - [`enumerate`]: every place at which something can end.
//! - [`mutants`]: proves that broken rules are noticed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::same_functions_in_if_condition,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected, and so do its helpers; dice are thrown in conditions"
)]

mod clock;
mod crossplane;
mod enumerate;
mod infisical;
mod invariants;
mod liveness;
mod mutants;
mod regressions;
mod schedule;
mod seeds;
#[path = "../shared/clock.rs"]
mod simulated;
#[path = "../shared/translate.rs"]
mod translate;
mod world;

/// As the binary has it: a sixth of all its time went into the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
