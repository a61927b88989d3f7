//! The promises, one function each.
//!
//! Those of [`after_a_call`] are about one response, those of [`after_a_step`]
//! about the state of everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ::infisical::{claims::Claims, secret::AccessToken};
use fake_crossplane::Crossplane;
use function_infisical::contract::proto::v1::{
    Condition, RunFunctionRequest, RunFunctionResponse, Severity, State, Status,
};
use prost::Message as _;

use crate::{
    crossplane::{ADMIN, CONNECTION, IDENTITY, Place, desired, secret},
    infisical::{Bootstrap, Rate, Server, Traffic},
    mutants::Mutant,
    schedule::{Admin, EMAILS, Kind},
    world::{Broken, World},
};

/// For how long an XR is remembered that is not called for. A process that has
/// forgotten it may draw another password.
const REMEMBERED: Duration = Duration::from_hours(26);

/// The promise about what somebody else has in the place of a Secret of ours.
pub(crate) const LEFT_ALONE: &str = "a Secret of somebody else is left alone";

/// What the invariants remember from call to call.
#[derive(Default)]
pub(crate) struct Facts {
    /// By process and XR: the generated password that it has in its hands, and
    /// when it was called for that XR last.
    hands: BTreeMap<(u32, String), (String, Duration)>,
}

/// A call that was answered.
pub(crate) struct Called {
    /// For which XR.
    pub(crate) at: usize,
    /// By which process.
    pub(crate) life: u32,
    pub(crate) request: RunFunctionRequest,
    pub(crate) response: RunFunctionResponse,
    /// Whether Crossplane uses that, and does not call again.
    pub(crate) is_used: bool,
    /// What had passed between that process and the servers before.
    pub(crate) before: Traffic,
}

impl Called {
    fn observed(&self) -> State {
        let observed = self.request.observed.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
        State::decode(observed.as_slice()).unwrap()
    }
}

pub(crate) fn after_a_call(world: &mut World, called: &Called) -> Result<(), Broken> {
    let place = &world.places[called.at];
    invariant_no_call_is_fatal(called)?;
    invariant_the_desired_state_of_others_is_never_changed(called)?;
    invariant_only_a_call_that_counts_acts(world, called)?;
    invariant_what_is_handed_out_was_accepted(world, called)?;
    invariant_a_password_was_persisted_before_it_was_used(world)?;
    invariant_the_token_in_the_cluster_is_not_revoked(world)?;
    invariant_the_right_is_given_up_last(world)?;
    invariant_only_what_bootstrap_made_is_stripped(world)?;
    invariant_a_crash_makes_no_second_identity(world)?;
    invariant_nothing_is_called_good_beyond_its_end(world, called)?;
    invariant_an_instance_of_ours_is_never_called_somebody_elses(world, called)?;
    invariant_nothing_secret_is_said(place, called)?;
    invariant_a_password_in_hand_is_emitted_again(world, called)
}

pub(crate) fn after_a_step(world: &World) -> Result<(), Broken> {
    for server in world.servers() {
        invariant_requests_are_bounded(server)?;
        invariant_one_bootstrap_per_database(server)?;
        invariant_one_bootstrap_under_way_per_replica(server)?;
        invariant_a_password_in_use_is_in_the_cluster(world, server)?;
    }
    invariant_a_secret_of_somebody_else_is_left_alone(world)?;
    invariant_the_token_in_the_cluster_is_not_revoked(world)?;
    invariant_the_right_is_given_up_last(world)?;
    invariant_only_what_bootstrap_made_is_stripped(world)?;
    invariant_a_crash_makes_no_second_identity(world)
}

/// What is in the place of one of ours is neither changed nor deleted.
pub(crate) fn invariant_a_secret_of_somebody_else_is_left_alone(world: &World) -> Result<(), Broken> {
    match world.places.iter().find_map(Place::touched) {
        Some(resource) => Err(Broken::new(LEFT_ALONE, format!("what was in the place of {resource}"))),
        None => Ok(()),
    }
}

