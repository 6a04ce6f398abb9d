//! What is ordered under each name. A new scenario is a variant and its row in [`Scenario::plan`].

use clap::ValueEnum;
use serde::Serialize;

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scenario {
    /// Every order takes one piece of the same product
    Hot,
    /// The same, and the product sells out early: most orders are refused
    SellingOut,
    /// Every order takes one piece of one of 1,000 products, drawn uniformly
    Catalogue,
    /// Every order takes one piece of one of 1,000 products, few of which are wanted most (Zipf)
    Skewed,
    /// The same with 1,000,000 products
    Million,
    /// Every order takes one piece each of five of 1,000 products
    Baskets,
    /// Every order takes a piece of one product, points and a coupon, and is paid by card
    Saga,
    /// Users ask for 1,000 coupons of five campaigns, first come, first served: 100, 300 and then
    /// 500 a second, each for a third of the time
    Coupons,
    /// 1,000 orders at once, on an Onhand that has just been started
    Burst,
    /// One request of five is an order, the others read products and best sellers
    Mixed,
}

/// What a scenario needs, and what its clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) wants: Wants,
    /// Products, or campaigns of coupons.
    pub(super) goods: usize,
    /// Pieces of each product, or coupons of each campaign.
    pub(super) stock: i64,
    /// Different products in one order.
    pub(super) lines: usize,
    /// Whether few of the goods are wanted most.
    pub(super) skewed: bool,
    /// So many requests and no more, where it is not time that ends a run.
    pub(super) requests_max: Option<u64>,
    /// Refusals that are answers as they must be.
    pub(super) refusals: &'static [&'static str],
}

/// What clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Orders of products alone.
    Orders,
    /// Orders that take points and a coupon, and are paid.
    WholeOrders,
    /// Coupons.
    Coupons,
    /// Orders, and many more reads.
    OrdersAndReads,
}

/// More than the longest run can sell.
const PLENTY: i64 = 1_000_000_000;
/// Gone before a run is measured.
const SOON_GONE: i64 = 2_000;

impl Scenario {
    pub(super) const fn plan(self) -> Plan {
        let hot = Plan {
            name: "hot",
            wants: Wants::Orders,
            goods: 1,
            stock: PLENTY,
            lines: 1,
            skewed: false,
            requests_max: None,
            refusals: &[],
        };
        let catalogue = Plan {
            name: "catalogue",
            goods: 1_000,
            ..hot
        };
        match self {
            Self::Hot => hot,
            Self::SellingOut => Plan {
                name: "selling-out",
                stock: SOON_GONE,
                refusals: &["400 INSUFFICIENT_STOCK"],
                ..hot
            },
            Self::Catalogue => catalogue,
            Self::Skewed => Plan {
                name: "skewed",
                skewed: true,
                ..catalogue
            },
            Self::Million => Plan {
                name: "million",
                goods: 1_000_000,
                skewed: true,
                ..hot
            },
            Self::Baskets => Plan {
                name: "baskets",
                lines: 5,
                ..catalogue
            },
            Self::Saga => Plan {
                name: "saga",
                wants: Wants::WholeOrders,
                // Each takes a coupon that was issued before, so they are counted.
                requests_max: Some(10_000),
                ..hot
            },
            Self::Coupons => Plan {
                name: "coupons",
                wants: Wants::Coupons,
                goods: 5,
                stock: 200,
                refusals: &["409 COUPON_EXHAUSTED", "409 COUPON_ALREADY_ISSUED"],
                ..hot
            },
            Self::Burst => Plan {
                name: "burst",
                requests_max: Some(1_000),
                ..hot
            },
            Self::Mixed => Plan {
                name: "mixed",
                wants: Wants::OrdersAndReads,
                ..catalogue
            },
        }
    }
}
