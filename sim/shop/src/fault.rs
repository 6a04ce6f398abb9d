//! What can go wrong in a run: each kind, and the numbers of one of them.

use messages::Service;
use sim::Chance;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process dies, between any two things that it does, and is started again.
    Crash,
    /// A process is stopped and goes on later; for long, its database ends its connection.
    Pause,
    /// A process is told to end, ends in order, and is started again.
    Restart,
    /// A machine's clock jumps, ahead or back.
    ClockJump,
    /// A process is cut off from the broker, and knows.
    Partition,
    /// The same, and nobody knows.
    Silence,
    /// The broker ends and starts again.
    BrokerRestart,
    /// The broker loses the newest messages of a stream, which it had acknowledged.
    TailLoss,
    /// The broker loses all its data.
    BrokerLoss,
    /// The oldest messages of a stream exceed its limits.
    Expiry,
    /// Messages of one stream are delayed, and so come behind those of others.
    Delay,
    /// Messages are kept twice.
    Duplicates,
    /// Acknowledgements are lost.
    LostAcks,
    /// Publishes are refused.
    RefusedPublishes,
    /// The broker forgets the ids of what it has.
    ForgottenIds,
    /// Commits of a service take long.
    SlowCommits,
    /// Commits of a service break off: some were done, some were not.
    BrokenCommits,
    /// A database refuses commits of a service, one alone too: then what was in it is put aside.
    RefusedCommits,
    /// Commits of a service get no answer: some were done, some were not.
    HungCommits,
    /// What is looked up of a service comes late, as it was.
    SlowLookups,
    /// A service's database is away.
    DatabaseAway,
    /// A database ends the connection of an owner, who believes that it still holds the lock.
    LostLock,
    /// A second owner begins while the first goes on, and each believes that it holds the lock.
    TwoOwners,
    /// The gateway's answers are lost.
    GatewayTrouble,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Crash,
        Self::Pause,
        Self::Restart,
        Self::ClockJump,
        Self::Partition,
        Self::Silence,
        Self::BrokerRestart,
        Self::TailLoss,
        Self::BrokerLoss,
        Self::Expiry,
        Self::Delay,
        Self::Duplicates,
        Self::LostAcks,
        Self::RefusedPublishes,
        Self::ForgottenIds,
        Self::SlowCommits,
        Self::BrokenCommits,
        Self::RefusedCommits,
        Self::HungCommits,
        Self::SlowLookups,
        Self::DatabaseAway,
        Self::LostLock,
        Self::TwoOwners,
        Self::GatewayTrouble,
    ];

    /// Its name in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crashes",
            Self::Pause => "pauses",
            Self::Restart => "restarts",
            Self::ClockJump => "clock jumps",
            Self::Partition => "partitions",
            Self::Silence => "silences",
            Self::BrokerRestart => "broker restarts",
            Self::TailLoss => "tail losses",
            Self::BrokerLoss => "broker losses",
            Self::Expiry => "expiries",
            Self::Delay => "delays",
            Self::Duplicates => "duplicates",
            Self::LostAcks => "lost acknowledgements",
            Self::RefusedPublishes => "refused publishes",
            Self::ForgottenIds => "forgotten ids",
            Self::SlowCommits => "slow commits",
            Self::BrokenCommits => "broken commits",
            Self::RefusedCommits => "refused commits",
            Self::HungCommits => "hung commits",
            Self::SlowLookups => "slow lookups",
            Self::DatabaseAway => "databases away",
            Self::LostLock => "lost locks",
            Self::TwoOwners => "second owners",
            Self::GatewayTrouble => "gateway troubles",
        }
    }
}

/// One fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// The service that it strikes, by its number in [`Service::ALL`], where it strikes one.
    pub service: usize,
    /// The process of that service.
    pub process: usize,
    /// How long it lasts.
    pub lasts_ms: u64,
    /// How much of it: exchanges until a crash, messages lost, ms that a clock jumps.
    pub amount: u64,
}

impl Fault {
    /// A fault of a kind.
    pub fn draw(kind: Kind, chance: &Chance, processes: [usize; Service::ALL.len()]) -> Self {
        let service = usize::try_from(chance.below(processes.len() as u64)).unwrap_or(0);
        let process = chance.below(processes[service] as u64);
        let lasts_ms = match kind {
            Kind::Pause => *chance.pick(&[300, 1_500, 4_000]),
            Kind::Crash | Kind::Restart => chance.between(10, 1_500),
            Kind::SlowCommits | Kind::SlowLookups => *chance.pick(&[20, 200, 1_000, 3_500]),
            Kind::ClockJump => chance.between(500, 5_000),
            _ => chance.between(20, 2_000),
        };
        let amount = match kind {
            Kind::Crash => *chance.pick(&[0, 1, 2, 3, 5, 8, 13, 21, 34]),
            Kind::ClockJump => chance.between(0, 6_000),
            Kind::TailLoss | Kind::Expiry => chance.between(1, 30),
            Kind::BrokenCommits | Kind::RefusedCommits | Kind::HungCommits => chance.between(1, 3),
            _ => chance.between(5, 60),
        };
        Self {
            kind,
            service,
            process: usize::try_from(process).unwrap_or(0),
            lasts_ms,
            amount,
        }
    }

    /// The service that it strikes.
    pub fn struck(&self) -> Service {
        Service::ALL[self.service]
    }
}
