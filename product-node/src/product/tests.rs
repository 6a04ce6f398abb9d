//! Given, when, then: what a product decides.

mod shop;

use messages::{RequestId, product::Edit};
use proptest::prelude::*;

use super::*;
use shop::{Shop, pieces, reserved};

#[test]
fn a_reserve_of_a_product_that_does_not_exist_is_refused() {
    let mut shop = Shop::empty();
    assert_eq!(shop.reserve("DEC-a", 1), Err(Refusal::ProductNotFound));
    assert_eq!(shop.ask("x", &Command::Get), Err(Refusal::ProductNotFound));
    assert_eq!(shop.adjust("x", 1), Err(Refusal::ProductNotFound));
    assert_eq!(
        shop.edit("x", Edit::default()),
        Err(Refusal::ProductNotFound)
    );
}

#[test]
fn a_release_at_a_product_that_does_not_exist_gives_back_nothing() {
    let mut shop = Shop::empty();
    assert_eq!(shop.release("INC-a", 1), Ok(released(0, 0)));
    assert!(shop.ledger.is_empty());
}

#[test]
fn a_reserve_takes_stock_and_tells_name_and_price() {
    let mut shop = Shop::with(5);
    assert_eq!(shop.reserve("DEC-a", 3), Ok(reserved(3, 2)));
    assert_eq!(shop.stock(), 2);
}

#[test]
fn a_reserve_that_comes_twice_takes_once_and_is_answered_alike() {
    let mut shop = Shop::with(5);
    let first = shop.reserve("DEC-a", 3);
    shop.reserve("DEC-b", 1).expect("in stock");
    assert_eq!(shop.reserve("DEC-a", 3), first);
    assert_eq!(shop.stock(), 1);
}

#[test]
fn a_repeat_is_known_before_anything_else_is_looked_at() {
    let mut shop = Shop::with(5);
    let first = shop.reserve("DEC-a", 5);
    shop.discontinue();
    assert_eq!(
        shop.reserve("DEC-a", 5),
        first,
        "no stock, not sold any more"
    );
    assert_eq!(shop.reserve("DEC-a", 4), Err(Refusal::RequestMismatch));
}

#[test]
fn a_reserve_of_a_discontinued_product_is_refused_whatever_the_stock() {
    let mut shop = Shop::with(5);
    shop.discontinue();
    assert_eq!(shop.reserve("DEC-a", 1), Err(Refusal::ProductDiscontinued));
    assert_eq!(shop.reserve("DEC-a", 9), Err(Refusal::ProductDiscontinued));
}

#[test]
fn a_reserve_of_more_than_there_is_is_refused_and_not_remembered() {
    let mut shop = Shop::with(2);
    let refusal = Refusal::stock(2, pieces(3));
    assert_eq!(shop.reserve("DEC-a", 3), Err(refusal));
    shop.adjust("restock", 1).expect("within the limit");
    assert_eq!(shop.reserve("DEC-a", 3), Ok(reserved(3, 0)));
}

#[test]
fn a_release_before_its_reserve_leaves_a_tombstone() {
    let mut shop = Shop::with(5);
    assert_eq!(shop.release("INC-a", 3), Ok(released(0, 5)));
    assert_eq!(shop.reserve("DEC-a", 3), Err(Refusal::AlreadyReleased));
    assert_eq!(shop.release("INC-a", 3), Ok(released(0, 5)), "a repeat");
    assert_eq!(shop.release("INC-a", 2), Err(Refusal::RequestMismatch));
    assert_eq!(shop.stock(), 5);
    let ids: Vec<_> = shop.ledger.keys().map(RequestId::as_str).collect();
    assert_eq!(
        ids,
        ["DEC-a", node::entity::CREATION],
        "one row, under the reserve's id"
    );
}

#[test]
fn a_release_undoes_exactly_its_reserve() {
    let mut shop = Shop::with(9);
    shop.reserve("DEC-a", 3).expect("in stock");
    shop.reserve("DEC-a-2", 4).expect("in stock");
    assert_eq!(shop.release("INC-a-2", 3), Err(Refusal::RequestMismatch));
    assert_eq!(shop.release("INC-a", 4), Err(Refusal::RequestMismatch));
    assert_eq!(shop.release("INC-a-2", 4), Ok(released(4, 6)));
    assert_eq!(shop.release("INC-a", 3), Ok(released(3, 9)));
}

#[test]
fn a_release_that_comes_twice_gives_back_once_and_is_answered_alike() {
    let mut shop = Shop::with(5);
    shop.reserve("DEC-a", 3).expect("in stock");
    let first = shop.release("INC-a", 3);
    shop.reserve("DEC-b", 1).expect("in stock");
    assert_eq!(shop.release("INC-a", 3), first);
    assert_eq!(shop.release("INC-a", 2), Err(Refusal::RequestMismatch));
    assert_eq!(
        shop.reserve("DEC-a", 3),
        Ok(reserved(3, 2)),
        "the first answer again"
    );
    assert_eq!(shop.stock(), 4);
}

#[test]
fn a_release_is_refused_neither_by_a_discontinued_product_nor_by_the_limit_of_the_stock() {
    let mut shop = Shop::with(5);
    shop.reserve("DEC-a", 5).expect("in stock");
    shop.adjust("fill", STOCK_MAX).expect("within the limit");
    shop.discontinue();
    assert_eq!(shop.release("INC-a", 5), Ok(released(5, STOCK_MAX + 5)));
    assert_eq!(shop.adjust("more", 1), Err(Refusal::AmountTooLarge));
    assert!(shop.adjust("fewer", -1).is_ok());
}

