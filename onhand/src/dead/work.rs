//! What is done with dead letters, one after another.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use messages::{Timestamp, subject::DEAD};
use node::bus::{Bus, Delivery, Outbound, Reader, Start, publish};

use super::letter::{Letter, heads};

/// How long the broker may take to hand over the next letters.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Writes one line a letter.
pub(super) async fn list(bus: &dyn Bus, json: bool, output: &mut dyn Write) -> Result<()> {
    if !json {
        writeln!(output, "{}", heads())?;
    }
    let mut letters = Letters::open(bus).await?;
    let mut any = false;
    while let Some(delivery) = letters.next().await? {
        any = true;
        let letter = Letter::of(delivery);
        if json {
            writeln!(output, "{}", serde_json::to_string(&letter)?)?;
        } else {
            writeln!(output, "{}", letter.line())?;
        }
    }
    if !any && !json {
        writeln!(output, "no dead letters")?;
    }
    Ok(())
}

/// Writes one letter in full.
pub(super) async fn show(bus: &dyn Bus, number: u64, output: &mut dyn Write) -> Result<()> {
    Ok(letter(bus, number).await?.write(output)?)
}

/// The numbers of all letters that are there now. What is replayed and dies again comes behind.
pub(super) async fn numbers(bus: &dyn Bus) -> Result<Vec<u64>> {
    let mut letters = Letters::open(bus).await?;
    let mut numbers = Vec::new();
    while let Some(delivery) = letters.next().await? {
        numbers.push(delivery.sequence);
    }
    Ok(numbers)
}

/// Sends letters again to where they came from. Each goes only when the broker has taken it: where
/// this ends between the two, it is sent once more, which its request id makes harmless.
pub(super) async fn replay(
    bus: &dyn Bus,
    numbers: &[u64],
    now: Timestamp,
    output: &mut dyn Write,
) -> Result<()> {
    for number in numbers {
        let letter = letter(bus, *number).await?;
        let origin = letter.origin().ok_or_else(|| {
            let said = letter.subject.as_deref().unwrap_or("nothing");
            anyhow!(
                "dead letter {number} cannot be sent again: it says {said:?} of where it came from"
            )
        })?;
        let message = Outbound {
            subject: origin.to_string(),
            // Another id at another time: the broker would pass over one that it knows.
            id: format!("replay/{number}/{now}"),
            headers: Vec::new(),
            payload: letter.payload,
        };
        publish(bus, message)
            .await
            .with_context(|| format!("dead letter {number} was not sent again"))?;
        bus.delete(DEAD.0, *number)
            .await
            .with_context(|| format!("dead letter {number} was sent again, and is still here"))?;
        writeln!(output, "{number} was sent to {origin}")?;
    }
    writeln!(output, "{} sent again", counted(numbers.len()))?;
    Ok(())
}

/// Deletes letters.
pub(super) async fn drop_letters(
    bus: &dyn Bus,
    numbers: &[u64],
    output: &mut dyn Write,
) -> Result<()> {
    for number in numbers {
        letter(bus, *number).await?;
        bus.delete(DEAD.0, *number)
            .await
            .with_context(|| format!("dead letter {number} was not dropped"))?;
    }
    writeln!(output, "{} dropped", counted(numbers.len()))?;
    Ok(())
}

fn counted(letters: usize) -> String {
    match letters {
        0 => "no dead letters".into(),
        1 => "1 dead letter".into(),
        many => format!("{many} dead letters"),
    }
}

async fn letter(bus: &dyn Bus, number: u64) -> Result<Letter> {
    let found = bus.message(DEAD.0, number).await;
    let delivery = found
        .with_context(|| format!("dead letter {number} cannot be read"))?
        .ok_or_else(|| {
            anyhow!("there is no dead letter {number}: `onhand dead list` shows them")
        })?;
    Ok(Letter::of(delivery))
}

/// The letters that were there when this was opened, in their order.
struct Letters {
    reader: Option<Box<dyn Reader>>,
    ahead: std::vec::IntoIter<Delivery>,
    last: u64,
}

impl Letters {
    async fn open(bus: &dyn Bus) -> Result<Self> {
        let (reader, last) = match bus.stream(DEAD.0).await {
            Ok(state) if state.first <= state.last && state.last > 0 => {
                let subjects = vec![DEAD.1.to_owned()];
                let start = Start::Sequence(state.first);
                (Some(bus.read(DEAD.0, subjects, start).await?), state.last)
            }
            Ok(_) => (None, 0),
            // Nobody has made it yet, so that nothing can have died.
            Err(fault) if fault.0.contains("stream not found") => (None, 0),
            Err(fault) => return Err(fault).context("dead letters cannot be read"),
        };
        Ok(Self {
            reader,
            ahead: Vec::new().into_iter(),
            last,
        })
    }

    async fn next(&mut self) -> Result<Option<Delivery>> {
        loop {
            if let Some(delivery) = self.ahead.next() {
                if delivery.pending == 0 || delivery.sequence >= self.last {
                    self.reader = None;
                    self.ahead = Vec::new().into_iter();
                }
                return Ok((delivery.sequence <= self.last).then_some(delivery));
            }
            let Some(reader) = &mut self.reader else {
                return Ok(None);
            };
            let next = tokio::time::timeout(READ_WAIT, reader.next()).await;
            let next = next.map_err(|_| anyhow!("the broker stopped answering"))?;
            self.ahead = next.context("dead letters cannot be read")?.into_iter();
        }
    }
}
