//! What runs on loopback: the fake Infisical and the real function server.

use std::{error::Error, sync::Arc, time::Duration};

use daemon::clock::SystemClock;
use fake_infisical::{FakeInfisical, Fault, On, Options, Settings, Times};
use function_infisical::{
    contract::proto::v1::function_runner_service_client::FunctionRunnerServiceClient,
    function::Function,
    server::{Security, ServeError, Server, ServerConfig},
};
use infisical::{
    client::Connector,
    endpoint::{Endpoint, Origin, Tls},
};
use prometheus_client::registry::Registry;
use rand::{
    SeedableRng as _,
    rngs::{StdRng, SysRng},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::Args;

/// The two servers.
pub(crate) struct Stage {
    /// Calls the function.
    pub(crate) function: FunctionRunnerServiceClient<Channel>,
    /// Where Infisical is.
    pub(crate) infisical: Endpoint,
    /// What is told of the cast.
    pub(crate) cast: String,
    fake: Option<FakeInfisical>,
    stop: mpsc::Sender<&'static str>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Stage {
    /// Starts what the arguments ask for.
    pub(crate) async fn set(args: &Args) -> Result<Self, Box<dyn Error>> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (fake, url, who) = match &args.infisical_url {
            Some(url) => (None, url.clone(), "Infisical"),
            None => {
                let fake = start_fake(args).await?;
                let url = fake.url();
                (Some(fake), url, "the fake Infisical")
            }
        };
        let origin = Origin::parse(&url)?;

        let config = ServerConfig {
            address: "127.0.0.1:0".parse()?,
            metrics_address: None,
            security: Security::Insecure,
            max_recv_message_bytes: 4 << 20,
            shutdown_grace: Duration::from_secs(10),
        };
        let server = Server::bind(config, Registry::default()).await?;
        let address = server.local_addr();
        let rng = StdRng::try_from_rng(&mut SysRng)?;
        let function = Arc::new(Function::new(Arc::new(Connector::default()), Arc::new(SystemClock), rng));
        let (stop, stopped) = mpsc::channel(1);
        #[expect(clippy::disallowed_methods, reason = "the server itself; `clear` waits for its end")]
        let serving = tokio::task::spawn(async move {
            server.serve(function, ReceiverStream::new(stopped)).await.map(drop)
        });
        let function = FunctionRunnerServiceClient::new(
            Channel::from_shared(format!("http://{address}"))?.connect().await?,
        );
        let cast = format!("function at {address}, {who} at {origin}");
        Ok(Self { function, infisical: Endpoint::new(origin, Tls::default()), cast, fake, stop, serving })
    }

    /// How often the fake was asked to bootstrap itself, and how often it did.
    pub(crate) fn bootstraps(&self) -> Option<(usize, usize)> {
        let bootstraps = self.fake.as_ref()?.bootstraps();
        Some((bootstraps.asked, bootstraps.successful))
    }

    /// Stops the servers.
    pub(crate) async fn clear(self) -> Result<(), Box<dyn Error>> {
        self.stop.send("end of the play").await?;
        drop(self.function);
        self.serving.await??;
        Ok(())
    }
}

async fn start_fake(args: &Args) -> Result<FakeInfisical, Box<dyn Error>> {
    let settings = Settings { variant: args.variant.into(), ..Settings::default() };
    let fake = FakeInfisical::start(Options { settings, seed: 1, ..Options::default() }).await?;
    let delay = Duration::try_from_secs_f64(args.delay)?;
    if !delay.is_zero() {
        fake.inject(On::Any, Times::Always, Fault::Delay(delay));
    }
    Ok(fake)
}
