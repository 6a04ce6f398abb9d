//! How far a partition's ledger has been told, and how much of that the broker will keep.
//!
//! A broker that loses power forgets the newest of what it acknowledged: what it took since it last
//! synced its disk. So what was told [a while](crate::host::Limits::reread_ms) ago is told from what
//! was told just now, which alone need be told again.

use std::{collections::VecDeque, time::Duration};

use messages::Partition;
use tokio::time::Instant;

use crate::store::{Mark, Position, PositionWrite, Standing};

/// Into how many steps the while is cut.
const STEPS: u32 = 8;

/// How far a partition has been told.
pub(super) struct Reach {
    /// The number of the last ledger row told.
    pub(super) number: i64,
    /// The stream that has what was told; `None` where nothing was.
    pub(super) stream: Option<String>,
    /// The newest event in that stream, which need not be the last row's: its row's number, and where
    /// it is. A stream that has it has all that was told. `None` where there is none, or where what was
    /// told is being told again.
    pub(super) newest: Option<(i64, Position)>,
    /// The number of the last row that the broker will keep; `None` where the database does not say,
    /// which an older release wrote.
    kept: Option<i64>,
    /// What the database has of [`kept`](Self::kept) in this stream.
    written: Option<i64>,
    /// How far it had been told at a few times of the last while.
    steps: VecDeque<(Instant, i64)>,
}

impl Reach {
    /// As the database has it.
    pub(super) fn new(standing: &Standing) -> Self {
        let number = standing.events.as_ref().map_or(0, |(number, _)| *number);
        let same_stream = |(number, position): &(i64, Position)| {
            let newest = standing.events.as_ref();
            let same = newest.is_some_and(|(_, newest)| newest.stream == position.stream);
            same.then_some(*number)
        };
        let written = standing.events_kept.as_ref().and_then(same_stream);
        let newest = standing.events.as_ref();
        Self {
            number,
            stream: newest.map(|(_, position)| position.stream.clone()),
            newest: newest.cloned(),
            kept: if number == 0 { Some(0) } else { written },
            written,
            steps: VecDeque::from([(Instant::now(), number)]),
        }
    }

    /// Behind which number to go on where the broker forgot something; `None` where nothing says.
    pub(super) fn kept(&self) -> Option<i64> {
        self.kept.map(|kept| kept.min(self.number))
    }

    /// A row was told that makes no event.
    pub(super) const fn passed(&mut self, number: i64) {
        self.number = number;
    }

    /// A row was told: it was handed over at this time, and the stream has its event at this position.
    /// The broker keeps what was told so long `before`, since it has run from then until it took this.
    pub(super) fn told(
        &mut self,
        number: i64,
        position: Position,
        handed_over: Instant,
        before: Duration,
    ) {
        self.number = number;
        if self.stream.as_ref() != Some(&position.stream) {
            self.stream = Some(position.stream.clone());
        }
        let newer = |(_, newest): &(i64, Position)| {
            newest.stream != position.stream || newest.sequence <= position.sequence
        };
        if self.newest.as_ref().is_none_or(newer) {
            self.newest = Some((number, position));
        }
        while let Some((at, number)) = self.steps.front()
            && handed_over.duration_since(*at) >= before
        {
            self.kept = Some(*number);
            self.steps.pop_front();
        }
        // Not when it was handed over: the broker took it at some time since.
        let now = Instant::now();
        let last = self.steps.back().map(|(at, _)| *at);
        if last.is_none_or(|at| now.duration_since(at) >= before / STEPS) {
            self.steps.push_back((now, number));
        }
    }

    /// What is behind this number is to be told again, in this `stream`; answers what the database is to
    /// know of it, so that a process that takes over meanwhile does so too.
    pub(super) fn go_back(
        &mut self,
        partition: Partition,
        number: i64,
        stream: &str,
    ) -> Vec<PositionWrite> {
        self.stream = Some(stream.to_owned());
        let position = self.newest.take().map(|(_, position)| position);
        self.number = number;
        self.kept = Some(number);
        // It is to be written again once it is known in which stream.
        self.written = None;
        self.steps.clear();
        let Some(position) = position else {
            return Vec::new();
        };
        // No stream has that row there.
        let write = |mark| mark_at(mark, partition, number, &position);
        vec![write(Mark::Events), write(Mark::EventsKept)]
    }

    /// What the database is to know of it.
    pub(super) fn marks(&mut self, partition: Partition) -> Vec<PositionWrite> {
        let Some((number, position)) = &self.newest else {
            return Vec::new();
        };
        let mut marks = vec![mark_at(Mark::Events, partition, *number, position)];
        if let Some(kept) = self.kept
            && self.written != self.kept
        {
            self.written = self.kept;
            marks.push(mark_at(Mark::EventsKept, partition, kept, position));
        }
        marks
    }
}

fn mark_at(mark: Mark, partition: Partition, number: i64, position: &Position) -> PositionWrite {
    PositionWrite {
        mark,
        partition,
        position: position.clone(),
        number,
    }
}

#[cfg(test)]
mod tests {
    use messages::Timestamp;

    use super::*;

    const WHILE: Duration = Duration::from_secs(80);
    const PARTITION: Partition = Partition(0);

    fn at(sequence: u64) -> Position {
        Position {
            stream: "one".into(),
            sequence,
            at: Timestamp::from_millis(0),
        }
    }

