//! What goes wrong on the way to the server: each has its reason and its pause,
//! and none changes what is persisted.

use std::time::Duration;

use fake_infisical::{Fault, On, Route, Settings, Times};
use jiff::Timestamp;
use prost::Message as _;
use serde_json::json;

use crate::world::{Kind, World};

const MINUTE: Duration = Duration::from_mins(1);

/// What is wrong with the way to the server.
#[derive(Clone, Debug)]
pub(crate) enum Wrong {
    /// The server, or what is in front of it.
    Answer(Fault),
    /// The endpoint, given the address of the fake.
    Endpoint(fn(&str) -> String),
}

pub(crate) struct Row {
    pub(crate) wrong: Wrong,
    reason: &'static str,
    says: &'static str,
}

pub(crate) fn table() -> Vec<Row> {
    let row = |wrong, reason, says| Row { wrong, reason, says };
    let answer = Wrong::Answer;
    vec![
        row(Wrong::Endpoint(|_| closed_port()), "Unreachable", "the connection is refused"),
        row(
            Wrong::Endpoint(|_| "http://infisical.invalid:8080".to_owned()),
            "Unreachable",
            "the host name does not resolve",
        ),
        row(Wrong::Endpoint(|address| format!("https://{address}")), "TLSFailed", "the TLS handshake failed"),
        row(answer(Fault::Hang), "Unreachable", "no answer within the time limit"),
        row(answer(Fault::CloseBefore), "Unreachable", "the connection broke"),
        row(answer(Fault::RateLimit(Some(7))), "RateLimited", "fewer requests (429)"),
        row(answer(Fault::RateLimit(None)), "RateLimited", "fewer requests (429)"),
        row(answer(Fault::FailBefore(500)), "ServerError", "the server failed (500)"),
        row(answer(Fault::FailBefore(503)), "ServerError", "the server failed (503)"),
        row(answer(Fault::Page(200)), "NotInfisical", "the answer (200) is not Infisical's"),
        row(answer(Fault::Page(404)), "NotInfisical", "the answer (404) is not Infisical's"),
        row(answer(Fault::Gateway(401)), "NotInfisical", "the answer (401) is not Infisical's"),
        row(answer(Fault::Gateway(403)), "NotInfisical", "the answer (403) is not Infisical's"),
        row(answer(Fault::Gateway(404)), "NotInfisical", "the answer (404) is not Infisical's"),
        row(answer(Fault::Page(502)), "ServerError", "the server failed (502)"),
        row(answer(Fault::Oversized(2 << 20)), "NotInfisical", "the answer (200) is not Infisical's"),
        row(
            answer(Fault::Redirect("https://login.example.org/?t=marker-location".to_owned())),
            "Redirected",
            "the server redirects to https://login.example.org. ",
        ),
    ]
}

/// A place where nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

impl Wrong {
    pub(crate) fn begin(&self, world: &mut World) {
        match self {
            Self::Answer(fault) => world.fake.inject(On::Any, Times::Always, fault.clone()),
            Self::Endpoint(change) => {
                let url = change(&world.fake.address().to_string());
                world.crossplane.input["instance"]["endpoint"]["url"] = json!(url);
            }
        }
    }

    fn end(world: &mut World) {
        world.fake.clear_faults();
        world.crossplane.input["instance"]["endpoint"]["url"] = json!(world.fake.url());
    }
}

#[tokio::test]
async fn before_there_is_a_connection_the_fault_is_the_reason_of_the_condition() {
    for Row { wrong, reason, says } in table() {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.settle().await;
        wrong.begin(&mut world);
        world.crossplane.make_available("infisical");
        world.settle().await;
        assert_eq!(world.conditions()[0], ("False".to_owned(), reason.to_owned()), "{wrong:?}");
        let message = world.message("InfisicalBootstrapped");
        assert!(message.contains(says), "{wrong:?}: {message}");
        assert!(!message.contains("marker"), "{wrong:?}: {message}");
        assert_eq!(world.events(0), [reason], "{wrong:?}");
        assert!(world.crossplane.ttl.is_some_and(|ttl| (2..=10).contains(&ttl)), "{wrong:?}");
        assert_eq!(world.fake.count(Route::Bootstrap), 0, "{wrong:?}");

        Wrong::end(&mut world);
        world.live(MINUTE).await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{wrong:?} {}", world.story());
    }
}

