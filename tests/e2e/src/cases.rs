//! The cases: each plays a story of an XR and ends by using the token.

mod shapes;

use std::pin::Pin;

use crate::world::World;

type Run = for<'a> fn(&'a mut World) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$(Case { name: stringify!($name), run: |world| Box::pin($module::$name(world)) }),*]
    };
}

/// All cases, in the order in which they run.
pub(crate) const CASES: &[Case] = cases![
    shapes::namespaced_xr,
    shapes::claim_with_legacy_xr,
    shapes::cluster_scoped_xr,
    shapes::auto_ready_comes_after,
];
