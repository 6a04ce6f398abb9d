//! A broken invariant in one entity.

use messages::{EntityId, Origin, Partition, RequestId, Service, Subject};
use node::{
    bus::{Outbound, publish},
    host::{Ask, Limits, Target},
};
use sim::{Disk, Process, Stage};

use crate::{
    goods::{said, until},
    toy::{Toy, bomb, counted, press},
};

#[tokio::test(start_paused = true)]
async fn a_panic_while_deciding_is_put_aside_and_reaches_nobody_else() {
    let (stage, disk) = (Stage::new(7, 1), Disk::default());
    let process: Process<Toy> = stage.start(&disk, Limits::default());
    let (one, other) = (EntityId::from("one"), EntityId::from("other"));
    assert!(ask(&process, &one, "first", press()).await.unwrap().is_ok());

    let envelopes = [
        said(&one, "DEC-1", press()),
        said(&one, "DEC-bomb", bomb()),
        said(&other, "DEC-2", press()),
        said(&one, "DEC-3", press()),
    ];
    let message = Outbound {
        subject: Subject::Command(Service::Product, Partition(0)).to_string(),
        id: "said".into(),
        headers: Vec::new(),
        payload: messages::wire::join(envelopes.iter().map(Vec::as_slice)).into(),
    };
    publish(&*process.client, message).await.unwrap();
    let asked = ask(&process, &one, "bomb", bomb()).await;

    assert!(asked.is_err(), "the outcome is no business answer");
    until("the good ones are answered", || {
        !stage.broker.messages("REPLY_ORDER").is_empty()
    })
    .await;
    assert_eq!((counted(&disk, &one), counted(&disk, &other)), (3, 1));
    let dead = stage.broker.messages("DEAD");
    assert_eq!(dead.len(), 1);
    assert!(
        dead[0]
            .headers
            .iter()
            .any(|(name, reason)| name == "Onhand-Reason" && reason.contains("boom"))
    );
    assert!(ask(&process, &one, "last", press()).await.unwrap().is_ok());
    assert_eq!(disk.writers(), 1, "nothing had to be loaded anew");
}

async fn ask(
    process: &Process<Toy>,
    entity: &EntityId,
    id: &str,
    command: messages::product::Command,
) -> Result<messages::product::Answer, node::host::Unavailable> {
    let ask = Ask {
        target: Target::Entity(entity.clone()),
        command,
        request_id: Some(RequestId::from(id)),
        origin: Origin::Client,
        settle: None,
        traceparent: None,
    };
    process.service.ask(ask).await
}
