//! What makes a service's tables: the host's own, which stand in every database, then the service's.

use std::sync::Arc;

use sqlx::migrate::{Migration, Migrator};

static HOST_SQLITE: Migrator = sqlx::migrate!("../migrations/host/sqlite");
static HOST_POSTGRES: Migrator = sqlx::migrate!("../migrations/host/postgres");

/// Above every number of the host's: both count their files from 1, and neither need know how far
/// the other has come.
const SERVICE_FROM: i64 = 10_000;

/// What makes the tables that are a service's own.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// In SQLite.
    pub sqlite: &'static Migrator,
    /// In PostgreSQL.
    pub postgres: &'static Migrator,
}

/// What makes all tables of a service's database.
#[derive(Clone, Debug)]
pub(super) struct Complete {
    pub(super) sqlite: Arc<Migrator>,
    pub(super) postgres: Arc<Migrator>,
}

impl Migrations {
    pub(super) fn with_the_hosts(self) -> Complete {
        Complete {
            sqlite: Arc::new(joined(&HOST_SQLITE, self.sqlite)),
            postgres: Arc::new(joined(&HOST_POSTGRES, self.postgres)),
        }
    }
}

fn joined(host: &Migrator, service: &Migrator) -> Migrator {
    let later = |migration: &Migration| Migration {
        version: SERVICE_FROM + migration.version,
        ..migration.clone()
    };
    let service = service.iter().map(later);
    Migrator::with_migrations(host.iter().cloned().chain(service).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_tables_come_before_the_services_and_no_number_comes_twice() {
        for host in [&HOST_SQLITE, &HOST_POSTGRES] {
            // The longest possible service: numbered as the host is.
            let all = joined(host, host);
            let versions: Vec<i64> = all.iter().map(|migration| migration.version).collect();
            let hosts: Vec<i64> = host.iter().map(|migration| migration.version).collect();
            let services = hosts.iter().map(|version| SERVICE_FROM + version);
            let expected: Vec<i64> = hosts.iter().copied().chain(services).collect();
            assert_eq!(versions, expected);
            assert!(!hosts.is_empty() && versions.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn both_dialects_have_the_same_migrations() {
        let names = |migrator: &Migrator| -> Vec<(i64, String)> {
            let name = |m: &Migration| (m.version, m.description.to_string());
            migrator.iter().map(name).collect()
        };
        assert_eq!(names(&HOST_SQLITE), names(&HOST_POSTGRES));
    }
}
