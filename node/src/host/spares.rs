//! What was let go and may be used again, as much of it as is used between two looks.

/// Things to be used again.
pub(super) struct Spares<T> {
    things: Vec<T>,
    /// The fewest there have been since the last sweep: so many nobody needed.
    unused: usize,
}

impl<T> Spares<T> {
    pub(super) const fn new() -> Self {
        Self {
            things: Vec::new(),
            unused: 0,
        }
    }

    /// The one that was put last, which is the likeliest to be in a cache.
    pub(super) fn take(&mut self) -> Option<T> {
        let thing = self.things.pop();
        self.unused = self.unused.min(self.things.len());
        thing
    }

    pub(super) fn put(&mut self, thing: T) {
        self.things.push(thing);
    }

    /// Takes out what nobody needed since the last sweep.
    pub(super) fn sweep(&mut self) -> impl Iterator<Item = T> {
        let unused = self.unused;
        self.unused = self.things.len() - unused;
        self.things.drain(..unused)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needed_between_two_sweeps_is_taken_out() {
        let mut spares = Spares::new();
        assert_eq!(spares.take(), None);
        (0..5).for_each(|n| spares.put(n));
        assert_eq!(spares.sweep().count(), 0, "they have just come");
        assert_eq!((spares.take(), spares.take()), (Some(4), Some(3)));
        spares.put(5);
        assert_eq!(spares.sweep().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spares.sweep().collect::<Vec<_>>(), [5]);
        assert_eq!(spares.take(), None);
    }
}
