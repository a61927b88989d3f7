use infisical::{
    Error, ErrorKind,
    endpoint::{Endpoint, Origin, Tls},
};

use super::super::content::{MESSAGE_LONGEST, bounded, events};
use super::*;
use crate::{
    contract::{composed_secret::SecretData, proto::v1::Status},
    model::{
        connection::ObservedConnection, problem::ProblemKind, remembered::Failure, work::Attempt,
        xr::PreviousConditions,
    },
    plan::tests::{at, mk_accepted, mk_admin, mk_observation, mk_observed, origin, taken},
};
use infisical::secret::AccessToken;

/// One row: a state of the world, and status and reason of both conditions.
struct Row {
    why: &'static str,
    world: fn(&mut Observation, &mut Remembered),
    bootstrapped: (Status, &'static str),
    token_valid: (Status, &'static str),
    is_ready: bool,
}

fn persisted(observation: &mut Observation, remembered: &mut Remembered) {
    observation.persisted_admin = Some(mk_admin());
    observation.connection = Some(mk_observed("a"));
    remembered.accepted = Some(mk_accepted("a"));
}

fn failure(kind: ProblemKind) -> Failure {
    let origin = origin();
    let attempt = Attempt {
        endpoint: Endpoint::new(origin.clone(), Tls::default()),
        credentials: None,
        email: None,
        organization: "vault".to_owned(),
        minted_for: crate::model::work::MintedFor::default(),
        tokens: vec![AccessToken::new("a").fingerprint()],
    };
    let retry_at = crate::model::due::Due::test(jiff::Timestamp::MAX);
    Failure { problem: Problem::new(&origin, kind), attempt, attempts: 1, retry_at }
}

/// The token is refused, and there is no admin Secret to get another with.
fn dead_and_without_admin(observation: &mut Observation, remembered: &mut Remembered, initialized: bool) {
    observation.connection = Some(mk_observed("a"));
    remembered.refused = [AccessToken::new("a").fingerprint()].into();
    remembered.known.clone_from(&remembered.refused);
    remembered.failure = Some(Box::new(failure(ProblemKind::AdminSecretMissing { initialized })));
}

fn unreachable() -> ProblemKind {
    let kind = ErrorKind::ServerError { status: 503 };
    ProblemKind::Request(Error::new("verify the token", kind))
}

const TABLE: &[Row] = &[
    Row {
        why: "nothing is there yet",
        world: |_, _| {},
        bootstrapped: (Status::ConditionFalse, "PersistingAdmin"),
        token_valid: (Status::ConditionFalse, "NoToken"),
        is_ready: false,
    },
    Row {
        why: "all is well",
        world: persisted,
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
    Row {
        why: "a token that is handed out was accepted, and is not persisted",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.connection = None;
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: false,
    },
    Row {
        why: "a legacy XR's details are no Secret",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.connection.as_mut().unwrap().in_place = false;
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: false,
    },
    Row {
        why: "the server could not be asked, and what was accepted stands",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.failure = Some(Box::new(failure(unreachable())));
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionUnknown, "ServerError"),
        is_ready: true,
    },
    Row {
        why: "what was wrong with another place says nothing of this one",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.failure = Some(Box::new(failure(unreachable())));
            let there = Origin::parse("http://elsewhere").unwrap();
            remembered.failure.as_mut().unwrap().problem.origin = there;
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
    Row {
        why: "the token works and could not be renewed",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.failure = Some(Box::new(failure(ProblemKind::NoInstanceAdmin)));
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "NotRenewed"),
        is_ready: true,
    },
    Row {
        why: "the token works, and is not an instance admin's any more",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.accepted.as_mut().unwrap().is_instance_admin = Some(false);
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "NotInstanceAdmin"),
        is_ready: true,
    },
    Row {
        why: "another replica was told otherwise since",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.asked_at = Some(at(-10));
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "Unknown", "Unreachable").since(at(-9));
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionUnknown, "Unreachable"),
        is_ready: true,
    },
    Row {
        why: "this one was told otherwise since",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.asked_at = Some(at(-10));
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "Unknown", "Unreachable").since(at(-10));
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
    Row {
        why: "another replica was told since that the token is refused",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.asked_at = Some(at(-10));
            remembered.accepted.as_mut().unwrap().verified_at = at(-10);
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "False", "TokenRefused").since(at(-9));
        },
        bootstrapped: (Status::ConditionFalse, "Bootstrapping"),
        token_valid: (Status::ConditionFalse, "TokenRefused"),
        is_ready: false,
    },
    Row {
        why: "this one was told since that it is accepted",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.asked_at = Some(at(-10));
            remembered.accepted.as_mut().unwrap().verified_at = at(-10);
            observation.xr.previous =
                PreviousConditions::test(ConditionType::TokenValid, "False", "TokenRefused").since(at(-10));
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
    Row {
        why: "another replica has met another problem since",
        world: |observation, remembered| {
            persisted(observation, remembered);
            (observation.connection, remembered.accepted) = (None, None);
            remembered.failure = Some(Box::new(failure(ProblemKind::NoInstanceAdmin)));
            remembered.asked_at = Some(at(-10));
            observation.xr.previous =
                PreviousConditions::test(ConditionType::Bootstrapped, "False", "Unreachable").since(at(-9));
        },
        bootstrapped: (Status::ConditionFalse, "Unreachable"),
        token_valid: (Status::ConditionFalse, "NoToken"),
        is_ready: false,
    },
    Row {
        why: "what is seen in the cluster is said at once, whatever the XR says",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.connection = None;
            remembered.accepted = None;
            observation.instance = crate::readiness::Readiness::NotReady("It is not".to_owned());
            observation.xr.previous =
                PreviousConditions::test(ConditionType::Bootstrapped, "False", "Unreachable").since(at(9));
        },
        bootstrapped: (Status::ConditionFalse, "WaitingForInstance"),
        token_valid: (Status::ConditionFalse, "NoToken"),
        is_ready: false,
    },
    Row {
        why: "a new process has not asked yet about what it was said of",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.accepted = None;
            observation.xr.previous = crate::model::xr::PreviousConditions::test(
                ConditionType::TokenValid,
                "True",
                "NotInstanceAdmin",
            );
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "NotInstanceAdmin"),
        is_ready: true,
    },
    Row {
        why: "a new process has not asked yet",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.accepted = None;
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionUnknown, "Verifying"),
        is_ready: true,
    },
    Row {
        why: "a token that is gone with the password is not said to be in its Secret",
        world: |observation, _| {
            observation.persisted_admin = None;
            observation.connection = Some(ObservedConnection::read(SecretData::default(), &[]));
            observation.xr.previous =
                PreviousConditions::test(ConditionType::Bootstrapped, "True", "AdminSecretMissing");
        },
        bootstrapped: (Status::ConditionFalse, "Bootstrapping"),
        token_valid: (Status::ConditionFalse, "NoToken"),
        is_ready: false,
    },
    Row {
        why: "the server refused the token that is persisted",
        world: |observation, remembered| {
            persisted(observation, remembered);
            remembered.accepted = None;
            remembered.refused = [AccessToken::new("a").fingerprint()].into();
            remembered.known.clone_from(&remembered.refused);
            remembered.failure = Some(Box::new(failure(ProblemKind::NoInstanceAdmin)));
        },
        bootstrapped: (Status::ConditionFalse, "NoInstanceAdmin"),
        token_valid: (Status::ConditionFalse, "TokenRefused"),
        is_ready: false,
    },
    Row {
        why: "the token works, and the password is gone",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.persisted_admin = None;
        },
        bootstrapped: (Status::ConditionTrue, "AdminSecretMissing"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
    Row {
        why: "the token works, and where the password was there is somebody else's Secret",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.persisted_admin = None;
            observation.admin_place = taken();
        },
        bootstrapped: (Status::ConditionTrue, "AdminSecretMissing"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
    Row {
        why: "no password is made for an emptied instance while its Secret has no place",
        world: |observation, remembered| {
            dead_and_without_admin(observation, remembered, false);
            observation.admin_place = taken();
        },
        bootstrapped: (Status::ConditionFalse, "SecretTaken"),
        token_valid: (Status::ConditionFalse, "TokenRefused"),
        is_ready: false,
    },
    Row {
        why: "one is made once it has",
        world: |observation, remembered| dead_and_without_admin(observation, remembered, false),
        bootstrapped: (Status::ConditionFalse, "AdminSecretMissing"),
        token_valid: (Status::ConditionFalse, "TokenRefused"),
        is_ready: false,
    },
    Row {
        why: "room for it would be of no use to an instance that has an admin",
        world: |observation, remembered| {
            dead_and_without_admin(observation, remembered, true);
            observation.admin_place = taken();
        },
        bootstrapped: (Status::ConditionFalse, "AdminSecretMissing"),
        token_valid: (Status::ConditionFalse, "TokenRefused"),
        is_ready: false,
    },
    Row {
        why: "where the connection belongs there is somebody else's Secret",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.connection = None;
            observation.connection_place = taken();
        },
        bootstrapped: (Status::ConditionFalse, "SecretTaken"),
        token_valid: (Status::ConditionFalse, "NoToken"),
        is_ready: false,
    },
    Row {
        why: "an adopted instance never had a password of ours",
        world: |observation, remembered| {
            persisted(observation, remembered);
            observation.persisted_admin = None;
            observation.adopted = Some(Ok(AccessToken::new("adopted")));
        },
        bootstrapped: (Status::ConditionTrue, "Bootstrapped"),
        token_valid: (Status::ConditionTrue, "Accepted"),
        is_ready: true,
    },
];