/// A database is set up by the function at most once, and with one email: a
/// second user of its making would be a second super admin.
fn invariant_one_bootstrap_per_database(server: &Server) -> Result<(), Broken> {
    let state = server.state();
    for database in 0..=state.database {
        let of_it = || state.bootstraps.iter().filter(move |bootstrap| bootstrap.database == database);
        let succeeded = of_it().filter(|bootstrap| bootstrap.succeeded).count();
        let made = || of_it().filter(|bootstrap| bootstrap.made_user);
        let emails: BTreeSet<_> = made().map(|bootstrap| bootstrap.email.as_str()).collect();
        // Where one was interrupted, another email of the input is the way out.
        let is_a_way_out = emails.iter().all(|email| EMAILS.contains(email))
            && made().count() == emails.len()
            && made().rev().skip(1).all(|bootstrap| !bootstrap.succeeded);
        let users = made().count();
        if succeeded > 1 || (users > 1 && !is_a_way_out) {
            let how = format!("database {database}: {succeeded} succeeded, {users} admins were made");
            return Err(Broken::new("one bootstrap per database", how));
        }
    }
    Ok(())
}

fn invariant_one_bootstrap_under_way_per_replica(server: &Server) -> Result<(), Broken> {
    match server.state().most_at_once {
        0 | 1 => Ok(()),
        many => Err(Broken::new("one bootstrap under way per replica", format!("{many} at once"))),
    }
}

/// A token in a response is one that was observed, or that the server accepted.
fn invariant_what_is_handed_out_was_accepted(world: &World, called: &Called) -> Result<(), Broken> {
    let was_accepted = |token: &String| world.servers().any(|it| it.state().accepted.contains(token));
    let was_let_in = |secret: &String| world.servers().any(|it| it.state().let_in.contains(secret));
    let (desired, observed) = (desired(&called.response), called.observed());
    let token = |state: &State| secret(state, CONNECTION)?.get("token").cloned();
    let detail = |state: &State| {
        let details = &state.composite.as_ref()?.connection_details;
        details.get("token").map(|token| String::from_utf8_lossy(token).into_owned())
    };
    let seen = [token(&observed), detail(&observed)];
    for handed_out in [token(&desired), detail(&desired)].into_iter().flatten() {
        let was_seen = seen.iter().flatten().any(|seen| *seen == handed_out);
        if !was_seen && !was_accepted(&handed_out) {
            return Err(Broken::new("what is handed out was accepted", "a token was never accepted"));
        }
    }
    let client_secret = |state: &State| secret(state, IDENTITY)?.get("clientSecret").cloned();
    let (seen, handed_out) = (client_secret(&observed), client_secret(&desired));
    let is_known = |secret: &String| seen.as_ref() == Some(secret) || was_let_in(secret);
    if handed_out.is_some_and(|secret| !is_known(&secret)) {
        return Err(Broken::new("what is handed out was accepted", "a client secret was never let in"));
    }
    Ok(())
}

/// The instance admin right is revoked only after a client secret was in the
/// cluster and was let in.
fn invariant_the_right_is_given_up_last(world: &World) -> Result<(), Broken> {
    for server in world.servers() {
        let mut state = server.state();
        let given_up = std::mem::take(&mut state.given_up);
        let mut persisted = world.places.iter().flat_map(|place| &place.persisted_identities);
        if given_up > 0 && !persisted.any(|secret| state.let_in.contains(secret)) {
            return Err(Broken::new("the right is given up last", "nothing was handed out before"));
        }
    }
    Ok(())
}

/// What a person has made is left alone, also when it is the connected one.
fn invariant_only_what_bootstrap_made_is_stripped(world: &World) -> Result<(), Broken> {
    for server in world.servers() {
        let mut state = server.state();
        let stripped = std::mem::take(&mut state.stripped);
        if let Some(identity) = stripped.iter().find(|identity| !state.made_by_bootstrap.contains(*identity))
        {
            let how = format!("the right of {identity} was revoked");
            return Err(Broken::new("only what bootstrap made is stripped", how));
        }
    }
    Ok(())
}

