use infisical::{
    api::Organization,
    endpoint::{Endpoint, Origin, Tls},
};
use rand::{SeedableRng as _, rngs::StdRng};

use super::*;
use crate::{
    input::{DetailValue, TokenPolicy},
    model::{
        problem::ProblemKind,
        work::{Login, MintedFor},
    },
};

#[test]
fn an_xr_that_is_called_no_more_is_forgotten_after_a_day() {
    let memory = Memory::default();
    let at = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap();
    memory.recall(&XrKey::test("gone"), None, (None, &[]), at(0));
    memory.recall(&XrKey::test("alive"), None, (None, &[]), at(0));
    for hour in 1..=26 {
        memory.recall(&XrKey::test("alive"), None, (None, &[]), at(hour));
    }
    assert_eq!(memory.len(), 2, "one may be called again as late as this");
    memory.recall(&XrKey::test("alive"), None, (None, &[]), at(27));
    assert_eq!(memory.len(), 1);
}

const WANTED: [ConnectionDetail; 0] = [];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn wanted() -> Vec<ConnectionDetail> {
    vec![ConnectionDetail { name: "token".to_owned(), value: DetailValue::Token }]
}

fn mk_connection(token: &str, expires: i64) -> Connection {
    let organization = Organization { id: "o".to_owned(), name: "o".to_owned(), slug: "o".to_owned() };
    let origin = Origin::parse("http://infisical:8080").unwrap();
    let mut connection = Connection::new(AccessToken::new(token), origin, organization, None);
    connection.life = Life::issued(Some(at(0)), Some(at(expires)), at(0));
    connection.expires_at = Some(at(expires));
    connection
}

fn mk_observed(token: &str) -> ObservedConnection {
    let mut data = crate::contract::composed_secret::SecretData::default();
    data.insert("token", token);
    ObservedConnection::read(data, &wanted())
}

fn mk_admin(password: &str) -> Credentials {
    Credentials { email: Email::parse("a@example.org").unwrap(), password: Password::new(password) }
}

fn mk_endpoint() -> Endpoint {
    Endpoint::new(Origin::parse("http://infisical:8080").unwrap(), Tls::default())
}

fn mk_work(token: &str) -> Establish {
    Establish {
        endpoint: mk_endpoint(),
        token: Some(AccessToken::new(token)),
        others: Vec::new(),
        measured: None,
        limited: None,
        may_bootstrap: true,
        renew: false,
        sweep: false,
        admin: Some(mk_admin("marker-password")),
        admin_is_generated: true,
        email: None,
        admin_was_in_use: false,
        adopts: false,
        own: None,
        minted_for: MintedFor::default(),
        before: Before::Connected,
        login: Login::Allowed,
        organization: "o".to_owned(),
        token_name: "name".to_owned(),
        token_policy: TokenPolicy::default(),
        xr: None,
        now: at(0),
    }
}

fn mk_hand_off() -> HandOff {
    HandOff {
        endpoint: mk_endpoint(),
        token: AccessToken::new("a"),
        logins: Vec::new(),
        seen: None,
        name: "name".to_owned(),
        role: "member".to_owned(),
        projects: Arc::default(),
        identity_id: None,
        is_fresh: false,
        revoke: false,
        adopts: false,
        of_bootstrap: None,
        admin: None,
        login: Login::Allowed,
        sweep: false,
        now: at(0),
    }
}

fn accepting(token: &str, expires: i64) -> Outcome {
    Outcome { connection: Some(mk_connection(token, expires)), ..Outcome::default() }
}

#[test]
fn the_token_that_was_accepted_last_is_handed_out_and_none_of_them_is_strange() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    for token in ["a", "b", "c"] {
        memory.finish(&key, &mk_work(token), accepting(token, 60), at(0));
    }
    let remembered = memory.recall(&key, None, (None, &WANTED), at(1));
    for token in ["a", "b", "c"] {
        assert!(remembered.knows(AccessToken::new(token).fingerprint()), "{token}");
    }
    let in_memory = remembered.accepted.as_ref().and_then(|accepted| accepted.connection.as_ref());
    assert_eq!(in_memory.map(|connection| &connection.token), Some(&AccessToken::new("c")));
}

#[test]
fn a_token_is_held_until_ten_minutes_after_it_was_seen() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    memory.finish(&key, &mk_work("a"), accepting("a", 9000), at(0));
    let see = |observed: Option<&ObservedConnection>, now| {
        memory
            .recall(&key, None, (observed, &wanted()), at(now))
            .accepted
            .as_ref()
            .unwrap()
            .connection
            .is_some()
    };
    assert!(see(None, 5000), "as long as it was not seen");
    assert!(see(Some(&mk_observed("a")), 5001), "it is seen first");
    assert!(see(Some(&mk_observed("a")), 5600));
    assert!(see(Some(&mk_observed("other")), 5700), "a stale read starts it anew");
    assert!(see(Some(&mk_observed("a")), 5701));
    assert!(see(Some(&mk_observed("a")), 6300));
    assert!(!see(Some(&mk_observed("a")), 6301));
    let remembered = memory.recall(&key, None, (None, &wanted()), at(6400));
    assert!(remembered.knows(AccessToken::new("a").fingerprint()), "a fingerprint stays");
}

