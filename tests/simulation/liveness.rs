//! When nothing goes wrong any more, all becomes well, or a person is told what
//! only a person can do.

use std::time::Duration;

use fake_crossplane::Reconciled;
use tokio::time::sleep;

use crate::{
    crossplane::{ADMIN, CONNECTION, IDENTITY, Place},
    invariants,
    schedule::{Fate, Setup, View},
    world::{BOUNCE, Broken, World},
};

/// The promise of all this.
pub(crate) const ALL_WELL: &str = "all becomes well, or a person is told what to do";

/// In this time a token is had. A dead one is noticed at its verification, after
/// a day at most; a login that was refused is tried again after an hour at most,
/// and a fifth of that is spread.
const CONVERGES_WITHIN: Duration = Duration::from_hours(30);

/// And with so many calls.
const CONVERGES_IN: usize = 600;

/// The same where something is handed off: only a verification notices a client
/// secret that is dead, and tokens that live for two minutes bring calls meanwhile.
const CONVERGES_WITH_HAND_OFF_IN: usize = 6000;

/// For so long it is then watched. Leftovers are gone after eleven minutes, or
/// after another ten where a renewal was due first.
const QUIET: Duration = Duration::from_mins(40);

/// How many calls that are at most.
const QUIET_CALLS: usize = 120;

/// The longest `ttl` of a response that has a problem in it, and a second.
const CACHED: Duration = Duration::from_secs(61);

/// Milliseconds: calls end before so slow a server has answered.
const SLOW: u64 = 900;

/// For so long what was begun may still be under way.
const UNDER_WAY: Duration = Duration::from_mins(1);

/// Every replica is called that often, so that it comes to its own leftovers: it
/// sees that another's token is in the cluster, and ten minutes later it revokes.
const CALLS_EACH: usize = 3;

/// How an XR ends.
enum End {
    /// Its token works.
    Ready,
    /// Only a person can help, and that is so.
    Human,
}

pub(crate) async fn ensure(world: &mut World) -> Result<(), Broken> {
    for server in world.servers() {
        server.mend();
    }
    // A response that says what went wrong is kept by Crossplane for its `ttl`.
    sleep(CACHED).await;
    let now = world.clock.passed();
    for place in &mut world.places {
        place.set_ready(true, now);
    }
    for at in 0..world.places.len() {
        let mut end = converge(world, at).await?;
        if world.places[at].is_any_taken() {
            invariants::invariant_a_secret_of_somebody_else_is_left_alone(world)?;
            world.places[at].free();
            end = converge(world, at).await?;
        }
        if matches!(end, End::Ready) && !may_seem_over(&world.setup) {
            stay(world, at).await?;
        }
    }
    invariants::after_a_step(world)
}

/// Whether a process that has just started may have to say, until the server has answered,
/// that by its clock the token's life is over: calls do not wait for slow answers.
fn may_seem_over(setup: &Setup) -> bool {
    let of_token_auth = Some(setup.token_auth.ttl).filter(|ttl| *ttl > 0);
    let life = of_token_auth.map_or(setup.token_life, |ttl| setup.token_life.min(ttl));
    setup.latency >= SLOW && setup.ahead >= life
}

async fn converge(world: &mut World, at: usize) -> Result<End, Broken> {
    let until = world.clock.passed() + CONVERGES_WITHIN;
    let hands_off = world.places[at].hands_off();
    let calls = if hands_off { CONVERGES_WITH_HAND_OFF_IN } else { CONVERGES_IN };
    for _ in 0..calls {
        let reconciled = world.reconcile(at, View::Fresh, Fate::Applied).await?;
        let is_at_rest = reconciled == Some(Reconciled::Applied { changed: false });
        // What was asked before may still come to nothing.
        let is_settled = is_at_rest && !world.is_busy();
        if let (true, Some(end)) = (is_settled, end(&world.places[at])) {
            return Ok(end);
        }
        if world.clock.passed() > until {
            break;
        }
        if is_settled {
            world.wait(at).await;
        } else {
            sleep(BOUNCE).await;
        }
    }
    let place = &world.places[at];
    let how = format!("XR {at} says {:?}", place.crossplane.xr["status"]["conditions"]);
    Err(Broken::new(ALL_WELL, how))
}

/// How it is with an XR that is at rest; `None` is not well.
fn end(place: &Place) -> Option<End> {
    let (status, reason) = place.reason("InfisicalBootstrapped");
    let token_works = place.token().is_some_and(|token| place.server.token_works(&token));
    let valid = place.reason("InfisicalTokenValid");
    let is_well = status == "True" && valid.0 == "True" && place.is_handed_off();
    if token_works && place.crossplane.is_ready() && is_well {
        return Some(End::Ready);
    }
    let is_refused = place.hands_off() && place.reason("InfisicalHandedOff").1 == "ProjectRefused";
    if token_works && is_refused && !place.may_add_to_its_project() {
        return Some(End::Human);
    }
    let is_kept = place.hands_off() && place.reason("InfisicalHandedOff").1 == "RightKept";
    if token_works && is_kept && place.right_may_be_kept() {
        return Some(End::Human);
    }
    let is_taken = place.hands_off() && place.reason("InfisicalHandedOff").1 == "SecretTaken";
    if token_works && is_taken && place.is_taken(IDENTITY) {
        return Some(End::Human);
    }
    is_true_and_for_a_person(place, &reason, token_works).then_some(End::Human)
}

