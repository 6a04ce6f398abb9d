//! What an operator relies on: readiness, pages, refused configuration, one owner of a folder.

use std::io::Write;
use std::process::{Command, Stdio};

use onhand_tests::{Database, Node, System, check, eventually, hand, place, shop};
use serde_json::json;
use sqlx::{Connection, PgConnection};

#[tokio::test(flavor = "multi_thread")]
async fn every_node_serves_its_pages() {
    let system = System::separate(Database::Sqlite).await;
    for node in &system.nodes {
        let get = async |path: &str| {
            let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
            let url = format!("{}{path}", node.url());
            let answer = client.build().unwrap().get(url).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            answer.text().await.unwrap()
        };
        get("/healthz").await;
        get("/readyz").await;
        assert!(get("/metrics").await.contains("onhand_partitions_owned"));
        let openapi: serde_json::Value = serde_json::from_str(&get("/openapi.json").await).unwrap();
        let paths = openapi["paths"].as_object().unwrap();
        let own = match node.program() {
            "order-node" => "/orders/{id}/cancel",
            "product-node" => "/products/{id}/stock",
            "point-node" => "/users/{userId}/points/charge",
            "coupon-node" => "/coupons/{id}/issue",
            "payment-node" => "/payments/{orderId}",
            other => panic!("{other} has no pages to look for"),
        };
        assert!(paths.contains_key(own), "{:?}", paths.keys());
        let page = get("/docs").await.to_lowercase();
        assert!(page.contains("<html"), "{page}");
        for elsewhere in ["src=\"http", "src=\"//", "href=\"http", "href=\"//"] {
            assert!(!page.contains(elsewhere), "the page needs the network");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_finds_every_row_by_an_index() {
    let mut system = System::all_in_one(Database::Postgres).await;
    let client = system.client();
    let shop = shop(&client).product("mug", 100).open().await;
    // A statement is planned anew for its first runs, and as it is kept from then on.
    for _ in 0..20 {
        shop.confirmed("mug", 1).await;
    }

    for (service, table) in [("order", "orders"), ("product", "product")] {
        let url = system.postgres().url(service);
        let scans = eventually("the server to count", async || {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let counted = "SELECT idx_scan, seq_scan FROM pg_stat_user_tables WHERE relname = $1";
            let (by_index, whole): (i64, i64) = sqlx::query_as(counted)
                .bind(table)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            // Each order is one more.
            if by_index >= 20 {
                Ok(whole)
            } else {
                Err(by_index)
            }
        });
        let scans = scans.await;
        // To make an index is to read the table.
        assert!(scans < 10, "{table} was read whole {scans} times");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_and_timed() {
    let mut system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    shop.confirmed("mug", 2).await;
    let path = format!("/products/{}/stock", shop.id("mug"));
    let more = serde_json::json!({"delta": 1, "reason": "MANUAL"});
    for _ in 0..2 {
        client.patch(&path, "delivery-1", &more).await.expect(200);
    }

    let page = format!("{}/metrics", system.node("onhand").url());
    let page = reqwest::get(page).await.unwrap().text().await.unwrap();

    let value = |series: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        let value = line.unwrap_or_else(|| panic!("{series} is missing:\n{page}"));
        value.trim().parse().unwrap()
    };
    assert!(value("onhand_repeats_total{service=\"product\"}") >= 1.0);
    assert!(value("onhand_events_total{kind=\"order.confirmed\"}") >= 1.0);
    assert!(value("onhand_http_requests_total{status=\"201\"}") >= 2.0);
    assert!(value("onhand_http_request_seconds_count") >= 4.0);
    for stage in ["intake", "commit", "publish"] {
        let count = format!("onhand_stage_seconds_count{{stage=\"{stage}\",service=\"order\"}}");
        assert!(value(&count) >= 1.0);
    }
    assert!(value("onhand_journal_batch_count{service=\"order\"}") >= 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_everything_in_good_order() {
    let mut system = System::embedded().await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    shop.confirmed("mug", 2).await;
    let node = system.node("onhand");

    node.interrupt().await;

    node.start_again().await;
    assert_eq!(shop.stock("mug").await, 3);
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_broker() {
    let mut system = System::all_in_one(Database::Sqlite).await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;

    system.nats().kill9();
    eventually("not to be ready", async || {
        match client.get("/readyz").await.status {
            503 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    let meanwhile = shop.order("mug", 1).await;
    assert_eq!(client.get("/healthz").await.status, 200);
    system.nats().start_again().await;
    system.node("onhand").ready().await;

    assert!([202, 424, 503].contains(&meanwhile.status), "{meanwhile:?}");
    shop.confirmed("mug", 1).await;
    check::every_order_is_final(&client).await;
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_refused_in_one_line() {
    let system = System::ground(Database::Sqlite).await;
    for (name, value) in [
        ("ONHAND_PARTITIONS", "0"),
        ("ONHAND_PARTITIONS", "many"),
        ("ONHAND_LISTEN", "nowhere"),
        ("ONHAND_ORDER_DATABASE_URL", "mysql://localhost/order"),
        ("ONHAND_ORDER_WAIT_MS", "-1"),
        ("ONHAND_LOG_FORMAT", "xml"),
        ("ONHAND_BATCH_MAX", "0"),
        ("ONHAND_IN_FLIGHT_MAX", "99999999999"),
        ("ONHAND_MESSAGE_BYTES_MAX", "4000000"),
        ("ONHAND_STOP_WAIT_MS", "18446744073709551615"),
        ("ONHAND_NATS_URL", ""),
        ("ONHAND_NATS_URL", "nats://127.0.0.1:4222,"),
        ("ONHAND_NATS_CA", "/no/such/certificate"),
        ("ONHAND_NATS_INBOX_PREFIX", "a.>"),
    ] {
        let mut node = Node::order(&system.world).env("ONHAND_NATS_URL", "nats://127.0.0.1:1");
        node.set(name, value);
        node.launch();
        let (end, said) = node.ended().await;
        assert!(!end.success(), "{name}={value}: {said}");
        assert!(!said.contains("panicked"), "{name}={value}: {said}");
        let first = said.lines().next().unwrap_or_default();
        let named = first.contains(&name.to_lowercase()[7..].replace('_', "-"))
            || first.contains(name)
            || (!value.is_empty() && first.contains(value));
        assert!(named, "{name}={value}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_than_at_first_is_refused() {
    let mut system = System::all_in_one(Database::Sqlite).await;
    system.stop().await;
    let node = system.node("onhand");
    node.set("ONHAND_PARTITIONS", "16");
    node.launch();
    let (end, said) = node.ended().await;
    assert!(!end.success(), "{said}");
    assert!(said.contains("partitions"), "{said}");
    node.set("ONHAND_PARTITIONS", "8");
    node.start_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_owner_at_a_time() {
    let mut system = System::all_in_one(Database::Sqlite).await;
    let client = system.client();
    let shop = shop(&client).product("mug", 5).open().await;
    let mut second = Node::onhand(&system.world);
    second.set("ONHAND_NATS_URL", &system.nats().url());

    second.launch();
    let ready = format!("{}/readyz", second.url());
    eventually("the second to be refused or to wait", async || {
        if !second.runs() {
            return Ok(());
        }
        let status = reqwest::get(&ready)
            .await
            .map_err(|e| e.to_string())?
            .status();
        assert!(!status.is_success(), "two owners of one folder");
        Ok::<_, String>(())
    })
    .await;

    shop.confirmed("mug", 2).await;
    assert_eq!(shop.stock("mug").await, 3);
    check::audit_is_clean(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_no_obstacle_for_the_broker() {
    let mut system = System::bare();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let server = place::nats_server();
    system.tell("ONHAND_NATS_LISTEN", &address);
    system.tell("ONHAND_NATS_SERVER", &server.to_string_lossy());
    system.add(Node::onhand(&system.world)).await;

    let shop = shop(&system.client()).product("mug", 5).open().await;

    shop.confirmed("mug", 1).await;
    let url = std::fs::read_to_string(system.node("onhand").data().join("nats.url")).unwrap();
    assert!(!url.contains(&address), "{url}");
}

#[tokio::test]
async fn any_message_is_shown_as_json() {
    let message = json!([hand::command("product.reserve", "p-1", "DEC-o-1", "o-1", 3)]);
    let mut tool = Command::new(place::program("onhand"))
        .arg("decode")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tool.stdin.take().unwrap();
    input.write_all(&hand::pack(&message)).unwrap();
    drop(input);
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success());
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown, message);
}