#[test]
fn only_so_many_tokens_are_recognised() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    for number in 0..100 {
        let token = format!("token-{number}");
        let refused = vec![AccessToken::new(token.as_str()).fingerprint()];
        memory.finish(&key, &mk_work(&token), Outcome { refused, ..Outcome::default() }, at(number));
    }
    let remembered = memory.recall(&key, None, (None, &WANTED), at(100));
    assert_eq!((remembered.known.len(), remembered.refused.len()), (KNOWN, KNOWN));
    assert!(remembered.knows(AccessToken::new("token-99").fingerprint()));
    assert!(!remembered.knows(AccessToken::new("token-0").fingerprint()));
}

#[test]
fn a_token_that_could_not_be_tried_is_kept_until_it_was() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let untested = AccessToken::new("first");
    let outcome = Outcome { untested: Some(untested.clone()), ..Outcome::default() };
    memory.finish(&key, &mk_work("a"), outcome, at(0));
    let remembered = || memory.recall(&key, None, (None, &WANTED), at(1)).untested.as_deref().cloned();
    memory.finish(&key, &mk_work("first"), Outcome::default(), at(0));
    assert_eq!(remembered(), Some(untested.clone()), "the server could not be asked");
    let outcome = Outcome { refused: vec![untested.fingerprint()], ..Outcome::default() };
    memory.finish(&key, &mk_work("first"), outcome, at(0));
    assert_eq!(remembered(), None);
}

#[test]
fn a_refused_login_is_remembered_until_one_is_accepted() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let problem = Problem::new(
        &Origin::parse("http://infisical:8080").unwrap(),
        ProblemKind::AdminLoginRefused { email: Email::parse("a@example.org").unwrap() },
    );
    let attempts = || {
        let remembered = memory.recall(&key, None, (None, &WANTED), at(1));
        remembered.login_refused.as_ref().map(|refused| refused.attempts)
    };
    let refused = || Outcome { login: Some(Err(problem.clone())), ..accepting("a", 60) };
    memory.finish(&key, &mk_work("a"), refused(), at(0));
    memory.finish(&key, &mk_work("a"), accepting("a", 60), at(0));
    assert_eq!(attempts(), Some(1), "a token that works says nothing of the password");
    memory.finish(&key, &mk_work("a"), refused(), at(0));
    assert_eq!(attempts(), Some(2));
    memory.finish(&key, &mk_work("a"), Outcome { login: Some(Ok(())), ..accepting("a", 60) }, at(0));
    assert_eq!(attempts(), None);
}

#[test]
fn a_password_is_drawn_once_for_a_plan() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let mut rng = StdRng::seed_from_u64(1);
    let email = Email::parse("a@example.org").unwrap();
    let remembered = || memory.recall(&key, None, (None, &WANTED), at(0));
    let revision = remembered().revision;
    let drawn = |rng: &mut StdRng, revision| {
        memory.generate(&key, revision, email.clone(), rng);
        remembered().admin.clone().unwrap()
    };
    let first = drawn(&mut rng, revision);
    assert_eq!(drawn(&mut rng, revision), first, "the plan of another call is out of date");
    memory.finish(&key, &mk_work("a"), Outcome { bootstrapped: true, ..accepting("a", 60) }, at(0));
    assert_eq!(drawn(&mut rng, revision + 1), first, "so is one from before it was let in");
    assert_ne!(drawn(&mut rng, remembered().revision), first);
}

#[test]
fn what_a_server_said_is_remembered_of_no_other() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let here = mk_endpoint();
    let place = |url, tls| Endpoint::new(Origin::parse(url).unwrap(), tls);
    let ca_bundle = Some("another".to_owned());
    let others = [
        place("http://elsewhere:8080", Tls::default()),
        place("http://infisical:8080", Tls { ca_bundle, ..Tls::default() }),
        place("http://infisical:8080", Tls { server_name: Some("b".to_owned()), ..Tls::default() }),
        place("http://infisical:8080", Tls { insecure_skip_verify: true, ..Tls::default() }),
    ];
    let recall = |server: &Endpoint, now| memory.recall(&key, Some(server), (None, &WANTED), at(now));
    let email = Email::parse("a@example.org").unwrap();
    let problem = Problem::new(here.origin(), ProblemKind::AdminLoginRefused { email });
    let outcome = Outcome {
        refused: vec![AccessToken::new("dead").fingerprint()],
        untested: Some(AccessToken::new("new")),
        login: Some(Err(problem.clone())),
        problem: Some(problem),
        ..Outcome::default()
    };
    recall(&here, 0);
    memory.keep_admin(&key, &mk_admin("marker-password"));
    memory.finish(&key, &mk_work("a"), accepting("a", 60), at(0));
    memory.finish(&key, &mk_work("a"), outcome, at(0));
    memory.finish_hand_off(&key, &mk_hand_off(), HandOffOutcome::default(), at(0));
    let full = recall(&here, 0);
    assert!(full.accepted.is_some() && full.untested.is_some() && full.hand_off.is_some());
    for other in &others {
        let there = recall(other, 1);
        assert!(there.admin == full.admin, "the password is the XR's own");
        assert!(there.accepted.is_none() && there.untested.is_none() && there.hand_off.is_none());
        assert!(there.failure.is_none() && there.login_refused.is_none() && there.asked_at.is_none());
        assert!(there.known.is_empty() && there.refused.is_empty() && there.sweep_at.is_none());
    }
    assert!(recall(&others[3], 300).accepted.is_none());
    let unknown = memory.recall(&key, None, (None, &WANTED), at(300));
    assert!(unknown.accepted.is_none(), "where it is not known, it is where it was");
}

