//! What gives back an effect whose order does not exist: the command that the order would have
//! sent, had it lived. Named with the finding, and sent where a person wants it.
//!
//! The audit itself never writes: the owner carries it out, as it does every release.

use std::collections::{BTreeMap, btree_map::Entry};
use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use messages::envelope::{Body, Origin};
use messages::{
    EntityId, Envelope, Money, OrderId, Quantity, RequestId, Service, Timestamp, UserId, coupon,
    payment, point, product, wire,
};
use node::bus::{Bus, Outbound, publish};
use node::config::Broker;
use node::seams::{Clock as _, SystemClock};
use node::table::Kind;
use serde::Serialize;

use super::{Databases, open};
use crate::connect::connect;

/// A release to be sent to the owner of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Release {
    pub(super) service: Service,
    pub(super) request_id: String,
    /// Whose effect it undoes.
    pub(super) entity: String,
    pub(super) order: String,
    /// How much was taken; one coupon.
    pub(super) amount: i64,
}

impl Release {
    /// What undoes an effect that was recorded under this request id.
    pub(super) fn of(
        service: Service,
        reserve: &str,
        entity: &str,
        order: &str,
        amount: i64,
    ) -> Option<Self> {
        let request_id = RequestId::from(reserve).counterpart()?;
        Some(Self {
            service,
            request_id: request_id.to_string(),
            entity: entity.to_owned(),
            order: order.to_owned(),
            amount,
        })
    }

    /// The command as it travels. `user` is whose coupon it is.
    fn envelope(&self, user: Option<&str>, at: Timestamp) -> Result<Vec<u8>> {
        let order: OrderId = self.order.parse().context("no order has such an id")?;
        let money = || Money::new(self.amount).ok_or_else(|| anyhow!("an amount below nothing"));
        Ok(match self.service {
            Service::Product => {
                let pieces = u32::try_from(self.amount).ok().and_then(Quantity::new);
                self.write(
                    product::Command::Release(product::Release {
                        order_id: self.order.clone(),
                        quantity: pieces.ok_or_else(|| anyhow!("no number of pieces"))?,
                        reason: None,
                    }),
                    at,
                )
            }
            Service::Point => self.write(
                point::Command::Refund(point::Refund {
                    order_id: self.order.clone(),
                    amount: money()?,
                }),
                at,
            ),
            Service::Coupon => {
                let user_id: UserId = user
                    .ok_or_else(|| anyhow!("nobody's coupon"))?
                    .parse()
                    .context("nobody has such an id")?;
                self.write(
                    coupon::Command::Restore(coupon::Restore {
                        order_id: order,
                        user_id,
                    }),
                    at,
                )
            }
            Service::Payment => self.write(
                payment::Command::Cancel(payment::Cancel {
                    order_id: order,
                    amount: money()?,
                }),
                at,
            ),
            Service::Order => bail!("an order holds nothing of another"),
        })
    }

    fn write<B: Body>(&self, body: B, at: Timestamp) -> Vec<u8> {
        let envelope = wire::encode(&Envelope {
            request_id: RequestId::from(self.request_id.as_str()),
            entity: EntityId::from(self.entity.as_str()),
            source: Some(EntityId::from(self.order.as_str())),
            origin: Origin::Saga,
            // Nobody is there to be answered.
            reply_to: None,
            causation: None,
            traceparent: None,
            at,
            body,
        });
        wire::join([&envelope[..]].into_iter())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            request_id,
            entity,
            amount,
            ..
        } = self;
        match service {
            Service::Coupon => write!(f, "{request_id} to campaign {entity}"),
            _ => write!(f, "{request_id} of {amount} to {service} {entity}"),
        }
    }
}

/// Whether somebody is there to be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks whether these are to be sent.
pub(super) fn confirmed(releases: &[&Release]) -> Result<bool> {
    for release in releases {
        eprintln!("  {release}");
    }
    eprint!("send {} to their owners? [y/N] ", counted(releases.len()));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Sends releases to the owners, and says so on standard error.
pub(super) async fn send(
    releases: &[&Release],
    databases: &Databases,
    broker: &Broker,
    data: &Path,
) -> Result<()> {
    let bus = connect(broker, data, "onhand audit").await?;
    let mut partitions = BTreeMap::new();
    for release in releases {
        let count = match partitions.entry(release.service) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => *place.insert(partitions_of(release.service, databases).await?),
        };
        send_one(release, count, databases, &*bus)
            .await
            .with_context(|| format!("{release} was not sent"))?;
        eprintln!("sent {release}");
    }
    eprintln!(
        "{} sent: once their owners have carried them out, the audit finds nothing of it",
        counted(releases.len())
    );
    Ok(())
}

async fn send_one(
    release: &Release,
    partitions: u16,
    databases: &Databases,
    bus: &dyn Bus,
) -> Result<()> {
    let user = match release.service {
        Service::Coupon => Some(user_of(release, databases).await?),
        _ => None,
    };
    let now = SystemClock.now();
    let entity = EntityId::from(release.entity.as_str());
    let subject = release
        .service
        .inbox_subject(entity.partition(partitions))
        .to_string();
    let message = Outbound {
        subject,
        // Another id at another time: the broker would pass over one that it knows.
        id: format!("audit/{}/{}/{now}", release.request_id, release.entity),
        headers: Vec::new(),
        payload: release.envelope(user.as_deref(), now)?.into(),
    };
    publish(bus, message).await?;
    Ok(())
}

/// Whose coupon the order has used.
async fn user_of(release: &Release, databases: &Databases) -> Result<String> {
    let url = databases.of(Service::Coupon)?;
    let mut coupons = open("coupons", url, &["coupon_issue"]).await?;
    let sql = "SELECT user_id FROM coupon_issue WHERE coupon_id = $1 AND order_id = $2";
    let of = [release.entity.clone(), release.order.clone()];
    let rows = coupons.all(sql.to_owned(), &of, &[Kind::Text]).await?;
    coupons.close().await;
    let mut row = rows.into_iter().next();
    let row = row.as_mut().ok_or_else(|| anyhow!("it is given back"))?;
    Ok(row.text()?)
}

/// How many partitions a service was made with.
async fn partitions_of(service: Service, databases: &Databases) -> Result<u16> {
    let mut database = open(service.name(), databases.of(service)?, &["meta"]).await?;
    let sql = "SELECT value FROM meta WHERE name = 'partitions'".to_owned();
    let rows = database.all(sql, &[], &[Kind::Text]).await?;
    database.close().await;
    let mut row = rows.into_iter().next();
    let row = row
        .as_mut()
        .ok_or_else(|| anyhow!("the {service} service was never started"))?;
    Ok(row.text()?.parse()?)
}

fn counted(releases: usize) -> String {
    match releases {
        1 => "1 release".into(),
        many => format!("{many} releases"),
    }
}
