use super::*;
use crate::api::resource::ManagementAction::{self, All, Create, Delete, LateInitialize, Observe, Update};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn policies(actions: &[ManagementAction]) -> Policies {
    Policies::new(actions).unwrap()
}

/// A resource that was made and is as it is to be.
fn steady(policies: &Policies) -> Situation<'_> {
    Situation {
        is_paused: false,
        policies: Some(policies),
        is_deleted: false,
        has_finalizer: true,
        has_other_finalizers: false,
        external_name: Some("id"),
        is_id: true,
        open_create: None,
        found_by: FoundBy::Key,
        is_shown_once: false,
        is_updated: false,
        is_replaced: false,
        delete_was_asked: false,
        now: at(100),
    }
}

const FRESH: Present<'static> = Present {
    read: Read::Fresh,
    id: "id",
    is_named: true,
    differs: Differs::No,
    spent: Spent::No,
    is_late: false,
    owner: None,
    surplus: None,
};
const SHARED: Present<'static> = Present { read: Read::Shared, ..FRESH };

#[test]
fn what_is_looked_at() {
    let (all, observe, orphan, none) =
        (policies(&[All]), policies(&[Observe]), policies(&[Observe, Create, Update]), policies(&[]));
    let s = steady(&all);
    let unnamed = Situation { external_name: None, is_id: false, ..s };
    let open = Some(at(90));
    let marked = FoundBy::Mark;
    let table = [
        ("its id", s, Ok(Look::Id("id"))),
        ("a natural key in place of an id", Situation { is_id: false, ..s }, Ok(Look::Import("id"))),
        ("no name yet", unnamed, Ok(Look::Key)),
        (
            "a name, and a create that is open",
            Situation { open_create: open, ..s },
            Ok(Look::IdThenKey("id")),
        ),
        ("a mark before a create", Situation { found_by: marked, ..unnamed }, Ok(Look::Nowhere)),
        (
            "a mark after a create was begun",
            Situation { found_by: marked, open_create: open, ..unnamed },
            Ok(Look::Key),
        ),
        ("paused by the author", Situation { is_paused: true, ..s }, Err(Action::Pause)),
        ("paused, and deleted", Situation { is_paused: true, is_deleted: true, ..s }, Err(Action::Pause)),
        ("paused by its policies", Situation { policies: Some(&none), ..s }, Err(Action::Pause)),
        ("policies that do not go together", Situation { policies: None, ..s }, Err(Action::RefusePolicies)),
        ("the same, and paused", Situation { policies: None, is_paused: true, ..s }, Err(Action::Pause)),
        ("deleted", Situation { is_deleted: true, ..s }, Ok(Look::Id("id"))),
        (
            "deleted, and it may not be deleted",
            Situation { is_deleted: true, policies: Some(&orphan), ..s },
            Err(Action::Release),
        ),
        (
            "deleted, and only observed",
            Situation { is_deleted: true, policies: Some(&observe), ..s },
            Err(Action::Release),
        ),
        ("deleted before anything was made", Situation { is_deleted: true, ..unnamed }, Err(Action::Release)),
        (
            "deleted, and a create is open",
            Situation { is_deleted: true, open_create: open, ..unnamed },
            Ok(Look::Key),
        ),
        (
            "deleted, and somebody took our finalizer off",
            Situation { is_deleted: true, has_finalizer: false, ..s },
            Err(Action::Nothing),
        ),
    ];
    for (reason, situation, expected) in table {
        assert_eq!(first(&situation), expected, "{reason}");
    }
}

