//! What can run out, by hand: pieces of a product, points of a wallet, coupons of a campaign, and
//! the money of an order's payment.

use std::collections::BTreeMap;

use messages::{Origin, RequestId};
use node::store::LedgerRow;
use serde::Deserialize;

/// One of them, and all that was done to it.
#[derive(Default)]
pub(crate) struct Account {
    /// What each change left, from the first on.
    pub(crate) versions: Vec<Version>,
    /// What was taken or closed, by the reserve's id.
    pub(crate) deeds: BTreeMap<(Origin, RequestId), Deed>,
    /// What was left behind a change that a client asked for, by his key.
    pub(crate) told: BTreeMap<RequestId, i64>,
    /// The coupons of a campaign, by who has them: their number, and the use they are in.
    pub(crate) coupons: BTreeMap<String, (u32, Option<RequestId>)>,
}

/// What a change left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) holding: i64,
    pub(crate) on_sale: bool,
}

/// What was done under a reserve's id.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// How much was taken.
    pub(crate) amount: i64,
    /// Whether it was taken; else it is closed.
    pub(crate) taken: bool,
    /// Whether it was given back.
    pub(crate) back: bool,
}

/// What a row says besides its columns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    user_id: String,
    number: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Of {
    user_id: String,
}

#[derive(Deserialize)]
struct Edited {
    product: Status,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

impl Account {
    pub(crate) fn version(&self) -> usize {
        self.versions.len()
    }

    /// What is left.
    pub(crate) fn holding(&self) -> i64 {
        self.versions.last().map_or(0, |version| version.holding)
    }

    /// With how much it began.
    pub(crate) fn quantity(&self) -> i64 {
        self.versions.first().map_or(0, |version| version.holding)
    }

    /// Enters a row of its ledger, or says why that cannot be.
    pub(crate) fn enter(&mut self, row: &LedgerRow) -> Result<(), String> {
        if i64::try_from(self.versions.len() + 1) != Ok(row.version) {
            return Err(format!("version {} after {}", row.version, self.version()));
        }
        let mut on_sale = self.versions.last().is_none_or(|version| version.on_sale);
        let amount = row.amount.unwrap_or(0);
        match row.kind.as_str() {
            "created" if self.versions.is_empty() => {}
            "created" => return Err("made twice".into()),
            "adjusted" | "charged" => {}
            "edited" => on_sale = body::<Edited>(row)?.product.status == "ACTIVE",
            "issued" => self.issue(row)?,
            "reserved" | "used" | "authorised" => {
                if row.kind == "reserved" && !on_sale {
                    return Err("taken though it is not sold".into());
                }
                self.take(row)?;
            }
            "released" | "refunded" | "restored" | "cancelled" => self.give_back(row)?,
            "tombstoned" | "declined" | "closed" => self.close(row)?,
            // What a payment asks the gateway on the way.
            _ if row.amount.is_none() => {}
            other => return Err(format!("nobody knows {other:?}")),
        }
        let moves = !matches!(row.kind.as_str(), "authorised" | "cancelled");
        let holding = self.holding() + if moves { amount } else { 0 };
        if holding < 0 {
            return Err(format!("{holding} left"));
        }
        if row.balance.is_some_and(|balance| balance != holding) {
            return Err(format!(
                "{holding} left, and {:?} says the row",
                row.balance
            ));
        }
        self.versions.push(Version { holding, on_sale });
        if row.origin == Origin::Client {
            self.told.insert(row.request_id.clone(), holding);
        }
        Ok(())
    }

    fn take(&mut self, row: &LedgerRow) -> Result<(), String> {
        let key = (row.origin, row.request_id.clone());
        if !row.request_id.as_str().starts_with("DEC-") {
            return Err("taken under an id that is no reserve's".into());
        }
        let amount = -row.amount.unwrap_or(-1);
        if amount <= 0 {
            return Err(format!("{amount} taken"));
        }
        if let Some(deed) = self.deeds.get(&key) {
            return Err(format!("taken after {deed:?}"));
        }
        if row.kind == "used" && row.amount.is_none() {
            let user = body::<Of>(row)?.user_id;
            match self.coupons.get_mut(&user) {
                Some((_, using @ None)) => *using = Some(row.request_id.clone()),
                other => return Err(format!("a coupon used that is {other:?}")),
            }
        }
        let deed = Deed {
            amount,
            taken: true,
            back: false,
        };
        self.deeds.insert(key, deed);
        Ok(())
    }

    fn give_back(&mut self, row: &LedgerRow) -> Result<(), String> {
        let reserve = row.request_id.counterpart();
        let reserve = reserve.filter(|_| row.request_id.as_str().starts_with("INC-"));
        let reserve = reserve.ok_or("given back under an id that is no release's")?;
        let key = (row.origin, reserve.clone());
        let amount = row.amount.unwrap_or(1);
        match self.deeds.get_mut(&key) {
            Some(deed) if deed.taken && !deed.back && deed.amount == amount => deed.back = true,
            other => return Err(format!("{amount} given back of {other:?}")),
        }
        if row.kind == "restored" {
            let user = body::<Of>(row)?.user_id;
            match self.coupons.get_mut(&user) {
                Some((_, using)) if *using == Some(reserve) => *using = None,
                other => return Err(format!("a coupon given back that is {other:?}")),
            }
        }
        Ok(())
    }

    fn close(&mut self, row: &LedgerRow) -> Result<(), String> {
        let key = (row.origin, row.request_id.clone());
        if let Some(deed) = self.deeds.get(&key) {
            return Err(format!("closed after {deed:?}"));
        }
        let deed = Deed {
            amount: 0,
            taken: false,
            back: false,
        };
        self.deeds.insert(key, deed);
        Ok(())
    }

    fn issue(&mut self, row: &LedgerRow) -> Result<(), String> {
        let Issued { user_id, number } = body(row)?;
        if usize::try_from(number) != Ok(self.coupons.len() + 1) {
            return Err(format!("number {number} after {}", self.coupons.len()));
        }
        match self.coupons.insert(user_id, (number, None)) {
            None => Ok(()),
            Some(first) => Err(format!("a second coupon beside {first:?}")),
        }
    }
}

fn body<T: for<'de> Deserialize<'de>>(row: &LedgerRow) -> Result<T, String> {
    serde_json::from_str(&row.body).map_err(|error| error.to_string())
}