/// Whether a reason names something that only a person can mend, and it is so.
fn is_true_and_for_a_person(place: &Place, reason: &str, token_works: bool) -> bool {
    let is_initialized = place.server.state().instance.is_initialized();
    let admin = place.usable_admin();
    let admits = admin.as_ref().is_some_and(|(email, password)| place.server.admits(email, password));
    match reason {
        "BootstrappedElsewhere" | "AdminLoginRefused" => {
            is_initialized && admin.is_some() && !admits && !token_works
        }
        "PartiallyBootstrapped" => {
            let users = place.server.state().instance.super_admins();
            !is_initialized && admin.is_some_and(|(email, _)| users.contains(&email))
        }
        "NoOrganization" => {
            let is_in_one = |email: &str| place.server.state().instance.is_in_an_organization(email);
            admin.is_some_and(|(email, _)| admits && !is_in_one(&email)) && !token_works
        }
        "NoInstanceAdmin" => !place.has_another_instance_admin() && !token_works,
        "MFARequired" => admits && place.server.state().instance.settings.second_factor && !token_works,
        "PasswordLoginDisabled" => !place.server.state().instance.settings.password_login && !token_works,
        "AdoptedTokenRefused" => is_initialized && !token_works,
        "InstanceEmpty" => !is_initialized && admin.is_none(),
        "SecretTaken" => {
            let needs_admin = place.generates_the_admin() && !token_works;
            place.is_taken(CONNECTION) || (needs_admin && place.is_taken(ADMIN))
        }
        "AdminSecretMissing" => is_initialized && admin.is_none() && !token_works,
        _ => false,
    }
}

/// What stands keeps standing: at every moment the token in the cluster works,
/// the XR is ready, and nothing changes but that a token is replaced, or an admin Secret that
/// was deleted is written again.
async fn stay(world: &mut World, at: usize) -> Result<(), Broken> {
    let until = world.clock.passed() + QUIET;
    for call in 0..QUIET_CALLS {
        let before = world.places[at].token();
        let secret = world.places[at].crossplane.secret(CONNECTION);
        world.wait(at).await;
        let place = &world.places[at];
        if !before.as_ref().is_some_and(|token| place.server.token_works(token)) {
            return Err(Broken::new("a token that stands works at every moment", "it died before the call"));
        }
        let mut said = place.reason("InfisicalTokenValid").1;
        let mut admin = place.admin();
        let mut changes = 0;
        while world.reconcile(at, View::Fresh, Fate::Applied).await?
            == Some(Reconciled::Applied { changed: true })
        {
            changes += 1;
            sleep(BOUNCE).await;
            let place = &world.places[at];
            let is_news = is_news(place, &said);
            said = place.reason("InfisicalTokenValid").1;
            let is_replaced = place.crossplane.secret(CONNECTION) != secret;
            // Of an admin Secret that was deleted one replica may know, and others not.
            let is_back = std::mem::replace(&mut admin, place.admin()).is_none() && place.admin().is_some();
            // Whoever does not know it says so.
            let is_missed =
                admin.is_none() && place.reason("InfisicalBootstrapped").1 == "AdminSecretMissing";
            let is_due = cannot_last(place, &world.setup);
            if !(is_replaced || is_news || is_back || is_missed || is_due) || changes > 20 {
                let how = format!("{:?}", place.crossplane.xr["status"]["conditions"]);
                return Err(Broken::new("what stands does not change without need", how));
            }
        }
        let place = &world.places[at];
        if cannot_last(place, &world.setup) {
            return Ok(());
        }
        if !matches!(end(place), Some(End::Ready)) {
            let works = place.token().map(|token| place.server.token_works(&token));
            let how = format!("token works: {works:?}; {:?}", place.crossplane.xr["status"]["conditions"]);
            return Err(Broken::new("what stands keeps standing", how));
        }
        if world.clock.passed() > until && call >= CALLS_EACH * world.replicas.len() {
            break;
        }
    }
    sleep(UNDER_WAY).await;
    if world.places[at].hands_off() && !world.places[at].server.state().restored {
        invariants::invariant_no_more_is_handed_off_than_needed(&world.places[at])?;
    }
    leftovers(&world.places[at])
}

/// Whether the token has an end that no renewal puts off or was used up, there is no other
/// to be had, and the XR says so.
fn cannot_last(place: &Place, setup: &Setup) -> bool {
    let said = place.reason("InfisicalTokenValid").1;
    (setup.token_auth.max_ttl > 0 && said == "NotRenewed")
        || (setup.token_auth.uses > 0 && said == "TokenRefused")
}

/// Whether an XR has learnt that its token is an instance admin's, or is not.
fn is_news(place: &Place, before: &str) -> bool {
    let is_admin = place.token().is_some_and(|token| place.server.is_instance_admin(&token));
    match place.reason("InfisicalTokenValid").1.as_str() {
        "NotInstanceAdmin" => before != "NotInstanceAdmin" && !is_admin,
        "Accepted" => before == "NotInstanceAdmin" && is_admin,
        _ => false,
    }
}

/// Leftovers can be revoked by who can log in, and a restored backup brings
/// back to life what was revoked already.
fn leftovers(place: &Place) -> Result<(), Broken> {
    let admin = place.usable_admin();
    let needs_a_human = place.server.state().instance.settings.second_factor;
    let can_log_in =
        !needs_a_human && admin.is_some_and(|(email, password)| place.server.admits(&email, &password));
    // What a person has put there is of another identity: those of ours live to their end.
    let is_of_another = !place.is_of_bootstrap();
    if !can_log_in || is_of_another || place.server.state().restored {
        return Ok(());
    }
    invariants::invariant_no_more_than_two_tokens_live(place)
}
