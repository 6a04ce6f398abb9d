//! How many requests of one kind are carried through at a time; others wait in line.
//!
//! All of them share one pipeline of commits and messages. A few hundred keep it full; with thousands
//! inside nobody gets more done, each takes as long as all of them together, and deadlines that run
//! from the first commit on are reached by what nothing is wrong with. In line nothing is written
//! yet: who waits there has no deadline, and who goes away leaves nothing behind.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::Problem;
use crate::telemetry::names;

/// A line, and the places that it leads to.
pub struct Admission {
    places: Semaphore,
    limits: AdmissionLimits,
    waiting: metrics::Gauge,
}

/// The limits of an [`Admission`].
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// How many are carried through at a time.
    pub admitted_max: usize,
    /// For how long one counts among them. What takes longer waits for somebody else, a gateway
    /// perhaps, and must not keep others from what is idle meanwhile.
    pub counted: Duration,
    /// How long one waits in line before it is told to come again.
    pub wait: Duration,
}

impl Admission {
    /// All places are free. `call` names the line among the metrics.
    pub fn new(call: &'static str, limits: AdmissionLimits) -> Self {
        Self {
            places: Semaphore::new(limits.admitted_max),
            limits,
            waiting: metrics::gauge!(names::WAITING, "call" => call),
        }
    }

    /// Carries `work` through when its turn has come; it is not begun before.
    ///
    /// # Errors
    /// [`Problem::RetryLater`] where that took too long.
    pub async fn carry<T>(&self, work: impl Future<Output = T>) -> Result<T, Problem> {
        let place = self.place().await?;
        let mut work = pin!(work);
        if let Ok(done) = timeout(self.limits.counted, &mut work).await {
            return Ok(done);
        }
        drop(place);
        Ok(work.await)
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let _in_line = InLine::new(&self.waiting);
        let place = timeout(self.limits.wait, self.places.acquire()).await;
        let place = place.map_err(|_| Problem::RetryLater {
            missing: vec!["a place among the requests under way".to_owned()],
        })?;
        Ok(place.expect("the places are never closed"))
    }
}

/// Counted as long as it waits, also where its client goes away.
struct InLine<'a>(&'a metrics::Gauge);

impl<'a> InLine<'a> {
    fn new(waiting: &'a metrics::Gauge) -> Self {
        waiting.increment(1.0);
        Self(waiting)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{Arc, Mutex},
    };

    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    const COUNTED: Duration = Duration::from_millis(250);
    const WAIT: Duration = Duration::from_secs(5);

    fn admission(admitted_max: usize) -> Arc<Admission> {
        let limits = AdmissionLimits {
            admitted_max,
            counted: COUNTED,
            wait: WAIT,
        };
        Arc::new(Admission::new("test", limits))
    }

    /// Whatever can go on does; the paused clock stands still meanwhile.
    async fn settle() {
        for _ in 0..100 {
            yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_too_many_begins_when_another_is_done_first_come_first_served() {
        let admission = admission(1);
        let begun = Arc::new(Mutex::new(Vec::new()));
        let mut ends = Vec::new();
        for number in 0..3 {
            let (end, ended) = oneshot::channel::<()>();
            let (admission, begun) = (Arc::clone(&admission), Arc::clone(&begun));
            tokio::spawn(async move {
                let work = async {
                    begun.lock().unwrap().push(number);
                    ended.await
                };
                admission.carry(work).await
            });
            ends.push(end);
            settle().await;
        }
        for (end, expected) in ends.into_iter().zip([vec![0], vec![0, 1], vec![0, 1, 2]]) {
            assert_eq!(*begun.lock().unwrap(), expected);
            end.send(()).unwrap();
            settle().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_again_and_is_never_begun() {
        let admission = admission(1);
        let _place = admission.places.acquire().await.unwrap();
        let work = async { panic!("it is not begun") };
        let told = admission.carry(work).await;
        assert!(matches!(told, Err(Problem::RetryLater { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_gives_its_place_to_others_and_goes_on() {
        let admission = admission(1);
        let slow = Arc::clone(&admission);
        let slow = tokio::spawn(async move { slow.carry(tokio::time::sleep(4 * COUNTED)).await });
        settle().await;
        let begun = tokio::time::Instant::now();
        admission.carry(async {}).await.unwrap();
        assert_eq!(begun.elapsed(), COUNTED);
        slow.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_the_line() {
        let admission = admission(1);
        let first = Arc::clone(&admission);
        let first = tokio::spawn(async move { first.carry(pending::<()>()).await });
        settle().await;
        let gone = Arc::clone(&admission);
        let gone = tokio::spawn(async move { gone.carry(async { panic!("nobody waits") }).await });
        settle().await;
        gone.abort();
        first.abort();
        settle().await;
        admission.carry(async {}).await.unwrap();
        assert_eq!(admission.places.available_permits(), 1);
    }
}