#[test]
fn a_stale_read_of_where_the_server_is_loses_nothing_and_a_move_is_for_good_after_ten_minutes() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let elsewhere = Endpoint::new(Origin::parse("http://elsewhere").unwrap(), Tls::default());
    let recall = |server: &Endpoint, now| memory.recall(&key, Some(server), (None, &WANTED), at(now));
    recall(&mk_endpoint(), 0);
    memory.finish(&key, &mk_work("a"), accepting("a", 9000), at(0));
    recall(&elsewhere, 1);
    assert!(recall(&mk_endpoint(), 300).accepted.is_some());
    recall(&elsewhere, 301);
    recall(&elsewhere, 901);
    assert!(recall(&mk_endpoint(), 902).accepted.is_none());
}

#[test]
fn what_comes_of_work_at_a_server_that_was_left_is_not_taken_for_the_present_ones() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let elsewhere = Endpoint::new(Origin::parse("http://elsewhere").unwrap(), Tls::default());
    let recall = |server: &Endpoint, now| memory.recall(&key, Some(server), (None, &WANTED), at(now));
    let revision = recall(&mk_endpoint(), 0).revision;
    let under_way = memory.begin(&key, &mk_endpoint(), revision).unwrap();
    assert!(!recall(&elsewhere, 1).working, "the new one does not wait for it");
    memory.finish(&key, &mk_work("a"), Outcome { bootstrapped: true, ..accepting("a", 60) }, at(2));
    drop(under_way);
    let there = recall(&elsewhere, 3);
    assert!(there.accepted.is_none());
    let in_use = mk_work("a").admin.map(|admin| admin.fingerprint());
    assert_eq!(there.logged_in.as_deref().copied(), in_use, "but the password is in use");
    assert!(recall(&mk_endpoint(), 4).accepted.is_some());
}

#[test]
fn an_xr_that_moves_from_server_to_server_does_not_grow() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    for number in 0..100 {
        let server = Endpoint::new(Origin::parse(&format!("http://{number}.x")).unwrap(), Tls::default());
        memory.recall(&key, Some(&server), (None, &WANTED), at(1));
    }
    assert_eq!(memory.lock().get(&key).unwrap().servers(), 3);
}

#[test]
fn work_is_begun_once_and_not_on_an_old_plan() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    let revision = memory.recall(&key, None, (None, &WANTED), at(0)).revision;
    let under_way = memory.begin(&key, &mk_endpoint(), revision).unwrap();
    assert!(memory.begin(&key, &mk_endpoint(), revision).is_none(), "one at a time");
    assert!(memory.recall(&key, None, (None, &WANTED), at(0)).working);
    memory.finish(&key, &mk_work("a"), accepting("a", 60), at(0));
    drop(under_way);
    assert!(memory.begin(&key, &mk_endpoint(), revision).is_none(), "what was planned before is out of date");
    let revision = memory.recall(&key, None, (None, &WANTED), at(0)).revision;
    let panicked = memory.begin(&key, &mk_endpoint(), revision).unwrap();
    drop(panicked);
    assert!(!memory.recall(&key, None, (None, &WANTED), at(0)).working, "a task that panics ends as well");
}

#[test]
fn what_falls_due_while_the_server_is_asked_was_not_done_yet() {
    let (memory, key) = (Memory::default(), XrKey::test("xr"));
    // Due after 40 s; the look at it began after 39 and ended after 42.
    let work = Establish { now: at(39), ..mk_work("a") };
    memory.finish(&key, &work, accepting("a", 60), at(42));
    let remembered = memory.recall(&key, None, (None, &WANTED), at(42));
    let accepted = remembered.accepted.as_ref().unwrap();
    assert_eq!(crate::plan::timing::check_at(accepted, &TokenPolicy::default(), &key, at(39)), at(40));
}

#[test]
fn what_is_remembered_of_an_xr_does_not_grow_unnoticed() {
    // With the two counts of an Arc it fits the allocator's blocks of 384 bytes;
    // the next are of 448, and there may be ten thousand XRs.
    let size = std::mem::size_of::<Remembered>();
    assert!(size <= 384 - 16, "{size} bytes");
}