/// An instance that was bootstrapped with the password in the cluster, and lets it in, is
/// not said to be somebody else's. Another replica may still hold what was so before.
fn invariant_an_instance_of_ours_is_never_called_somebody_elses(
    world: &World,
    called: &Called,
) -> Result<(), Broken> {
    let place = &world.places[called.at];
    let says = called.response.conditions.iter().any(|says| says.reason == "BootstrappedElsewhere");
    let Some((email, password)) = place.admin().filter(|_| says && world.replicas.len() == 1) else {
        return Ok(());
    };
    let admits = place.server.admits(&email, &password);
    let state = place.server.state();
    let is_ours = |it: &Bootstrap| it.succeeded && it.database == state.database && it.password == password;
    if admits && state.bootstraps.iter().any(is_ours) {
        return Err(Broken::new("an instance of ours is never called somebody else's", email));
    }
    Ok(())
}

/// How many requests a process may send to a server in a minute. In 20,000 schedules the
/// most were 58.
const MOST_A_MINUTE: usize = 60;

/// The same while the server is down: after 2, 4, 8, 16 and 32 seconds, each a fifth sooner.
const MOST_A_MINUTE_WHILE_DOWN: usize = 8;

/// Whatever happens, a process does not ask without pause.
fn invariant_requests_are_bounded(server: &Server) -> Result<(), Broken> {
    let state = server.state();
    let rates = [(&state.rate, MOST_A_MINUTE), (&state.rate_while_down, MOST_A_MINUTE_WHILE_DOWN)];
    match rates.into_iter().find(|(rate, most)| rate.most.0 > *most) {
        None => Ok(()),
        Some((Rate { most: (many, at), .. }, most)) => {
            let how = format!("{many} in the minute before {at:?}, and {most} may be");
            Err(Broken::new("requests to an instance are bounded", how))
        }
    }
}

/// A token whose end has passed by the server's clock is not said to work. Where the
/// function's own was set it cannot know before it asks, nor where that is behind and no
/// server has answered it yet: what the XR said before it was started stands until then.
fn invariant_nothing_is_called_good_beyond_its_end(world: &World, called: &Called) -> Result<(), Broken> {
    let is_good = |it: &Condition| it.r#type == "InfisicalTokenValid" && it.status() == Status::ConditionTrue;
    let knows_no_time = world.setup.ahead < 0 && (called.before.answered == 0 || world.is_busy());
    if !called.is_used
        || world.clock_was_set
        || knows_no_time
        || !called.response.conditions.iter().any(is_good)
    {
        return Ok(());
    }
    let token = secret(&desired(&called.response), CONNECTION).and_then(|it| it.get("token").cloned());
    let end = token.and_then(|token| Claims::of(&AccessToken::new(token)).expires_at);
    match end.filter(|end| *end + jiff::SignedDuration::from_secs(1) < world.clock.now()) {
        None => Ok(()),
        Some(end) => {
            let how = format!("it ended at {end}, and it is {}", world.clock.now());
            Err(Broken::new("nothing is called good beyond its end", how))
        }
    }
}

/// One process makes one identity, wherever it ends. Of two that make one at the
/// same time the one that nobody has is deleted later.
fn invariant_a_crash_makes_no_second_identity(world: &World) -> Result<(), Broken> {
    if world.replicas.len() > 1 {
        return Ok(());
    }
    for place in &world.places {
        let named = place.identities();
        if named > 1 {
            return Err(Broken::new("a crash makes no second identity", format!("there are {named}")));
        }
    }
    Ok(())
}

/// Before a bootstrap is asked for, its password has been in the cluster.
fn invariant_a_password_was_persisted_before_it_was_used(world: &World) -> Result<(), Broken> {
    if world.setup.admin != Admin::Generated {
        return Ok(());
    }
    let persisted = |password: &String| world.places.iter().any(|place| place.persisted.contains(password));
    for server in world.servers() {
        if server.state().bootstraps.iter().any(|bootstrap| !persisted(&bootstrap.password)) {
            return Err(Broken::new("a password is persisted before it is used", "one was not"));
        }
    }
    Ok(())
}