#[test]
fn what_is_done_about_what_is_absent() {
    let (all, observe, update, create) =
        (policies(&[All]), policies(&[Observe]), policies(&[Observe, Update]), policies(&[Observe, Create]));
    let s = Situation { external_name: None, is_id: false, has_finalizer: false, ..steady(&all) };
    let marked = Situation { found_by: FoundBy::Mark, ..s };
    let left = Duration::from_secs(55);
    let (open, long_ago, ahead) = (Some(at(90)), Some(at(0)), Some(at(9_000)));
    let make = Action::Create { is_repeated: false };
    let table = [
        ("it is made", s, Read::Fresh, make),
        ("a list of others is not enough", s, Read::Shared, Action::LookAgain),
        ("only observed", Situation { policies: Some(&observe), ..s }, Read::Fresh, Action::SayAbsent),
        (
            "it may be changed, not made",
            Situation { policies: Some(&update), ..s },
            Read::Fresh,
            Action::SayAbsent,
        ),
        ("it may be made", Situation { policies: Some(&create), ..s }, Read::Fresh, make),
        (
            "deleted by hand: made again",
            Situation { external_name: Some("id"), is_id: true, has_finalizer: true, ..s },
            Read::Fresh,
            make,
        ),
        (
            "a create may be under way, and the server lets one be",
            Situation { open_create: open, ..s },
            Read::Fresh,
            Action::Create { is_repeated: true },
        ),
        (
            "a create may be under way, and a second would make two",
            Situation { open_create: open, ..marked },
            Read::Fresh,
            Action::AwaitCreate(left),
        ),
        (
            "a create that can have no effect any more",
            Situation { open_create: long_ago, ..marked },
            Read::Fresh,
            make,
        ),
        (
            "a create from the future is from now",
            Situation { open_create: ahead, ..marked },
            Read::Fresh,
            Action::AwaitCreate(IN_FLIGHT),
        ),
        (
            "deleted, and gone",
            Situation { is_deleted: true, external_name: Some("id"), ..s },
            Read::Fresh,
            Action::Release,
        ),
        (
            "deleted, and gone in a list of others",
            Situation { is_deleted: true, external_name: Some("id"), ..s },
            Read::Shared,
            Action::LookAgain,
        ),
        (
            "deleted while a create may be under way",
            Situation { is_deleted: true, open_create: open, ..s },
            Read::Fresh,
            Action::AwaitCreate(left),
        ),
        (
            "deleted, gone, and others still hold it",
            Situation { is_deleted: true, has_other_finalizers: true, ..s },
            Read::Fresh,
            Action::AwaitFinalizers,
        ),
    ];
    for (reason, situation, read, expected) in table {
        assert_eq!(next(&situation, &Seen::Absent(read)), expected, "{reason}");
    }
}

#[test]
fn what_is_done_about_what_is_there() {
    let (all, observe, no_update, no_late) = (
        policies(&[All]),
        policies(&[Observe]),
        policies(&[Observe, Create, Delete]),
        policies(&[Observe, Create, Update, Delete]),
    );
    let s = steady(&all);
    let changed = Present { differs: Differs::Yes, ..FRESH };
    let fixed = Present { differs: Differs::Fixed("type"), ..FRESH };
    let found = Present { is_named: false, ..FRESH };
    let unnamed = Situation { external_name: None, is_id: false, has_finalizer: false, ..s };
    let open = Situation { open_create: Some(at(90)), has_finalizer: true, ..unnamed };
    let marked = FoundBy::Mark;
    let only_observed = Situation { policies: Some(&observe), ..s };
    let table = [
        ("nothing differs", s, FRESH, Action::Settle),
        ("nothing differs in a list of others", s, SHARED, Action::Settle),
        ("something differs", s, changed, Action::Update),
        (
            "something differs in a list of others",
            s,
            Present { read: Read::Shared, ..changed },
            Action::LookAgain,
        ),
        (
            "it differs although it was just changed",
            Situation { is_updated: true, ..s },
            changed,
            Action::SayUnsettled,
        ),
        ("it may not be changed", Situation { policies: Some(&no_update), ..s }, changed, Action::Settle),
        ("something differs that cannot be changed", s, fixed, Action::SayFixed("type")),
        ("the same, and it may not be", Situation { policies: Some(&no_update), ..s }, fixed, Action::Settle),
        ("imported by its id", Situation { has_finalizer: false, ..s }, FRESH, Action::AddFinalizer),
        (
            "imported by its key",
            Situation { has_finalizer: false, external_name: Some("slug"), is_id: false, ..s },
            FRESH,
            Action::AddFinalizer,
        ),
        ("somebody else made it", unnamed, found, Action::SayForeign("id")),
        ("our create made it", open, found, Action::Adopt("id")),
        ("the same in a list of others", open, Present { read: Read::Shared, ..found }, Action::LookAgain),
        (
            "it was made again under another id",
            Situation { external_name: Some("old"), is_id: true, ..open },
            found,
            Action::Adopt("id"),
        ),
        ("it has our mark", Situation { found_by: marked, ..unnamed }, found, Action::Adopt("id")),
        (
            "it has our mark, and so has another",
            Situation { found_by: marked, ..open },
            Present { surplus: Some("second"), ..found },
            Action::DeleteSurplus("second"),
        ),
        ("another object has it", s, Present { owner: Some("b/p"), ..changed }, Action::SayOwned("b/p")),
        ("only observed", only_observed, changed, Action::Settle),
        (
            "only observed, and another has it",
            only_observed,
            Present { owner: Some("b/p"), ..FRESH },
            Action::Settle,
        ),
        (
            "only observed, and found by its key",
            Situation { external_name: None, ..only_observed },
            found,
            Action::Settle,
        ),
        ("the server chose what was left out", s, Present { is_late: true, ..FRESH }, Action::LateInitialize),
        (
            "the same, and it is not to be written down",
            Situation { policies: Some(&no_late), ..s },
            Present { is_late: true, ..FRESH },
            Action::Settle,
        ),
    ];
    for (reason, situation, present, expected) in table {
        assert_eq!(next(&situation, &Seen::Present(present)), expected, "{reason}");
    }
}

