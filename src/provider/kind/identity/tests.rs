use super::*;

fn pairs(pairs: &[(&str, &str)]) -> Vec<Metadata> {
    pairs.iter().map(|&(key, value)| Metadata { key: key.to_owned(), value: value.to_owned() }).collect()
}

fn wanted_pairs(pairs: &[(&str, &str)]) -> Vec<IdentityMetadata> {
    let pair =
        |&(key, value): &(&str, &str)| IdentityMetadata { key: key.to_owned(), value: value.to_owned() };
    pairs.iter().map(pair).collect()
}

fn seen() -> Seen {
    Seen {
        id: "i".to_owned(),
        name: "ci".to_owned(),
        organization_id: "o".to_owned(),
        project_id: None,
        role: Some("no-access".to_owned()),
        has_delete_protection: false,
        metadata: pairs(&[("team", "a"), (MARK, "uid"), ("app", "x")]),
        auth_methods: vec!["universal-auth".to_owned(), "kubernetes-auth".to_owned()],
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all parameters are optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn only_what_the_author_wrote_is_compared_and_as_the_server_keeps_it() {
    let none = IdentityParameters::default();
    let same = Change { name: "ci".to_owned(), role: None, metadata: None, has_delete_protection: None };
    let table = [
        ("nothing is wanted", none.clone(), None),
        (
            "it is so already",
            IdentityParameters {
                name: text(" ci\n"),
                organization_id: text("O"),
                role: text("no-access"),
                metadata: Some(wanted_pairs(&[("app", "x"), (" team", "a ")])),
                has_delete_protection: Some(false),
                ..none.clone()
            },
            None,
        ),
        (
            "another name",
            IdentityParameters { name: text("cd"), ..none.clone() },
            Some(Change { name: "cd".to_owned(), ..same.clone() }),
        ),
        (
            "another role",
            IdentityParameters { role: text("member"), ..none.clone() },
            Some(Change { role: text("member"), ..same.clone() }),
        ),
        (
            "other metadata, and the mark stays",
            IdentityParameters { metadata: Some(wanted_pairs(&[("team", "b")])), ..none.clone() },
            Some(Change { metadata: Some(pairs(&[("team", "b"), (MARK, "uid")])), ..same.clone() }),
        ),
        (
            "no metadata, and the mark stays",
            IdentityParameters { metadata: Some(Vec::new()), ..none.clone() },
            Some(Change { metadata: Some(pairs(&[(MARK, "uid")])), ..same.clone() }),
        ),
        (
            "protected",
            IdentityParameters { has_delete_protection: Some(true), ..none.clone() },
            Some(Change { has_delete_protection: Some(true), ..same.clone() }),
        ),
    ];
    for (reason, wanted, expected) in table {
        let expected = expected.map_or(Difference::None, Difference::Change);
        assert_eq!(Identity::compare(&wanted, &seen()), expected, "{reason}");
    }
}

#[test]
fn an_identity_does_not_move() {
    let none = IdentityParameters::default();
    let of_project = Seen { project_id: text("p"), role: None, ..seen() };
    let table = [
        (IdentityParameters { organization_id: text("other"), ..none.clone() }, seen(), "organizationId"),
        (IdentityParameters { project_id: text("other"), ..none.clone() }, of_project, "projectId"),
        (IdentityParameters { project_id: text("p"), ..none }, seen(), "projectId"),
    ];
    for (wanted, seen, field) in table {
        let Difference::Fixed(why) = Identity::compare(&wanted, &seen) else { panic!("{field} is fixed") };
        assert!(why.contains(field) && why.ends_with("make another Identity"), "{why}");
    }
}

#[test]
fn the_mark_is_not_shown_and_what_is_shown_is_in_one_order() {
    let shown = Identity::observation(&seen());
    assert_eq!(shown.metadata, wanted_pairs(&[("app", "x"), ("team", "a")]));
    assert_eq!(shown.auth_methods, ["kubernetes-auth", "universal-auth"]);
}

#[test]
fn it_is_looked_for_where_it_was_seen() {
    let wanted = IdentityParameters { project_id: text("new"), ..IdentityParameters::default() };
    let shown = |project: &str| IdentityObservation {
        id: text("i"),
        project_id: text(project),
        ..IdentityObservation::default()
    };
    let before = Identity::seen_in(&wanted, &shown("old")).unwrap();
    assert_eq!(before.project_id, text("old"));
    assert_eq!(Identity::seen_in(&wanted, &shown("new")), None);
    assert_eq!(Identity::seen_in(&wanted, &IdentityObservation::default()), None, "nothing was seen");
}

#[test]
fn those_of_the_name_come_first_and_then_the_newest() {
    let listed = |id: usize, name: &str| ListedIdentity {
        id: id.to_string(),
        name: name.to_owned(),
        created_at: jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(id).unwrap()).unwrap(),
    };
    let mut all: Vec<_> = (0..150).map(|id| listed(id, "other")).collect();
    all.extend([listed(151, "ci"), listed(150, "ci")]);
    let (named, others) = candidates(all, Some(" ci"));
    assert_eq!(named, ["150", "151"]);
    assert_eq!((others.len(), &*others[0], &*others[99]), (100, "149", "50"));
}
