use std::time::Duration;

use infisical::endpoint::Origin;
use proptest::prelude::*;
use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};
use serde_json::{Value as Json, json};

use crate::{
    contract::{
        fieldpath::FieldPath,
        manifest::testing::{encode, encode_yaml},
    },
    input::{
        Admin, AllowedHost, Bootstrap, CaKind, CaSource, ConnectionDetail, DetailValue, EmailSource,
        EndpointSource, FromComposedResource, InputError, InstanceAdmin, NameSource, ProjectSlug,
        ReadinessCheck, Scheme, SecretRef, Service, TokenPolicy, parse,
    },
};

/// In every value that an error must not repeat.
const MARKER: &str = "marker-of-a-secret";

/// The smallest useful input.
fn smallest() -> Json {
    json!({
        "apiVersion": "infisical.fn.crossplane.io/v1beta1",
        "kind": "Bootstrap",
        "instance": {
            "resource": "infisical",
            "endpoint": { "service": { "resource": "service", "port": 8080 } },
        },
        "admin": { "email": "platform@example.org" },
    })
}

/// Merges a patch, in which null takes a field away, into the smallest input.
fn with(patch: &str) -> Json {
    fn merge(into: &mut Json, patch: Json) {
        match (into, patch) {
            (Json::Object(into), Json::Object(patch)) => {
                for (name, patch) in patch {
                    if patch.is_null() {
                        into.remove(&name);
                    } else {
                        merge(into.entry(name).or_insert(Json::Null), patch);
                    }
                }
            }
            (into, Json::Object(patch)) => {
                *into = json!({});
                merge(into, Json::Object(patch));
            }
            (into, patch) => *into = patch,
        }
    }
    let mut input = smallest();
    merge(&mut input, serde_saphyr::from_str(patch).unwrap());
    input
}

fn parsed(patch: &str) -> Bootstrap {
    parse(Some(&encode(&with(patch)))).unwrap_or_else(|error| panic!("{patch}: {error}"))
}

fn refused(patch: &str) -> String {
    let error = parse(Some(&encode(&with(patch)))).expect_err(patch).to_string();
    assert!(!error.contains(MARKER), "{error}");
    assert!(!error.contains('\n'), "{error}");
    error
}

fn path(text: &str) -> FieldPath {
    text.parse().unwrap()
}

#[test]
fn the_smallest_input_of_the_docs_is_enough() {
    let input = parse(Some(&encode_yaml(
        "
        apiVersion: infisical.fn.crossplane.io/v1beta1
        kind: Bootstrap
        instance:
          resource: infisical
          endpoint: {service: {resource: service, port: 8080}}
        admin: {email: Platform@example.org}
        ",
    )))
    .unwrap();
    let EndpointSource::Service(Service { resource, port: 8080, scheme: Scheme::Http }) =
        &input.instance.endpoint.source
    else {
        panic!("{:?}", input.instance.endpoint.source)
    };
    assert_eq!(resource.as_str(), "service");
    assert_eq!(input.instance.resource.unwrap().as_str(), "infisical");
    assert!(input.instance.readiness_checks.is_empty() && input.instance.endpoint.allowed_hosts.is_empty());
    let Some(Admin::Generated { email: EmailSource::Literal(email) }) = &input.admin else {
        panic!("{:?}", input.admin)
    };
    assert_eq!(email.as_str(), "platform@example.org");
    assert_eq!(input.organization, None);
    assert_eq!((input.connection_secret, input.status), (None, None));
    assert_eq!(input.token, TokenPolicy { verify_interval: Duration::from_mins(10), renew_at: 1.0 / 3.0 });
    let keys: Vec<_> = input.connection_details.iter().map(|detail| detail.name.as_str()).collect();
    assert_eq!(
        keys,
        ["token", "host", "organizationId", "organizationSlug", "identityId", "expiresAt", "credentials"]
    );
}