/// A password with which an admin was made is in the cluster for as long as
/// that database is there, unless a person took it away.
fn invariant_a_password_in_use_is_in_the_cluster(world: &World, server: &Server) -> Result<(), Broken> {
    if world.setup.admin != Admin::Generated {
        return Ok(());
    }
    let state = server.state();
    let mut made = state.bootstraps.iter().filter(|it| it.made_user && it.database == state.database);
    // The last one is the admin; one before it was interrupted.
    if let Some(bootstrap) = made.next_back() {
        // Another email is the way out of one that was interrupted.
        let has_other = |place: &Place| place.email() != bootstrap.email;
        let is_given_up = !state.instance.is_initialized() && world.places.iter().any(has_other);
        let is_kept = world.places.iter().any(|place| {
            place.destroyed.contains(&bootstrap.password)
                || place.admin().is_some_and(|(_, password)| password == bootstrap.password)
        });
        if !is_kept && !is_given_up {
            return Err(Broken::new("a password in use is in the cluster", "it was replaced or deleted"));
        }
    }
    Ok(())
}

/// A process that has seen a generated password, or drawn one, emits it for as
/// long as it observes no other.
fn invariant_a_password_in_hand_is_emitted_again(world: &mut World, called: &Called) -> Result<(), Broken> {
    if world.setup.admin != Admin::Generated {
        return Ok(());
    }
    let now = world.clock.passed();
    let key = (called.life, world.places[called.at].uid());
    let (observed, emitted) = (password_in(&called.observed()), password_in(&desired(&called.response)));
    let in_hand = world.facts.hands.get(&key).filter(|(_, at)| *at + REMEMBERED > now);
    let expected = observed.or_else(|| in_hand.map(|(password, _)| password.clone()));
    // What this mutant breaks is what comes of it. And an email that changes may be the
    // way out of a bootstrap that was interrupted.
    let is_meant =
        world.mutant == Some(Mutant::NewPasswordOnStaleRead) || world.places[called.at].email_has_changed;
    // Nor is it where somebody else's Secret is.
    let is_meant = is_meant || world.places[called.at].is_taken(ADMIN);
    // What is thrown away is not emitted.
    if called.is_used && expected.is_some() && expected != emitted && !is_meant {
        return Err(Broken::new("a password in hand is emitted again", "another one, or none, was emitted"));
    }
    if let Some(in_hand) = emitted.or(expected) {
        world.facts.hands.insert(key, (in_hand, now));
    }
    Ok(())
}

/// Make before break: what is revoked is never the token that the cluster has.
fn invariant_the_token_in_the_cluster_is_not_revoked(world: &World) -> Result<(), Broken> {
    for server in world.servers() {
        let revoked = std::mem::take(&mut server.state().revoked);
        if world.places.iter().filter_map(Place::token_id).any(|id| revoked.contains(&id)) {
            return Err(Broken::new("make before break", "the token in the cluster was revoked"));
        }
        if world.places.iter().filter_map(Place::client_secret_id).any(|id| revoked.contains(&id)) {
            return Err(Broken::new("make before break", "the client secret in the cluster was revoked"));
        }
    }
    Ok(())
}

/// A call whose response is thrown away, since Crossplane brings first what it asks
/// for, sends nothing.
fn invariant_only_a_call_that_counts_acts(world: &World, called: &Called) -> Result<(), Broken> {
    let was_busy = called.before.sent != called.before.answered;
    if !called.is_used && !was_busy && world.traffic(called.life).sent != called.before.sent {
        return Err(Broken::new(
            "only a call that counts acts",
            "requests were sent while requirements are open",
        ));
    }
    Ok(())
}

/// Another call only brings what is looked up by name: a login or a token to adopt, what
/// is in the place of a Secret that is not observed, and before that the claim of a legacy
/// XR, until a Secret shows that it is that XR's.
pub(crate) fn invariant_a_reconcile_makes_no_call_too_many(
    world: &World,
    place: &Place,
    seen: &Crossplane,
    made: usize,
) -> Result<(), Broken> {
    let looks_up = world.setup.admin == Admin::SecretRef || place.adopts();
    let least = if looks_up { 2 } else { 1 };
    let lacks = |name: &str| !seen.composed.contains_key(name);
    let lacks_any = lacks(CONNECTION)
        || (world.setup.admin == Admin::Generated && lacks(ADMIN))
        || (place.hands_off() && lacks(IDENTITY));
    let most = match (lacks_any, world.setup.kind) {
        (true, Kind::Legacy) => 3,
        (true, _) => 2,
        (false, Kind::Legacy) => least + 1,
        (false, _) => least,
    };
    if (least..=most).contains(&made) {
        return Ok(());
    }
    Err(Broken::new("a reconcile makes no call too many", format!("{made} calls, and {most} are needed")))
}

