//! The client on the fake's core, without a network: for simulated time.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fake_infisical::{Instance, Settings};
use infisical::{
    ErrorKind,
    api::{Bootstrap, ListAdminIdentities, Login, MintToken, SelectOrganization, VerifyToken},
    client::{Client, Exchange, Request, Response},
    secret::{Credentials, Email, Password},
};
use jiff::Timestamp;

use crate::translate::{from_fake, to_fake};

struct Direct {
    instance: Mutex<Instance>,
    now: Timestamp,
}

#[async_trait]
impl Exchange for Direct {
    async fn send(&self, request: Request) -> Result<Response, ErrorKind> {
        Ok(from_fake(self.instance.lock().unwrap().handle(self.now, &to_fake(&request))))
    }
}

#[tokio::test]
async fn the_client_needs_no_network() {
    let now = "2026-11-24T00:00:00Z".parse().unwrap();
    let direct = Arc::new(Direct { instance: Mutex::new(Instance::new(Settings::default(), 7)), now });
    let client = Client::new(Arc::clone(&direct));
    let admin = Credentials {
        email: Email::parse("admin@example.com").unwrap(),
        password: Password::new("marker-password"),
    };
    let bootstrap = Bootstrap { admin: &admin, organization: "Acme" };
    let organization = client.send(&bootstrap).await.unwrap().organization;
    let user = client.send(&Login { admin: &admin }).await.unwrap();
    let select = SelectOrganization { session: &user, organization_id: &organization.id };
    let session = &client.send(&select).await.unwrap().token;
    let identities = client.send_pages(&ListAdminIdentities { session, offset: 0 }).await.unwrap();
    let mint = MintToken { session, identity_id: &identities[0].id, name: "direct" };
    let minted = client.send(&mint).await.unwrap();
    assert_eq!(client.send(&VerifyToken { token: &minted.token }).await.unwrap(), organization);
    assert!(direct.instance.lock().unwrap().token_works(now, minted.token.expose()));
}