#[test]
fn every_alternative_of_the_endpoint_is_read() {
    let url = parsed("instance: {endpoint: {service: null, url: 'https://Infisical.example.org/'}}");
    let EndpointSource::Url(origin) = url.instance.endpoint.source else {
        panic!("{:?}", url.instance.endpoint.source)
    };
    assert_eq!(origin.as_str(), "https://infisical.example.org");

    let composite = parsed(
        "instance: {endpoint: {service: null, fromCompositeFieldPath: spec.url,
         allowedHosts: ['*.Example.org', infisical, '10.0.0.1:8443', 'http://a:80', 'https://b:443']}}",
    );
    assert_eq!(composite.instance.endpoint.source, EndpointSource::FromCompositeFieldPath(path("spec.url")));
    let hosts: Vec<_> =
        composite.instance.endpoint.allowed_hosts.iter().map(AllowedHost::to_string).collect();
    let expected =
        ["https://*.example.org", "https://infisical", "https://10.0.0.1:8443", "http://a", "https://b"];
    assert_eq!(hosts, expected);

    let composed = parsed(
        "instance: {endpoint: {service: null,
         fromComposedResource: {resource: ingress, fieldPath: 'status.hosts[0]'}}}",
    );
    let EndpointSource::FromComposedResource(FromComposedResource { resource, field_path }) =
        composed.instance.endpoint.source
    else {
        panic!("{:?}", composed.instance.endpoint.source)
    };
    assert_eq!((resource.as_str(), field_path), ("ingress", path("status.hosts[0]")));

    let https = parsed("instance: {endpoint: {service: {scheme: https}}}");
    assert!(matches!(
        https.instance.endpoint.source,
        EndpointSource::Service(Service { scheme: Scheme::Https, .. })
    ));
}

#[test]
fn an_allowed_host_is_a_server_or_all_hosts_below_a_domain() {
    let table = [
        ("*.example.org", "https://a.example.org", true),
        ("*.example.org", "https://a.b.example.org", true),
        ("*.example.org", "https://a.example.org.", true),
        ("*.example.org", "https://example.org", false),
        ("*.example.org", "https://aexample.org", false),
        ("*.example.org", "https://a.example.org.evil.net", false),
        ("*.example.org", "https://a.example.org:8443", false),
        ("*.example.org:8443", "https://a.example.org:8443", true),
        ("example.org", "https://example.org", true),
        ("example.org", "https://example.org:443", true),
        ("example.org.", "https://example.org", true),
        ("example.org", "https://a.example.org", false),
        ("example.org", "http://example.org", false),
        ("example.org", "http://example.org:443", false),
        ("example.org", "http://example.org:31000", false),
        ("example.org", "https://example.org:31000", false),
        ("example.org:8443", "https://example.org:8443", true),
        ("example.org:8443", "https://example.org", false),
        ("example.org:8443", "http://example.org:8443", false),
        ("'http://example.org'", "http://example.org", true),
        ("'http://example.org'", "http://example.org:8080", false),
        ("'http://example.org'", "https://example.org", false),
        ("'http://example.org:8080'", "http://example.org:8080", true),
        ("'http://*.example.org:8080'", "http://a.example.org:8080", true),
        ("10.0.0.1", "https://10.0.0.1", true),
        ("'[fd00::1]'", "https://[fd00::1]", true),
        ("'[fd00::1]:8443'", "https://[fd00::1]:8443", true),
        ("'[fd00::1]:8443'", "https://[fd00::1]", false),
    ];
    for (pattern, url, expected) in table {
        let origin = Origin::parse(url).unwrap();
        let input = parsed(&format!(
            "instance: {{endpoint: {{service: null, fromCompositeFieldPath: a,
             allowedHosts: [{}]}}}}",
            if pattern.starts_with('*') { format!("'{pattern}'") } else { pattern.to_owned() }
        ));
        let matches = input.instance.endpoint.allowed_hosts.iter().any(|allowed| allowed.matches(&origin));
        assert_eq!(matches, expected, "{pattern} {url}");
    }
}

#[test]
fn tls_is_read() {
    let from =
        |patch| parsed(&format!("instance: {{endpoint: {{service: {{scheme: https}}, tls: {patch}}}}}"));
    let tls = from("{serverName: vault.example.org, insecureSkipVerify: true}").instance.endpoint.tls;
    assert_eq!((tls.ca, tls.insecure_skip_verify), (None, true));
    assert_eq!(tls.server_name.as_deref(), Some("vault.example.org"));

    let tls = from("{caBundleFrom: {configMapRef: {name: ca}}}").instance.endpoint.tls;
    let expected = CaSource::From {
        kind: CaKind::ConfigMap,
        name: "ca".to_owned(),
        namespace: None,
        key: "ca.crt".to_owned(),
    };
    assert_eq!(tls.ca, Some(expected));

    let tls = from("{caBundleFrom: {secretRef: {name: ca, namespace: team-a, key: tls.crt}}}")
        .instance
        .endpoint
        .tls;
    assert!(matches!(
        tls.ca,
        Some(CaSource::From { kind: CaKind::Secret, namespace: Some(namespace), .. }) if namespace == "team-a"
    ));

    let certificate = rcgen::generate_simple_self_signed(["vault".to_owned()]).unwrap().cert.pem();
    let mut input = with("instance: {endpoint: {service: {scheme: https}}}");
    input["instance"]["endpoint"]["tls"] = json!({ "caBundle": certificate });
    assert_eq!(
        parse(Some(&encode(&input))).unwrap().instance.endpoint.tls.ca,
        Some(CaSource::Inline(certificate))
    );
}

