//! The demo catalogue, and what a newcomer is told.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use messages::{Money, Origin, product};
use node::{
    host::{Ask, Service, Target},
    table::{Kind, Value},
};
use product_node::product::Product;

const PRODUCTS: [(&str, i64, i64); 3] = [
    ("Mug", 9_000, 100),
    ("Concert ticket", 79_000, 60),
    ("Notebook", 4_500, 1_000),
];

/// Fills an empty catalogue once the service is ready, and tells where to look.
pub(crate) async fn fill_and_tell(
    products: Service<Product>,
    address: SocketAddr,
    nats: String,
    data: PathBuf,
) {
    while !products.missing().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    match first_product(&products).await {
        Ok(product) => tell(address, &nats, &product, &data),
        Err(error) => tracing::error!("the demo catalogue cannot be made: {error:#}"),
    }
}

async fn first_product(products: &Service<Product>) -> anyhow::Result<String> {
    let any = "SELECT id FROM product ORDER BY status = 'ACTIVE' DESC, id LIMIT 1".to_owned();
    let rows = products.database().query(any, &[], &[Kind::Text]).await?;
    if let Some(Value::Text(Some(id))) = rows.into_iter().flatten().next() {
        return Ok(id);
    }
    let mut first = None;
    for (name, price, stock) in PRODUCTS {
        let price = Money::new(price).expect("a demo price is an amount");
        let command = product::Command::Create(product::Create {
            name: name.to_owned(),
            price,
            stock,
        });
        let ask = Ask {
            target: Target::New { key: None },
            command,
            request_id: None,
            origin: Origin::Client,
            settle: None,
            traceparent: None,
        };
        if let product::Reply::Product(view) = products.ask(ask).await?? {
            first.get_or_insert(view.id.to_string());
        }
    }
    first.ok_or_else(|| anyhow::anyhow!("no product was made"))
}

fn tell(address: SocketAddr, nats: &str, product: &str, data: &Path) {
    let order =
        format!(r#"{{"buyerId":"u-001","items":[{{"productId":"{product}","quantity":3}}]}}"#);
    // In full: they are meant for another terminal, wherever that is.
    let program = std::env::current_exe().unwrap_or_else(|_| "onhand".into());
    let (program, data) = (program.display(), data.display());
    println!(
        "\nOnhand listens on http://{address}\n\n\
         A first order:\n  curl -s http://{address}/orders -H 'content-type: application/json' -d '{order}'\n\n\
         Look around:\n  http://{address}/docs                      every call, to read and to try\n  \
         curl -s http://{address}/products\n  curl -s http://{address}/products/{product}/ledger\n  \
         curl -s http://{address}/metrics\n\n\
         What the services say to each other:\n  \
         nats --server {nats} sub 'cmd.>' --translate '{program} decode'\n  \
         (likewise 'reply.>' and 'event.>')\n\n\
         Check the books:\n  {program} audit --data {data}\n\nCtrl-C stops everything.\n"
    );
}
