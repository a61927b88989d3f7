//! The cases: each plays a story of an XR and ends by using the token.

mod authors;
mod calls;
mod examples;
mod faults;
mod leaving;
mod mistakes;
mod runtime;
mod scale;
mod shapes;
mod status;
mod taken;
mod tls;

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
    shapes::step_credentials,
    shapes::required_admin_secret,
    shapes::required_ca_bundle,
    shapes::wrong_input,
    status::field_not_declared,
    taken::secret_of_somebody_else,
    mistakes::ten_mistakes,
    examples::examples_are_applied,
    examples::external_secrets_come_later,
    examples::consumers_are_composed,
    leaving::a_copy_outlives_the_step,
    runtime::runtime_is_hardened,
    authors::a_forged_claim_reaches_no_namespace,
    authors::connection_secret_edited,
    faults::connection_secret_deleted,
    faults::token_revoked,
    faults::function_killed_before_the_answer,
    faults::function_killed_after_the_answer,
    faults::server_silent_for_30_s,
    faults::crossplane_killed_before_the_apply,
    faults::xr_deleted_and_made_again,
    scale::twenty_xrs_at_once,
    calls::a_reconcile_is_one_call,
    calls::what_is_required_takes_two_calls,
    calls::two_replicas,
    scale::certificate_replaced,
    scale::realtime_compositions_off,
    scale::response_cache_on,
];
