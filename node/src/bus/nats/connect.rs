//! How the broker is reached: addresses, credentials, and for ever again.

use std::{path::PathBuf, sync::Arc, time::Duration};

use messages::Service;
use tokio::sync::watch;

use super::fault;
use crate::bus::{BusFault, Link};

/// How the broker is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Addresses, with commas between them.
    pub url: String,
    /// A credentials file.
    pub creds: Option<PathBuf>,
    /// A user and its password.
    pub user: Option<(String, String)>,
    /// The certificate of the authority that signed the servers' certificates.
    pub ca: Option<PathBuf>,
    /// The name by which operators see this connection.
    pub name: String,
    /// How many copies of each stream a cluster keeps.
    pub replicas: usize,
    /// The number of partitions.
    pub partitions: u16,
    /// The services whose streams this process uses.
    pub services: Vec<Service>,
}

/// Starts connecting; what becomes of it shows in `state`.
pub(super) async fn client(
    settings: &Settings,
    direction: &str,
    state: Option<watch::Sender<Link>>,
) -> Result<async_nats::Client, BusFault> {
    let mut options = async_nats::ConnectOptions::new()
        .name(format!("{} ({direction})", settings.name))
        .max_reconnects(None)
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(3))
        .ping_interval(Duration::from_secs(5))
        .subscription_capacity(65_536)
        .client_capacity(8_192)
        .reconnect_delay_callback(|attempts| {
            Duration::from_millis((50 * attempts.min(20) as u64).max(20))
        });
    if let Some((user, password)) = &settings.user {
        options = options
            .user_and_password(user.clone(), password.clone())
            .custom_inbox_prefix(format!("_INBOX_{user}"));
    }
    if let Some(creds) = &settings.creds {
        options = options
            .credentials_file(creds)
            .await
            .map_err(|error| BusFault(format!("credentials {}: {error}", creds.display())))?;
    }
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    let direction = direction.to_owned();
    let state = state.map(Arc::new);
    options = options.event_callback(move |event| {
        match &event {
            async_nats::Event::Connected => tracing::info!(direction, "connected to the broker"),
            async_nats::Event::Closed => {
                tracing::debug!(direction, "the connection to the broker is closed");
            }
            other => tracing::warn!(direction, "broker: {other}"),
        }
        if let Some(state) = &state {
            match event {
                async_nats::Event::Connected => state.send_modify(|link| {
                    link.connected = true;
                    link.connections += 1;
                }),
                async_nats::Event::Disconnected | async_nats::Event::Closed => {
                    state.send_modify(|link| link.connected = false);
                }
                _ => {}
            }
        }
        std::future::ready(())
    });
    let addresses: Vec<async_nats::ServerAddr> = settings
        .url
        .split(',')
        .map(|address| {
            address
                .trim()
                .parse()
                .map_err(|error| BusFault(format!("{address:?}: {error}")))
        })
        .collect::<Result<_, _>>()?;
    options.connect(addresses).await.map_err(fault)
}