/// A call that was cancelled has seen what it was given all the same.
pub(crate) fn after_a_call_that_was_cancelled(world: &mut World, at: usize, life: u32, encoded: &[u8]) {
    let request = RunFunctionRequest::decode(encoded).unwrap();
    let (response, before) = (RunFunctionResponse::default(), Traffic::default());
    let called = Called { at, life, request, response, is_used: false, before };
    if let Some(observed) = password_in(&called.observed()) {
        let key = (life, world.places[at].uid());
        world.facts.hands.insert(key, (observed, world.clock.passed()));
    }
}

fn password_in(state: &State) -> Option<String> {
    secret(state, ADMIN)?.get("password").cloned()
}

fn invariant_the_desired_state_of_others_is_never_changed(called: &Called) -> Result<(), Broken> {
    let encoded = called.request.desired.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
    let before = State::decode(encoded.as_slice()).unwrap();
    let after = desired(&called.response);
    for (name, resource) in &before.resources {
        if after.resources.get(name) != Some(resource) {
            return Err(Broken::new("the desired state of others is never changed", name.clone()));
        }
    }
    match after.resources.keys().find(|name| {
        !before.resources.contains_key(*name) && ![ADMIN, CONNECTION, IDENTITY].contains(&name.as_str())
    }) {
        Some(name) => Err(Broken::new("nothing else is composed", name.clone())),
        None => Ok(()),
    }
}

fn invariant_no_call_is_fatal(called: &Called) -> Result<(), Broken> {
    match called.response.results.iter().find(|result| result.severity() == Severity::Fatal) {
        Some(fatal) => Err(Broken::new("no call is fatal", fatal.message.clone())),
        None => Ok(()),
    }
}

/// No token and no password is in a condition or an event.
fn invariant_nothing_secret_is_said(place: &Place, called: &Called) -> Result<(), Broken> {
    let said = format!("{:?}{:?}", called.response.conditions, called.response.results);
    let state = place.server.state();
    let passwords = state.bootstraps.iter().map(|bootstrap| &bootstrap.password);
    match state
        .accepted
        .iter()
        .chain(&state.let_in)
        .chain(passwords)
        .find(|secret| said.contains(secret.as_str()))
    {
        Some(_) => Err(Broken::new("nothing secret is said", "a condition or an event has a secret in it")),
        None => Ok(()),
    }
}

/// With nothing in between, an answer is the same to the byte, but for `ttl`.
pub(crate) fn invariant_the_same_state_gives_the_same_bytes(
    first: &RunFunctionResponse,
    second: &RunFunctionResponse,
) -> Result<(), Broken> {
    if first.encode_to_vec() == second.encode_to_vec() {
        return Ok(());
    }
    let how = format!("{:?}\nthen {:?}", first.conditions, second.conditions);
    Err(Broken::new("the same state gives the same bytes", how))
}

/// Of the tokens that the function made for an XR, the newest two may live.
pub(crate) fn invariant_no_more_than_two_tokens_live(place: &Place) -> Result<(), Broken> {
    match place.server.tokens_named(&place.our_name()) {
        0..=2 => Ok(()),
        many => Err(Broken::new("no more than two tokens live", format!("{many} do"))),
    }
}

/// Of what the function has handed off, one identity and the newest two of its
/// client secrets may live.
pub(crate) fn invariant_no_more_is_handed_off_than_needed(place: &Place) -> Result<(), Broken> {
    let surplus = place.surplus_identities();
    let secrets = place.server.client_secrets_named(&place.our_name());
    if surplus == 0 && secrets <= 2 {
        return Ok(());
    }
    let how = format!("{surplus} identities too much, {secrets} client secrets");
    Err(Broken::new("no more is handed off than needed", how))
}
