//! An entity that has the outside do something, and a service of such entities.

use std::{sync::Arc, time::Duration};

use messages::{
    EntityId, Envelope, Origin, Partition, Refusal, RequestId, Service, Subject, Timestamp,
    envelope,
    payment::{Authorise, Cancelled, Command, Method, Outcome, Reply},
    wire,
};
use node::{
    bus::{Outbound, publish},
    entity::{Context, Entity, Record},
    host::{Ask, Limits, Target, Unavailable},
    outside::Call,
    table::{Column, Reader, Row, RowError, Table},
};
use serde::{Deserialize, Serialize};
use sim::{Disk, Process, Stage};
use tokio::task::JoinHandle;

use crate::{
    goods::until,
    outside::{Deed, World},
};

const ORDER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const CALL: &str = "errand";

/// How often it was sent out, whether it is out, and whether it came back in vain.
#[derive(Clone)]
pub(crate) struct Errand {
    sent: i64,
    out: bool,
    vain: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    Sent { time: i64 },
    Back { time: i64, vain: bool },
}

impl Errand {
    pub(crate) const fn is_out(&self) -> bool {
        self.out
    }
}

impl Entity for Errand {
    const SERVICE: Service = Service::Payment;
    const TABLE: Table = Table {
        name: "errand",
        columns: &[
            Column::integer("sent"),
            Column::boolean("out"),
            Column::boolean("vain"),
        ],
        owing: true,
        lines: None,
        requests_first: false,
    };

    type Command = Command;
    type Change = Change;
    type Reply = Reply;

    fn new(_: &EntityId) -> Self {
        Self {
            sent: 0,
            out: false,
            vain: false,
        }
    }

    fn decide(&self, command: &Command, _: &Context<'_, Change>) -> Result<Vec<Change>, Refusal> {
        Ok(match command {
            Command::Authorise(_) if !self.out => vec![Change::Sent {
                time: self.sent + 1,
            }],
            Command::Outcome(outcome) if self.out => vec![Change::Back {
                time: self.sent,
                vain: matches!(outcome, Outcome::Missing { .. }),
            }],
            _ => vec![],
        })
    }

    fn apply(&mut self, change: &Change, _: Timestamp) {
        match change {
            Change::Sent { time } => {
                self.sent = *time;
                self.out = true;
            }
            Change::Back { vain, .. } => {
                self.out = false;
                self.vain = *vain;
            }
        }
    }

    fn reply(&self, _: Option<&Change>) -> Reply {
        Reply::Cancelled(Cancelled {
            amount: messages::Money::new(self.sent).unwrap(),
        })
    }

    fn remembers(_: &Command) -> bool {
        false
    }

    fn record(change: &Change) -> Record {
        let (kind, time) = match change {
            Change::Sent { time } => ("sent", time),
            Change::Back { time, .. } => ("back", time),
        };
        Record {
            kind,
            request_id: Some(RequestId::from(format!("{kind}-{time}"))),
            ..Record::default()
        }
    }

    fn event(_: &EntityId, _: &Change) -> Option<(&'static str, Vec<u8>)> {
        None
    }

    fn calls(&self) -> Vec<Call> {
        let call = Call {
            id: RequestId::from(format!("{CALL}-{}", self.sent)),
            traceparent: None,
        };
        if self.out { vec![call] } else { vec![] }
    }

    fn settled(&self) -> bool {
        !self.out
    }

    fn answer_at_rest(&self, _: &Command, id: &RequestId) -> Result<Reply, Refusal> {
        if self.vain {
            return Err(Refusal::InvalidState {
                reason: format!("{id} was in vain"),
            });
        }
        Ok(self.reply(None))
    }

    fn to_row(&self) -> Row {
        Row {
            values: vec![self.sent.into(), self.out.into(), self.vain.into()],
            lines: vec![],
        }
    }

    fn from_row(_: &EntityId, row: Row) -> Result<Self, RowError> {
        let mut values = Reader::new(row.values);
        Ok(Self {
            sent: values.integer()?,
            out: values.boolean()?,
            vain: values.boolean()?,
        })
    }
}

/// A service of errands.
pub(crate) struct Errands {
    pub(crate) stage: Stage,
    pub(crate) disk: Disk,
    pub(crate) world: World,
    pub(crate) process: Process<Errand>,
    limits: Limits,
}

impl Errands {
    pub(crate) fn run(deeds: &[Deed]) -> Self {
        Self::with(deeds, Limits::default())
    }

