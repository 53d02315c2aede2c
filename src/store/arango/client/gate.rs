//! Places for requests: a fair queue whose width follows the limiter.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limiter::{Era, Limiter, Load};

/// Lets as many through as the limiter's window has places, in the order in which they came.
#[derive(Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limiter: Limiter,
    /// Places that exist, free or taken. More than the window only until those taken come back.
    issued: usize,
    taken: usize,
}

/// A place, until it is given back; one that is dropped says nothing of the load.
#[derive(Debug)]
pub struct Place<'a> {
    gate: &'a Gate,
    permit: Option<OwnedSemaphorePermit>,
    era: Era,
}

impl Gate {
    pub fn new(limiter: Limiter) -> Self {
        let issued = limiter.window();
        Self {
            places: Arc::new(Semaphore::new(issued)),
            state: Mutex::new(State { limiter, issued, taken: 0 }),
        }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Place<'_> {
        let permit =
            self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let mut state = self.state();
        state.taken += 1;
        let era = state.limiter.era();
        Place { gate: self, permit: Some(permit), era }
    }

    pub fn window(&self) -> usize {
        self.state().limiter.window()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, permit: OwnedSemaphorePermit, era: Era, load: Load) {
        let mut state = self.state();
        let in_flight = state.taken;
        state.limiter.ended(era, load, in_flight);
        state.taken -= 1;
        let window = state.limiter.window();
        if state.issued > window {
            permit.forget();
            state.issued -= 1;
        } else {
            drop(permit);
        }
        if state.issued > window {
            state.issued -= self.places.forget_permits(state.issued - window);
        } else if state.issued < window {
            self.places.add_permits(window - state.issued);
            state.issued = window;
        }
    }
}

impl Place<'_> {
    /// Gives the place back and tells how it went.
    pub fn leave(mut self, load: Load) {
        if let Some(permit) = self.permit.take() {
            self.gate.leave(permit, self.era, load);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.gate.leave(permit, self.era, Load::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn as_many_enter_as_the_window_has_places() {
        let gate = Gate::new(Limiter::new(2, 4));
        let enter = || gate.enter().now_or_never();
        let (first, second) = (enter().expect("a place"), enter().expect("a place"));
        assert!(enter().is_none(), "two places");
        first.leave(Load::Heavy);
        assert!(enter().is_none(), "one place is left, and it is taken");
        drop(second);
        let only = enter().expect("the one place");
        assert_eq!((gate.window(), enter().is_none()), (1, true));
        only.leave(Load::Light);
        let both = (enter().expect("it grew"), enter().expect("to two"));
        assert!(enter().is_none());
        drop(both);
    }
}
