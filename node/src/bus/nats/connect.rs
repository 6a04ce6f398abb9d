//! How the broker is reached: addresses, credentials, and for ever again.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

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
    /// What the subjects begin with on which this process is answered.
    pub inbox_prefix: Option<InboxPrefix>,
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

/// What the subjects of answers begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxPrefix(String);

/// A prefix that no subject can begin with.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} cannot begin a subject: words of visible ASCII with dots between them, without * and >"
)]
pub struct InboxPrefixError(String);

impl FromStr for InboxPrefix {
    type Err = InboxPrefixError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: u8| c.is_ascii_graphic() && !b"*>".contains(&c);
        let word = |word: &str| !word.is_empty() && word.bytes().all(fits);
        if text.split('.').all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InboxPrefixError(text.to_owned()))
        }
    }
}

impl Settings {
    /// The prefix that was named, or the user's own; `None` where the broker's usual one does.
    fn inbox_prefix(&self) -> Result<Option<InboxPrefix>, BusFault> {
        match (&self.inbox_prefix, &self.user) {
            (Some(prefix), _) => Ok(Some(prefix.clone())),
            (None, Some((user, _))) => format!("_INBOX_{user}").parse().map(Some).map_err(|_| {
                BusFault(format!(
                    "the user {user:?} cannot be part of a subject; set ONHAND_NATS_INBOX_PREFIX"
                ))
            }),
            (None, None) => Ok(None),
        }
    }
}

/// Addresses as they may be shown: without the user and password that can stand in them.
pub fn shown(url: &str) -> String {
    let one = |address: &str| match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}{}", &address[..scheme + 3], &address[at + 1..])
        }
        (None, Some(at)) => address[at + 1..].to_owned(),
        _ => address.to_owned(),
    };
    url.split(',').map(one).collect::<Vec<_>>().join(",")
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
        options = options.user_and_password(user.clone(), password.clone());
    }
    if let Some(InboxPrefix(prefix)) = settings.inbox_prefix()? {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(creds) = &settings.creds {
        options = options
            .credentials_file(creds)
            .await
            .map_err(|error| BusFault(format!("credentials {}: {error}", creds.display())))?;
    }
    if let Some(ca) = &settings.ca {
        // The library would read it anew for each connection, and try for ever.
        if let Err(error) = std::fs::File::open(ca) {
            return Err(BusFault(format!("certificate {}: {error}", ca.display())));
        }
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    let direction = direction.to_owned();
    let state = state.map(Arc::new);
    let told = Mutex::new(None);
    options = options.event_callback(move |event| {
        tell(&direction, &event, &told);
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
            if address.trim().is_empty() {
                return Err(BusFault("an address in ONHAND_NATS_URL is empty".into()));
            }
            address
                .trim()
                .parse()
                .map_err(|error| BusFault(format!("{:?}: {error}", shown(address))))
        })
        .collect::<Result<_, _>>()?;
    options.connect(addresses).await.map_err(fault)
}

/// Logs what becomes of a connection; what repeats while a broker is away is told once.
fn tell(direction: &str, event: &async_nats::Event, told: &Mutex<Option<String>>) {
    let mut told = told.lock().expect("nothing panics while it is held");
    match event {
        async_nats::Event::Connected => {
            tracing::info!(direction, "connected to the broker");
            *told = None;
        }
        async_nats::Event::Closed => {
            tracing::debug!(direction, "the connection to the broker is closed");
        }
        other => {
            let other = other.to_string();
            if told.as_ref() == Some(&other) {
                tracing::debug!(direction, "broker: {other}, again");
            } else {
                tracing::warn!(direction, "broker: {other}");
                *told = Some(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_under_the_named_prefix_or_the_users_own() {
        let user = |name: &str| Some((name.to_owned(), "secret".to_owned()));
        let prefix = |named: Option<&str>, user| {
            let settings = Settings {
                inbox_prefix: named.map(|named| named.parse().unwrap()),
                user,
                ..Settings::default()
            };
            settings.inbox_prefix().map_err(|fault| fault.to_string())
        };
        let is = |text: &str| Ok(Some(InboxPrefix(text.to_owned())));
        assert_eq!(prefix(None, None), Ok(None));
        assert_eq!(prefix(None, user("order-node")), is("_INBOX_order-node"));
        assert_eq!(prefix(Some("_IN.me"), None), is("_IN.me"));
        assert_eq!(prefix(Some("_IN.me"), user("order-node")), is("_IN.me"));
        assert_eq!(prefix(Some("_IN"), user("two words")), is("_IN"));
        let refused = prefix(None, user("two words")).unwrap_err();
        assert!(refused.contains("ONHAND_NATS_INBOX_PREFIX"), "{refused}");
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_subject() {
        for text in ["", ".", "a.", ".a", "a..b", "a.*", "a.>", "a b", "ä"] {
            assert!(text.parse::<InboxPrefix>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        let all = "nats://me:secret@a:4222,b:4222,tls://token@c,me:p@ss@d:1";
        assert_eq!(shown(all), "nats://a:4222,b:4222,tls://c,d:1");
    }
}