fn judged(world: fn(&mut Observation, &mut Remembered)) -> (Verdict, Observation) {
    let (mut observation, mut remembered) = (mk_observation(), Remembered::default());
    world(&mut observation, &mut remembered);
    let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let plan = crate::plan::plan(&observation, &remembered, now);
    (judge(&observation, &remembered, &plan, now), observation)
}

#[test]
fn the_conditions_read_as_a_table() {
    for row in TABLE {
        let (verdict, _) = judged(row.world);
        let said = |index: usize| {
            let condition: &Condition = &verdict.conditions[index];
            (condition.status(), condition.reason.as_str())
        };
        assert_eq!(said(0), row.bootstrapped, "{}", row.why);
        assert_eq!(said(1), row.token_valid, "{}", row.why);
        assert_eq!(verdict.token_is_persisted && verdict.token_may_work, row.is_ready, "{}", row.why);
        for condition in &verdict.conditions {
            let message = condition.message.as_deref().unwrap();
            assert!(message.starts_with(|c: char| c.is_ascii_uppercase()), "{}: {message}", row.why);
            assert!(!message.contains("marker") && !message.ends_with('.'), "{}: {message}", row.why);
        }
    }
}

#[test]
fn an_admin_secret_of_somebody_else_is_not_called_gone() {
    let message = |world| judged(world).0.conditions[0].message.clone().unwrap();
    let works = message(|observation, remembered| {
        persisted(observation, remembered);
        (observation.persisted_admin, observation.admin_place) = (None, taken());
    });
    let dead = message(|observation, remembered| {
        dead_and_without_admin(observation, remembered, true);
        observation.admin_place = taken();
    });
    for message in [works, dead] {
        assert!(message.contains("Secret vault-admin is not this composite resource's"), "{message}");
        assert!(!message.contains("is gone") && !message.contains("there is no"), "{message}");
        assert!(message.contains("input.admin.secretRef"), "{message}");
    }
}

#[test]
fn a_database_that_was_lost_is_told_with_the_token_that_is_handed_out() {
    let world: fn(&mut Observation, &mut Remembered) = |observation, remembered| {
        persisted(observation, remembered);
        remembered.bootstrapped_again = Some(Box::new(AccessToken::new("a").fingerprint()));
        observation.connection = Some(mk_observed("before"));
        remembered.known = [AccessToken::new("before").fingerprint()].into();
    };
    let reasons = |world| {
        let (verdict, observation) = judged(world);
        let mut events: Vec<_> = events(&verdict.conditions, &observation.xr.previous).collect();
        events.extend(verdict.event);
        events.into_iter().filter_map(|event| event.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(world), ["Bootstrapped", "BootstrappedAgain"]);
    assert_eq!(reasons(persisted), ["Bootstrapped"], "and no more once it is seen");
}

#[test]
fn a_message_is_cut_where_a_character_ends() {
    assert_eq!(bounded("short".to_owned()), "short");
    let cut = bounded("é".repeat(4096));
    assert!(cut.len() <= MESSAGE_LONGEST && cut.ends_with("é…"), "{} bytes", cut.len());
}
