//! How a tool reaches the broker.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use node::{
    bus::{Bus, nats},
    config::Broker,
};

/// How long the broker may take to be reached.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Connects a tool to the broker that is named, or to the one of the `onhand up` that has this
/// data folder.
pub(crate) async fn connect(broker: &Broker, data: &Path, tool: &str) -> Result<Arc<dyn Bus>> {
    let url = match &broker.nats_url {
        Some(url) => url.clone(),
        None => own_broker(&data.join("nats.url"))?,
    };
    let shown = nats::shown(&url);
    let connecting = async {
        // No streams are made here, so that partitions and services do not matter.
        let bus = broker.connect(&url, tool, 1, &[]).await?;
        let mut link = bus.link();
        link.wait_for(|link| link.connected)
            .await
            .map_err(|_| anyhow!("the connection to {shown} was given up"))?;
        Ok(bus)
    };
    match tokio::time::timeout(CONNECT_WAIT, connecting).await {
        Ok(connected) => connected,
        Err(_) => bail!(
            "no broker answers at {shown} within {} s: start it (`onhand up` starts its own), or name \
             another with --nats-url; one that is there may want --nats-user and --nats-password, \
             --nats-creds or --nats-ca",
            CONNECT_WAIT.as_secs()
        ),
    }
}

fn own_broker(file: &Path) -> Result<String> {
    let url = std::fs::read_to_string(file).with_context(|| {
        format!(
            "{} cannot be read: start `onhand up` with this data folder, or name the broker with \
             --nats-url",
            file.display()
        )
    })?;
    Ok(url.trim().to_owned())
}
