use super::*;

const STATUSES: [Status; 3] = [Status::True, Status::False, Status::Unknown];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn every() -> impl Iterator<Item = (ConditionType, Status, Reason)> {
    let of =
        |of| STATUSES.into_iter().flat_map(move |status| Reason::ALL.iter().map(move |it| (of, status, *it)));
    ConditionType::ALL.into_iter().flat_map(of)
}

#[test]
fn nothing_follows_from_a_condition_that_this_function_does_not_give() {
    for (of, status, reason) in every().filter(|(of, status, reason)| !reason.is_of(*of, *status)) {
        let previous = PreviousConditions::test(of, status.as_str(), reason.as_str()).since(at(0));
        let known = Known { told_at: Some(at(-60)), ..Known::default() };
        for inference in Inference::ALL {
            assert!(
                !known.is_inferred(inference, of, &previous),
                "{of:?} {status:?} {reason:?}: {inference:?}"
            );
        }
    }
}

#[test]
fn each_inference_follows_from_some_condition() {
    for inference in Inference::ALL {
        let follows = every().any(|(of, status, reason)| inferences(of, status, reason).contains(&inference));
        assert!(follows, "{inference:?} follows from nothing");
    }
}

/// One row: which condition, what the process would say, what the XR says, how much later
/// that is, and whether it is said again.
type Row = (ConditionType, (Status, Reason), (Status, Reason), i64, bool);

const NEWEST: &[Row] = &[
    // Of two problems the newer is said.
    (Bootstrapped, (Status::False, Reason::NoInstanceAdmin), (Status::False, Reason::Unreachable), 1, true),
    (Bootstrapped, (Status::False, Reason::NoInstanceAdmin), (Status::False, Reason::Unreachable), 0, false),
    (Bootstrapped, (Status::False, Reason::Bootstrapping), (Status::False, Reason::Unreachable), 1, true),
    // What is seen in the cluster is said at once.
    (
        Bootstrapped,
        (Status::False, Reason::WaitingForInstance),
        (Status::False, Reason::Unreachable),
        1,
        false,
    ),
    (Bootstrapped, (Status::True, Reason::Bootstrapped), (Status::False, Reason::Unreachable), 1, false),
    (
        Bootstrapped,
        (Status::False, Reason::Unreachable),
        (Status::True, Reason::AdminSecretMissing),
        1,
        false,
    ),
    // Of a token that may work what a server said last.
    (TokenValid, (Status::True, Reason::Accepted), (Status::Unknown, Reason::Unreachable), 1, true),
    (TokenValid, (Status::True, Reason::Accepted), (Status::Unknown, Reason::Unreachable), 0, false),
    (TokenValid, (Status::Unknown, Reason::Unreachable), (Status::True, Reason::Accepted), 1, true),
    (TokenValid, (Status::True, Reason::Accepted), (Status::False, Reason::TokenRefused), 1, false),
    (TokenValid, (Status::False, Reason::NoToken), (Status::True, Reason::Accepted), 1, false),
    // Of a client secret the same, and the worse where both say why.
    (HandedOff, (Status::True, Reason::HandedOff), (Status::Unknown, Reason::Unreachable), 1, true),
    (HandedOff, (Status::True, Reason::HandedOff), (Status::False, Reason::ClientSecretRefused), 1, false),
    (HandedOff, (Status::Unknown, Reason::Unreachable), (Status::False, Reason::Unreachable), 1, true),
    (HandedOff, (Status::False, Reason::HandingOff), (Status::False, Reason::Unreachable), 1, false),
    (
        StatusWritten,
        (Status::True, Reason::FieldsDeclared),
        (Status::False, Reason::FieldNotDeclared),
        1,
        false,
    ),
];

#[test]
fn what_the_xr_goes_on_saying_reads_as_a_table() {
    for (of, own, (status, reason), later, expected) in NEWEST {
        let previous = PreviousConditions::test(*of, status.as_str(), reason.as_str()).since(at(*later));
        let known = Known { told_at: Some(at(0)), ..Known::default() };
        let said = known.superseded_by(*of, *own, &previous).is_some();
        assert_eq!(said, *expected, "{of:?} {own:?}, and the XR {status:?} {reason:?} {later} s later");
    }
}

#[test]
fn who_is_in_doubt_of_what_it_was_told_gives_way_to_what_is_as_new() {
    let previous = PreviousConditions::test(HandedOff, "True", "HandedOff").since(at(0));
    let own = (Status::False, Reason::RightKept);
    for (is_in_doubt, expected) in [(true, true), (false, false)] {
        let known = Known { told_at: Some(at(0)), is_in_doubt, ..Known::default() };
        assert_eq!(known.superseded_by(HandedOff, own, &previous).is_some(), expected, "{is_in_doubt}");
    }
}