    pub(crate) fn with(deeds: &[Deed], limits: Limits) -> Self {
        let (stage, disk, world) = (Stage::new(7, 1), Disk::default(), World::will(deeds));
        Self {
            process: stage.start_calling(&disk, limits.clone(), Arc::new(world.clone())),
            stage,
            disk,
            world,
            limits,
        }
    }

    /// Ends the process as by `kill -9`, and starts another on what it left.
    pub(crate) fn start_again(self) -> Self {
        self.process.kill();
        let outside = Arc::new(self.world.clone());
        Self {
            process: self
                .stage
                .start_calling(&self.disk, self.limits.clone(), outside),
            ..self
        }
    }

    /// Sends an errand out and goes on; the answer may wait until it is back.
    pub(crate) fn send(&self, errand: &str, settle: Option<Duration>) -> Asked {
        self.ask(errand, go(), settle)
    }

    /// Has an errand end before it came back, and goes on.
    pub(crate) fn call_back(&self, errand: &str) -> Asked {
        let gone = Outcome::Missing {
            merchant_uid: "x".into(),
        };
        self.ask(errand, Command::Outcome(gone), None)
    }

    fn ask(&self, errand: &str, command: Command, settle: Option<Duration>) -> Asked {
        let service = self.process.service.clone();
        let ask = Ask {
            target: Target::Entity(EntityId::from(errand)),
            command,
            request_id: None,
            origin: Origin::Client,
            settle,
            traceparent: None,
        };
        tokio::spawn(async move { service.ask(ask).await })
    }

    /// Sends errands out by one message on the stream, their answers wanted.
    pub(crate) async fn say(&self, id: &str, errands: &[&str]) {
        let service = &self.process.service;
        until("it reads", || service.missing().is_empty()).await;
        let envelopes: Vec<Vec<u8>> = errands.iter().map(|errand| said(errand, id)).collect();
        let message = Outbound {
            subject: Subject::Command(Service::Payment, Partition(0)).to_string(),
            id: format!("said/{}", self.stage.ids.random()),
            headers: Vec::new(),
            payload: wire::join(envelopes.iter().map(Vec::as_slice)).into(),
        };
        publish(&*self.process.client, message).await.unwrap();
    }

    /// What was answered on the stream: request id and answer.
    pub(crate) fn replies(&self) -> Vec<(String, Result<Reply, Refusal>)> {
        let messages = self.stage.broker.messages("REPLY_ORDER");
        messages
            .iter()
            .flat_map(|message| wire::split(&message.payload))
            .map(|piece| envelope::decode::<Result<Reply, Refusal>>(piece.unwrap()).unwrap())
            .map(|reply| (reply.request_id.to_string(), reply.body))
            .collect()
    }

    /// Whether an errand is out, as it is committed.
    pub(crate) fn is_out(&self, errand: &str) -> Option<bool> {
        let tables = self.disk.tables();
        let id = EntityId::from(errand);
        let read = tables.states.get(&id).and_then(|_| tables.state(&id))?;
        Some(Errand::from_row(&id, read.row).unwrap().out)
    }

    /// What happened to an errand, in order.
    pub(crate) fn ledger(&self, errand: &str) -> Vec<String> {
        let tables = self.disk.tables();
        let rows = tables
            .ledger
            .values()
            .filter(|row| row.entity.as_str() == errand);
        rows.map(|row| row.kind.clone()).collect()
    }

    /// How far the stream is decided.
    pub(crate) fn position(&self) -> u64 {
        let standing = self.disk.tables().standing(Partition(0));
        standing.inbox.map_or(0, |position| position.sequence)
    }
}

/// What becomes of an ask.
pub(crate) type Asked = JoinHandle<Result<Result<Reply, Refusal>, Unavailable>>;

/// The answer of an errand that was sent out so many times.
pub(crate) fn sent(times: i64) -> Reply {
    Reply::Cancelled(Cancelled {
        amount: messages::Money::new(times).unwrap(),
    })
}

fn go() -> Command {
    Command::Authorise(Authorise {
        order_id: ORDER.parse().unwrap(),
        user_id: "u-1".parse().unwrap(),
        amount: messages::Money::new(1).unwrap(),
        method: Method::Card {
            token: "t".parse().unwrap(),
        },
    })
}

fn said(errand: &str, id: &str) -> Vec<u8> {
    wire::encode(&Envelope {
        request_id: RequestId::from(id),
        entity: EntityId::from(errand),
        source: Some(EntityId::from("somebody")),
        origin: Origin::Saga,
        reply_to: Some(Subject::Reply(Service::Order, Partition(0))),
        causation: None,
        traceparent: None,
        at: Timestamp::default(),
        body: go(),
    })
}