    fn standing(number: i64, kept: Option<i64>) -> Standing {
        Standing {
            number,
            events: Some((number, at(7))),
            events_kept: kept.map(|kept| (kept, at(5))),
            ..Standing::default()
        }
    }

    async fn tell(reach: &mut Reach, after: u64, number: i64) {
        tokio::time::advance(Duration::from_secs(after)).await;
        let position = at(number.unsigned_abs());
        reach.told(number, position, Instant::now(), WHILE);
    }

    fn numbers(marks: Vec<PositionWrite>) -> Vec<(Mark, i64, u64)> {
        let marks = marks.into_iter();
        marks
            .map(|write| (write.mark, write.number, write.position.sequence))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_a_while_ago_is_kept() {
        let mut reach = Reach::new(&Standing::default());
        tell(&mut reach, 0, 1).await;
        tell(&mut reach, 50, 2).await;
        tell(&mut reach, 29, 3).await;
        assert_eq!(reach.kept(), Some(0), "the first was told 79 s ago");
        tell(&mut reach, 1, 4).await;
        assert_eq!(reach.kept(), Some(0), "as it stood when it began");
        tell(&mut reach, 50, 5).await;
        assert_eq!(reach.kept(), Some(2));
        tell(&mut reach, 1_000, 6).await;
        assert_eq!(reach.kept(), Some(5), "not the one that was told just now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_is_never_kept_before_its_while_is_over() {
        // However closely rows follow one another: a step is noted now and then alone.
        let mut reach = Reach::new(&Standing::default());
        for number in 1..=1_000 {
            tell(&mut reach, 1, number).await;
            let kept = reach.kept().unwrap();
            assert!(kept <= (number - 80).max(0), "{kept} at {number}");
            assert!(kept >= number - 80 - 11, "{kept} at {number}");
            assert!(reach.steps.len() <= 10);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_without_an_event_does_not_say_that_the_broker_lives() {
        let mut reach = Reach::new(&standing(90, Some(60)));
        tokio::time::advance(WHILE).await;
        reach.passed(91);
        assert_eq!((reach.number, reach.kept()), (91, Some(60)));
        assert_eq!(reach.newest, Some((90, at(7))));
        tell(&mut reach, 0, 92).await;
        assert_eq!(reach.kept(), Some(90));
    }

    #[tokio::test(start_paused = true)]
    async fn nor_does_an_acknowledgement_that_lay_there_while_nobody_looked() {
        let mut reach = Reach::new(&standing(90, Some(60)));
        let handed_over = Instant::now();
        tokio::time::advance(10 * WHILE).await;
        reach.told(91, at(8), handed_over, WHILE);
        assert_eq!(reach.kept(), Some(60));
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_event_is_the_one_that_stands_behind_all_others() {
        // The first was refused, and so stands behind the one that was handed over with it.
        let mut reach = Reach::new(&standing(90, Some(60)));
        let now = Instant::now();
        reach.told(91, at(21), now, WHILE);
        reach.told(92, at(20), now, WHILE);
        assert_eq!(reach.number, 92);
        assert_eq!(reach.newest, Some((91, at(21))));
        // Who takes over tells the other one again.
        assert_eq!(numbers(reach.marks(PARTITION)), [(Mark::Events, 91, 21)]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_going_back_nothing_behind_is_kept_until_its_while_is_over() {
        let mut reach = Reach::new(&standing(90, Some(60)));
        tell(&mut reach, 70, 95).await;
        let back = numbers(reach.go_back(PARTITION, 60, "one"));
        assert_eq!(back, [(Mark::Events, 60, 95), (Mark::EventsKept, 60, 95)]);
        assert_eq!((reach.number, reach.kept()), (60, Some(60)));
        // So that another loss is noticed before anything is told again.
        assert_eq!(reach.stream.as_deref(), Some("one"));
        assert!(reach.marks(PARTITION).is_empty(), "nobody knows where");
        tell(&mut reach, 70, 61).await;
        assert_eq!(reach.kept(), Some(60));
        let marks = numbers(reach.marks(PARTITION));
        assert_eq!(marks, [(Mark::Events, 61, 61), (Mark::EventsKept, 60, 61)]);
        tell(&mut reach, 80, 62).await;
        assert_eq!(reach.kept(), Some(61));
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_older_release_wrote_says_nothing_of_what_is_kept() {
        let mut reach = Reach::new(&standing(90, None));
        tell(&mut reach, 79, 91).await;
        assert_eq!(reach.kept(), None);
        tell(&mut reach, 1, 92).await;
        assert_eq!(reach.kept(), Some(90));
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_stream_kept_is_nothing() {
        let mut standing = standing(90, Some(60));
        standing.events = Some((
            90,
            Position {
                stream: "two".into(),
                ..at(7)
            },
        ));
        assert_eq!(Reach::new(&standing).kept(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_written_when_it_is_another() {
        let mut reach = Reach::new(&standing(90, Some(60)));
        tell(&mut reach, 1, 91).await;
        assert_eq!(numbers(reach.marks(PARTITION)), [(Mark::Events, 91, 91)]);
        tell(&mut reach, 80, 92).await;
        let both = [(Mark::Events, 92, 92), (Mark::EventsKept, 90, 92)];
        assert_eq!(numbers(reach.marks(PARTITION)), both);
        assert_eq!(numbers(reach.marks(PARTITION)), [(Mark::Events, 92, 92)]);
    }
}