#[tokio::test]
async fn once_there_is_a_connection_a_fault_changes_nothing_but_the_condition() {
    for Row { wrong, reason, says } in table() {
        let mut world = World::connected(Settings::default(), Kind::Legacy).await;
        let before = (world.crossplane.composed.clone(), world.crossplane.connection_details.clone());
        let events = world.crossplane.events.len();
        wrong.begin(&mut world);
        world.until_reason("InfisicalTokenValid", reason).await;
        world.restart();
        world.settle().await;
        assert!(
            (&world.crossplane.composed, &world.crossplane.connection_details) == (&before.0, &before.1),
            "{wrong:?}"
        );
        assert!(world.crossplane.is_ready(), "{wrong:?}");
        assert_eq!(world.conditions()[0], ("True".to_owned(), "Bootstrapped".to_owned()), "{wrong:?}");
        assert_eq!(world.conditions()[1], ("Unknown".to_owned(), reason.to_owned()), "{wrong:?}");
        assert!(world.message("InfisicalTokenValid").contains(says), "{wrong:?}");
        assert_eq!(world.events(events), [reason], "{wrong:?}");

        Wrong::end(&mut world);
        world.live(MINUTE).await;
        assert_eq!(world.conditions()[1], ("True".to_owned(), "Accepted".to_owned()), "{wrong:?}");
        assert!(world.crossplane.composed == before.0, "{wrong:?}");
    }
}

/// When an XR with this UID asks a server that fails for so long.
async fn asked_at(uid: &str, fault: Fault, span: Duration) -> Vec<i64> {
    let mut world = World::start(Settings::default(), Kind::Namespaced).await;
    world.crossplane.xr["metadata"]["uid"] = json!(uid);
    world.settle().await;
    world.fake.inject(On::Any, Times::Always, fault);
    world.crossplane.make_available("infisical");
    world.settle().await;
    world.live(span).await;
    let times: Vec<Timestamp> = world.fake.log().iter().map(|entry| entry.at).collect();
    times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect()
}

#[tokio::test]
async fn the_pauses_double_up_to_a_minute_and_differ_from_xr_to_xr() {
    let mut all = Vec::new();
    for uid in ["a", "b", "c", "d"] {
        let pauses = asked_at(uid, Fault::FailBefore(503), 30 * MINUTE).await;
        assert_eq!(
            pauses,
            asked_at(uid, Fault::FailBefore(503), 30 * MINUTE).await,
            "the same XR, the same pauses"
        );
        for (index, pause) in pauses.iter().enumerate() {
            let base = [2, 4, 8, 16, 32].get(index).copied().unwrap_or(60);
            // A fifth more or less, and a second since a call that comes a
            // little early finds nothing to do.
            assert!((base * 4 / 5..=base * 6 / 5 + 2).contains(pause), "{uid}: pause {index} is {pause} s");
        }
        assert!(pauses.len() > 20, "it goes on: {pauses:?}");
        all.push(pauses);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "they do not come back at once: {all:?}");
}

#[tokio::test]
async fn a_server_that_names_a_pause_gets_it() {
    let table = [
        (Some(0), 2, 4),
        (Some(30), 30, 37),
        (Some(240), 240, 290),
        // Nobody is locked out for a day by a wrong header.
        (Some(86_400), 600, 722),
        (None, 2, 4),
    ];
    for (retry_after, least, most) in table {
        let pauses = asked_at("a", Fault::RateLimit(retry_after), 15 * MINUTE).await;
        assert!((least..=most).contains(&pauses[0]), "{retry_after:?}: {pauses:?}");
    }
}

#[tokio::test]
async fn the_same_state_gives_the_same_bytes_while_there_is_a_fault() {
    for Row { wrong, .. } in table() {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.settle().await;
        wrong.begin(&mut world);
        world.crossplane.make_available("infisical");
        world.settle().await;
        let request = world.request();
        let first = world.call(request.clone()).await.encode_to_vec();
        let asked = world.mark();
        for _ in 0..3 {
            assert!(world.call(request.clone()).await.encode_to_vec() == first, "{wrong:?}");
        }
        assert_eq!(world.asked(asked), [], "{wrong:?}: a call too early asks nothing");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_its_effect_makes_no_second_bootstrap() {
    for fault in [Fault::CloseAfter, Fault::FailAfter(502), Fault::FailAfter(504)] {
        let mut world = World::start(Settings::default(), Kind::Namespaced).await;
        world.settle().await;
        world.fake.inject(On::Route(Route::Bootstrap), Times::Next(1), fault.clone());
        world.crossplane.make_available("infisical");
        world.settle().await;
        world.live(MINUTE).await;
        assert!(world.crossplane.is_ready() && world.token_works(), "{fault:?} {}", world.story());
        assert_eq!(world.fake.bootstraps().asked, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_token_that_could_not_be_tried_is_not_lost() {
    let settings = Settings { variant: fake_infisical::Variant::Fixed, ..Settings::default() };
    let mut world = World::start(settings, Kind::Namespaced).await;
    world.settle().await;
    let fault = Fault::FailBefore(503);
    world.fake.inject(On::Route(Route::IdentityDetails), Times::Next(4), fault);
    world.crossplane.make_available("infisical");
    world.settle().await;
    assert_eq!(world.conditions()[0].1, "ServerError");
    world.live(2 * MINUTE).await;
    assert!(world.crossplane.is_ready() && world.token_works(), "{}", world.story());
    assert_eq!(world.fake.count(Route::Login), 0, "the token of bootstrap is the one that is handed out");
}