#[test]
fn what_is_done_about_what_is_there_and_deleted() {
    let all = policies(&[All]);
    let s = Situation { is_deleted: true, ..steady(&all) };
    let found = Present { is_named: false, ..FRESH };
    let unnamed = Situation { external_name: None, is_id: false, ..s };
    let table = [
        ("it is deleted", s, FRESH, Action::Delete("id")),
        ("not by a list of others", s, SHARED, Action::LookAgain),
        (
            "the server is not done yet",
            Situation { delete_was_asked: true, ..s },
            FRESH,
            Action::AwaitDeletion,
        ),
        ("others hold it", Situation { has_other_finalizers: true, ..s }, FRESH, Action::AwaitFinalizers),
        ("another object has it", s, Present { owner: Some("b/p"), ..FRESH }, Action::Release),
        ("somebody else made it", unnamed, found, Action::Release),
        (
            "our create made it",
            Situation { open_create: Some(at(90)), ..unnamed },
            found,
            Action::Delete("id"),
        ),
        (
            "a second create made another",
            Situation { found_by: FoundBy::Mark, open_create: Some(at(90)), ..unnamed },
            Present { surplus: Some("second"), ..found },
            Action::DeleteSurplus("second"),
        ),
        (
            "what cannot be changed can be deleted",
            s,
            Present { differs: Differs::Fixed("type"), ..FRESH },
            Action::Delete("id"),
        ),
    ];
    for (reason, situation, present, expected) in table {
        assert_eq!(next(&situation, &Seen::Present(present)), expected, "{reason}");
    }
}

const SETS: [&[ManagementAction]; 8] = [
    &[All],
    &[Observe],
    &[],
    &[Observe, Create, Update],
    &[Observe, Create, Delete],
    &[Observe, Delete],
    &[Observe, Update],
    &[Observe, LateInitialize],
];

/// Calls `each` with every situation there is and every resource that may be seen in it.
fn for_all(mut each: impl FnMut(&Policies, &Situation<'_>, &Seen<'_>)) {
    let flags = |bits: u32| std::array::from_fn::<bool, 9, _>(|place| bits & (1 << place) != 0);
    let both = [Read::Shared, Read::Fresh];
    let presents: Vec<Seen<'_>> = [Differs::No, Differs::Yes, Differs::Fixed("f")]
        .into_iter()
        .flat_map(|differs| both.map(|read| Present { read, differs, ..FRESH }))
        .flat_map(|it| [None, Some("b/p")].map(|owner| Present { owner, ..it }))
        .flat_map(|it| [None, Some("second")].map(|surplus| Present { surplus, ..it }))
        .flat_map(|it| [true, false].map(|is_named| Present { is_named, ..it }))
        .map(Seen::Present)
        .chain(both.map(Seen::Absent))
        .collect();
    for set in SETS {
        let policies = policies(set);
        for [
            is_paused,
            is_deleted,
            has_finalizer,
            has_others,
            is_named,
            is_open,
            is_marked,
            updated,
            asked,
        ] in (0..1 << 9).map(flags)
        {
            let situation = Situation {
                is_paused,
                is_deleted,
                has_finalizer,
                has_other_finalizers: has_others,
                external_name: is_named.then_some("id"),
                is_id: is_named,
                open_create: is_open.then(|| at(90)),
                found_by: if is_marked { FoundBy::Mark } else { FoundBy::Key },
                is_updated: updated,
                delete_was_asked: asked,
                ..steady(&policies)
            };
            for seen in &presents {
                each(&policies, &situation, seen);
            }
        }
    }
}

