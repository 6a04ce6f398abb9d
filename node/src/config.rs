//! What every program of Onhand is told: by flag or by variable, under the same name.

use std::{num::NonZero, path::PathBuf, sync::Arc};

use messages::Service;

use crate::{
    bus::{Bus, BusFault, nats},
    host::{Host, Limits, StartError},
    seams::{SystemClock, SystemIds},
    store::DatabaseUrl,
    telemetry::LogFormat,
};

/// Settings that every program shares.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Folder of databases, addresses and the broker's store
    #[arg(
        long,
        env = "ONHAND_DATA",
        default_value = "./data",
        value_name = "FOLDER"
    )]
    pub data: PathBuf,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would take it for the help of the whole program"
    )]
    pub broker: Broker,
    /// What is logged: a level, or targets with levels, such as `info,node=debug`
    #[arg(
        long,
        env = "ONHAND_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log: String,
    /// How it is logged
    #[arg(long, env = "ONHAND_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Partitions of each service; fixed when databases and streams are first made
    #[arg(long, env = "ONHAND_PARTITIONS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub partitions: u16,
    /// Partitions of each service that this process owns at most [default: all]
    #[arg(long, env = "ONHAND_PARTITIONS_MAX", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub partitions_max: Option<u16>,
    #[command(flatten, next_help_heading = "Limits")]
    #[expect(
        missing_docs,
        reason = "clap would take it for the help of the whole program"
    )]
    pub limits: Limits,
}

/// How the broker is reached; also behind the name of a tool's action.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Broker {
    /// Addresses of the broker, with commas between them
    #[arg(
        long,
        env = "ONHAND_NATS_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL"
    )]
    pub nats_url: Option<String>,
    /// Credentials file for the broker
    #[arg(long, env = "ONHAND_NATS_CREDS", global = true, value_name = "FILE")]
    pub nats_creds: Option<PathBuf>,
    /// User at the broker
    #[arg(
        long,
        env = "ONHAND_NATS_USER",
        global = true,
        requires = "nats_password",
        value_name = "NAME"
    )]
    pub nats_user: Option<String>,
    /// Password at the broker
    #[arg(
        long,
        env = "ONHAND_NATS_PASSWORD",
        global = true,
        requires = "nats_user",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub nats_password: Option<String>,
    /// What the subjects begin with on which it is answered: `_INBOX_` and the user, or `_INBOX`, where nobody says
    #[arg(
        long,
        env = "ONHAND_NATS_INBOX_PREFIX",
        global = true,
        value_name = "SUBJECT"
    )]
    pub nats_inbox_prefix: Option<nats::InboxPrefix>,
    /// Certificate of the authority that signed the broker's certificate; demands TLS
    #[arg(long, env = "ONHAND_NATS_CA", global = true, value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,
    /// Copies that a cluster of brokers keeps of each stream
    #[arg(long, env = "ONHAND_NATS_REPLICAS", global = true, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub nats_replicas: u8,
}

impl Broker {
    /// Starts connecting.
    pub async fn connect(
        &self,
        url: &str,
        name: &str,
        partitions: u16,
        services: &[Service],
    ) -> Result<Arc<dyn Bus>, BusFault> {
        let nats = nats::Nats::connect(nats::Settings {
            url: url.to_owned(),
            creds: self.nats_creds.clone(),
            user: self.nats_user.clone().zip(self.nats_password.clone()),
            inbox_prefix: self.nats_inbox_prefix.clone(),
            ca: self.nats_ca.clone(),
            name: name.to_owned(),
            replicas: usize::from(self.nats_replicas),
            partitions,
            services: services.to_vec(),
        })
        .await?;
        Ok(nats)
    }
}

impl Common {
    /// Makes the data folder.
    ///
    /// # Errors
    /// One line that says what stands in the way.
    pub fn prepare(&self) -> Result<(), StartError> {
        std::fs::create_dir_all(&self.data).map_err(|error| {
            StartError(format!(
                "the data folder {} cannot be made: {error}; set ONHAND_DATA",
                self.data.display()
            ))
        })
    }

    /// A service's database: the one that was named, or a file in the data folder.
    pub fn database_url(
        &self,
        named: Option<&DatabaseUrl>,
        service: impl std::fmt::Display,
    ) -> DatabaseUrl {
        named
            .cloned()
            .unwrap_or_else(|| DatabaseUrl::Sqlite(self.data.join(format!("{service}.db"))))
    }

    /// What a service's host stands on, on this machine's clock and chance.
    pub fn host(&self, bus: Arc<dyn Bus>) -> Host {
        Host {
            bus,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds::default()),
            limits: self.limits.clone(),
            partitions: self.partitions,
            partitions_max: self.partitions_max.unwrap_or(self.partitions),
            journals: Some(journal_threads()),
        }
    }
}

impl clap::builder::ValueParserFactory for DatabaseUrl {
    type Parser = DatabaseUrlParser;

    fn value_parser() -> Self::Parser {
        DatabaseUrlParser
    }
}

/// Reads a database's address, and does not repeat one that is wrong: it may hold a password.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseUrlParser;

impl clap::builder::TypedValueParser for DatabaseUrlParser {
    type Value = DatabaseUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let text = value.to_str().unwrap_or_default();
        text.parse().map_err(|error| {
            let arg = arg.map(ToString::to_string).unwrap_or_default();
            let what = format!("invalid value for '{arg}': {error}\n");
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, what).with_cmd(command)
        })
    }
}

/// Threads for the journals of this process, which commit there: one for two cores. They live as
/// long as the process.
fn journal_threads() -> tokio::runtime::Handle {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .thread_name("journal")
        .enable_all()
        .build()
        .expect("a process that has begun can start more threads");
    // A runtime must not end inside another, and this one never ends.
    Box::leak(Box::new(runtime)).handle().clone()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[arg(long)]
        database_url: Option<DatabaseUrl>,
    }

    #[test]
    fn an_address_that_is_wrong_is_refused_without_its_password() {
        let bad = "postgres://user:secret@host:port/name";
        let error = Program::try_parse_from(["program", "--database-url", bad]).unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("secret"), "{text}");
        assert!(
            text.starts_with("error: invalid value for '--database-url"),
            "{text}"
        );
        assert!(
            text.contains("postgres://USER:PASSWORD@HOST/NAME"),
            "{text}"
        );

        let good = Program::try_parse_from(["program", "--database-url", "sqlite:a.db"]).unwrap();
        assert_eq!(good.database_url, Some(DatabaseUrl::Sqlite("a.db".into())));
    }
}
