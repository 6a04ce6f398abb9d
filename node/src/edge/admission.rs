//! How many requests of one kind are carried through at a time; others wait in line.
//!
//! All of them share one pipeline of commits and messages. A few hundred keep it full; with thousands
//! inside nobody gets more done, each takes as long as all of them together, and deadlines that run
//! from the first commit on are reached by what nothing is wrong with. In line nothing is written
//! yet: who waits there has no deadline, and who goes away leaves nothing behind.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::Problem;
use crate::telemetry::names;

/// How many that take long may be under way, as a multiple of those that are carried through at a
/// time. Where it is reached it is the pipeline that is slow, and nobody gives up a place early.
const SLOW: usize = 4;

/// A line, and the places that it leads to.
#[derive(Clone)]
pub struct Admission(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    limits: AdmissionLimits,
    call: &'static str,
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

/// The place of one that was admitted; free again when it is dropped. Where that is in the middle of
/// its work its client went away, and what the work had begun goes on without it: then it still counts
/// until its time is over.
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    admission: Arc<Inner>,
    /// Until when it counts; `None` where it no longer does.
    counts_until: Option<Instant>,
    /// Whether its work has begun and is not done.
    at_work: bool,
}

impl Admission {
    /// All places are free. `call` names the line.
    pub fn new(call: &'static str, limits: AdmissionLimits) -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(limits.admitted_max)),
            slow: Arc::new(Semaphore::new(limits.admitted_max.saturating_mul(SLOW))),
            limits,
            call,
            waiting: metrics::gauge!(names::WAITING, "call" => call),
        }))
    }

    /// Waits in line for a place.
    ///
    /// # Errors
    /// [`Problem::RetryLater`] where that took too long.
    pub async fn place(&self) -> Result<Place, Problem> {
        let permit = self.permit().await?;
        Ok(Place {
            permit: Some(permit),
            admission: Arc::clone(&self.0),
            counts_until: Some(Instant::now() + self.0.limits.counted),
            at_work: false,
        })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        if let Ok(permit) = Arc::clone(&self.0.places).try_acquire_owned() {
            return Ok(permit);
        }
        let _in_line = InLine::new(&self.0.waiting);
        let place = Arc::clone(&self.0.places).acquire_owned();
        let permit = timeout(self.0.limits.wait, place).await;
        let permit = permit.map_err(|_| Problem::RetryLater {
            missing: vec![format!("a place among those of {}", self.0.call)],
        })?;
        Ok(permit.expect("the places are never closed"))
    }
}

impl Place {
    /// Carries `work` through. Where that takes long the place may become another's meanwhile.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.at_work = true;
        let done = self.carry_through(work).await;
        self.at_work = false;
        done
    }

    async fn carry_through<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Some(until) = self.counts_until {
            if let Ok(done) = timeout_at(until, &mut work).await {
                return done;
            }
            if let Ok(slow) = Arc::clone(&self.admission.slow).try_acquire_owned() {
                self.permit = Some(slow);
                self.counts_until = None;
            }
        }
        work.await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self.counts_until.filter(|_| self.at_work);
        let (Some(until), Ok(runtime)) = (left, Handle::try_current()) else {
            return;
        };
        let permit = self.permit.take();
        runtime.spawn(async move {
            sleep_until(until).await;
            drop(permit);
        });
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
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    const COUNTED: Duration = Duration::from_millis(250);
    const WAIT: Duration = Duration::from_secs(5);

    async fn carry<T>(admission: Admission, work: impl Future<Output = T>) -> Result<T, Problem> {
        Ok(admission.place().await?.during(work).await)
    }

    fn admission(admitted_max: usize) -> Admission {
        let limits = AdmissionLimits {
            admitted_max,
            counted: COUNTED,
            wait: WAIT,
        };
        Admission::new("test", limits)
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
            let (admission, begun) = (admission.clone(), Arc::clone(&begun));
            tokio::spawn(async move {
                let work = async {
                    begun.lock().unwrap().push(number);
                    ended.await
                };
                carry(admission, work).await
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
        let _place = admission.place().await.ok().unwrap();
        let work = async { panic!("it is not begun") };
        let told = carry(admission, work).await;
        assert!(matches!(told, Err(Problem::RetryLater { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_gives_its_place_to_others_and_goes_on() {
        let admission = admission(1);
        let slow = carry(admission.clone(), tokio::time::sleep(4 * COUNTED));
        let slow = tokio::spawn(slow);
        settle().await;
        let begun = Instant::now();
        carry(admission, async {}).await.unwrap();
        assert_eq!(begun.elapsed(), COUNTED);
        slow.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_the_line() {
        let admission = admission(1);
        let first = tokio::spawn(carry(admission.clone(), pending::<()>()));
        settle().await;
        let gone = carry(admission.clone(), async { panic!("nobody waits") });
        let gone = tokio::spawn(gone);
        settle().await;
        gone.abort();
        first.abort();
        settle().await;
        carry(admission.clone(), async {}).await.unwrap();
        assert_eq!(admission.0.places.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_left_in_the_middle_of_its_work_counts_until_its_time_is_over() {
        let admission = admission(1);
        let left = tokio::spawn(carry(admission.clone(), pending::<()>()));
        settle().await;
        let begun = Instant::now();
        left.abort();
        carry(admission.clone(), async {}).await.unwrap();
        assert_eq!(begun.elapsed(), COUNTED);
        // What is done is free at once.
        carry(admission.clone(), async {}).await.unwrap();
        assert_eq!(begun.elapsed(), COUNTED);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_take_long_it_is_a_line_again() {
        let admission = admission(1);
        let begun = Arc::new(AtomicUsize::new(0));
        for _ in 0..10 {
            let begun = Arc::clone(&begun);
            let work = async move {
                begun.fetch_add(1, Ordering::Relaxed);
                pending::<()>().await;
            };
            tokio::spawn(carry(admission.clone(), work));
        }
        tokio::time::sleep(2 * WAIT).await;
        assert_eq!(begun.load(Ordering::Relaxed), SLOW + 1);
    }
}
