//! The client on the fake's core, without a network: for simulated time.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fake_infisical::{Instance, Settings};
use function_infisical::{
    infisical::{
        ErrorKind, Infisical as _,
        client::{Client, Exchange, Request, Response},
    },
    secret::{Credentials, Email, Password},
};
use jiff::Timestamp;

/// What the client sends, as the fake takes it.
pub(crate) fn to_fake(request: &Request) -> fake_infisical::Request {
    let mut sent = fake_infisical::Request::new(request.operation.method().as_str(), &request.path);
    sent.authorization = request.authorization.as_ref().map(|value| value.to_str().unwrap().to_owned());
    if let Some(body) = &request.body {
        sent.content_type = Some("application/json".to_owned());
        sent.body = body.to_vec();
    }
    sent
}

/// What the fake answers, as the client takes it.
pub(crate) fn from_fake(response: fake_infisical::Response) -> Response {
    let header = |name| response.headers.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone());
    Response {
        status: response.status,
        location: header("location"),
        retry_after: header("retry-after"),
        content_type: Some(response.content_type),
        body: response.body.into(),
    }
}

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
    let organization = client.bootstrap(&admin, "Acme").await.unwrap().organization;
    let user = client.login(&admin).await.unwrap();
    let session = client.select_organization(&user, &organization.id).await.unwrap().token;
    let identities = client.admin_identities(&session).await.unwrap();
    let minted = client.mint_token(&session, &identities[0].id, "direct").await.unwrap();
    assert_eq!(client.identity_details(&minted.token).await.unwrap(), organization);
    assert!(direct.instance.lock().unwrap().token_works(now, minted.token.expose()));
}