#[test]
fn in_no_situation_is_a_rule_broken() {
    for_all(|policies, s, seen| {
        let action = match first(s) {
            Ok(_) => next(s, seen),
            Err(action) => action,
        };
        let context = format!("{action:?} of {s:?} {seen:?}");
        let is_fresh = match seen {
            Seen::Absent(read) => *read == Read::Fresh,
            Seen::Present(present) => present.read == Read::Fresh,
        };
        match action {
            Action::Create { .. } => {
                assert!(matches!(seen, Seen::Absent(_)) && !s.is_deleted && policies.create(), "{context}");
            }
            Action::Update => assert!(!s.is_deleted && policies.update() && !s.is_updated, "{context}"),
            Action::Delete(_) => {
                assert!(s.is_deleted && policies.delete() && !s.has_other_finalizers, "{context}");
            }
            _ => {}
        }
        let changes_the_server = matches!(
            action,
            Action::Create { .. } | Action::Update | Action::Delete(_) | Action::DeleteSurplus(_)
        );
        if changes_the_server {
            assert!(is_fresh && !s.is_paused && !policies.only_observe(), "{context}");
        }
        if let (true, Seen::Present(present)) = (changes_the_server, seen) {
            assert!(present.owner.is_none(), "{context}");
            assert!(present.is_named || s.open_create.is_some() || s.found_by == FoundBy::Mark, "{context}");
        }
    });
}

#[test]
fn what_is_done_about_what_is_shown_once() {
    let (all, keep) = (policies(&[All]), policies(&[Observe, Update]));
    let s = Situation { found_by: FoundBy::Mark, is_shown_once: true, ..steady(&all) };
    let unnamed = Situation { external_name: None, is_id: false, ..s };
    let (open, long_ago) = (Some(at(90)), Some(at(0)));
    let spent = Present { spent: Spent::Yes, ..FRESH };
    let crowded = Present { surplus: Some("old"), ..FRESH };
    let new = Present { is_named: false, id: "new", ..crowded };
    let imported = Present { spent: Spent::Imported, surplus: Some("old"), ..FRESH };
    let table = [
        ("it is in the Secret", s, FRESH, Action::Settle),
        ("a list of others is not enough", s, Present { read: Read::Shared, ..spent }, Action::LookAgain),
        ("it is lost, or too old", s, spent, Action::Replace),
        (
            "the same, and nothing may be made",
            Situation { policies: Some(&keep), ..s },
            spent,
            Action::Settle,
        ),
        (
            "what was made in its place is lost too",
            Situation { is_replaced: true, ..s },
            spent,
            Action::SayStillSpent,
        ),
        ("the new one is in the Secret: its name", s, new, Action::Adopt("new")),
        ("the same after a crash", Situation { open_create: open, ..s }, new, Action::Adopt("new")),
        ("then the old one goes", s, crowded, Action::DeleteSurplus("old")),
        (
            "one of two creates whose values are lost goes before another is made",
            s,
            Present { spent: Spent::Yes, ..crowded },
            Action::DeleteSurplus("old"),
        ),
        (
            "it was made and its value is lost: its name first",
            Situation { open_create: open, ..unnamed },
            Present { is_named: false, ..spent },
            Action::Adopt("id"),
        ),
        (
            "the one that was to be made in its place may still come",
            Situation { open_create: open, ..s },
            spent,
            Action::AwaitCreate(Duration::from_secs(55)),
        ),
        (
            "the same, and it has come",
            Situation { open_create: open, ..s },
            Present { spent: Spent::Yes, ..crowded },
            Action::Adopt("id"),
        ),
        ("it comes no more", Situation { open_create: long_ago, ..s }, spent, Action::Adopt("id")),
        ("what was imported is not made anew", s, imported, Action::SaySpent),
        (
            "what was imported, and may not be made",
            Situation { policies: Some(&keep), ..s },
            imported,
            Action::DeleteSurplus("old"),
        ),
        (
            "deleted: the others go first",
            Situation { is_deleted: true, ..s },
            crowded,
            Action::DeleteSurplus("old"),
        ),
    ];
    for (reason, situation, present, expected) in table {
        assert_eq!(next(&situation, &Seen::Present(present)), expected, "{reason}");
    }
}
