//! Coupons, first come, first served: what a sale is to the host.

use std::collections::BTreeSet;

use futures::future::join_all;

use coupon_node::campaign::Campaign;
use messages::{
    EntityId, Money, Origin, Refusal, RequestId,
    coupon::{Command, Create, Discount, DiscountKind, Issue, Reply},
};
use node::{
    entity::Entity as _,
    host::{Ask, Limits, Target, Unavailable},
};
use sim::{Disk, Process, Stage};
use tokio::task::JoinHandle;

use crate::goods::pass;

/// What became of a wish for a coupon.
type Wish = JoinHandle<Result<Result<Reply, Refusal>, Unavailable>>;

#[tokio::test(start_paused = true)]
async fn coupons_go_to_those_who_come_first_in_the_order_in_which_they_come() {
    let sale = Sale::open();
    let campaign = sale.campaign(30).await;

    let wishes: Vec<Wish> = (0..500).map(|n| sale.wish(&campaign, n, None)).collect();
    let numbers: Vec<_> = join_all(wishes).await.into_iter().map(number).collect();

    let first: Vec<_> = (1..=30).map(Ok).collect();
    assert_eq!(numbers[..30], first);
    let late = |number: &Result<u32, Refusal>| *number == Err(Refusal::CouponExhausted);
    assert!(numbers[30..].iter().all(late), "{numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_campaign_answers_without_the_database() {
    let sale = Sale::open();
    let campaign = sale.campaign(30).await;
    for n in 0..30 {
        assert_eq!(number(sale.wish(&campaign, n, None).await), Ok(n + 1));
    }
    // What was told of them is noted by now.
    pass(5).await;
    let before = (sale.disk.reads(), sale.disk.batches().len());

    let wishes: Vec<Wish> = (0..2_000).map(|n| sale.wish(&campaign, n, None)).collect();
    let answers: Vec<_> = join_all(wishes).await.into_iter().map(number).collect();

    let had = Err(Refusal::CouponAlreadyIssued);
    assert!(answers[..30].iter().all(|answer| *answer == had));
    let late = Err(Refusal::CouponExhausted);
    assert!(answers[30..].iter().all(|answer| *answer == late));
    assert_eq!((sale.disk.reads(), sale.disk.batches().len()), before);
}

#[tokio::test(start_paused = true)]
async fn a_wish_under_a_key_is_remembered_beyond_the_end_of_the_process() {
    let sale = Sale::open();
    let campaign = sale.campaign(2).await;
    let wishes = [
        sale.wish(&campaign, 7, Some("key")),
        sale.wish(&campaign, 7, Some("key")),
    ];
    let at_once: Vec<_> = join_all(wishes).await.into_iter().map(number).collect();
    let other = number(sale.wish(&campaign, 8, Some("key")).await);

    let sale = sale.start_again();
    let later = number(sale.wish(&campaign, 7, Some("key")).await);
    let another = number(sale.wish(&campaign, 7, Some("another")).await);

    assert_eq!(at_once, [Ok(1), Ok(1)]);
    assert_eq!(other, Err(Refusal::RequestMismatch));
    assert_eq!(later, Ok(1));
    assert_eq!(another, Err(Refusal::CouponAlreadyIssued));
}

#[tokio::test(start_paused = true)]
async fn numbers_go_on_where_a_process_that_was_killed_had_come_to() {
    let sale = Sale::open();
    let campaign = sale.campaign(300).await;
    let cut_off: Vec<Wish> = (0..100).map(|n| sale.wish(&campaign, n, None)).collect();
    // Some are committed, some on their way, some not decided.
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;

    let sale = sale.start_again();
    let wishes: Vec<Wish> = (0..300).map(|n| sale.wish(&campaign, n, None)).collect();
    let answers: Vec<_> = join_all(wishes).await.into_iter().map(number).collect();

    drop(cut_off);
    let had = Err(Refusal::CouponAlreadyIssued);
    let committed = answers.iter().filter(|answer| **answer == had).count();
    let numbers: BTreeSet<u32> = answers.into_iter().filter_map(Result::ok).collect();
    let after = u32::try_from(committed).unwrap() + 1;
    assert_eq!(numbers, (after..=300).collect());
    let kept = &sale.disk.tables().states[&campaign].row;
    assert_eq!(kept.lines.len(), 300);
    Campaign::from_row(&campaign, kept.clone()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_the_coupons_that_changed_are_written() {
    let sale = Sale::open();
    let campaign = sale.campaign(30).await;
    let made = sale.disk.batches().len();
    for n in 0..10 {
        sale.wish(&campaign, n, None)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
    let batches = sale.disk.batches();
    let states = batches[made..].iter().flat_map(|batch| &batch.states);
    let written: Vec<Vec<i64>> = states
        .map(|state| state.row.lines.iter().map(|line| line.number).collect())
        .collect();
    let one_each: Vec<Vec<i64>> = (1..=10).map(|number| vec![number]).collect();
    assert_eq!(written, one_each);
}

/// A service of coupons on a broker and a database of its own.
struct Sale {
    stage: Stage,
    disk: Disk,
    process: Process<Campaign>,
}

impl Sale {
    fn open() -> Self {
        let (stage, disk) = (Stage::new(7, 4), Disk::default());
        Self {
            process: stage.start(&disk, Limits::default()),
            stage,
            disk,
        }
    }

    /// Ends the process as by `kill -9`, and starts another on what it left.
    fn start_again(self) -> Self {
        self.process.kill();
        Self {
            process: self.stage.start(&self.disk, Limits::default()),
            ..self
        }
    }

    async fn campaign(&self, quantity: u32) -> EntityId {
        let create = Command::Create(Create {
            name: "sale".into(),
            discount: Discount {
                kind: DiscountKind::Fixed,
                value: 3_000,
                maximum: None,
            },
            minimum_amount: Money::ZERO,
            quantity,
            valid_from: None,
            valid_until: None,
        });
        match self.ask(Target::New { key: None }, None, create).await {
            Ok(Ok(Ok(Reply::Campaign(view)))) => view.id.entity(),
            other => panic!("{other:?}"),
        }
    }

    /// A user asks for a coupon, under a key or without, and goes on.
    fn wish(&self, campaign: &EntityId, user: u32, key: Option<&str>) -> Wish {
        let issue = Command::Issue(Issue {
            user_id: format!("u-{user}").parse().unwrap(),
            keyed: key.is_some(),
        });
        self.ask(Target::Entity(campaign.clone()), key, issue)
    }

    fn ask(&self, target: Target, id: Option<&str>, command: Command) -> Wish {
        let service = self.process.service.clone();
        let ask = Ask {
            target,
            command,
            request_id: id.map(RequestId::from),
            origin: Origin::Client,
            settle: None,
            traceparent: None,
        };
        tokio::spawn(async move { service.ask(ask).await })
    }
}

/// The number of the coupon that came of a wish.
fn number(
    outcome: Result<Result<Result<Reply, Refusal>, Unavailable>, tokio::task::JoinError>,
) -> Result<u32, Refusal> {
    match outcome.unwrap().unwrap()? {
        Reply::Issued(issued) => Ok(issued.number),
        other => panic!("{other:?}"),
    }
}