#[test]
fn every_readiness_check_is_read() {
    let checks = parsed(
        "instance: {readinessChecks: [
           {type: MatchString, fieldPath: status.phase, matchString: Running},
           {type: MatchInteger, fieldPath: status.n, matchInteger: -3},
           {type: MatchTrue, fieldPath: a}, {type: MatchFalse, fieldPath: a}, {type: NonEmpty, fieldPath: a},
           {type: MatchCondition, matchCondition: {type: Available, status: 'False'}}, {type: None}]}",
    )
    .instance
    .readiness_checks;
    assert_eq!(checks.len(), 7);
    assert_eq!(checks[1], ReadinessCheck::MatchInteger { path: path("status.n"), value: -3 });
    assert_eq!(checks[6], ReadinessCheck::None);
}

#[test]
fn the_rest_of_the_input_is_read() {
    let input = parsed(
        "organization: ' Acme '
writeConnectionSecretToRef: {name: infisical-token, namespace: team-a}
connectionDetails: [{name: INFISICAL_TOKEN, value: Token}]
token: {verifyInterval: 1h30m, renewAt: 1/4}
status: status.infisical
metadata: {name: anything, labels: {a: b}}",
    );
    assert_eq!(input.organization, Some(NameSource::Literal("Acme".to_owned())));
    let secret = SecretRef { name: Some("infisical-token".to_owned()), namespace: Some("team-a".to_owned()) };
    assert_eq!(input.connection_secret, Some(secret));
    let detail = ConnectionDetail { name: "INFISICAL_TOKEN".to_owned(), value: DetailValue::Token };
    assert_eq!(*input.connection_details, [detail]);
    assert_eq!(input.token, TokenPolicy { verify_interval: Duration::from_mins(90), renew_at: 0.25 });
    assert_eq!(input.status, Some(path("status.infisical")));

    let input = parsed("organization: |\n  Acme\n");
    assert_eq!(input.organization, Some(NameSource::Literal("Acme".to_owned())));

    let input = parsed("organizationFromCompositeFieldPath: metadata.name");
    assert_eq!(input.organization, Some(NameSource::FromCompositeFieldPath(path("metadata.name"))));
}

#[test]
fn an_admin_is_left_out_beside_adopt_only() {
    assert_eq!(parsed("{admin: null, adopt: {secretRef: {name: token}}}").admin, None);
}

#[test]
fn every_source_of_the_admin_is_read() {
    let admin = |patch: &str| parsed(&format!("admin: {patch}")).admin.unwrap();
    assert_eq!(
        admin("{email: null, emailFromCompositeFieldPath: spec.email}"),
        Admin::Generated { email: EmailSource::FromCompositeFieldPath(path("spec.email")) }
    );
    assert_eq!(
        admin("{email: null, credentials: admin}"),
        Admin::Credential { name: "admin".to_owned(), email: None }
    );
    assert_eq!(
        admin("{email: null, secretRef: {nameFromCompositeFieldPath: spec.secret, passwordKey: pw}}"),
        Admin::SecretRef {
            name: NameSource::FromCompositeFieldPath(path("spec.secret")),
            namespace: None,
            email_key: "email".to_owned(),
            password_key: "pw".to_owned(),
            email: None,
        }
    );
    assert!(matches!(
        admin("{secretRef: {name: admin}}"),
        Admin::SecretRef { name: NameSource::Literal(_), email: Some(EmailSource::Literal(_)), .. }
    ));
}

