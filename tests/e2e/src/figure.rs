//! The figure that users feel: from the instance's Available to the connection
//! Secret in the cluster, beside what the same server took for the same calls
//! alone.

use std::time::Duration;

use fake_infisical::Variant;
use infisical::{
    Connect as _,
    api::{
        Bootstrap, ListAdminIdentities, ListOrganizations, Login, MintToken, ReadConfig, SelectOrganization,
        VerifyToken,
    },
    client::Connector,
    endpoint::{Endpoint, Origin, Tls},
    secret::{Credentials, Email, Password},
};

use crate::{cluster::now, world::infisical};

/// What is allowed above the time that the server itself needs.
const ALLOWED: Duration = Duration::from_millis(150);

/// What was measured of one variant, once.
pub(crate) struct Figure {
    pub(crate) variant: Variant,
    pub(crate) to_secret: Duration,
    pub(crate) to_ready: Duration,
    pub(crate) alone: Duration,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Figures(pub(crate) Vec<Figure>);

impl Figures {
    /// Prints the median of each variant; whether each is as fast as it should.
    pub(crate) fn print(&self) -> bool {
        let mut all_fast = true;
        for variant in [Variant::Strict, Variant::Lenient, Variant::Fixed] {
            let of_variant: Vec<_> = self.0.iter().filter(|figure| figure.variant == variant).collect();
            let median = |of: fn(&Figure) -> Duration| {
                let mut all: Vec<_> = of_variant.iter().map(|figure| of(figure)).collect();
                all.sort();
                all.get(all.len() / 2).copied()
            };
            let measured = (median(|it| it.to_secret), median(|it| it.to_ready), median(|it| it.alone));
            let (Some(to_secret), Some(to_ready), Some(alone)) = measured else { continue };
            let is_fast = to_secret <= alone + ALLOWED;
            println!(
                "{}  {variant:?}: from Available to the Secret {} ms, to Ready {} ms; the server alone {} ms",
                if is_fast { "fast  " } else { "SLOW  " },
                to_secret.as_millis(),
                to_ready.as_millis(),
                alone.as_millis(),
            );
            all_fast &= is_fast;
        }
        all_fast
    }
}

/// How long a server of this variant takes for the calls that lead to a token.
pub(crate) async fn alone(variant: Variant) -> Duration {
    let fake = infisical(variant).await;
    let origin = Origin::parse(&fake.url()).expect("the fake has a URL");
    let server =
        Connector::default().connect(&Endpoint::new(origin, Tls::default())).expect("no TLS to go wrong");
    let email = Email::parse("platform@example.org").expect("an email");
    let admin = Credentials { email, password: Password::new("marker-password-of-the-measurement") };
    let begin = now();
    server.send(&ReadConfig).await.expect("the fake answers");
    let bootstrap = Bootstrap { admin: &admin, organization: "figure" };
    let token = server.send(&bootstrap).await.expect("the fake is new").token;
    if server.send(&VerifyToken { token: &token }).await.is_ok() {
        return begin.elapsed();
    }
    let session = server.send(&Login { admin: &admin }).await.expect("the admin logs in");
    let list = ListOrganizations { session: &session };
    let organizations = server.send(&list).await.expect("the admin has an organization");
    let select = SelectOrganization { session: &session, organization_id: &organizations[0].id };
    let session = server.send(&select).await.expect("it can be selected").token;
    let list = ListAdminIdentities { session: &session, offset: 0 };
    let identities = server.send_pages(&list).await.expect("the admin sees identities");
    let mint = MintToken { session: &session, identity_id: &identities[0].id, name: "figure" };
    let minted = server.send(&mint).await.expect("a token is minted");
    server.send(&VerifyToken { token: &minted.token }).await.expect("a minted token works");
    begin.elapsed()
}