#[test]
fn an_adjustment_keeps_the_stock_within_its_limits() {
    let mut shop = Shop::with(5);
    let short = |requested| Refusal::InsufficientStock {
        available: 5,
        requested,
    };
    assert_eq!(shop.adjust("a", -6), Err(short(6)));
    assert_eq!(shop.adjust("a", i64::MIN), Err(short(i64::MAX)));
    assert_eq!(shop.adjust("a", STOCK_MAX), Err(Refusal::AmountTooLarge));
    assert_eq!(shop.adjust("a", i64::MAX), Err(Refusal::AmountTooLarge));
    assert_eq!(shop.stock(), 5);
    assert!(
        shop.adjust("a", STOCK_MAX - 5).is_ok(),
        "a refusal is not remembered"
    );
}

#[test]
fn an_adjustment_under_the_same_key_is_done_once() {
    let mut shop = Shop::with(5);
    let first = shop.adjust("key", -2);
    assert_eq!(first, Ok(Reply::Adjusted(Adjusted { remaining: 3 })));
    shop.adjust("other", 4).expect("within the limit");
    assert_eq!(shop.adjust("key", -2), first);
    assert_eq!(shop.adjust("key", -1), Err(Refusal::RequestMismatch));
    assert_eq!(shop.stock(), 7);
}

#[test]
fn an_edit_changes_what_is_given_and_is_answered_alike_when_it_comes_again() {
    let mut shop = Shop::with(5);
    let cheaper = Edit {
        price: Money::new(100),
        ..Edit::default()
    };
    let first = shop.edit("key", cheaper.clone());
    let Ok(Reply::Product(view)) = &first else {
        panic!("{first:?}")
    };
    assert_eq!(
        (view.name.as_str(), view.price.get(), view.stock),
        ("mug", 100, 5)
    );
    shop.reserve("DEC-a", 2).expect("in stock");
    assert_eq!(shop.edit("key", cheaper), first);
    assert_eq!(
        shop.edit("key", Edit::default()),
        Err(Refusal::RequestMismatch)
    );
}

#[test]
fn an_edit_that_changes_nothing_is_no_change() {
    let mut shop = Shop::with(5);
    let before = shop.ask("x", &Command::Get);
    let same = Edit {
        name: Some("mug".into()),
        ..Edit::default()
    };
    assert_eq!(shop.edit("key", same), before);
    assert_eq!(shop.ledger.len(), 1);
}

#[test]
fn a_discontinued_product_can_be_sold_again() {
    let mut shop = Shop::with(5);
    shop.discontinue();
    shop.adjust("count", -1).expect("its stock can be counted");
    let again = Edit {
        status: Some(Status::Active),
        ..Edit::default()
    };
    shop.edit("again", again).expect("it exists");
    assert_eq!(shop.reserve("DEC-a", 4), Ok(reserved(4, 0)));
}

#[test]
fn a_creation_that_comes_again_answers_the_product_and_keeps_to_the_limits() {
    let mut shop = Shop::with(5);
    shop.reserve("DEC-a", 1).expect("in stock");
    let again = shop.create(7);
    assert_eq!(again, shop.ask("x", &Command::Get));
    assert_eq!(shop.stock(), 4);
    for stock in [-1, STOCK_MAX + 1] {
        assert_eq!(Shop::empty().create(stock), Err(Refusal::AmountTooLarge));
    }
    let mut nowhere = Shop::empty();
    nowhere.product = Product::new(&EntityId::from("no id of ours"));
    assert_eq!(nowhere.create(1), Err(Refusal::ProductNotFound));
}

#[test]
fn only_moved_stock_is_told_to_everybody() {
    let mut shop = Shop::with(5);
    shop.reserve("DEC-a", 3).expect("in stock");
    shop.release("INC-a", 3).expect("reserved");
    shop.release("INC-b", 1).expect("never refused");
    shop.adjust("key", 1).expect("within the limit");
    let told: Vec<_> = shop.events();
    let moved = |kind, request: &str, balance| {
        let body = serde_json::json!({
            "productId": shop::ID, "orderId": "an order", "requestId": request,
            "name": "mug", "unitPrice": 7_000, "quantity": 3, "balance": balance,
        });
        (kind, body)
    };
    let expected = [
        moved("product.reserved", "DEC-a", 2),
        moved("product.released", "INC-a", 5),
    ];
    assert_eq!(told, expected);
}

proptest! {
    /// Whatever is asked, in whatever order: the ledger adds up to the stock, which is never
    /// negative; every change and the row read as they were written.
    #[test]
    fn the_ledger_always_adds_up(asked in proptest::collection::vec((0..4_u8, 1..5_u32, 1..4_u32), 0..40)) {
        let mut shop = Shop::with(6);
        for (what, order, quantity) in asked {
            let _ = match what {
                0 | 1 => shop.reserve(&format!("DEC-{order}"), quantity),
                2 => shop.release(&format!("INC-{order}"), quantity),
                _ => shop.adjust(&format!("key {order}"), 2 - i64::from(quantity)),
            };
        }
        let sum: i64 = shop.ledger.values().filter_map(|(_, change)| change.record().amount).sum();
        prop_assert_eq!(sum, shop.stock());
    }
}