#[test]
fn a_mistake_in_the_shape_names_the_field_and_what_to_write() {
    let table = [
        (
            "apiVersion: v1",
            r#"input.apiVersion: is not the one that this function reads; write "infisical.fn.crossplane.io/v1beta1""#,
        ),
        ("kind: Resources", r#"input.kind: is not the one that this function reads; write "Bootstrap""#),
        ("kind: null", r#"input.kind: is not the one that this function reads; write "Bootstrap""#),
        (
            "instance: {endpont: {}}",
            "input.instance.endpont: unknown field; did you mean \"endpoint\"? Write one of: resource, readinessChecks, endpoint",
        ),
        (
            "instance: {'marker-of-a-secret or so': 1}",
            "input.instance.?: unknown field; write one of: resource, readinessChecks, endpoint",
        ),
        (
            "instance: {endpoint: null}",
            "input.instance.endpoint: is missing; write one of: url, fromCompositeFieldPath, fromComposedResource, service",
        ),
        ("instance: null", "input.instance: is missing; write one with an endpoint"),
        (
            "admin: null",
            "input.admin: is missing; write one with an email, or adopt with the Secret of a token",
        ),
        ("instance: marker-of-a-secret", "input.instance: is a string, not an object"),
        ("admin: [marker-of-a-secret]", "input.admin: is a list, not an object"),
        ("admin: {email: {password: marker-of-a-secret}}", "input.admin.email: is an object, not a string"),
        ("admin: {secretRef: marker-of-a-secret}", "input.admin.secretRef: is a string, not an object"),
        (
            "admin: {password: marker-of-a-secret}",
            "input.admin.password: unknown field; write one of: email, emailFromCompositeFieldPath, credentials, secretRef",
        ),
        (
            "instance: {endpoint: {service: {port: marker-of-a-secret}}}",
            "input.instance.endpoint.service.port: is a string, not a number",
        ),
        (
            "instance: {endpoint: {service: {port: 80.5}}}",
            "input.instance.endpoint.service.port: is no whole number; write one",
        ),
        (
            "instance: {endpoint: {service: {scheme: marker-of-a-secret}}}",
            "input.instance.endpoint.service.scheme: is none of the words that it can be; write one of: http, https",
        ),
        (
            "instance: {endpoint: {tls: {insecureSkipVerify: 'yes'}}}",
            "input.instance.endpoint.tls.insecureSkipVerify: is a string, not a boolean",
        ),
        ("connectionDetails: {token: Token}", "input.connectionDetails: is an object, not a list"),
        (
            "connectionDetails: [{name: a, value: marker-of-a-secret}]",
            "input.connectionDetails[0].value: is none of the words that it can be; write one of: Token, Host, OrganizationId, OrganizationSlug, IdentityId, ExpiresAt, Credentials",
        ),
        (
            "connectionDetails: [{name: a, value: token}]",
            "input.connectionDetails[0].value: is none of the words that it can be; did you mean \"Token\"? Write one of: Token, Host, OrganizationId, OrganizationSlug, IdentityId, ExpiresAt, Credentials",
        ),
        ("connectionDetails: [{value: Token}]", "input.connectionDetails[0].name: is missing; write it"),
        (
            "token: {renewAt: [marker-of-a-secret]}",
            r#"input.token.renewAt: is a list, not a number or a fraction such as "1/3""#,
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(refused(patch), expected, "{patch}");
    }
}

#[test]
fn a_field_that_is_null_is_one_that_is_left_out() {
    let parse_with = |fields: [(&str, Json); 2]| {
        let mut input = smallest();
        for (pointer, value) in fields {
            let (object, name) = pointer.rsplit_once('/').unwrap();
            input.pointer_mut(object).unwrap()[name] = value;
        }
        parse(Some(&encode(&input)))
    };
    let none = || Json::Null;
    assert_eq!(
        parse_with([("/token", json!({"renewAt": null})), ("/connectionDetails", none())]),
        parse(Some(&encode(&smallest())))
    );
    let table = [
        (
            [("/instance/endpoint/service/port", none()), ("/token", none())],
            "input.instance.endpoint.service.port: is missing; write it",
        ),
        (
            [("/instance", none()), ("/token", none())],
            "input.instance: is missing; write one with an endpoint",
        ),
        (
            [("/admin", json!({"emial": null})), ("/token", none())],
            "input.admin.emial: unknown field; did you mean \"email\"? Write one of: email, emailFromCompositeFieldPath, credentials, secretRef",
        ),
    ];
    for (fields, expected) in table {
        assert_eq!(parse_with(fields).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_mistake_in_the_endpoint_names_the_field_and_what_to_write() {
    let table = [
        (
            "{endpoint: {service: null}}",
            "endpoint: has no url; write one of: url, fromCompositeFieldPath, fromComposedResource, service",
        ),
        ("{endpoint: {url: 'http://a'}}", "endpoint: both url and service are set; keep one of them"),
        (
            "{endpoint: {service: null, url: infisical}}",
            r#"endpoint.url: it is no URL; write one such as "https://infisical.example.org""#,
        ),
        (
            "{endpoint: {service: null, url: 'https://marker-of-a-secret:x@a'}}",
            "endpoint.url: it has a user name or password in it; take them out",
        ),
        (
            "{endpoint: {service: null, fromComposedResource: {resource: a, fieldPath: spec..host}}}",
            r#"endpoint.fromComposedResource.fieldPath: "spec..host" is no field path: there is an unexpected "." at position 5; write one such as "spec.host""#,
        ),
        (
            "{endpoint: {service: null, fromCompositeFieldPath: spec.url}}",
            "endpoint.allowedHosts: is missing; whoever writes the XR chooses where the admin's password is sent, so list the hosts that it may name, such as \"*.example.org\"",
        ),
        ("{endpoint: {allowedHosts: [a]}}", "endpoint.allowedHosts: is of no use with service; leave it out"),
        (
            "{endpoint: {service: {port: 0}}}",
            "endpoint.service.port: is no port; write a number between 1 and 65535",
        ),
        (
            "{endpoint: {service: {port: 65536}}}",
            "endpoint.service.port: is no port; write a number between 1 and 65535",
        ),
        (
            "{endpoint: {service: {resource: ''}}}",
            "endpoint.service.resource: is no name; write that of a composed resource in the pipeline",
        ),
        (
            "{endpoint: {tls: {serverName: a}}}",
            "endpoint.tls: is of no use with a service of scheme http; leave it out",
        ),
        (
            "{endpoint: {service: null, url: 'http://a', tls: {}}}",
            "endpoint.tls: is of no use with a url of http; leave it out",
        ),
        (
            "{endpoint: {service: {scheme: https}, tls: {caBundle: marker-of-a-secret}}}",
            r#"endpoint.tls.caBundle: is no PEM of certificates; write certificates, each from "-----BEGIN CERTIFICATE-----" on"#,
        ),
        (
            "{endpoint: {service: {scheme: https}, tls: {caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI=}}}",
            r#"endpoint.tls.caBundle: is the base64 of PEM, not PEM; write certificates, each from "-----BEGIN CERTIFICATE-----" on"#,
        ),
        (
            "{endpoint: {service: null, url: 'https://vault/marker-of-a-secret'}}",
            r#"endpoint.url: it has a path after the host, and Infisical has none; write only "https://vault""#,
        ),
        (
            "{endpoint: {service: null, url: 'https://vault?a=marker-of-a-secret'}}",
            r#"endpoint.url: it has a query after the host, and Infisical has none; write only "https://vault""#,
        ),
        (
            "{endpoint: {service: {scheme: https}, tls: {caBundleFrom: {}}}}",
            "endpoint.tls.caBundleFrom: is empty; write one of: configMapRef, secretRef",
        ),
        (
            r#"{endpoint: {service: {scheme: https}, tls: {caBundle: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", caBundleFrom: {secretRef: {name: a}}}}}"#,
            "endpoint.tls: both caBundle and caBundleFrom are set; keep one of them",
        ),
        (
            "{endpoint: {service: {scheme: https}, tls: {caBundleFrom: {secretRef: {name: a}}, insecureSkipVerify: true}}}",
            "endpoint.tls: both caBundleFrom and insecureSkipVerify are set; keep one of them",
        ),
        (
            "{endpoint: {service: {scheme: https}, tls: {serverName: 'a b'}}}",
            r#"endpoint.tls.serverName: is no host; write one such as "infisical.example.org""#,
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(refused(&format!("instance: {patch}")), format!("input.instance.{expected}"), "{patch}");
    }
}

#[test]
fn a_mistake_in_an_allowed_host_says_what_is_wrong_and_what_one_looks_like() {
    let table = [
        ("*", "is no host"),
        ("*.10.0.0.1", "is no host"),
        ("http://", "is no host"),
        ("fd00::1", "is no host"),
        ("https://a/b", "has more in it than scheme, host and port"),
        ("user@a", "has more in it than scheme, host and port"),
        ("ftp://a", "has another scheme than http and https"),
        ("a:0", "has no port between 1 and 65535 after the colon"),
        ("a:b", "has no port between 1 and 65535 after the colon"),
        ("a:", "has no port between 1 and 65535 after the colon"),
    ];
    for (text, problem) in table {
        let error = refused(&format!(
            "instance: {{endpoint: {{service: null, fromCompositeFieldPath: a, allowedHosts: ['{text}']}}}}"
        ));
        let expected = format!(
            r#"input.instance.endpoint.allowedHosts[0]: {problem}; write "infisical.example.org" for https on its default port, "*.example.org" for all hosts below it, and scheme or port where they are others, such as "infisical.example.org:8443" or "http://infisical.tools.svc:8080""#
        );
        assert_eq!(error, expected, "{text}");
    }
}

#[test]
fn a_mistake_in_a_readiness_check_names_the_field_and_what_to_write() {
    let table = [
        (
            "{resource: null, readinessChecks: [{type: None}]}",
            "readinessChecks: are of no use without resource; write that as well",
        ),
        (
            "{readinessChecks: [{type: None}, {type: MatchString, fieldPath: a}]}",
            "readinessChecks[1].matchString: is missing; the type MatchString needs it",
        ),
        (
            "{readinessChecks: [{type: MatchTrue}]}",
            "readinessChecks[0].fieldPath: is missing; the type MatchTrue needs it",
        ),
        (
            "{readinessChecks: [{type: MatchTrue, fieldPath: a, matchString: b}]}",
            "readinessChecks[0].matchString: is of no use with the type MatchTrue; leave it out",
        ),
        (
            "{readinessChecks: [{type: MatchCondition}]}",
            "readinessChecks[0].matchCondition: is missing; the type MatchCondition needs it",
        ),
        (
            "{readinessChecks: [{type: MatchCondition, matchCondition: {type: '', status: 'True'}}]}",
            r#"readinessChecks[0].matchCondition.type: is no type of a condition; write one such as "Ready""#,
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(refused(&format!("instance: {patch}")), format!("input.instance.{expected}"), "{patch}");
    }
}

#[test]
fn a_mistake_in_the_admin_names_the_field_and_what_to_write() {
    let table = [
        (
            "admin: {email: not-an-email}",
            r#"admin.email: "not-an-email" is no email address: it has no name before an "@"; write one such as "platform@example.org""#,
        ),
        (
            "admin: {email: admin@infisical}",
            r#"admin.email: "admin@infisical" is no email address: it has no domain with a dot after the "@"; write one such as "platform@example.org""#,
        ),
        (
            "admin: {email: null}",
            "admin: has no email; write email or emailFromCompositeFieldPath, or credentials or secretRef",
        ),
        (
            "{admin: {email: null}, adopt: {secretRef: {name: a}}}",
            "admin: has no email; write email or emailFromCompositeFieldPath, or credentials or secretRef, or leave admin out beside adopt",
        ),
        (
            "admin: {emailFromCompositeFieldPath: a}",
            "admin: both email and emailFromCompositeFieldPath are set; keep one of them",
        ),
        (
            "admin: {email: null, emailFromCompositeFieldPath: 'marker-of-a-secret]'}",
            r#"admin.emailFromCompositeFieldPath: is no field path: there is an unexpected "]" at position 18; write one such as "spec.admin""#,
        ),
        (
            "admin: {secretRef: {nameFromCompositeFieldPath: '.marker-of-a-secret'}}",
            r#"admin.secretRef.nameFromCompositeFieldPath: is no field path: there is an unexpected "." at position 0; write one such as "spec.admin""#,
        ),
        (
            "admin: {credentials: a, secretRef: {name: b}}",
            "admin: both credentials and secretRef are set; keep one of them",
        ),
        (
            "admin: {credentials: ''}",
            "admin.credentials: is no name; write that of a credential of the pipeline step",
        ),
        ("admin: {secretRef: {}}", "admin.secretRef: has no name; write name or nameFromCompositeFieldPath"),
        (
            "admin: {secretRef: {name: Marker-of-a-secret}}",
            r#"admin.secretRef.name: is no name of an object; write lower-case letters, digits, "-" and "." only"#,
        ),
        (
            "admin: {secretRef: {name: a, passwordKey: 'a b'}}",
            r#"admin.secretRef.passwordKey: is no key of a Secret; write letters, digits, "-", "_" and "." only"#,
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(refused(patch), format!("input.{expected}"), "{patch}");
    }
}

#[test]
fn a_mistake_elsewhere_names_the_field_and_what_to_write() {
    let table = [
        ("organization: ''", "organization: is no name; write one, or leave it out to use the XR's"),
        (
            "{organization: a, organizationFromCompositeFieldPath: b}",
            ": both organization and organizationFromCompositeFieldPath are set; keep one of them",
        ),
        (
            "writeConnectionSecretToRef: {name: -a}",
            r#"writeConnectionSecretToRef.name: is no name of an object; write lower-case letters, digits, "-" and "." only"#,
        ),
        (
            "writeConnectionSecretToRef: {namespace: a.b}",
            r#"writeConnectionSecretToRef.namespace: is no name of a namespace; write lower-case letters, digits and "-" only"#,
        ),
        (
            "connectionDetails: [{name: host, value: Host}]",
            "connectionDetails: has no Token; add one such as {name: token, value: Token}",
        ),
        (
            "connectionDetails: [{name: a, value: Token}, {name: a, value: Host}]",
            r#"connectionDetails[1].name: "a" is taken by another connection detail; rename one"#,
        ),
        (
            "connectionDetails: [{name: '..', value: Token}]",
            r#"connectionDetails[0].name: is no key of a Secret; write letters, digits, "-", "_" and "." only"#,
        ),
        ("token: {verifyInterval: 10}", "token.verifyInterval: is a number, not a string"),
        (
            "token: {verifyInterval: '10'}",
            r#"token.verifyInterval: is no duration; write one such as "90s", "10m" or "1h30m""#,
        ),
        (
            "token: {verifyInterval: 9s}",
            r#"token.verifyInterval: is out of bounds; write a duration between "10s" and "24h""#,
        ),
        (
            "token: {verifyInterval: 25h}",
            r#"token.verifyInterval: is out of bounds; write a duration between "10s" and "24h""#,
        ),
        (
            "token: {renewAt: 1}",
            r#"token.renewAt: is no fraction between 0 and 1; write one such as 0.25 or "1/3""#,
        ),
        (
            "token: {renewAt: 0/0}",
            r#"token.renewAt: is no fraction between 0 and 1; write one such as 0.25 or "1/3""#,
        ),
        (
            "status: spec.infisical",
            r#"status: is no field of the XR's status; write one such as "status.infisical""#,
        ),
        ("status: status", r#"status: is no field of the XR's status; write one such as "status.infisical""#),
        (
            "status: 'status.list[0]'",
            r#"status: is no field of the XR's status; write one such as "status.infisical""#,
        ),
    ];
    for (patch, expected) in table {
        let dot = if expected.starts_with(':') { "" } else { "." };
        assert_eq!(refused(patch), format!("input{dot}{expected}"), "{patch}");
    }
}

#[test]
fn what_is_no_input_at_all_is_refused() {
    assert_eq!(
        parse(None).unwrap_err().to_string(),
        "input: is missing; write one with apiVersion \"infisical.fn.crossplane.io/v1beta1\", kind \
         \"Bootstrap\", instance.endpoint and admin.email"
    );
    assert_eq!(parse(Some(b"\x0a\x05")), Err(InputError::Undecodable));
    assert!(matches!(parse(Some(b"")), Err(InputError::AnotherKind { field: "apiVersion", .. })));

    let mut deep = smallest();
    deep["metadata"] = (0..1000).fold(json!(1), |inner, _| json!({ "a": inner }));
    let encoded = encode(&deep);
    // Dropping what serde_json nested as deep is not what is tested here.
    assert_eq!(parse(Some(&encoded)), Err(InputError::Undecodable));
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut input = Struct::decode(&*encode(&smallest())).unwrap();
        let token = Struct {
            fields: [("renewAt".to_owned(), Value { kind: Some(Kind::NumberValue(number)) })].into(),
        };
        input.fields.insert("token".to_owned(), Value { kind: Some(Kind::StructValue(token)) });
        let error = parse(Some(&input.encode_to_vec())).unwrap_err();
        assert_eq!(error.to_string(), "input.token.renewAt: is not finite; write a number");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(Some(&bytes));
    }

    #[test]
    fn an_input_with_any_byte_changed_is_answered_in_one_line(at in any::<prop::sample::Index>(), byte: u8) {
        let mut encoded = encode(&smallest());
        let at = at.index(encoded.len());
        encoded[at] = byte;
        if let Err(error) = parse(Some(&encoded)) {
            prop_assert!(!error.to_string().contains(char::is_control), "{}", error);
        }
    }
}

#[test]
fn handing_off_is_off_and_asked_for_by_an_empty_object() {
    assert_eq!(parsed("{}").hand_off, None);
    let asked = parsed("handOff: {}").hand_off.unwrap();
    assert_eq!((asked.role.as_str(), asked.instance_admin), ("member", InstanceAdmin::Keep));
    assert_eq!(asked.secret, None);
    let keys: Vec<_> = asked.details.iter().map(|detail| detail.name.as_str()).collect();
    let default = [
        "clientId",
        "clientSecret",
        "host",
        "organizationId",
        "organizationSlug",
        "identityId",
        "credentials",
    ];
    assert_eq!(keys, default);

    let all = parsed(
        "handOff: {role: no-access, projects: [{slug: a}, {slug: b_1, role: viewer}, {slugFromCompositeFieldPath: spec.slug}], instanceAdmin: Revoke, writeConnectionSecretToRef: {name: a, namespace: b},
         connectionDetails: [{name: ID, value: ClientId}, {name: SECRET, value: ClientSecret}]}",
    );
    let all = all.hand_off.unwrap();
    assert_eq!((all.role.as_str(), all.instance_admin), ("no-access", InstanceAdmin::Revoke));
    let secret = SecretRef { name: Some("a".to_owned()), namespace: Some("b".to_owned()) };
    assert_eq!(all.secret, Some(secret));
    assert_eq!(all.details.len(), 2);
    let projects: Vec<_> = all.projects.iter().map(|it| (it.slug.clone(), it.role.as_str())).collect();
    let literal = |slug: &str| ProjectSlug::Literal(slug.to_owned());
    let of_xr = ProjectSlug::FromCompositeFieldPath(path("spec.slug"));
    assert_eq!(projects, [(literal("a"), "member"), (literal("b_1"), "viewer"), (of_xr, "member")]);
}

#[test]
fn a_mistake_in_handing_off_names_its_field() {
    let table = [
        ("handOff: {role: marker-of-a-secret X}", "input.handOff.role: is no slug"),
        ("handOff: {role: ''}", "input.handOff.role: is no slug"),
        ("handOff: {instanceAdmin: marker-of-a-secret}", "input.handOff.instanceAdmin: is none of the words"),
        (
            "handOff: {writeConnectionSecretToRef: {name: 'Marker-of-a-secret'}}",
            "input.handOff.writeConnectionSecretToRef.name: is no name",
        ),
        (
            "handOff: {connectionDetails: [{name: a, value: ClientId}]}",
            "input.handOff.connectionDetails: has no ClientSecret",
        ),
        (
            "handOff: {connectionDetails: [{name: a, value: ClientSecret}]}",
            "input.handOff.connectionDetails: has no ClientId",
        ),
        (
            "handOff: {connectionDetails: [{name: a, value: ClientId}, {name: a, value: ClientSecret}]}",
            "input.handOff.connectionDetails[1].name: \"a\" is taken",
        ),
        (
            "handOff: {projects: [{}]}",
            "input.handOff.projects[0]: has no slug; write slug or slugFromCompositeFieldPath",
        ),
        (
            "handOff: {projects: [{slug: a, slugFromCompositeFieldPath: spec.a}]}",
            "input.handOff.projects[0]: both slug and slugFromCompositeFieldPath are set; keep one of them",
        ),
        (
            "handOff: {projects: [{slugFromCompositeFieldPath: 'spec[a'}]}",
            "input.handOff.projects[0].slugFromCompositeFieldPath: \"spec[a\" is no field path",
        ),
        ("handOff: {projects: [{slug: Marker-of-a-secret}]}", "input.handOff.projects[0].slug: is no slug"),
        (
            "handOff: {projects: [{slug: a}, {slug: a}]}",
            "input.handOff.projects[1].slug: \"a\" is there already",
        ),
        ("handOff: {projects: [{slug: a, role: A b}]}", "input.handOff.projects[0].role: is no slug"),
        ("handOff: {status: spec.a}", "input.handOff.status: is no field of the XR's status"),
        (
            "{status: status.a.b, handOff: {status: status.a}}",
            "input.handOff.status: is the field of input.status, or around it",
        ),
        (
            "handOff: {project: []}",
            "input.handOff.project: unknown field; did you mean \"projects\"? Write one of: role, projects, ",
        ),
        ("handoff: {}", "input.handoff: unknown field; did you mean \"handOff\"? Write one of: "),
        (
            "handOff: {rol: member}",
            "input.handOff.rol: unknown field; did you mean \"role\"? Write one of: role, ",
        ),
        (
            "handOff: {instanceAdmin: revoke}",
            "input.handOff.instanceAdmin: is none of the words that it can be; did you mean \"Revoke\"? Write one of: Keep, Revoke",
        ),
        (
            "handOff: {writeConnectionSecretToRef: {namspace: a}}",
            "input.handOff.writeConnectionSecretToRef.namspace: unknown field; did you mean \"namespace\"? Write one of: name, namespace",
        ),
        (
            "handOff: {connectionDetails: [{name: a, value: clientID}]}",
            "input.handOff.connectionDetails[0].value: is none of the words that it can be; did you mean \"ClientId\"? Write one of: ClientId, ",
        ),
    ];
    for (patch, expected) in table {
        let error = refused(patch);
        assert!(error.starts_with(expected), "{patch}: {error}");
    }
}
